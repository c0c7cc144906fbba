package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// Plan is a compiled query. It is immutable and safe for concurrent use.
type Plan struct {
	// What the second phase does with a whole trace.
	run     stage
	columns vec.Columns
	results []resultField
	order   *ordering // nil: newest first
	frames  sync.Pool // of *frame

	// What the first phase looks for.
	need     need
	leaves   []leaf
	counted  int   // the leaf that wants several rows, -1 if none does
	minTrace int64 // nanoseconds that a trace must take

	// What is known of the spans that are found: row is true for all of them,
	// and if the plan does not need the trace for no others.
	row   rowTest
	trace bool
	// head is true for all spans that the first filters let through, and if
	// sure for no others; rows says that nothing else of the trace matters
	// for what the pipeline does with them.
	head   rowTest
	rows   bool
	shown  vec.Columns // for their results
	scores bool        // an expression is about scores
	// totals is what numbers of a trace say about it, nil if that is nothing.
	totals *totaling
	// deciding is what has to be read to know whether a trace matches, and
	// where it ranks.
	deciding vec.Columns
}

// Compile prepares a search. A nil query finds everything; of a metrics query
// it finds the spans that are counted. Returns traceql.ErrUnsupported for what
// is no search, ErrSplit for by() in an operand without coalesce().
func Compile(q *traceql.Query) (*Plan, error) {
	pipeline, err := searchOf(q)
	if err != nil {
		return nil, err
	}
	var order *ordering
	if q != nil {
		if field, descending, ok := q.OrderBy(); ok {
			order = &ordering{field: field, descending: descending}
		}
	}
	p, err := compilePipeline(pipeline, order)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", pipeline, err)
	}
	return p, nil
}

// searchOf is the pipeline of a query.
func searchOf(q *traceql.Query) (traceql.Pipeline, error) {
	if q == nil {
		return traceql.Pipeline{&traceql.SpansetFilter{Expr: &traceql.Literal{Value: traceql.NewBool(true)}}}, nil
	}
	if m, ok := q.Metrics.(*traceql.MetricsQuery); ok {
		return m.Pipeline, nil
	}
	if len(q.Pipeline) == 0 {
		return nil, fmt.Errorf("%w: %s as a search", traceql.ErrUnsupported, q)
	}
	return q.Pipeline, nil
}

func compilePipeline(pipeline traceql.Pipeline, order *ordering) (*Plan, error) {
	c := newCompiler()
	p := &Plan{order: order}
	p.frames.New = func() any { return newFrame() }
	var err error
	if p.run, err = c.pipeline(pipeline); err != nil {
		return nil, err
	}
	d := needs{compiler: c}
	all, err := d.pipeline(pipeline, found{need: need{op: needAll}, rows: everyRow()}, true)
	if err != nil {
		return nil, err
	}
	p.need, p.leaves = d.prune(all.need)
	p.row, p.minTrace = all.rows, d.minTrace
	p.counted = slices.IndexFunc(p.leaves, func(l leaf) bool { return l.least > 1 })
	shown := fieldsShown(pipeline)
	if p.results, err = resultFields(shown); err != nil {
		return nil, err
	}
	read := fieldsRead(pipeline)
	if order != nil {
		read, shown = append(read, order.field), append(shown, order.field)
		if order.read, err = c.reader(order.field); err != nil {
			return nil, err
		}
	}
	p.columns, p.shown, p.deciding = columnsOf(read...), shownColumns(shown...), decidingColumns(pipeline, read)
	if p.head = p.row; !ofFilters(pipeline) {
		if p.head, err = d.head(pipeline); err != nil {
			return nil, err
		}
	}
	p.rows = ofRows(pipeline) && !c.partsOfAll(read).has(partTrace)
	p.trace = !ofFilters(pipeline) || c.partsOfAll(read).has(partTrace)
	p.totals = p.totaling(pipeline)
	p.scores = slices.ContainsFunc(read, namesScores)
	return p, nil
}

// ofFilters reports whether a pipeline judges each span for itself and passes
// on one spanset as it is.
func ofFilters(p traceql.Pipeline) bool {
	for _, s := range p {
		switch s := s.(type) {
		case *traceql.SpansetFilter, *traceql.Select, *traceql.Coalesce:
		case *traceql.SpansetPipeline:
			if !ofFilters(s.Pipeline) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// ofRows reports whether a pipeline begins with a filter and then looks at the
// spans that it let through only.
func ofRows(p traceql.Pipeline) bool {
	for i, s := range p {
		switch s := s.(type) {
		case *traceql.SpansetFilter:
		case *traceql.Select, *traceql.Coalesce, *traceql.GroupBy:
			if i == 0 {
				return false
			}
		case *traceql.ScalarFilter:
			_, ok := s.Left.(*traceql.Aggregate)
			if _, literal := s.Right.(*traceql.ScalarLiteral); i == 0 || !ok || !literal {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// Columns says which parts of the rows Match reads. What Search returns needs
// no others.
func (p *Plan) Columns() vec.Columns { return p.columns }

// Filter holds for every row for which Match is true, and if sure for no
// others.
func (p *Plan) Filter() (filter *vec.Filter, sure bool) { return p.row.filter, p.row.sure }

// NeedsTrace reports whether the query depends on more than one row at a time,
// so that Match can not be sure.
func (p *Plan) NeedsTrace() bool { return p.trace }

// Match reports whether the row may match: exactly if NeedsTrace is false, and
// else never false for a row that does match.
func (p *Plan) Match(s *schema.Span) bool {
	f := p.frame()
	defer p.release(f)
	f.setSpan(s)
	return (p.scores || s.Fragment != schema.FragmentScore) && p.row.may(f)
}

// matched are the spans of a trace that the plan finds, in whatever spanset.
func (p *Plan) matched(ctx context.Context, t *traceFacts) ([]int32, error) {
	sets, err := p.spansets(ctx, t)
	return joined(sets), err
}

// rankingValue is what a trace ranks by in the plan's order.
func (p *Plan) rankingValue(t *traceFacts, sets []spanset) traceql.Static {
	f := p.frame()
	defer p.release(f)
	f.trace = t
	return p.order.value(f, sets)
}

func (p *Plan) frame() *frame {
	f, _ := p.frames.Get().(*frame)
	return f
}

func (p *Plan) release(f *frame) {
	f.release()
	p.frames.Put(f)
}
