package oracle

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
	"slices"

	"github.com/spanlake/spanlake/traceql"
	"github.com/spanlake/spanlake/traceql/traceqltest"
)

// placed is a trace of an answer, and what it is ordered by.
type placed struct {
	traceqltest.Trace

	best  traceql.Static // the largest or smallest value of its spans
	there bool           // else no span has a value
}

// order puts traces in the order that the query asks for. What is equal, and
// what has no value, comes newest first, then by id; the latter behind all
// others.
func order(found []placed, q *traceql.Query) {
	_, descending, ordered := q.OrderBy()
	slices.SortFunc(found, func(a, b placed) int {
		newest := cmp.Or(cmp.Compare(b.StartNanos, a.StartNanos), bytes.Compare(a.ID[:], b.ID[:]))
		switch {
		case !ordered:
			return newest
		case a.there != b.there:
			if a.there {
				return -1
			}
			return 1
		case !a.there:
			return newest
		case descending:
			return cmp.Or(compareRanks(b.best, a.best), newest)
		default:
			return cmp.Or(compareRanks(a.best, b.best), newest)
		}
	})
}

// bestOf is the largest value of a field in the spans of the sets, or the
// smallest. Lists are the values in them.
func (t *trace) bestOf(sets []spanset, field traceql.FieldExpr, largest bool) (best traceql.Static, there bool) {
	for _, set := range sets {
		for _, i := range set.spans {
			for _, v := range (scene{trace: t, index: i}).last(field).items {
				if math.IsNaN(v.Float) {
					continue
				}
				better := compareRanks(v, best) < 0
				if largest {
					better = compareRanks(v, best) > 0
				}
				if !there || better {
					best, there = v, true
				}
			}
		}
	}
	return best, there
}

// compareRanks orders values of all types: numbers, booleans, statuses, kinds,
// texts.
func compareRanks(a, b traceql.Static) int {
	kinds := []traceql.Type{traceql.TypeInt, traceql.TypeBool, traceql.TypeStatus, traceql.TypeKind, traceql.TypeString}
	kind := func(v traceql.Static) int {
		if v.Type.IsNumeric() {
			return 0
		}
		return slices.Index(kinds, v.Type)
	}
	if a.Type.IsNumeric() && b.Type.IsNumeric() {
		return exact(a).Cmp(exact(b))
	}
	return cmp.Or(cmp.Compare(kind(a), kind(b)), cmp.Compare(a.Int, b.Int), cmp.Compare(a.Str, b.Str))
}

// exact is a number as it is: as floats, different ints may be equal.
func exact(v traceql.Static) *big.Float {
	if v.Type == traceql.TypeFloat {
		return big.NewFloat(v.Float)
	}
	return new(big.Float).SetInt64(v.Int)
}
