package querier

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/schema"
)

// searchReport gets traces that are sure to be in the answer, in its order, and
// what was read so far.
type searchReport func(found []engine.TraceResult, metrics tempopb.SearchMetrics)

// find searches. If report is not nil it is called each time something is done.
//
// It searches one slice of time after the other, the newest first, until there
// are traces enough. What a slice finds that begins within it no older slice can
// change or come before. What begins earlier is as complete, but waits for its
// turn: older slices may find traces that come before it.
//
// The answer is that of a single search. A trace of it has a row that matches
// in a source that a single search would search; a slice in which the trace
// lies does so, too, since slices are searched in all sources that reach into
// them, and the time of a trace has no gaps.
func (q *Querier) find(ctx context.Context, projects []schema.ProjectID, params searchParams, report searchReport) (*tempopb.SearchResponse, error) {
	r, err := q.begin(ctx, projects)
	if err != nil {
		return nil, err
	}
	s := &search{params: params, max: q.cfg.MaxGroups, report: report, waiting: &engine.SearchResult{}, shown: make(map[schema.TraceID]struct{})}
	s.response.Bare = !params.hasQuery
	s.response.Metrics.TotalBlocks = clip(uint64(len(r.joined.Blocks)))
	slicing := []timeRange{params.within}
	if !params.ordered {
		slicing = timeSlices(r.joined.Blocks, params.within, firstSlice*q.cfg.Concurrency)
	}
	splits := make([][][]schema.Traces, len(slicing))
	for i, slice := range slicing {
		splits[i] = q.split(r, q.searchQuestion(&params, slice, params.limit))
		for _, traces := range splits[i] {
			s.response.Metrics.TotalJobs += clip(uint64(len(traces)))
		}
	}
	for i, slice := range slicing {
		left := params.limit - len(s.response.Traces)
		if err := q.inParts(ctx, r, q.searchQuestion(&params, slice, left), splits[i], s.take); err != nil {
			return nil, err
		}
		if done, err := s.settle(slice, left, i == len(slicing)-1); done || err != nil {
			return &s.response, err
		}
	}
	return &s.response, nil
}

// searchQuestion asks for the newest traces of a slice.
func (q *Querier) searchQuestion(params *searchParams, slice timeRange, limit int) *searchQuestion {
	return &searchQuestion{
		plan: params.plan, query: params.query, within: params.within, slice: slice, margin: q.cfg.SearchMargin,
		opts: q.searchOptions(slice, limit, params.spss),
	}
}

func (q *Querier) searchOptions(slice timeRange, limit, spansPerSpanSet int) engine.SearchOptions {
	return engine.SearchOptions{
		StartNanos: slice.start, EndNanos: slice.end, Limit: limit, SpansPerSpanSet: spansPerSpanSet,
		Concurrency: q.cfg.Concurrency, Repeats: q.repeats,
	}
}

// search is what a search has found so far.
type search struct {
	params   searchParams
	max      int // groups, 0: no limit
	report   searchReport
	response tempopb.SearchResponse
	waiting  *engine.SearchResult        // traces that older slices may come before
	shown    map[schema.TraceID]struct{} // those of response
	groups   int
}

// take takes what jobs have found in a slice.
func (s *search) take(answers []answer) error {
	results := []*engine.SearchResult{s.waiting}
	for _, a := range answers {
		found, ok := a.(*engine.SearchResult)
		if !ok {
			return fmt.Errorf("a search was answered with %T", a)
		}
		addWork(&s.response.Metrics, found, !s.params.hasQuery)
		// A trace that is sure stays as it is, even if live data has more of it now.
		found.Drop(s.shown)
		results = append(results, found)
	}
	s.waiting = engine.MergeResults(s.params.plan, s.params.limit-len(s.response.Traces), results...)
	if s.report != nil {
		s.report(nil, s.response.Metrics)
	}
	return nil
}

// settle shows what is sure after a slice, and is true when that is the answer.
func (s *search) settle(slice timeRange, left int, last bool) (bool, error) {
	sure := len(s.waiting.Traces)
	if !last {
		sure = settled(s.waiting.Traces, slice.start)
	}
	found := s.waiting.Take(sure)
	if s.groups += countGroups(found); s.max > 0 && s.groups > s.max {
		return false, &limitError{fmt.Sprintf("the answer has %d groups, more than the limit of %d (querier.max-groups): "+
			"group by something with fewer values, or lower limit", s.groups, s.max)}
	}
	for i := range found {
		s.shown[found[i].TraceID] = struct{}{}
	}
	s.response.Traces = append(s.response.Traces, found...)
	done := last || sure == left
	if done {
		s.response.Metrics.TotalJobs = s.response.Metrics.CompletedJobs
	}
	if s.report != nil {
		s.report(found, s.response.Metrics)
	}
	return done, nil
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
