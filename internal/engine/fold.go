package engine

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spanlake/spanlake/internal/otlp"
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
	// Derive returns what follows from a span that was put together of pieces,
	// some of which are of this source, as schema.Span.Derived has it. Safe for
	// concurrent use.
	Derive(s *schema.Span) []byte
}

// Derive says what follows from a span that was put together, whose Derived is what
// follows from each of its pieces: that stays if it is nil.
type Derive func(*schema.Span) []byte

// deriveOf asks a source, also one that is not searched.
func deriveOf(s Source, span *schema.Span) []byte {
	if l, ok := s.(lookupOnly); ok {
		s = l.Source
	}
	if f, ok := s.(FragmentSource); ok {
		return f.Derive(span)
	}
	return span.Derived
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

// openIn finds the first source that has fragments of the trace, and returns what
// it derives; open is false if none has.
func openIn(ctx context.Context, sources []Source, id schema.TraceID) (derive Derive, open bool, err error) {
	for _, s := range sources {
		list, err := openTraces(ctx, s)
		if err != nil {
			return nil, false, err
		}
		if _, found := slices.BinarySearchFunc(list, id, compareTraceIDs); found {
			return func(span *schema.Span) []byte { return deriveOf(s, span) }, true, nil
		}
	}
	return nil, false, nil
}

// DeriveOf is what the first of the sources that has fragments of a trace derives,
// nil if none has.
func DeriveOf(ctx context.Context, sources []Source, id schema.TraceID) (Derive, error) {
	derive, _, err := openIn(ctx, sources, id)
	return derive, err
}

func compareTraceIDs(a, b schema.TraceID) int { return bytes.Compare(a[:], b[:]) }

// Fold makes the spans of rows, which are one trace in the order of
// schema.Compare, and returns them in that order. Of whole rows of one span one
// stays as it is (schema.Fold). Rows that are fragments of one span are joined
// field by field: what began it first, then by their times, and of every field the
// last piece that says something counts; events of all are there, each once. Pieces
// that say nothing but events add them to whole rows of their span. What no piece says
// is told by complete, and what follows from the whole by derive. A score stays marked
// as one. It works in place as far as it can.
func Fold(rows []schema.Span, derive Derive) []schema.Span { return FoldBeside(rows, 0, derive) }

// FoldBeside is Fold of the rows of a trace that are fragments, where the last of its
// other spans ends at lastEnd.
func FoldBeside(rows []schema.Span, lastEnd uint64, derive Derive) []schema.Span {
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
	addEvents(whole, pieces)
	joined := make([]schema.Span, 0, len(pieces))
	for _, list := range pieces {
		joined = append(joined, joinFragments(list, derive))
	}
	attachTraces(joined, whole, lastEnd)
	whole = append(whole, joined...)
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
func joinFragments(pieces []schema.Span, derive Derive) schema.Span {
	sortPieces(pieces)
	s := pieces[0]
	for i := range pieces[1:] {
		p := &pieces[i+1]
		lastOf(&s.ParentSpanID, p.ParentSpanID)
		joinStarts(&s, p)
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
		s.Events = joinEvents(s.Events, p.Events)
		lastBytes(&s.Links, p.Links)
		lastBytes(&s.Rest, p.Rest)
		s.Position = min(s.Position, p.Position)
	}
	complete(&s, pieces, derive)
	return s
}

func sortPieces(pieces []schema.Span) {
	slices.SortStableFunc(pieces, func(a, b schema.Span) int {
		return cmp.Or(cmp.Compare(a.Fragment, b.Fragment), cmp.Compare(a.FragmentNanos, b.FragmentNanos), cmp.Compare(a.Position, b.Position))
	})
}

// IncompleteAttribute is true of a span of which pieces are missing.
const IncompleteAttribute = "spanlake.incomplete"

// complete gives a joined span the times that no piece has, so that it has an
// extent like any other: one that did not begin yet begins at its end, or with its
// first piece, and one that did not end takes no time. Both are incomplete; but
// what is said of a trace is at one moment, and its own row ends with its spans.
//
// What follows from the span is derived before: from a time that nobody has told
// nothing does.
func complete(s *schema.Span, pieces []schema.Span, derive Derive) {
	kind := s.Fragment
	begun := s.StartNanos != 0
	if derive != nil {
		if kind <= schema.FragmentUpdate {
			s.Fragment = schema.FragmentNone // no other piece says more
		}
		s.Derived = derive(s)
	}
	if !begun {
		s.StartNanos = s.EndNanos
	}
	for i := range pieces {
		if s.StartNanos == 0 {
			s.StartNanos = pieces[i].FragmentNanos
		}
	}
	s.FragmentNanos = 0
	if kind == schema.FragmentTrace {
		return // until attachTraces
	}
	ended := s.EndNanos != 0
	if !ended {
		s.EndNanos = s.StartNanos
	}
	if kind == schema.FragmentScore {
		return
	}
	s.Fragment = schema.FragmentNone
	if !begun || !ended {
		incomplete := schema.Value{Kind: schema.KindBool, Bool: true}
		s.Derived = otlp.AppendAttribute(slices.Clip(s.Derived), IncompleteAttribute, incomplete)
	}
}

// attachTraces puts the trace's own row among joined ones above those that have no
// parent, and ends it, if it has no end, when the last span of the trace ends, of the
// others and of those that end at lastEnd.
func attachTraces(joined, others []schema.Span, lastEnd uint64) {
	for _, spans := range [][]schema.Span{joined, others} {
		for i := range spans {
			if spans[i].Fragment == schema.FragmentNone {
				lastEnd = max(lastEnd, spans[i].EndNanos)
			}
		}
	}
	var root schema.SpanID // the smallest, if there are several
	for i := range joined {
		trace := &joined[i]
		if trace.Fragment != schema.FragmentTrace {
			continue
		}
		if trace.EndNanos == 0 {
			trace.EndNanos = max(trace.StartNanos, lastEnd)
		}
		if root.IsZero() || bytes.Compare(trace.SpanID[:], root[:]) < 0 {
			root = trace.SpanID
		}
	}
	for i := range joined {
		s := &joined[i]
		if s.Fragment == schema.FragmentTrace {
			s.Fragment = schema.FragmentNone
		} else if s.ParentSpanID.IsZero() {
			s.ParentSpanID = root
		}
	}
}

// joinStarts takes the start of a later piece: of a trace's own row the earliest
// counts, since each change of it may say when that was.
func joinStarts(s, p *schema.Span) {
	if s.Fragment == schema.FragmentTrace && s.StartNanos != 0 {
		s.StartNanos = min(s.StartNanos, cmp.Or(p.StartNanos, s.StartNanos))
		return
	}
	lastOf(&s.StartNanos, p.StartNanos)
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
