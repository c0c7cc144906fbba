package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

func attributesOf(list ...schema.Attribute) (fields []byte) {
	for _, a := range list {
		fields = otlp.AppendKeyValue(fields, 9, a.Key, a.Value)
	}
	return fields
}

func piece(kind schema.Fragment, nanos, position uint64, change func(*schema.Span)) schema.Span {
	return span(1, 1, "", 0, 0, func(s *schema.Span) {
		s.Fragment, s.FragmentNanos, s.Position = kind, nanos, position
		s.Resource, s.Scope = &schema.Resource{}, &schema.Scope{}
		change(s)
	})
}

// Pieces are joined in the order of what they are and when they were made, not
// of their arrival, and a field that a piece does not have stays.
func TestFoldFragments(t *testing.T) {
	shop := &schema.Resource{Wire: []byte{10, 0}, ServiceName: "shop"}
	rows := []schema.Span{
		piece(schema.FragmentUpdate, 20, 1, func(s *schema.Span) {
			s.Name, s.EndNanos = "last", 9
			s.Attributes = attributesOf(text("a", "3"), text("c", "3"), schema.Attribute{Key: "b"})
		}),
		piece(schema.FragmentUpdate, 10, 2, func(s *schema.Span) {
			s.Name, s.Kind, s.Events, s.Resource = "update", 3, []byte("events"), shop
			s.Attributes = attributesOf(text("b", "2"))
		}),
		piece(schema.FragmentCreate, 30, 3, func(s *schema.Span) {
			s.Name, s.StartNanos, s.StatusMessage = "create", 5, "kept"
			s.Attributes = attributesOf(text("a", "1"))
		}),
	}
	got := engine.Fold(rows)
	require.Len(t, got, 1)
	s := got[0]
	require.Equal(t, schema.FragmentNone, s.Fragment)
	require.Equal(t, "last", s.Name)
	require.EqualValues(t, 5, s.StartNanos)
	require.EqualValues(t, 9, s.EndNanos)
	require.EqualValues(t, 3, s.Kind)
	require.Equal(t, "kept", s.StatusMessage)
	require.Equal(t, []byte("events"), s.Events)
	require.Same(t, shop, s.Resource)
	require.EqualValues(t, 1, s.Position)
	require.Equal(t, []schema.Attribute{text("a", "3"), text("b", "2"), text("c", "3")}, otlp.SpanAttributes(&s))
}

// Whole rows are never mixed with pieces: the row that is joined of them is one
// more row of the span.
func TestFoldFragmentsAndWholeRows(t *testing.T) {
	rows := []schema.Span{
		piece(schema.FragmentCreate, 0, 3, func(s *schema.Span) { s.Name, s.StartNanos = "pieces", 7 }),
		span(1, 1, "whole", 1, 2),
		piece(schema.FragmentUpdate, 0, 4, func(s *schema.Span) { s.Attributes = attributesOf(text("a", "1")) }),
		span(1, 2, "other", 9, 10),
	}
	got := engine.Fold(rows)
	require.Len(t, got, 2)
	require.Equal(t, "whole", got[0].Name, "it has ended")
	require.Empty(t, got[0].Attributes)
	require.Equal(t, "other", got[1].Name)
}

// A query for what two pieces say between them finds their span, wherever it is
// in the answer, and though neither piece tells when it began.
func TestSearchFindsOpenTraces(t *testing.T) {
	create := piece(schema.FragmentCreate, 0, 1, func(s *schema.Span) { s.Attributes = attributesOf(text("a", "1")) })
	update := piece(schema.FragmentUpdate, 0, 2, func(s *schema.Span) {
		s.Attributes, s.StartNanos = attributesOf(text("b", "1")), 5000
	})
	older := span(2, 1, "x", 4000, 4001, func(s *schema.Span) { s.Attributes = attributesOf(text("a", "1"), text("b", "1")) })
	first, second := newMemory([]schema.Span{create, older}), newMemory([]schema.Span{update})
	first.SetOpen([]schema.TraceID{create.TraceID})
	second.SetOpen([]schema.TraceID{create.TraceID})
	for _, query := range []string{`{ span.a = "1" && span.b = "1" }`, `{ span.a = span.b }`} {
		r := search(t, query, [][]engine.Source{{first, second}}, engine.SearchOptions{Limit: 1})
		require.Equal(t, []byte{1}, traceIDs(r), query)
		r = search(t, query, [][]engine.Source{{first, engine.LookupOnly(second)}}, engine.SearchOptions{})
		require.Equal(t, []byte{1, 2}, traceIDs(r), query)
	}
}
