package querier

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/schema"
)

// searchReport gets traces that are sure to be in the answer, in its order, and
// what was read so far.
type searchReport func(found []engine.TraceResult, metrics tempopb.SearchMetrics)

// find searches. If report is not nil it is called each time something is done;
// when blocks disappear meanwhile, what was found is reported again.
func (q *Querier) find(ctx context.Context, projects []schema.ProjectID, params searchParams, report searchReport) (response *tempopb.SearchResponse, err error) {
	err = q.read(ctx, projects, q.allPartitions(), func(joined *catalog.Joined) (err error) {
		response, err = q.findIn(ctx, joined, params, report)
		return err
	})
	return response, err
}

// findIn searches one slice of time after the other, the newest first, until
// there are traces enough. What a slice finds that begins within it no older
// slice can change or come before. What begins earlier is as complete, but waits
// for its turn: older slices may find traces that come before it.
//
// The answer is that of a single search. A trace of it has a row that matches
// in a source that a single search would search; a slice in which the trace
// lies does so, too, since slices are searched in all sources that reach into
// them, and the time of a trace has no gaps.
func (q *Querier) findIn(ctx context.Context, joined *catalog.Joined, params searchParams, report searchReport) (*tempopb.SearchResponse, error) {
	slicing := []timeRange{params.within}
	if !params.ordered {
		slicing = timeSlices(joined.Blocks, params.within, firstSlice*q.cfg.Concurrency)
	}
	response := &tempopb.SearchResponse{Bare: !params.hasQuery}
	response.Metrics.TotalBlocks = clip(uint64(len(joined.Blocks)))
	response.Metrics.TotalJobs = clip(uint64(len(slicing)))
	var waiting []engine.TraceResult
	groups := 0
	for i, slice := range slicing {
		left := params.limit - len(response.Traces)
		// One group: a source says itself whether a trace is of its partition.
		sources := q.sourcesBeside(joined, slice, params.within, q.cfg.SearchMargin)
		result, err := engine.Search(ctx, params.plan, [][]engine.Source{sources}, engine.SearchOptions{
			StartNanos: slice.start, EndNanos: slice.end, Limit: left, SpansPerSpanSet: params.spss, Concurrency: q.cfg.Concurrency,
			Repeats: q.repeats,
		})
		if err != nil {
			return nil, err
		}
		waiting = merge(waiting, result.Traces)
		waiting = waiting[:min(len(waiting), left)]
		sure := len(waiting)
		if i < len(slicing)-1 {
			sure = settled(waiting, slice.start)
		}
		if groups += countGroups(waiting[:sure]); q.cfg.MaxGroups > 0 && groups > q.cfg.MaxGroups {
			return nil, &limitError{fmt.Sprintf("the answer has %d groups, more than the limit of %d (querier.max-groups): "+
				"group by something with fewer values, or lower limit", groups, q.cfg.MaxGroups)}
		}
		response.Traces = append(response.Traces, waiting[:sure]...)
		addWork(&response.Metrics, result, !params.hasQuery)
		if report != nil {
			report(waiting[:sure], response.Metrics)
		}
		if waiting = waiting[sure:]; len(response.Traces) == params.limit {
			break
		}
	}
	response.Metrics.TotalJobs = response.Metrics.CompletedJobs
	return response, nil
}

// addWork counts a job that is done. The number of traces is part of an answer
// without a query only, as with Tempo.
func addWork(m *tempopb.SearchMetrics, result *engine.SearchResult, traces bool) {
	m.CompletedJobs++
	m.InspectedSpans += result.InspectedSpans
	if traces {
		m.InspectedTraces = clip(uint64(m.InspectedTraces) + result.InspectedTraces)
	}
}

func clip(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) } //nolint:gosec // bounded on this line

// countGroups counts the spansets of traces that have several. One is what every
// trace has.
func countGroups(traces []engine.TraceResult) (n int) {
	for i := range traces {
		if sets := len(traces[i].SpanSets); sets > 1 {
			n += sets
		}
	}
	return n
}

// settled is how many of the traces begin at a time or later.
func settled(traces []engine.TraceResult, start uint64) int {
	n := slices.IndexFunc(traces, func(t engine.TraceResult) bool { return t.StartNanos < start })
	if n < 0 {
		return len(traces)
	}
	return n
}

// merge puts two lists in the order of answers together, what is in both once.
func merge(a, b []engine.TraceResult) []engine.TraceResult {
	if len(a) == 0 {
		return b
	}
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, compareTraces)
	return slices.CompactFunc(all, func(x, y engine.TraceResult) bool { return x.TraceID == y.TraceID })
}

// compareTraces is the order of answers: newest first, then by id.
func compareTraces(a, b engine.TraceResult) int {
	return cmp.Or(cmp.Compare(b.StartNanos, a.StartNanos), bytes.Compare(a.TraceID[:], b.TraceID[:]))
}
