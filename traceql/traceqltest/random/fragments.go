package random

import (
	"math/rand/v2"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// Fragments returns rows of which some are in pieces: what began a span, and up
// to two later ones, and of some whole ones a piece has events only. Every field is in some of them. The positions are new.
func Fragments(rng *rand.Rand, rows []schema.Span) (out []schema.Span) {
	for _, row := range rows {
		if oneIn(rng, 2) {
			out = append(out, row)
			if len(row.Events) > 0 && oneIn(rng, 2) {
				out = append(out, events(row, oneIn(rng, 2)))
			}
			continue
		}
		pieces := Split(row, 2+rng.IntN(2), func() bool { return oneIn(rng, 2) })
		if oneIn(rng, 4) {
			change(rng, pieces)
		}
		out = append(out, pieces...)
	}
	for i := range out {
		out[i].Position = uint64(i + 1)
		if out[i].Fragment == schema.FragmentUpdate && oneIn(rng, 2) {
			out[i].FragmentNanos = rng.Uint64N(3)
		}
	}
	rng.Shuffle(len(out), func(i, j int) { out[i].Position, out[j].Position = out[j].Position, out[i].Position })
	return out
}

// events is a piece with the events of a whole row, or with one that it does not have,
// as of a log record.
func events(row schema.Span, again bool) schema.Span {
	piece := schema.Span{
		TraceID: row.TraceID, SpanID: row.SpanID, Fragment: schema.FragmentUpdate, Resource: row.Resource, Scope: row.Scope, Events: row.Events,
	}
	if !again {
		piece.Events = otlp.AppendEvent(nil, row.EndNanos, "said later", schema.Attribute{Key: "said", Value: schema.Value{Kind: schema.KindString, Str: row.Name}})
	}
	return piece
}

// change makes of the pieces of a span those of a trace's own row or of a score, or
// takes times from them, as if what says them had not come yet.
func change(rng *rand.Rand, pieces []schema.Span) {
	kind, start, end := schema.Fragment(rng.IntN(int(schema.MaxFragment)+1)), oneIn(rng, 3), oneIn(rng, 2)
	for i := range pieces {
		if kind >= schema.FragmentTrace {
			pieces[i].Fragment = kind
		}
		if start {
			pieces[i].StartNanos = 0
		}
		if end {
			pieces[i].EndNanos = 0
		}
	}
}

// Split returns the pieces of a span: the first one began it, the others came
// later. Each has its ids, and every field and attribute for which in says so;
// the last piece has what none has yet.
func Split(row schema.Span, pieces int, in func() bool) []schema.Span {
	out := make([]schema.Span, pieces)
	for i := range out {
		out[i] = schema.Span{
			TraceID: row.TraceID, SpanID: row.SpanID, Position: row.Position, Fragment: schema.FragmentUpdate,
			FragmentNanos: uint64(i), Resource: &schema.Resource{}, Scope: &schema.Scope{}, //nolint:gosec // a small index
		}
	}
	out[0].Fragment = schema.FragmentCreate
	give := func(set func(*schema.Span)) {
		given := false
		for i := range out {
			if in() || i == len(out)-1 && !given {
				set(&out[i])
				given = true
			}
		}
	}
	give(func(s *schema.Span) { s.ParentSpanID = row.ParentSpanID })
	give(func(s *schema.Span) { s.StartNanos = row.StartNanos })
	give(func(s *schema.Span) { s.EndNanos = row.EndNanos })
	give(func(s *schema.Span) { s.Name = row.Name })
	give(func(s *schema.Span) { s.Kind = row.Kind })
	give(func(s *schema.Span) { s.StatusCode = row.StatusCode })
	give(func(s *schema.Span) { s.StatusMessage = row.StatusMessage })
	give(func(s *schema.Span) { s.Resource = row.Resource })
	give(func(s *schema.Span) { s.Scope = row.Scope })
	give(func(s *schema.Span) { s.Events = row.Events })
	give(func(s *schema.Span) { s.Links = row.Links })
	give(func(s *schema.Span) { s.Rest, s.TraceState, s.Flags = row.Rest, row.TraceState, row.Flags })
	seen := make(map[string]bool)
	for key, value := range otlp.Attributes(row.Attributes) {
		if seen[key] {
			continue // of equal keys the first counts
		}
		seen[key] = true
		give(func(s *schema.Span) { s.Attributes = otlp.AppendKeyValue(s.Attributes, 9, key, value) })
	}
	return out
}
