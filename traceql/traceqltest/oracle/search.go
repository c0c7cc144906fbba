package oracle

import (
	"context"
	"time"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
	"github.com/spanlake/spanlake/traceql/traceqltest"
)

// Engine answers queries about the spans of New.
type Engine struct {
	traces []*trace
}

var _ traceqltest.Engine = (*Engine)(nil)

// New makes an engine of rows in any order, of which several may be of one
// span. It keeps them.
func New(rows []schema.Span) *Engine { return &Engine{traces(rows)} }

// Search returns the traces that the query finds, newest first, then by id, or
// in the order that it asks for. Returns ErrSpansets if an operator has several
// spansets on one side.
func (e *Engine) Search(
	_ context.Context, q *traceql.Query, options traceqltest.SearchOptions,
) (answer []traceqltest.Trace, err error) {
	field, descending, ordered := q.OrderBy()
	var found []placed
	for _, t := range e.traces {
		sets, err := t.pipeline(q.Pipeline)
		if err != nil {
			return nil, err
		}
		if len(sets) == 0 || !t.reaches(options.StartNanos, options.EndNanos) {
			continue
		}
		p := placed{Trace: t.answer(sets, fields(q.Pipeline), options.SpansPerSpanSet)}
		if ordered {
			p.best, p.there = t.bestOf(sets, field, descending)
		}
		found = append(found, p)
	}
	order(found, q)
	for i, p := range found {
		if options.Limit == 0 || i < options.Limit {
			answer = append(answer, p.Trace)
		}
	}
	return answer, nil
}

// reaches reports whether the trace overlaps with the range, whose end is
// exclusive; an end of 0 is none.
func (t *trace) reaches(start, end uint64) bool {
	last := max(t.endNanos(), t.spans[len(t.spans)-1].StartNanos)
	return last >= start && (end == 0 || t.startNanos() < end)
}

func (t *trace) answer(sets []spanset, fields []traceql.FieldExpr, spansPerSet int) traceqltest.Trace {
	answer := traceqltest.Trace{
		ID: t.id, RootService: "<root span not yet received>", StartNanos: t.startNanos(),
		DurationMs: uint32(min(t.durationNanos()/int64(time.Millisecond), 1<<32-1)), //nolint:gosec // bounded on this line
	}
	if root := t.root(); root != nil {
		answer.RootName = root.Name
		if root.Resource.ServiceName != "" {
			answer.RootService = root.Resource.ServiceName
		}
	}
	for _, set := range sets {
		s := traceqltest.SpanSet{Attributes: set.attributes, Matched: len(set.spans)}
		for n, i := range set.spans {
			if spansPerSet == 0 || n < spansPerSet {
				s.Spans = append(s.Spans, scene{trace: t, index: i}.answer(fields))
			}
		}
		answer.SpanSets = append(answer.SpanSets, s)
	}
	return answer
}

func (s scene) answer(fields []traceql.FieldExpr) traceqltest.Span {
	span := s.span()
	answer := traceqltest.Span{ID: span.SpanID, Kind: span.Kind, StartNanos: span.StartNanos}
	if d := span.DurationNanos(); d > 0 {
		answer.DurationNanos = uint64(d)
	}
	for _, f := range fields {
		switch f := f.(type) {
		case *traceql.Intrinsic:
			if f.ID == traceql.IntrinsicName {
				answer.Name = span.Name
				continue
			}
			if v := s.last(f); v.there {
				answer.Attributes = append(answer.Attributes, schema.Attribute{Key: f.String(), Value: shown(v.items[0])})
			}
		case *traceql.Attribute:
			var last schema.Value // as it is stored, lists and maps too
			s.each(func(s scene) {
				if v, ok := s.attribute(f); ok && v.Kind != schema.KindEmpty {
					last = v
				}
			}, f)
			if last.Kind != schema.KindEmpty {
				answer.Attributes = append(answer.Attributes, schema.Attribute{Key: f.Name, Value: last})
			}
		}
	}
	return answer
}

// fields are the fields that a pipeline speaks of, in its order and each once,
// without those that are in the answer anyway.
func fields(p traceql.Pipeline) (list []traceql.FieldExpr) {
	seen := make(map[string]bool)
	var visit func(e traceql.FieldExpr)
	visit = func(e traceql.FieldExpr) {
		switch e := e.(type) {
		case *traceql.Binary:
			visit(e.Left)
			visit(e.Right)
		case *traceql.Unary:
			visit(e.X)
		case *traceql.Attribute, *traceql.Intrinsic:
			if !seen[e.String()] && !isElsewhere(e) {
				seen[e.String()] = true
				list = append(list, e)
			}
		}
	}
	for _, e := range expressions(p) {
		visit(e)
	}
	return list
}

// expressions are those of the stages that the spans went through, in their
// order: what A > B finds went through B.
func expressions(p traceql.Pipeline) (list []traceql.FieldExpr) {
	for _, stage := range p {
		switch stage := stage.(type) {
		case *traceql.SpansetFilter:
			list = append(list, stage.Expr)
		case *traceql.SpansetOperation:
			if !stage.Op.IsStructural() || stage.Op.IsUnion() {
				list = append(list, expressions(traceql.Pipeline{stage.Left})...)
			}
			list = append(list, expressions(traceql.Pipeline{stage.Right})...)
		case *traceql.SpansetPipeline:
			list = append(list, expressions(stage.Pipeline)...)
		case *traceql.ScalarFilter:
			if a, ok := stage.Left.(*traceql.Aggregate); ok && a.Expr != nil {
				list = append(list, a.Expr)
			}
		case *traceql.GroupBy:
			list = append(list, stage.Expr)
		case *traceql.Select:
			list = append(list, stage.Fields...)
		}
	}
	return list
}

// isElsewhere reports whether an intrinsic has a place of its own in the answer.
func isElsewhere(e traceql.FieldExpr) bool {
	i, ok := e.(*traceql.Intrinsic)
	if !ok {
		return false
	}
	switch i.ID {
	case traceql.IntrinsicDuration, traceql.IntrinsicTraceID, traceql.IntrinsicSpanID,
		traceql.IntrinsicTraceDuration, traceql.IntrinsicTraceRootName, traceql.IntrinsicTraceRootService:
		return true
	default:
		return false
	}
}
