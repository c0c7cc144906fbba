package main

import (
	"bytes"
	"cmp"
	"slices"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// treeSpan is a span with what it belongs to and where it is drawn.
type treeSpan struct {
	*tracepb.Span

	service string
	branch  string // drawn before the name
	orphan  bool   // has a parent, which is not there
}

// spanTree is a trace, in the order in which it is drawn: every span once,
// below its parent, siblings by start.
type spanTree struct{ spans []treeSpan }

// maxDrawnDepth bounds the width of the drawing: what lies deeper is drawn in
// the same column.
const maxDrawnDepth = 40

func newSpanTree(data *tracepb.TracesData) *spanTree {
	b := treeBuilder{children: make(map[string][]int), byID: make(map[string]int)}
	b.collect(data)
	for i, s := range b.spans {
		parent, ok := b.byID[string(s.ParentSpanId)]
		if !ok || parent == i {
			b.spans[i].orphan = len(s.ParentSpanId) > 0
			b.roots = append(b.roots, i)
			continue
		}
		b.children[string(s.ParentSpanId)] = append(b.children[string(s.ParentSpanId)], i)
	}
	b.drawn = make([]bool, len(b.spans))
	for _, i := range b.roots {
		b.draw(i, "", "", 0)
	}
	for i := range b.spans { // left are those that are their own ancestors
		if !b.drawn[i] {
			b.spans[i].orphan = true
			b.draw(i, "", "", 0)
		}
	}
	return &b.tree
}

// treeBuilder puts the spans of a trace in order.
type treeBuilder struct {
	spans    []treeSpan // by start
	byID     map[string]int
	children map[string][]int // by the parent's id
	roots    []int
	drawn    []bool
	tree     spanTree
}

func (b *treeBuilder) collect(data *tracepb.TracesData) {
	for _, rs := range data.GetResourceSpans() {
		service := lookupText(rs.GetResource().GetAttributes(), "service.name")
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				b.spans = append(b.spans, treeSpan{Span: s, service: service})
			}
		}
	}
	slices.SortStableFunc(b.spans, func(x, y treeSpan) int {
		return cmp.Or(cmp.Compare(x.StartTimeUnixNano, y.StartTimeUnixNano), bytes.Compare(x.SpanId, y.SpanId))
	})
	for i, s := range b.spans {
		if _, ok := b.byID[string(s.SpanId)]; !ok { // halves of a shared id: the first has the children
			b.byID[string(s.SpanId)] = i
		}
	}
}

// draw appends span i and all below it. first is drawn before its name, next
// before those of its children.
func (b *treeBuilder) draw(i int, first, next string, depth int) {
	if b.drawn[i] {
		return
	}
	b.drawn[i] = true
	s := b.spans[i]
	s.branch = first
	b.tree.spans = append(b.tree.spans, s)
	if b.byID[string(s.SpanId)] != i {
		return
	}
	children := b.children[string(s.SpanId)]
	for n, child := range children {
		branch, below := next+"├─ ", next+"│  "
		if n == len(children)-1 {
			branch, below = next+"└─ ", next+"   "
		}
		if depth >= maxDrawnDepth {
			below = next
		}
		b.draw(child, branch, below, depth+1)
	}
}

func lookupText(attributes []*commonpb.KeyValue, key string) string {
	for _, a := range attributes {
		if a.GetKey() == key {
			return attributeText(a.GetValue())
		}
	}
	return ""
}
