package block

import (
	"bytes"
	"encoding/binary"

	"github.com/spanlake/spanlake/schema"
)

// fold returns the rows of a group in their order, without those that others
// stand for.
func (m *merger) fold(rows []schema.Span) []*schema.Span {
	places := make([]rowPlace, len(rows))
	for i := range rows {
		places[i] = newPlace(&rows[i], i)
	}
	if len(places) > 1 {
		places = sortPlaces(places)
	}
	sorted := make([]*schema.Span, len(places))
	for i := range places {
		sorted[i] = places[i].row
	}
	kept := sorted[:0]
	var ids []uint64
	for from := 0; from < len(sorted); {
		to := from + 1
		for to < len(sorted) && sorted[to].TraceID == sorted[from].TraceID {
			to++
		}
		trace := sorted[from:to]
		ids = ids[:0]
		for _, row := range trace {
			ids = append(ids, binary.LittleEndian.Uint64(row.SpanID[:]))
		}
		if repeats(ids) {
			trace = foldTrace(trace)
		}
		kept = append(kept, trace...)
		from = to
	}
	return kept
}

// foldTrace folds the rows of a trace, which are in their order: whole spans as
// schema.Fold does, and of fragments those that say the same.
func foldTrace(rows []*schema.Span) []*schema.Span {
	whole := make([]schema.Span, 0, len(rows))
	for _, row := range rows {
		if row.Fragment == schema.FragmentNone {
			whole = append(whole, *row)
		}
	}
	whole = schema.Fold(whole)
	var kept []*schema.Span
	for _, row := range rows {
		if row.Fragment != schema.FragmentNone && !contains(kept, row) {
			kept = append(kept, row)
		}
	}
	return inOrder(whole, kept)
}

// contains reports whether one of the fragments says the same as another one of
// a later position.
func contains(list []*schema.Span, row *schema.Span) bool {
	for _, other := range list {
		if sameFragment(other, row) {
			return true
		}
	}
	return false
}

func sameFragment(a, b *schema.Span) bool {
	return a.SpanID == b.SpanID && a.ParentSpanID == b.ParentSpanID && a.Fragment == b.Fragment && a.FragmentNanos == b.FragmentNanos &&
		a.StartNanos == b.StartNanos && a.EndNanos == b.EndNanos && a.Name == b.Name && a.Kind == b.Kind &&
		a.StatusCode == b.StatusCode && a.StatusMessage == b.StatusMessage && a.TraceState == b.TraceState && a.Flags == b.Flags &&
		resourceContent(resourceOf(a)) == resourceContent(resourceOf(b)) && scopeContent(scopeOf(a)) == scopeContent(scopeOf(b)) &&
		bytes.Equal(a.Attributes, b.Attributes) && bytes.Equal(a.Derived, b.Derived) &&
		bytes.Equal(a.Events, b.Events) && bytes.Equal(a.Links, b.Links) && bytes.Equal(a.Rest, b.Rest)
}

// inOrder joins whole rows and fragments, each of which are in their order.
func inOrder(whole []schema.Span, fragments []*schema.Span) []*schema.Span {
	rows := make([]*schema.Span, 0, len(whole)+len(fragments))
	for i := range whole {
		for len(fragments) > 0 && schema.Compare(fragments[0], &whole[i]) < 0 {
			rows, fragments = append(rows, fragments[0]), fragments[1:]
		}
		rows = append(rows, &whole[i])
	}
	return append(rows, fragments...)
}
