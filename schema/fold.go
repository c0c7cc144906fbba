package schema

// foldKey is what makes two rows the same span. The kind belongs to it because
// Zipkin's client and server halves share an id.
type foldKey struct {
	trace TraceID
	span  SpanID
	kind  int32
}

// Fold keeps one row of every (trace id, span id, kind): the most complete,
// then the one of the earliest position, then the first in spans. It works in
// place, keeps the order of the rows that stay, and returns them. Folding the
// parts of a trace and then the whole gives the same rows as folding the whole.
// The order of spans matters only for rows of one position, so callers pass
// each source's rows in the order of Compare.
func Fold(spans []Span) []Span {
	stays := Stays(spans)
	if stays == nil {
		return spans
	}
	kept := spans[:0]
	for i := range spans {
		if stays[i] {
			kept = append(kept, spans[i])
		}
	}
	return kept
}

// Stays tells which rows Fold keeps, nil for all.
func Stays(spans []Span) []bool {
	if len(spans) < 2 {
		return nil
	}
	best := make(map[foldKey]int, len(spans))
	for i := range spans {
		key := foldKey{spans[i].TraceID, spans[i].SpanID, spans[i].Kind}
		if j, ok := best[key]; !ok || moreComplete(&spans[i], &spans[j]) {
			best[key] = i
		}
	}
	if len(best) == len(spans) {
		return nil
	}
	stays := make([]bool, len(spans))
	for _, i := range best {
		stays[i] = true
	}
	return stays
}

// moreComplete reports whether a replaces b. A span that has ended is more
// complete than one that has not; then more bytes are.
func moreComplete(a, b *Span) bool {
	if ended := a.EndNanos != 0; ended != (b.EndNanos != 0) {
		return ended
	}
	if x, y := payloadBytes(a), payloadBytes(b); x != y {
		return x > y
	}
	return a.Position < b.Position
}

func payloadBytes(s *Span) int {
	return len(s.Name) + len(s.StatusMessage) + len(s.TraceState) +
		len(s.Attributes) + len(s.Events) + len(s.Links) + len(s.Rest)
}
