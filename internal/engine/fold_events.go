package engine

import (
	"bytes"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// OnlyEvents reports whether a row is a piece that says nothing but events, as a log
// record of a span does: of a span that is there whole they are events too.
func OnlyEvents(s *schema.Span) bool {
	return s.Fragment == schema.FragmentUpdate && len(s.Events) > 0 && s.StartNanos == 0 && s.EndNanos == 0 && s.Name == "" &&
		s.Kind == 0 && s.StatusCode == 0 && s.StatusMessage == "" && s.ParentSpanID.IsZero() &&
		len(s.Attributes) == 0 && len(s.Links) == 0
}

// addEvents adds the events of pieces that say nothing else to the whole rows of
// their spans, and takes these pieces out.
func addEvents(whole []schema.Span, pieces map[fragmentKey][]schema.Span) {
	rows := make(map[fragmentKey][]int)
	for key, list := range pieces {
		if !containsOther(list) {
			rows[key] = nil
		}
	}
	if len(rows) == 0 {
		return
	}
	for i := range whole {
		key := fragmentKey{whole[i].TraceID, whole[i].SpanID}
		if list, ok := rows[key]; ok {
			rows[key] = append(list, i)
		}
	}
	for key, list := range rows {
		if len(list) == 0 {
			continue // the span may still come
		}
		sortPieces(pieces[key])
		for _, piece := range pieces[key] {
			for _, i := range list {
				whole[i].Events = joinEvents(whole[i].Events, piece.Events)
			}
		}
		delete(pieces, key)
	}
}

func containsOther(pieces []schema.Span) bool {
	for i := range pieces {
		if !OnlyEvents(&pieces[i]) {
			return true
		}
	}
	return false
}

// joinEvents adds the events of a later piece that are not there yet: a piece may
// have been sent twice, and SDKs repeat with the end of a span what they sent with
// its beginning.
func joinEvents(events, later []byte) []byte {
	switch {
	case len(later) == 0:
		return events
	case len(events) == 0:
		return later
	}
	seen := make(map[string]bool)
	for m := otlp.EventMessages(events); m.Next(); {
		seen[string(m.Message)] = true
	}
	joined := bytes.Clone(events)
	for m := otlp.EventMessages(later); m.Next(); {
		if !seen[string(m.Message)] {
			seen[string(m.Message)] = true
			joined = otlp.AppendEventMessage(joined, m.Message)
		}
	}
	return joined
}
