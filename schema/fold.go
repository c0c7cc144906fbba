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

// moreComplete reports whether a replaces b.
func moreComplete(a, b *Span) bool { return CompletenessOf(a).Exceeds(CompletenessOf(b)) }

// Completeness is what decides which of the rows of one span is the span.
type Completeness struct {
	Ended    bool
	Bytes    int // of its contents
	Position uint64
}

// CompletenessOf is that of a row.
func CompletenessOf(s *Span) Completeness {
	return Completeness{s.EndNanos != 0, payloadBytes(s), s.Position}
}

// Exceeds reports whether a row of c replaces one of d. A span that has ended is
// more complete than one that has not; then more bytes are; then what came first.
func (c Completeness) Exceeds(d Completeness) bool {
	if c.Ended != d.Ended {
		return c.Ended
	}
	if c.Bytes != d.Bytes {
		return c.Bytes > d.Bytes
	}
	return c.Position < d.Position
}

func payloadBytes(s *Span) int {
	return len(s.Name) + len(s.StatusMessage) + len(s.TraceState) +
		len(s.Attributes) + len(s.Events) + len(s.Links) + len(s.Rest)
}
