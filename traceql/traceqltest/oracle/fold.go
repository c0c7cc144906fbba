package oracle

import (
	"bytes"
	"cmp"
	"reflect"
	"slices"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// fold keeps one row of every span. Of whole rows one stays as it is; pieces
// are joined field by field, and what they give is one more row.
func fold(rows []schema.Span) (spans []schema.Span) {
	var whole []schema.Span
	pieces := make(map[schema.SpanID][]schema.Span)
	for _, row := range rows {
		if row.Fragment == schema.FragmentNone {
			whole = append(whole, row)
		} else {
			pieces[row.SpanID] = append(pieces[row.SpanID], row)
		}
	}
	var joined []schema.Span
	for id, list := range pieces {
		if !slices.ContainsFunc(list, saysMore) && addTo(whole, id, list) {
			continue
		}
		joined = append(joined, join(list))
	}
	endTrace(joined, whole)
	whole = append(whole, joined...)
	for _, row := range whole {
		i := slices.IndexFunc(spans, func(s schema.Span) bool { return s.SpanID == row.SpanID && s.Kind == row.Kind })
		switch {
		case i < 0:
			spans = append(spans, row)
		case counts(&row, &spans[i]):
			spans[i] = row
		}
	}
	return spans
}

// saysMore reports whether a piece says anything but events.
func saysMore(s schema.Span) bool {
	events := s.Events
	s.Events, s.Position, s.FragmentNanos, s.Derived = nil, 0, 0, nil
	bare := schema.Span{TraceID: s.TraceID, SpanID: s.SpanID, Fragment: schema.FragmentUpdate, Resource: s.Resource, Scope: s.Scope, Rest: s.Rest, TraceState: s.TraceState, Flags: s.Flags}
	return len(events) == 0 || !reflect.DeepEqual(s, bare)
}

// addTo adds the events of pieces to the whole rows of their span, and reports whether
// there are any.
func addTo(whole []schema.Span, id schema.SpanID, pieces []schema.Span) (found bool) {
	inOrder(pieces)
	for i := range whole {
		if whole[i].SpanID != id {
			continue
		}
		found = true
		for _, p := range pieces {
			whole[i].Events = withEvents(whole[i].Events, p.Events)
		}
	}
	return found
}

// withEvents are events and those of later that are not among them.
func withEvents(events, later []byte) []byte {
	if len(events) == 0 {
		return later
	}
	var all [][]byte
	for _, list := range [...][]byte{events, later} {
		for m := otlp.EventMessages(list); m.Next(); {
			event := m.Message
			if len(all) < messages(events) || !slices.ContainsFunc(all, func(e []byte) bool { return bytes.Equal(e, event) }) {
				all = append(all, event)
			}
		}
	}
	var out []byte
	for _, event := range all {
		out = otlp.AppendEventMessage(out, event)
	}
	return out
}

func messages(events []byte) (n int) {
	for m := otlp.EventMessages(events); m.Next(); {
		n++
	}
	return n
}

func inOrder(pieces []schema.Span) {
	slices.SortStableFunc(pieces, func(a, b schema.Span) int {
		return cmp.Or(
			cmp.Compare(a.Fragment, b.Fragment),
			cmp.Compare(a.FragmentNanos, b.FragmentNanos),
			cmp.Compare(a.Position, b.Position),
		)
	})
}

// counts reports whether a is the row of a span that counts rather than b: a
// span that has ended, then the one with more in it, then the earlier one.
func counts(a, b *schema.Span) bool {
	if (a.EndNanos == 0) != (b.EndNanos == 0) {
		return a.EndNanos != 0
	}
	if size(a) != size(b) {
		return size(a) > size(b)
	}
	return a.Position < b.Position
}

func size(s *schema.Span) int {
	return len(s.Name) + len(s.StatusMessage) + len(s.TraceState) +
		len(s.Attributes) + len(s.Events) + len(s.Links) + len(s.Rest)
}

// join puts the pieces of a span together: what began it before what came
// later, then in the order of their times. Of each field the last piece that
// says something counts.
func join(pieces []schema.Span) schema.Span {
	inOrder(pieces)
	s := pieces[0]
	for _, p := range pieces[1:] {
		replace(&s.ParentSpanID, p.ParentSpanID)
		if s.Fragment != schema.FragmentTrace || s.StartNanos == 0 || p.StartNanos < s.StartNanos {
			replace(&s.StartNanos, p.StartNanos)
		}
		replace(&s.EndNanos, p.EndNanos)
		replace(&s.Name, p.Name)
		replace(&s.Kind, p.Kind)
		replace(&s.StatusCode, p.StatusCode)
		replace(&s.StatusMessage, p.StatusMessage)
		replace(&s.TraceState, p.TraceState)
		replace(&s.Flags, p.Flags)
		replace(&s.Position, min(s.Position, p.Position))
		if len(p.Resource.Wire) > 0 {
			s.Resource = p.Resource
		}
		if len(p.Scope.Wire) > 0 {
			s.Scope = p.Scope
		}
		s.Attributes = joinAttributes(s.Attributes, p.Attributes)
		s.Derived = joinAttributes(s.Derived, p.Derived)
		s.Events = withEvents(s.Events, p.Events)
		if len(p.Links) > 0 {
			s.Links = p.Links
		}
	}
	sent := slices.IndexFunc(pieces, func(p schema.Span) bool { return p.FragmentNanos != 0 })
	missing := s.StartNanos == 0 || s.EndNanos == 0
	replace(&s.StartNanos, cmp.Or(s.StartNanos, s.EndNanos))
	if s.StartNanos == 0 && sent >= 0 {
		s.StartNanos = pieces[sent].FragmentNanos
	}
	if s.Fragment != schema.FragmentTrace {
		s.EndNanos = cmp.Or(s.EndNanos, s.StartNanos)
	}
	if missing && s.Fragment <= schema.FragmentUpdate {
		s.Derived = otlp.AppendKeyValue(s.Derived, spanAttributes, "spanlake.incomplete", schema.Value{Kind: schema.KindBool, Bool: true})
	}
	if s.FragmentNanos = 0; s.Fragment <= schema.FragmentUpdate {
		s.Fragment = schema.FragmentNone
	}
	return s
}

// endTrace ends a trace's own row, if nothing says when it did, with the last span,
// and puts it above the joined spans that have no parent.
func endTrace(joined, whole []schema.Span) {
	var last uint64
	for _, s := range slices.Concat(joined, whole) {
		if s.Fragment == schema.FragmentNone {
			last = max(last, s.EndNanos)
		}
	}
	var roots []schema.SpanID
	for i := range joined {
		if s := &joined[i]; s.Fragment == schema.FragmentTrace {
			s.EndNanos = cmp.Or(s.EndNanos, max(s.StartNanos, last))
			roots = append(roots, s.SpanID)
		}
	}
	if len(roots) == 0 {
		return
	}
	root := slices.MinFunc(roots, func(a, b schema.SpanID) int { return bytes.Compare(a[:], b[:]) })
	for i := range joined {
		s := &joined[i]
		if s.Fragment == schema.FragmentTrace {
			s.Fragment = schema.FragmentNone
		} else {
			s.ParentSpanID = cmp.Or(s.ParentSpanID, root)
		}
	}
}

func replace[T comparable](field *T, by T) {
	var zero T
	if by != zero {
		*field = by
	}
}

// joinAttributes is old with the values of what newer has, and what only newer
// has behind it. A value that holds nothing replaces none.
func joinAttributes(old, newer []byte) (joined []byte) {
	for key, value := range otlp.Attributes(old) {
		if v, ok := otlp.Lookup(newer, key); ok && v.Kind != schema.KindEmpty {
			value = v
		}
		joined = otlp.AppendKeyValue(joined, spanAttributes, key, value)
	}
	for key, value := range otlp.Attributes(newer) {
		if _, ok := otlp.Lookup(old, key); !ok {
			joined = otlp.AppendKeyValue(joined, spanAttributes, key, value)
		}
	}
	return joined
}

// spanAttributes is the number of the field of OTLP's Span that holds its
// attributes.
const spanAttributes = 9
