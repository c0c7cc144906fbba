package engine

import (
	"cmp"
	"math"

	"github.com/spanlake/spanlake/traceql"
)

// ordering ranks traces by a field of the spans that were found: by its
// largest value, or by its smallest one if the smallest comes first. Traces
// without any come last. What ranks the same stands newest first.
type ordering struct {
	field      traceql.FieldExpr
	read       evaluator
	descending bool
}

// rank is where a trace stands in an answer.
type rank struct {
	value traceql.Static // TypeUnknown: none
	place
}

// compare is negative when a stands before b. Without an order the newest
// stands first.
func (o *ordering) compare(a, b rank) int {
	by := 0
	switch {
	case o == nil:
	case a.value.Type == traceql.TypeUnknown || b.value.Type == traceql.TypeUnknown:
		by = cmp.Compare(kindOfRank(a.value), kindOfRank(b.value))
	case o.descending:
		by = compareValues(b.value, a.value)
	default:
		by = compareValues(a.value, b.value)
	}
	return cmp.Or(by, comparePlaces(a.place, b.place))
}

// compareValues is the order of values of all types: numbers by value,
// whatever their types, before booleans, statuses, kinds and texts.
func compareValues(a, b traceql.Static) int {
	if a.Type.IsNumeric() && b.Type.IsNumeric() {
		return compareExactly(a, b)
	}
	if less, ok := traceql.OpLess.Compare(a, b); ok {
		switch greater, _ := traceql.OpGreater.Compare(a, b); {
		case less:
			return -1
		case greater:
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(kindOfRank(a), kindOfRank(b)), cmp.Compare(a.Int, b.Int))
}

// compareExactly orders numbers. As floats, two ints that differ may both equal
// a third number, and what has such numbers has no order.
func compareExactly(a, b traceql.Static) int {
	switch {
	case a.Type == traceql.TypeFloat && b.Type == traceql.TypeFloat:
		return cmp.Compare(a.Float, b.Float)
	case a.Type == traceql.TypeFloat:
		return -compareIntWithFloat(b.Int, a.Float)
	case b.Type == traceql.TypeFloat:
		return compareIntWithFloat(a.Int, b.Float)
	default:
		return cmp.Compare(a.Int, b.Int)
	}
}

func compareIntWithFloat(i int64, f float64) int {
	switch {
	case f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	}
	whole := math.Trunc(f)
	return cmp.Or(cmp.Compare(i, int64(whole)), cmp.Compare(whole, f))
}

func kindOfRank(v traceql.Static) int {
	switch v.Type {
	case traceql.TypeInt, traceql.TypeFloat, traceql.TypeDuration:
		return 0
	case traceql.TypeBool:
		return 1
	case traceql.TypeStatus:
		return 2
	case traceql.TypeKind:
		return 3
	case traceql.TypeString:
		return 4
	case traceql.TypeNil, traceql.TypeUnknown:
	}
	return 5
}

// value is what a trace ranks by in which sets were found.
func (o *ordering) value(f *frame, sets []spanset) traceql.Static {
	var best traceql.Static
	better := func(v traceql.Static) {
		if v.Type == traceql.TypeUnknown || math.IsNaN(v.Float) {
			return
		}
		order := compareValues(v, best)
		if best.Type == traceql.TypeUnknown || o.descending && order > 0 || !o.descending && order < 0 {
			best = v
		}
	}
	for _, set := range sets {
		for _, row := range set.rows {
			f.setRow(row)
			v := o.read(f)
			switch v.state {
			case stateScalar:
				better(v.value)
			case stateList:
				for i := range v.list {
					better(staticOf(v.list[i]))
				}
			case stateAbsent, stateOpaque:
			}
		}
	}
	return best
}
