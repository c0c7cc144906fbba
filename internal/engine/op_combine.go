package engine

import (
	"context"
	"fmt"

	"github.com/spanlake/spanlake/traceql"
)

// operationStage joins what two expressions find in each spanset. The result
// keeps the attributes of that spanset; those that the operands added are gone.
func (c *compiler) operationStage(s *traceql.SpansetOperation) (stage, error) {
	left, err := c.operandStage(s.Left)
	if err != nil {
		return nil, err
	}
	right, err := c.operandStage(s.Right)
	if err != nil {
		return nil, err
	}
	join := joinOf(s.Op)
	return func(ctx context.Context, f *frame, in []spanset) ([]spanset, error) {
		var out []spanset
		for i, set := range in {
			a, err := left(ctx, f, in[i:i+1:i+1])
			if err != nil {
				return nil, err
			}
			b, err := right(ctx, f, in[i:i+1:i+1])
			if err != nil {
				return nil, err
			}
			if set.rows = join(f.trace, joined(a), joined(b)); len(set.rows) > 0 {
				out = append(out, set)
			}
		}
		return out, nil
	}, nil
}

// operandStage compiles one side of an operator, which must give one spanset.
func (c *compiler) operandStage(s traceql.SpansetExpr) (stage, error) {
	if p, ok := s.(*traceql.SpansetPipeline); ok && splits(p.Pipeline) {
		return nil, fmt.Errorf("%w: %s", ErrSplit, p)
	}
	return c.stage(s)
}

// splits reports whether a pipeline may give several spansets for one.
func splits(p traceql.Pipeline) bool {
	several := false
	for _, s := range p {
		switch s := s.(type) {
		case *traceql.GroupBy:
			several = true
		case *traceql.Coalesce:
			several = false
		case *traceql.SpansetPipeline:
			several = several || splits(s.Pipeline)
		}
	}
	return several
}

// joinOf is what an operator makes of the rows of its sides, both of which may
// be empty.
func joinOf(op traceql.SpansetOp) func(t *traceFacts, a, b []int32) []int32 {
	switch op {
	case traceql.SpansetAnd:
		return func(_ *traceFacts, a, b []int32) []int32 {
			if len(a) == 0 || len(b) == 0 {
				return nil
			}
			return unionOf(a, b)
		}
	case traceql.SpansetUnion:
		return func(_ *traceFacts, a, b []int32) []int32 { return unionOf(a, b) }
	default:
		related := structural(op)
		return func(t *traceFacts, a, b []int32) []int32 {
			switch {
			case len(b) == 0, len(a) == 0 && !op.IsNegated():
				return nil
			case len(a) == 0:
				return b
			}
			return related(t.links(), a, b)
		}
	}
}
