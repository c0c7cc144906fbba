package engine

import (
	"context"
	"fmt"
	"math"
	"math/bits"

	"github.com/spanlake/spanlake/traceql"
)

// aggregator collects the numbers of a spanset.
type aggregator interface {
	add(v traceql.Static)
	// value is called after at least one add.
	value() traceql.Static
}

// aggregateFunc computes a number of spans. It is false if none of them has
// one to compute with.
type aggregateFunc func(ctx context.Context, f *frame, rows []int32) (traceql.Static, bool, error)

// aggregate compiles count() and the functions of an expression.
func (c *compiler) aggregate(e *traceql.Aggregate) (aggregateFunc, error) {
	var newAggregator func() aggregator
	switch e.Op {
	case traceql.AggregateCount:
		return func(_ context.Context, _ *frame, rows []int32) (traceql.Static, bool, error) {
			return traceql.NewInt(int64(len(rows))), true, nil
		}, nil
	case traceql.AggregateMin:
		newAggregator = func() aggregator { return &extreme{op: traceql.OpLess} }
	case traceql.AggregateMax:
		newAggregator = func() aggregator { return &extreme{op: traceql.OpGreater} }
	case traceql.AggregateSum:
		newAggregator = func() aggregator { return &sum{} }
	case traceql.AggregateAvg:
		newAggregator = func() aggregator { return &average{} }
	default:
		return nil, fmt.Errorf("%w: %s", traceql.ErrUnsupported, e)
	}
	read, err := c.reader(e.Expr)
	return func(ctx context.Context, f *frame, rows []int32) (traceql.Static, bool, error) {
		a, found := newAggregator(), false
		for i, row := range rows {
			if i%rowsBetweenChecks == 0 && ctx.Err() != nil {
				return traceql.Static{}, false, ctx.Err()
			}
			f.setRow(row)
			if o := read(f); o.state == stateScalar && o.value.Type.IsNumeric() {
				a.add(o.value)
				found = true
			}
		}
		if !found {
			return traceql.Static{}, false, nil
		}
		return a.value(), true, nil
	}, err
}

// extreme is the smallest or the largest number, the first of equal ones, and
// NaN only of nothing else.
type extreme struct {
	op   traceql.Operator
	best traceql.Static
}

func (x *extreme) add(v traceql.Static) {
	if holds, _ := x.op.Compare(v, x.best); holds || x.best.Type == traceql.TypeUnknown || math.IsNaN(x.best.Float) {
		x.best = v
	}
}

func (x *extreme) value() traceql.Static { return x.best }

// sum adds ints and durations exactly. With a float or of several types the
// sum is a float; so is one that is no int of 64 bits.
type sum struct {
	count  uint64
	mixed  bool // of several types
	kind   traceql.Type
	high   int64 // the ints, 128 bits
	low    uint64
	floats float64
}

func (s *sum) add(v traceql.Static) {
	if s.count > 0 && v.Type != s.kind {
		s.mixed = true
	}
	s.kind = v.Type
	s.count++
	if v.Type == traceql.TypeFloat {
		s.floats += v.Float
		return
	}
	var carry uint64
	s.low, carry = bits.Add64(s.low, uint64(v.Int), 0) //nolint:gosec // two's complement
	s.high += v.Int>>63 + int64(carry)                 //nolint:gosec // 0 or 1
}

// magnitude is the absolute value of the ints.
func (s *sum) magnitude() (high, low uint64, negative bool) {
	high, low = uint64(s.high), s.low //nolint:gosec // two's complement
	if s.high < 0 {
		var borrow uint64
		low, borrow = bits.Sub64(0, low, 0)
		high, _ = bits.Sub64(0, high, borrow)
	}
	return high, low, s.high < 0
}

func (s *sum) number() float64 {
	high, low, negative := s.magnitude()
	n := math.Ldexp(float64(high), 64) + float64(low)
	if negative {
		n = -n
	}
	return n + s.floats
}

// exact reports whether all numbers were ints, or all were durations.
func (s *sum) exact() bool { return !s.mixed && s.kind != traceql.TypeFloat }

func (s *sum) value() traceql.Static {
	fits := s.high == int64(s.low)>>63 //nolint:gosec // two's complement
	if !s.exact() || !fits {
		return traceql.NewFloat(s.number())
	}
	return traceql.Static{Type: s.kind, Int: int64(s.low)} //nolint:gosec // two's complement
}

// average divides the sum by the count. That of durations is a duration,
// without the fraction of a nanosecond; any other one is a float.
type average struct{ sum }

func (a *average) value() traceql.Static {
	if !a.exact() || a.kind != traceql.TypeDuration {
		return traceql.NewFloat(a.number() / float64(a.count))
	}
	high, low, negative := a.magnitude()
	quotient, _ := bits.Div64(high, low, a.count)
	n := int64(quotient) //nolint:gosec // no average is beyond its numbers
	if negative {
		n = -n
	}
	return nanos(n)
}
