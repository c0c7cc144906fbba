package oracle

import (
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/spanlake/spanlake/traceql"
)

// scalarFilter keeps a spanset if its aggregate compares with the literal, and
// notes the aggregate on it.
func (t *trace) scalarFilter(f *traceql.ScalarFilter, set spanset) ([]spanset, error) {
	aggregate, ok := f.Left.(*traceql.Aggregate)
	if !ok {
		return nil, fmt.Errorf("%w: %s", traceql.ErrUnsupported, f)
	}
	literal, ok := f.Right.(*traceql.ScalarLiteral)
	if !ok {
		return nil, fmt.Errorf("%w: %s", traceql.ErrUnsupported, f)
	}
	v, ok := t.aggregate(aggregate, set.spans)
	if !ok || !compare(f.Op, one(v), one(literal.Value)) {
		return nil, nil
	}
	return []spanset{set.noted(aggregate.String(), shown(v))}, nil
}

// aggregate is the value for some spans, false if none of them has a number.
func (t *trace) aggregate(a *traceql.Aggregate, spans []int) (traceql.Static, bool) {
	if a.Op == traceql.AggregateCount {
		return traceql.NewInt(int64(len(spans))), true
	}
	var numbers []traceql.Static
	for _, i := range spans {
		if n, ok := (scene{trace: t, index: i}).last(a.Expr).number(); ok {
			numbers = append(numbers, n)
		}
	}
	if len(numbers) == 0 {
		return traceql.Static{}, false
	}
	switch a.Op {
	case traceql.AggregateMin:
		return extreme(traceql.OpLess, numbers), true
	case traceql.AggregateMax:
		return extreme(traceql.OpGreater, numbers), true
	case traceql.AggregateSum:
		return sum(numbers), true
	default:
		return average(numbers), true
	}
}

// extreme is the first of the smallest or largest numbers. What is no number is
// so only among its like.
func extreme(op traceql.Operator, numbers []traceql.Static) traceql.Static {
	best := numbers[0]
	for _, n := range numbers[1:] {
		if better, _ := compareItems(op, n, best); better || math.IsNaN(asFloat(best)) {
			best = n
		}
	}
	return best
}

func all(numbers []traceql.Static, t traceql.Type) bool {
	return !slices.ContainsFunc(numbers, func(n traceql.Static) bool { return n.Type != t })
}

// sum is an int of ints, a duration of durations, else a float; a float too if it
// is no int of 64 bits.
func sum(numbers []traceql.Static) traceql.Static {
	t := numbers[0].Type
	if exact := exactSum(numbers); all(numbers, t) && t != traceql.TypeFloat && exact.IsInt64() {
		return traceql.Static{Type: t, Int: exact.Int64()}
	}
	return traceql.NewFloat(total(numbers))
}

// average is a duration of durations, without the fraction of a nanosecond, else
// a float.
func average(numbers []traceql.Static) traceql.Static {
	if all(numbers, traceql.TypeDuration) {
		count := big.NewInt(int64(len(numbers)))
		return duration(new(big.Int).Quo(exactSum(numbers), count).Int64())
	}
	return traceql.NewFloat(total(numbers) / float64(len(numbers)))
}

// exactSum is the sum of those that are no floats.
func exactSum(numbers []traceql.Static) *big.Int {
	sum := new(big.Int)
	for _, n := range numbers {
		if n.Type != traceql.TypeFloat {
			sum.Add(sum, big.NewInt(n.Int))
		}
	}
	return sum
}

// total is the sum of all, of which small floats are added up before they meet a
// large int.
func total(numbers []traceql.Static) float64 {
	floats := 0.0
	for _, n := range numbers {
		if n.Type == traceql.TypeFloat {
			floats += n.Float
		}
	}
	ints, _ := new(big.Float).SetInt(exactSum(numbers)).Float64()
	return ints + floats
}
