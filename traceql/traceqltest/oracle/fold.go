package oracle

import (
	"cmp"
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
	for _, list := range pieces {
		whole = append(whole, join(list))
	}
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
	slices.SortStableFunc(pieces, func(a, b schema.Span) int {
		return cmp.Or(
			cmp.Compare(a.Fragment, b.Fragment),
			cmp.Compare(a.FragmentNanos, b.FragmentNanos),
			cmp.Compare(a.Position, b.Position),
		)
	})
	s := pieces[0]
	for _, p := range pieces[1:] {
		replace(&s.ParentSpanID, p.ParentSpanID)
		replace(&s.StartNanos, p.StartNanos)
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
		if len(p.Events) > 0 {
			s.Events = p.Events
		}
		if len(p.Links) > 0 {
			s.Links = p.Links
		}
	}
	s.Fragment, s.FragmentNanos = schema.FragmentNone, 0
	return s
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
