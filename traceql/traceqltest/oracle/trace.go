package oracle

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// noParent is the index of no span.
const noParent = -1

// trace is all that was received of one trace, each span once.
type trace struct {
	id    schema.TraceID
	spans []schema.Span // by start, id, kind
	// parent is the index of each span's parent in the tree, noParent for the
	// tops of trees.
	parent []int
	nested []nestedSet
}

// nestedSet are the numbers of a span. Spans that hang under no root have
// none: all are 0.
type nestedSet struct{ left, right, parent int64 }

// traces puts rows together: in no particular order, some of them twice, some
// of them fragments.
func traces(rows []schema.Span) []*trace {
	var list []*trace
	for _, row := range rows {
		i := slices.IndexFunc(list, func(t *trace) bool { return t.id == row.TraceID })
		if i < 0 {
			i = len(list)
			list = append(list, &trace{id: row.TraceID})
		}
		list[i].spans = append(list[i].spans, row)
	}
	for _, t := range list {
		t.spans = fold(t.spans)
		slices.SortFunc(t.spans, compareSpans)
		t.findParents()
		t.number()
	}
	return list
}

// compareSpans is the order of the spans of a trace.
func compareSpans(a, b schema.Span) int {
	return cmp.Or(
		cmp.Compare(a.StartNanos, b.StartNanos),
		bytes.Compare(a.SpanID[:], b.SpanID[:]),
		cmp.Compare(a.Kind, b.Kind),
	)
}

// startNanos is the start of the first span.
func (t *trace) startNanos() uint64 { return t.spans[0].StartNanos }

// endNanos is the end of the last span, 0 if none has ended.
func (t *trace) endNanos() (last uint64) {
	for _, s := range t.spans {
		last = max(last, s.EndNanos)
	}
	return last
}

// durationNanos is the last end minus the first start, never negative.
func (t *trace) durationNanos() int64 {
	if t.endNanos() < t.startNanos() {
		return 0
	}
	return int64(min(t.endNanos()-t.startNanos(), math.MaxInt64)) //nolint:gosec // bounded on this line
}

// root is the first span that says it has no parent, nil if none was received.
func (t *trace) root() *schema.Span {
	for i := range t.spans {
		if t.spans[i].ParentSpanID.IsZero() {
			return &t.spans[i]
		}
	}
	return nil
}

// findParents links the spans. A span's parent is the first other span with the
// id that it names. Links that go round in a circle are cut at the circle's
// first span.
func (t *trace) findParents() {
	t.parent = make([]int, len(t.spans))
	for i, s := range t.spans {
		t.parent[i] = noParent
		if s.ParentSpanID.IsZero() || s.ParentSpanID == s.SpanID {
			continue
		}
		for j, p := range t.spans {
			if j != i && p.SpanID == s.ParentSpanID {
				t.parent[i] = j
				break
			}
		}
	}
	for i := range t.spans {
		if slices.Contains(t.ancestors(i), i) {
			t.parent[i] = noParent
		}
	}
}

// ancestors are the spans above span i, the nearest first, each once.
func (t *trace) ancestors(i int) (above []int) {
	for p := t.parent[i]; p != noParent && !slices.Contains(above, p); p = t.parent[p] {
		above = append(above, p)
	}
	return above
}

// children are the spans directly below span i.
func (t *trace) children(i int) (below []int) {
	for j, p := range t.parent {
		if p == i {
			below = append(below, j)
		}
	}
	return below
}

// number gives the trees below the roots their nested-set numbers, one tree
// after the other.
func (t *trace) number() {
	t.nested = make([]nestedSet, len(t.spans))
	next := int64(1)
	var visit func(i int, parent int64)
	visit = func(i int, parent int64) {
		t.nested[i].left, t.nested[i].parent = next, parent
		next++
		for _, child := range t.children(i) {
			visit(child, t.nested[i].left)
		}
		t.nested[i].right = next
		next++
	}
	for i, s := range t.spans {
		if s.ParentSpanID.IsZero() {
			visit(i, -1)
		}
	}
}
