package engine

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// summarize hands out those candidates of a wave of which a summary is enough:
// all of the trace is in the source that found it, as it is, and the source's
// filter is the whole query. It returns the others.
func (h *hunt) summarize(ctx context.Context, wave []candidate) ([]candidate, error) {
	if h.takeSummary == nil {
		return wave, nil
	}
	type origin struct{ partition, source int32 }
	ids := make(map[origin][]schema.TraceID)
	for _, c := range wave {
		if at := (origin{c.partition, c.source}); c.alone() {
			ids[at] = append(ids[at], c.times.ID)
		}
	}
	var tasks []*summaryTask
	for at, ids := range ids {
		if source, ok := h.partitions[at.partition][at.source].(Summarizer); ok {
			slices.SortFunc(ids, func(a, b schema.TraceID) int { return bytes.Compare(a[:], b[:]) })
			tasks = append(tasks, &summaryTask{source: source, ids: ids})
		}
	}
	if err := h.askSummaries(ctx, tasks); err != nil {
		return nil, err
	}
	var list []*vec.Summary
	done := make(map[schema.TraceID]struct{}, len(wave))
	for _, t := range tasks {
		for i := range t.list {
			done[t.list[i].ID] = struct{}{}
			list = append(list, &t.list[i])
		}
	}
	// In the order of the answer, which then grows at its end.
	slices.SortFunc(list, func(a, b *vec.Summary) int {
		return comparePlaces(place{a.StartNanos, a.ID}, place{b.StartNanos, b.ID})
	})
	for _, s := range list {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := h.takeSummary(ctx, s); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(wave, func(c candidate) bool {
		_, ok := done[c.times.ID]
		return ok
	}), nil
}

// summaryTask is what one source is asked.
type summaryTask struct {
	source Summarizer
	ids    []schema.TraceID
	list   []vec.Summary
}

// askSummaries runs the tasks, a single one without another goroutine.
func (h *hunt) askSummaries(ctx context.Context, tasks []*summaryTask) error {
	ask := func(ctx context.Context, t *summaryTask) (err error) {
		if t.list, err = t.source.Summaries(ctx, t.ids, h.plan.head.filter, h.plan.shown, h.few); err != nil {
			return fmt.Errorf("summarize %d traces: %w", len(t.ids), err)
		}
		return nil
	}
	if len(tasks) == 1 {
		return ask(ctx, tasks[0])
	}
	group, groupCtx := newGroup(ctx, h.concurrency)
	for _, t := range tasks {
		group.Go(groupCtx, func(ctx context.Context) error { return ask(ctx, t) })
	}
	return group.Wait()
}

// summaryResult is result for a trace of which only a summary is known.
func (p *Plan) summaryResult(s *vec.Summary) TraceResult {
	f := p.frame()
	defer p.release(f)
	set := SpanSet{Matched: uint32(s.Matched), Spans: make([]SpanResult, len(s.Spans))} //nolint:gosec // a trace fits memory
	for i := range s.Spans {
		f.setSpan(&s.Spans[i])
		set.Spans[i] = p.spanResult(f)
	}
	r := TraceResult{
		TraceID: s.ID, RootServiceName: s.RootService, RootTraceName: s.RootName, StartNanos: s.StartNanos,
		DurationMs:   milliseconds(s.StartNanos, s.LastEnd),
		SpanSets:     []SpanSet{set},
		ServiceStats: make([]ServiceStats, len(s.Services)),
	}
	if r.RootServiceName == "" {
		r.RootServiceName = rootMissing
	}
	for i, c := range s.Services {
		r.ServiceStats[i] = ServiceStats{Service: c.Service, SpanCount: c.Rows, ErrorCount: c.Failed}
	}
	slices.SortFunc(r.ServiceStats, compareServices)
	return r
}

// shownColumns is what reading the fields of expressions needs, and no more.
func shownColumns(list ...traceql.FieldExpr) vec.Columns {
	columns := columnsOf(list...)
	columns.Bare = true
	for _, e := range list {
		eachField(e, func(field traceql.FieldExpr) {
			i, ok := field.(*traceql.Intrinsic)
			if !ok || isElsewhere(i) || partsOfIntrinsic(i.ID) != partRow {
				return
			}
			if key := rowIntrinsic(i.ID); key != "" {
				columns.Intrinsics = append(columns.Intrinsics, key)
			} else {
				columns.Bare = false
			}
		})
	}
	return columns
}

// rowIntrinsic is the key by which sources know an intrinsic of a span, "" if
// they do not.
func rowIntrinsic(id traceql.IntrinsicID) string {
	switch id {
	case traceql.IntrinsicName:
		return vec.Name
	case traceql.IntrinsicKind:
		return vec.Kind
	case traceql.IntrinsicStatus:
		return vec.StatusCode
	case traceql.IntrinsicStatusMessage:
		return vec.StatusMessage
	case traceql.IntrinsicInstrumentationName:
		return vec.ScopeName
	case traceql.IntrinsicInstrumentationVersion:
		return vec.ScopeVersion
	case traceql.IntrinsicParentID:
		return vec.ParentID
	default:
		return ""
	}
}
