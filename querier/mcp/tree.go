package mcp

import (
	"cmp"
	"slices"

	"github.com/spanlake/spanlake/internal/conversation"
	"github.com/spanlake/spanlake/schema"
)

// node is a span in the tree of its trace.
type node struct {
	*conversation.Observation

	parent   int // -1: none that is there
	depth    int
	children []int // in the order of their starts
	self     int64 // nanoseconds in which no child ran
	critical int64 // nanoseconds that the root waited for the span itself
	async    bool  // its parent did not wait for it
}

func (n *node) service() string { return n.Span.Resource.ServiceName }

// duration is in nanoseconds, never negative.
func (n *node) duration() int64 { return max(n.Span.DurationNanos(), 0) }

// tree is a trace as a tree, or several if parents are missing.
type tree struct {
	*conversation.Trace

	all   bool // these are all of its spans
	nodes []node
	order []int // parents before their children
	root  int   // the one of the critical path
	path  []segment
}

// treeOf makes the tree of a trace that has at least one span.
func treeOf(t *conversation.Trace, all bool) *tree {
	r := &tree{Trace: t, all: all, nodes: make([]node, len(t.Observations))}
	byID := make(map[schema.SpanID]int, len(r.nodes))
	for i, o := range t.Observations {
		r.nodes[i] = node{Observation: o, parent: -1}
		if _, twice := byID[o.Span.SpanID]; !twice {
			byID[o.Span.SpanID] = i
		}
	}
	for i := range r.nodes {
		if above, ok := byID[r.nodes[i].Span.ParentSpanID]; ok && above != i {
			r.nodes[i].parent = above
			r.nodes[above].children = append(r.nodes[above].children, i) // observations are in the order of their starts
		}
	}
	seen := make([]bool, len(r.nodes))
	for i := range r.nodes {
		if r.nodes[i].parent < 0 {
			r.visit(i, seen)
		}
	}
	for i := range r.nodes { // spans that are above themselves: the first is taken for the root
		if !seen[i] {
			above := &r.nodes[r.nodes[i].parent]
			above.children = slices.DeleteFunc(above.children, func(c int) bool { return c == i })
			r.nodes[i].parent = -1
			r.visit(i, seen)
		}
	}
	r.root = r.chooseRoot()
	r.measure()
	return r
}

// visit puts a root and what is below it into the order.
func (r *tree) visit(root int, seen []bool) {
	for stack := []int{root}; len(stack) > 0; {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		seen[i] = true
		r.order = append(r.order, i)
		if above := r.nodes[i].parent; above >= 0 {
			r.nodes[i].depth = r.nodes[above].depth + 1
		}
		for _, c := range slices.Backward(r.nodes[i].children) {
			stack = append(stack, c)
		}
	}
}

// chooseRoot is the first span that says it has no parent, else the longest without one.
func (r *tree) chooseRoot() int {
	best := -1
	for _, i := range r.order {
		if r.nodes[i].parent >= 0 {
			continue
		}
		if r.nodes[i].Span.ParentSpanID.IsZero() {
			return i
		}
		if best < 0 || r.nodes[i].duration() > r.nodes[best].duration() {
			best = i
		}
	}
	return best
}

// measure finds out where the time went.
func (r *tree) measure() {
	times := make([]timing, len(r.nodes))
	for i := range r.nodes {
		n := &r.nodes[i]
		start := int64(n.Span.StartNanos - r.nodes[r.root].Span.StartNanos) //nolint:gosec // wraps for spans before the root
		times[i] = timing{start, start + n.duration(), n.Span.Kind, n.children}
	}
	for i := range times {
		r.nodes[i].self = selfTime(times, i)
	}
	var async []bool
	r.path, async = criticalPath(times, r.root)
	for i := range r.nodes {
		r.nodes[i].async = async[i]
	}
	for _, s := range r.path {
		r.nodes[s.span].critical += s.end - s.start
	}
}

// selfTime is the time of a span in which none of its children ran.
func selfTime(times []timing, i int) int64 {
	children := slices.Clone(times[i].children)
	slices.SortFunc(children, func(a, b int) int { return cmp.Compare(times[a].start, times[b].start) })
	self, at := int64(0), times[i].start
	for _, c := range children {
		start, end := min(times[c].start, times[i].end), min(times[c].end, times[i].end)
		self += max(start-at, 0)
		at = max(at, end)
	}
	return self + max(times[i].end-at, 0)
}
