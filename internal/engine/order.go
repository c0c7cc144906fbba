package engine

import (
	"cmp"
	"container/heap"
	"math"
	"slices"

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

// compare is negative when a stands before b.
func (o *ordering) compare(a, b rank) int {
	by := 0
	switch {
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

// rankOf is the place of the frame's trace, in which sets were found.
func (o *ordering) rankOf(f *frame, sets []spanset) rank {
	r := rank{place: place{startNanos: f.trace.startNanos, id: f.trace.id}}
	better := func(v traceql.Static) {
		if v.Type == traceql.TypeUnknown || math.IsNaN(v.Float) {
			return
		}
		order := compareValues(v, r.value)
		if r.value.Type == traceql.TypeUnknown || o.descending && order > 0 || !o.descending && order < 0 {
			r.value = v
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
	return r
}

// ranking keeps the first traces of an ordered answer: a heap, the last of them
// on top.
type ranking struct {
	order *ordering
	limit int
	list  []ranked
}

type ranked struct {
	rank
	trace TraceResult
}

// Len is heap.Interface's.
func (r *ranking) Len() int { return len(r.list) }

// Less is heap.Interface's.
func (r *ranking) Less(i, j int) bool { return r.order.compare(r.list[i].rank, r.list[j].rank) > 0 }

// Swap is heap.Interface's.
func (r *ranking) Swap(i, j int) { r.list[i], r.list[j] = r.list[j], r.list[i] }

// Push is heap.Interface's.
func (r *ranking) Push(x any) { r.list = append(r.list, x.(ranked)) } //nolint:forcetypeassert // of this file only

// Pop is heap.Interface's.
func (r *ranking) Pop() any {
	last := len(r.list) - 1
	x := r.list[last]
	r.list[last] = ranked{}
	r.list = r.list[:last]
	return x
}

// wants reports whether a trace of that rank would stay.
func (r *ranking) wants(at rank) bool {
	return len(r.list) < r.limit || r.order.compare(at, r.list[0].rank) < 0
}

func (r *ranking) add(at rank, t TraceResult) {
	heap.Push(r, ranked{at, t})
	if len(r.list) > r.limit {
		heap.Pop(r)
	}
}

// traces are those that stayed, in order.
func (r *ranking) traces() []TraceResult {
	slices.SortFunc(r.list, func(a, b ranked) int { return r.order.compare(a.rank, b.rank) })
	var traces []TraceResult
	for i := range r.list {
		traces = append(traces, r.list[i].trace)
	}
	return traces
}
