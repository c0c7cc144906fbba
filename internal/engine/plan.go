package engine

import (
	"fmt"
	"sync"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// Plan is a compiled query. It is immutable and safe for concurrent use.
type Plan struct {
	exact   condition // with the trace known
	may     condition // with the row alone: true whenever exact can be
	columns vec.Columns
	trace   bool
	results []resultField
	shown   vec.Columns // of the spans that match, for their results
	frames  sync.Pool   // of *frame

	filter *vec.Filter // true for every row for which may is
	sure   bool        // filter is true for no others
}

// Compile prepares a query. A nil query finds everything. Returns
// traceql.ErrUnsupported for parts of the language that it can not evaluate.
func Compile(q *traceql.Query) (*Plan, error) {
	filter, err := filterOf(q)
	if err != nil {
		return nil, err
	}
	c := compiler{known: make(map[*traceql.Binary]parts)}
	used := c.partsOf(filter)
	p := &Plan{columns: columnsOf(filter), shown: shownColumns(filter), trace: used.has(partTrace)}
	p.frames.New = func() any { return newFrame() }
	if p.exact, err = c.condition(filter, modeExact); err != nil {
		return nil, fmt.Errorf("compile %s: %w", q, err)
	}
	p.may = p.exact
	if p.trace {
		if p.may, err = c.condition(filter, modeMay); err != nil {
			return nil, fmt.Errorf("compile %s: %w", q, err)
		}
	}
	if p.filter, err = c.filter(filter, modeMay); err != nil {
		return nil, fmt.Errorf("compile %s: %w", q, err)
	}
	p.sure = !c.loose
	if p.results, err = resultFields(filter); err != nil {
		return nil, fmt.Errorf("compile %s: %w", q, err)
	}
	return p, nil
}

func filterOf(q *traceql.Query) (traceql.FieldExpr, error) {
	if q == nil {
		return &traceql.Literal{Value: traceql.NewBool(true)}, nil
	}
	if len(q.Pipeline) != 1 {
		return nil, fmt.Errorf("%w: %s", traceql.ErrUnsupported, q)
	}
	f, ok := q.Pipeline[0].(*traceql.SpansetFilter)
	if !ok {
		return nil, fmt.Errorf("%w: %s", traceql.ErrUnsupported, q)
	}
	return f.Expr, nil
}

// Columns says which parts of the rows Match reads. What Search returns needs
// no others.
func (p *Plan) Columns() vec.Columns { return p.columns }

// Filter holds for every row for which Match is true, and if sure for no
// others.
func (p *Plan) Filter() (filter *vec.Filter, sure bool) { return p.filter, p.sure }

// NeedsTrace reports whether the query depends on more than one row at a time,
// so that Match can not be sure.
func (p *Plan) NeedsTrace() bool { return p.trace }

// Match reports whether the row may match: exactly if NeedsTrace is false, and
// else never false for a row that does match.
func (p *Plan) Match(s *schema.Span) bool {
	f := p.frame()
	defer p.release(f)
	f.setSpan(s)
	return p.may(f)
}

func (p *Plan) frame() *frame {
	f, _ := p.frames.Get().(*frame)
	return f
}

func (p *Plan) release(f *frame) {
	f.release()
	p.frames.Put(f)
}
