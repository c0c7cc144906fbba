package engine

import (
	"context"
	"fmt"

	"github.com/spanlake/spanlake/traceql"
)

// number computes a number for a spanset. It adds what it computes of the
// spans to the spanset, and is false if there is no value.
type number func(ctx context.Context, f *frame, set spanset) (traceql.Static, spanset, bool, error)

// scalarStage keeps the spansets for which a comparison of numbers holds.
func (c *compiler) scalarStage(s *traceql.ScalarFilter) (stage, error) {
	left, err := c.number(s.Left)
	if err != nil {
		return nil, err
	}
	right, err := c.number(s.Right)
	return func(ctx context.Context, f *frame, in []spanset) ([]spanset, error) {
		var out []spanset
		for _, set := range in {
			a, set, hasLeft, err := left(ctx, f, set)
			if err != nil {
				return nil, err
			}
			b, set, hasRight, err := right(ctx, f, set)
			if err != nil {
				return nil, err
			}
			if holds, ok := s.Op.Compare(a, b); hasLeft && hasRight && ok && holds {
				out = append(out, set)
			}
		}
		return out, nil
	}, err
}

func (c *compiler) number(e traceql.ScalarExpr) (number, error) {
	switch e := e.(type) {
	case *traceql.ScalarLiteral:
		return func(_ context.Context, _ *frame, set spanset) (traceql.Static, spanset, bool, error) {
			return e.Value, set, true, nil
		}, nil
	case *traceql.Aggregate:
		return c.aggregateOf(e)
	case *traceql.ScalarBinary:
		return c.scalarArithmetic(e)
	case *traceql.ScalarPipeline:
		return c.scalarPipeline(e)
	default:
		return nil, fmt.Errorf("%w: %s", traceql.ErrUnsupported, e)
	}
}

func (c *compiler) aggregateOf(e *traceql.Aggregate) (number, error) {
	compute, err := c.aggregate(e)
	key := e.String()
	return func(ctx context.Context, f *frame, set spanset) (traceql.Static, spanset, bool, error) {
		v, ok, err := compute(ctx, f, set.rows)
		if err != nil || !ok {
			return v, set, false, err
		}
		return v, set.with(key, valueOf(v)), true, nil
	}, err
}

// scalarArithmetic has no value where an operand has none or a number is
// divided by zero.
func (c *compiler) scalarArithmetic(e *traceql.ScalarBinary) (number, error) {
	left, err := c.number(e.Left)
	if err != nil {
		return nil, err
	}
	right, err := c.number(e.Right)
	return func(ctx context.Context, f *frame, set spanset) (traceql.Static, spanset, bool, error) {
		a, set, hasLeft, err := left(ctx, f, set)
		if err != nil {
			return a, set, false, err
		}
		b, set, hasRight, err := right(ctx, f, set)
		if err != nil || !hasLeft || !hasRight {
			return b, set, false, err
		}
		v, ok := e.Op.Apply(a, b)
		return v, set, ok, nil
	}, err
}

// scalarPipeline aggregates what a pipeline of its own finds in the spanset.
func (c *compiler) scalarPipeline(e *traceql.ScalarPipeline) (number, error) {
	inner, err := c.pipeline(e.Pipeline)
	if err != nil {
		return nil, err
	}
	compute, err := c.aggregate(e.Aggregate)
	return func(ctx context.Context, f *frame, set spanset) (traceql.Static, spanset, bool, error) {
		found, err := inner(ctx, f, []spanset{set})
		if err != nil {
			return traceql.Static{}, set, false, err
		}
		v, ok, err := compute(ctx, f, joined(found))
		return v, set, ok, err
	}, err
}
