package block

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// Sorted returns the rows in the order of schema.Compare, as Encode wants them.
// Rows that are equal there keep their order. spans stays as it is; the result
// is a new slice with the same contents.
func Sorted(spans []schema.Span) []schema.Span {
	// Rows are large: what is moved around is the head of the trace id, which
	// decides nearly always, and the place.
	type place struct {
		head uint64
		row  uint32
	}
	places := make([]place, len(spans))
	for i := range spans {
		places[i] = place{binary.BigEndian.Uint64(spans[i].TraceID[:]), uint32(i)}
	}
	slices.SortFunc(places, func(a, b place) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		x, y := &spans[a.row], &spans[b.row]
		if x.TraceID == y.TraceID && x.StartNanos != y.StartNanos {
			return cmp.Compare(x.StartNanos, y.StartNanos)
		}
		return cmp.Or(schema.Compare(x, y), cmp.Compare(a.row, b.row))
	})
	sorted := make([]schema.Span, len(spans))
	for i, p := range places {
		sorted[i] = spans[p.row]
	}
	return sorted
}
