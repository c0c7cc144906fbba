package engine_test

import (
	"slices"
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
	got := engine.Fold(rows, nil)
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
		span(1, 1, "a whole row that says more", 1, 2),
		piece(schema.FragmentUpdate, 0, 4, func(s *schema.Span) { s.Attributes = attributesOf(text("a", "1")) }),
		span(1, 2, "other", 9, 10),
	}
	got := engine.Fold(rows, nil)
	require.Len(t, got, 2)
	require.Equal(t, "a whole row that says more", got[0].Name, "it says more")
	require.Empty(t, got[0].Attributes)
	require.Equal(t, "other", got[1].Name)
}

// What no piece says of the times is made up in a way that does not depend on what
// came first, and is marked as long as it is missing.
func TestFoldCompletes(t *testing.T) {
	create := piece(schema.FragmentCreate, 30, 2, func(s *schema.Span) { s.StartNanos = 5 })
	ended := piece(schema.FragmentUpdate, 40, 1, func(s *schema.Span) { s.EndNanos = 9 })
	noTimes := piece(schema.FragmentUpdate, 50, 3, func(s *schema.Span) { s.Name = "x" })
	for _, tt := range []struct {
		name       string
		pieces     []schema.Span
		start, end uint64
		incomplete bool
	}{
		{"all there", []schema.Span{ended, create, noTimes}, 5, 9, false},
		{"without an end", []schema.Span{noTimes, create}, 5, 5, true},
		{"without a start", []schema.Span{noTimes, ended}, 9, 9, true},
		{"without both", []schema.Span{noTimes}, 50, 50, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := engine.Fold(slices.Clone(tt.pieces), nil)
			require.Len(t, got, 1)
			require.Equal(t, []uint64{tt.start, tt.end}, []uint64{got[0].StartNanos, got[0].EndNanos})
			value, ok := otlp.Lookup(got[0].Derived, engine.IncompleteAttribute)
			require.Equal(t, tt.incomplete, ok)
			require.Equal(t, tt.incomplete, value.Bool)
			require.Zero(t, got[0].FragmentNanos)
			require.Equal(t, schema.FragmentNone, got[0].Fragment)
		})
	}
}

// A trace's own row ends with its last span, whole or in pieces; what was said of
// the trace weeks later is no span.
func TestFoldEndsTraces(t *testing.T) {
	as := func(id byte) func(*schema.Span) {
		return func(s *schema.Span) { s.SpanID = schema.SpanID{7: id}; s.StartNanos = uint64(id) }
	}
	root := piece(schema.FragmentTrace, 1, 1, as(1))
	child := piece(schema.FragmentCreate, 1, 2, as(20))
	end := piece(schema.FragmentUpdate, 2, 3, func(s *schema.Span) { s.SpanID, s.EndNanos = child.SpanID, 30 })
	score := piece(schema.FragmentScore, 3, 4, as(99))
	whole := span(1, 50, "whole", 4, 40)
	ends := func(rows []schema.Span, lastEnd uint64) (ends []uint64) {
		for _, s := range engine.FoldBeside(slices.Clone(rows), lastEnd, nil) {
			ends = append(ends, s.EndNanos)
			require.Equal(t, s.SpanID == score.SpanID, s.Fragment == schema.FragmentScore)
		}
		return ends
	}
	require.Equal(t, []uint64{1}, ends([]schema.Span{root}, 0), "it is alone")
	require.Equal(t, []uint64{20, 20}, ends([]schema.Span{root, child}, 0))
	require.Equal(t, []uint64{30, 30, 99}, ends([]schema.Span{root, child, score, end}, 0))
	require.Equal(t, []uint64{40, 40, 30, 99}, ends([]schema.Span{root, whole, child, score, end}, 0))
	require.Equal(t, []uint64{50, 30}, ends([]schema.Span{root, child, end}, 50))

	later := piece(schema.FragmentTrace, 9, 9, func(s *schema.Span) { s.SpanID, s.StartNanos = root.SpanID, 15 })
	for _, s := range engine.Fold([]schema.Span{root, whole, child, score, later}, nil) {
		switch s.SpanID {
		case root.SpanID:
			require.EqualValues(t, 1, s.StartNanos, "the earliest")
			fallthrough
		case whole.SpanID:
			require.Zero(t, s.ParentSpanID, "whole rows stay what they are")
		default:
			require.Equal(t, root.SpanID, s.ParentSpanID)
		}
	}
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
	first.SetOpen([]schema.TraceID{create.TraceID}, nil)
	second.SetOpen([]schema.TraceID{create.TraceID}, nil)
	for _, query := range []string{`{ span.a = "1" && span.b = "1" }`, `{ span.a = span.b }`} {
		r := search(t, query, [][]engine.Source{{first, second}}, engine.SearchOptions{Limit: 1})
		require.Equal(t, []byte{1}, traceIDs(r), query)
		r = search(t, query, [][]engine.Source{{first, engine.LookupOnly(second)}}, engine.SearchOptions{})
		require.Equal(t, []byte{1, 2}, traceIDs(r), query)
	}
}
