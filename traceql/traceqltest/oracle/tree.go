package oracle

import (
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// tree is how the spans of a trace hang together. They hang by ids, not by
// spans: spans of several kinds that share an id are parents together, and the
// children of a parent that was not received still are siblings.
type tree struct {
	ids []schema.SpanID // of each span
	// links are the ids that the spans name as their parents, zero for none.
	// Where they go round in a circle, the first span of it has none.
	links  []schema.SpanID
	cut    []bool // for which spans that is so
	nested []nestedSet
}

// nestedSet are the numbers of a span: all below it have numbers between its
// left and its right one.
type nestedSet struct{ left, right, parent int64 }

func newTree(spans []schema.Span) tree {
	t := tree{cut: make([]bool, len(spans)), nested: make([]nestedSet, len(spans))}
	for _, s := range spans {
		t.ids = append(t.ids, s.SpanID)
		t.links = append(t.links, s.ParentSpanID)
	}
	for i, id := range t.ids {
		if slices.Index(t.ids, id) == i && slices.Contains(t.above(i), id) {
			t.links[i], t.cut[i] = schema.SpanID{}, true
		}
	}
	t.number()
	return t
}

// above are the ids above a span, the nearest first: the one that it names, the
// one that the first span with that names, and so on. In a circle each is there
// once.
func (t *tree) above(i int) (ids []schema.SpanID) {
	for id := t.links[i]; !id.IsZero() && !slices.Contains(ids, id); {
		ids = append(ids, id)
		first := slices.Index(t.ids, id)
		if first < 0 {
			break
		}
		id = t.links[first]
	}
	return ids
}

// children are the spans that name the id.
func (t *tree) children(id schema.SpanID) (below []int) {
	for i, link := range t.links {
		if link == id {
			below = append(below, i)
		}
	}
	return below
}

// number gives every span a number on the way down and one on the way up, spans
// with the same parent in the order of the trace. First come the trees of the
// roots. A span whose parent was not received, or that heads a circle, says 0
// for its parent; a place is kept for the parent that is not there.
func (t *tree) number() {
	last := int64(0)
	var visit func(i int, parent int64)
	visit = func(i int, parent int64) {
		last++
		left := last
		if slices.Index(t.ids, t.ids[i]) == i {
			for _, child := range t.children(t.ids[i]) {
				visit(child, left)
			}
		}
		last++
		t.nested[i] = nestedSet{left, last, parent}
	}
	for i, link := range t.links {
		if link.IsZero() && !t.cut[i] {
			visit(i, -1)
		}
	}
	for i, link := range t.links {
		missing := !link.IsZero() && !slices.Contains(t.ids, link)
		switch {
		case t.cut[i]:
			last++
			visit(i, 0)
			last++
		case missing && slices.Index(t.links, link) == i:
			last++
			for _, child := range t.children(link) {
				visit(child, 0)
			}
			last++
		}
	}
}
