package engine

import (
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// noNode stands for a parent that a span does not name.
const noNode = -1

// tree is what the parent links of a trace say. A node is a span id, whether a
// span has it or only a link names it, so that the two halves of a call that
// share an id are one parent, and spans of one missing parent are siblings.
//
// Every node has one way up, that of the first span with its id. A node whose
// span has not arrived has none, nor has the first of a circle: what hangs
// below them is a tree of its own.
type tree struct {
	node   []int32 // of each span
	parent []int32 // of each span: the node that it names, noNode if none
	up     []int32 // of each node: the next one on the way up, noNode at the top

	first    []int32 // of each node: its first span, -1 if it has not arrived
	children []int32 // of each node: spans that name it as their parent

	opened  map[int32]bool // spans whose link was cut to open a circle
	numbers []numbers      // of each span, nil until they are asked for
}

// newTree links the spans of a trace, which are in its order.
func newTree(spans []schema.Span) *tree {
	t := &tree{node: make([]int32, len(spans)), parent: make([]int32, len(spans))}
	byID := make(map[schema.SpanID]int32, len(spans))
	nodeOf := func(id schema.SpanID) int32 {
		n, ok := byID[id]
		if !ok {
			n = int32(len(t.first)) //nolint:gosec // a trace fits memory
			byID[id] = n
			t.first = append(t.first, -1)
		}
		return n
	}
	for i := range spans {
		n := nodeOf(spans[i].SpanID)
		if t.node[i] = n; t.first[n] < 0 {
			t.first[n] = int32(i) //nolint:gosec // a trace fits memory
		}
	}
	for i := range spans {
		t.parent[i] = noNode
		if id := spans[i].ParentSpanID; !id.IsZero() {
			t.parent[i] = nodeOf(id)
		}
	}
	t.climb()
	t.children = make([]int32, len(t.first))
	for _, p := range t.parent {
		if p != noNode {
			t.children[p]++
		}
	}
	return t
}

// climb finds the way up from every node, and opens circles.
func (t *tree) climb() {
	t.up = make([]int32, len(t.first))
	for n, first := range t.first {
		t.up[n] = noNode
		if first >= 0 {
			t.up[n] = t.parent[first]
		}
	}
	const unseen, onWay, done = 0, 1, 2
	state := make([]uint8, len(t.first))
	var way []int32
	for n := range t.up {
		way = way[:0]
		at := int32(n) //nolint:gosec // a trace fits memory
		for ; at != noNode && state[at] == unseen; at = t.up[at] {
			state[at] = onWay
			way = append(way, at)
		}
		if at != noNode && state[at] == onWay {
			t.open(way[slices.Index(way, at):])
		}
		for _, m := range way {
			state[m] = done
		}
	}
}

// open makes the node of a circle whose span comes first in the trace the top.
// The other spans with its id keep their links.
func (t *tree) open(circle []int32) {
	top := slices.MinFunc(circle, func(a, b int32) int { return int(t.first[a]) - int(t.first[b]) })
	t.up[top] = noNode
	t.parent[t.first[top]] = noNode
	if t.opened == nil {
		t.opened = make(map[int32]bool)
	}
	t.opened[t.first[top]] = true
}

// childCount is the number of spans that name the span as their parent.
func (t *tree) childCount(span int) int64 { return int64(t.children[t.node[span]]) }

// numbers are the place of a span in the nested-set model.
type numbers struct {
	left, right int64
	parent      int64 // left of the parent, see numbersOf
}

const (
	parentOfRoot    = -1 // a span that names no parent
	parentOfTopmost = 0  // a span whose parent has not arrived, or the top of a circle
)

// numbersOf counts a span's place: every span takes a number on the way down
// and one on the way up, children in the order of the trace. Trees whose root
// names no parent come first. Each other tree hangs below a place that is kept
// for the parent that is not there.
func (t *tree) numbersOf(span int) numbers {
	if t.numbers == nil {
		t.number()
	}
	return t.numbers[span]
}

// number walks all trees. What hangs below an id hangs below its first span.
func (t *tree) number() {
	w := numberer{tree: t, below: t.listChildren()}
	t.numbers = make([]numbers, len(t.node))
	for i, p := range t.parent {
		if p == noNode && !t.opened[int32(i)] { //nolint:gosec // a trace fits memory
			w.walk(int32(i), parentOfRoot) //nolint:gosec // a trace fits memory
		}
	}
	seen := make([]bool, len(t.first)) // parents that have not arrived
	for i, p := range t.parent {
		switch {
		case p == noNode && t.opened[int32(i)]: //nolint:gosec // a trace fits memory
			w.walkApart([]int32{int32(i)}) //nolint:gosec // a trace fits memory
		case p != noNode && t.first[p] < 0 && !seen[p]:
			seen[p] = true
			w.walkApart(w.below.of(p))
		}
	}
}

// childLists are the spans that name each node, in the order of the trace.
type childLists struct {
	ends  []int32 // of each node
	spans []int32
}

func (c *childLists) of(node int32) []int32 {
	begin := int32(0)
	if node > 0 {
		begin = c.ends[node-1]
	}
	return c.spans[begin:c.ends[node]]
}

func (t *tree) listChildren() childLists {
	c := childLists{ends: make([]int32, len(t.first))}
	next := int32(0)
	for n, count := range t.children {
		c.ends[n] = next // grows to the end as the list is filled
		next += count
	}
	c.spans = make([]int32, next)
	for i, p := range t.parent {
		if p != noNode {
			c.spans[c.ends[p]] = int32(i) //nolint:gosec // a trace fits memory
			c.ends[p]++
		}
	}
	return c
}

// numberer hands out numbers.
type numberer struct {
	tree  *tree
	below childLists
	last  int64
	way   []step
}

// step is a span on the way down, and those of its children that are left.
type step struct {
	span int32
	left []int32
}

// walkApart numbers spans below a place that no span has.
func (w *numberer) walkApart(tops []int32) {
	w.last++
	for _, span := range tops {
		w.walk(span, parentOfTopmost)
	}
	w.last++
}

// walk numbers a span and all below it, without recursion: a chain may be as
// long as the trace.
func (w *numberer) walk(span int32, parent int64) {
	w.enter(span, parent)
	for len(w.way) > 0 {
		at := &w.way[len(w.way)-1]
		if len(at.left) > 0 {
			child := at.left[0]
			at.left = at.left[1:]
			w.enter(child, w.tree.numbers[at.span].left)
			continue
		}
		w.last++
		w.tree.numbers[at.span].right = w.last
		w.way = w.way[:len(w.way)-1]
	}
}

func (w *numberer) enter(span int32, parent int64) {
	w.last++
	w.tree.numbers[span] = numbers{left: w.last, parent: parent}
	s := step{span: span}
	if n := w.tree.node[span]; w.tree.first[n] == span {
		s.left = w.below.of(n)
	}
	w.way = append(w.way, s)
}
