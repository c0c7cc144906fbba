package engine

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// FragmentSource is a Source that may have rows which are fragments of spans.
// What such a span says is known only when its pieces are put together, so no
// filter decides on it: traces with fragments are candidates of every query.
type FragmentSource interface {
	Source
	// OpenTraces are the traces with rows that are fragments, in ascending
	// order. They belong to the source: read only.
	OpenTraces(ctx context.Context) ([]schema.TraceID, error)
}

// openTraces are those of a source, also of one that is not searched.
func openTraces(ctx context.Context, s Source) ([]schema.TraceID, error) {
	if l, ok := s.(lookupOnly); ok {
		s = l.Source
	}
	f, ok := s.(FragmentSource)
	if !ok {
		return nil, nil
	}
	open, err := f.OpenTraces(ctx)
	if err != nil {
		return nil, fmt.Errorf("list open traces: %w", err)
	}
	return open, nil
}

// hasOpen reports whether one of the sources has fragments of the trace.
func hasOpen(ctx context.Context, sources []Source, id schema.TraceID) (bool, error) {
	for _, s := range sources {
		open, err := openTraces(ctx, s)
		if err != nil {
			return false, err
		}
		if _, found := slices.BinarySearchFunc(open, id, compareTraceIDs); found {
			return true, nil
		}
	}
	return false, nil
}

func compareTraceIDs(a, b schema.TraceID) int { return bytes.Compare(a[:], b[:]) }

// openHits are the open traces of a source as hits that nothing is known of:
// they may be anywhere in the answer.
func openHits(open []schema.TraceID) []vec.Hit {
	hits := make([]vec.Hit, len(open))
	for i, id := range open {
		hits[i] = vec.Hit{ID: id, LastNanos: 1<<64 - 1, EndNanos: 1<<64 - 1}
	}
	return hits
}

// Fold makes the spans of rows, which are in the order of schema.Compare, and
// returns them in that order. Of whole rows of one span one stays as it is
// (schema.Fold). Rows that are fragments of one span are joined field by field:
// what began it first, then by their times, and of every field the last piece
// that says something counts. It works in place as far as it can.
func Fold(rows []schema.Span) []schema.Span {
	if !slices.ContainsFunc(rows, isFragment) {
		return schema.Fold(rows)
	}
	pieces := make(map[fragmentKey][]schema.Span)
	whole := rows[:0]
	for _, row := range rows {
		if !isFragment(row) {
			whole = append(whole, row)
			continue
		}
		key := fragmentKey{row.TraceID, row.SpanID}
		pieces[key] = append(pieces[key], row)
	}
	for _, list := range pieces {
		whole = append(whole, joinFragments(list))
	}
	// The order of the map does not show: a whole row and a joined one of the
	// same position are not equal in this order.
	slices.SortStableFunc(whole, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	return schema.Fold(whole)
}

func isFragment(s schema.Span) bool { return s.Fragment != schema.FragmentNone }

// fragmentKey is what pieces of one span have in common. Not all pieces know
// its kind.
type fragmentKey struct {
	trace schema.TraceID
	span  schema.SpanID
}

// joinFragments makes one row of the pieces of a span.
func joinFragments(pieces []schema.Span) schema.Span {
	slices.SortStableFunc(pieces, func(a, b schema.Span) int {
		return cmp.Or(cmp.Compare(a.Fragment, b.Fragment), cmp.Compare(a.FragmentNanos, b.FragmentNanos), cmp.Compare(a.Position, b.Position))
	})
	s := pieces[0]
	for i := range pieces[1:] {
		p := &pieces[i+1]
		lastOf(&s.ParentSpanID, p.ParentSpanID)
		lastOf(&s.StartNanos, p.StartNanos)
		lastOf(&s.EndNanos, p.EndNanos)
		lastOf(&s.Name, p.Name)
		lastOf(&s.Kind, p.Kind)
		lastOf(&s.StatusCode, p.StatusCode)
		lastOf(&s.StatusMessage, p.StatusMessage)
		lastOf(&s.TraceState, p.TraceState)
		lastOf(&s.Flags, p.Flags)
		if p.Resource != nil && len(p.Resource.Wire) > 0 {
			s.Resource = p.Resource
		}
		if p.Scope != nil && len(p.Scope.Wire) > 0 {
			s.Scope = p.Scope
		}
		s.Attributes = joinAttributes(s.Attributes, p.Attributes)
		s.Derived = joinAttributes(s.Derived, p.Derived)
		lastBytes(&s.Events, p.Events)
		lastBytes(&s.Links, p.Links)
		lastBytes(&s.Rest, p.Rest)
		s.Position = min(s.Position, p.Position)
	}
	s.Fragment, s.FragmentNanos = schema.FragmentNone, 0
	return s
}

// lastOf replaces a field by what a later piece says of it, if anything.
func lastOf[T comparable](field *T, later T) {
	var nothing T
	if later != nothing {
		*field = later
	}
}

func lastBytes(field *[]byte, later []byte) {
	if len(later) > 0 {
		*field = later
	}
}

// joinAttributes replaces the values of attributes by later ones, and adds those
// of other keys. A value that holds nothing replaces none.
func joinAttributes(attributes, later []byte) []byte {
	switch {
	case len(later) == 0:
		return attributes
	case len(attributes) == 0:
		return later
	}
	said := make(map[string]schema.Value) // of equal keys the first counts
	for key, value := range otlp.Attributes(later) {
		if _, ok := said[key]; !ok {
			said[key] = value
		}
	}
	joined := make([]byte, 0, len(attributes)+len(later))
	known := make(map[string]bool)
	for key, value := range otlp.Attributes(attributes) {
		known[key] = true
		if v, ok := said[key]; ok && v.Kind != schema.KindEmpty {
			value = v
		}
		joined = otlp.AppendKeyValue(joined, spanAttributesField, key, value)
	}
	for key, value := range otlp.Attributes(later) {
		if !known[key] {
			joined = otlp.AppendKeyValue(joined, spanAttributesField, key, value)
		}
	}
	return joined
}

// spanAttributesField is the number of OTLP's field Span.attributes.
const spanAttributesField = 9
