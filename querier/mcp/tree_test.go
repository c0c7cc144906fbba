package mcp

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/conversation"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// Whatever parents spans name, each is in the tree once, below one that is before it.
func TestTree(t *testing.T) {
	span := func(id, parent byte, start, end uint64) schema.Span {
		return schema.Span{
			TraceID: schema.TraceID{15: 1}, SpanID: schema.SpanID{7: id}, ParentSpanID: schema.SpanID{7: parent}, StartNanos: start, EndNanos: end,
			Name: string('a' + rune(id)), Resource: otlp.NewResource(), Scope: otlp.NewScope("", ""),
		}
	}
	for _, tt := range []struct {
		name   string
		spans  []schema.Span
		order  string
		depths []int
		root   string
	}{
		{"a tree", []schema.Span{span(3, 1, 20, 30), span(1, 0, 10, 90), span(2, 1, 15, 40), span(4, 2, 16, 17)}, "bced", []int{0, 1, 2, 1}, "b"},
		{"no root: the longest", []schema.Span{span(1, 8, 10, 20), span(2, 9, 15, 90), span(3, 2, 16, 17)}, "bcd", []int{0, 0, 1}, "c"},
		{"a root that is not the first", []schema.Span{span(1, 8, 10, 99), span(2, 0, 15, 30)}, "bc", []int{0, 0}, "c"},
		{"its own parent", []schema.Span{span(1, 1, 10, 20)}, "b", []int{0}, "b"},
		{"a circle", []schema.Span{span(1, 2, 10, 20), span(2, 3, 11, 19), span(3, 1, 12, 18)}, "bdc", []int{0, 1, 2}, "b"},
		{"a circle beside a tree", []schema.Span{span(1, 2, 10, 20), span(2, 1, 11, 19), span(3, 0, 12, 18)}, "dbc", []int{0, 0, 1}, "d"},
		{"a child that begins before its parent", []schema.Span{span(2, 1, 5, 15), span(1, 0, 10, 20)}, "bc", []int{0, 1}, "b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := treeOf(conversation.Of(tt.spans), true)
			order, depths := "", []int{}
			for _, i := range r.order {
				order += r.nodes[i].Span.Name
				depths = append(depths, r.nodes[i].depth)
			}
			require.Equal(t, tt.order, order)
			require.Equal(t, tt.depths, depths)
			require.Equal(t, tt.root, r.nodes[r.root].Span.Name)
			var critical int64
			for i := range r.nodes {
				critical += r.nodes[i].critical
			}
			require.Equal(t, r.nodes[r.root].duration(), critical)
		})
	}
}
