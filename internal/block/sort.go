package block

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// Sorted returns the rows of all pages in the order of schema.Compare, as
// Encode wants them. Rows that are equal there keep their order. The pages stay
// as they are; the result is a new slice with the same contents.
func Sorted(pages ...[]schema.Span) []schema.Span {
	// Rows are large: what is moved around is the head of the trace id, which
	// decides nearly always, and the place.
	type place struct {
		head   uint64
		row    *schema.Span
		number int
	}
	var places []place
	for _, page := range pages {
		places = slices.Grow(places, len(page))
		for i := range page {
			places = append(places, place{binary.BigEndian.Uint64(page[i].TraceID[:]), &page[i], len(places)})
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		if a.row.TraceID == b.row.TraceID && a.row.StartNanos != b.row.StartNanos {
			return cmp.Compare(a.row.StartNanos, b.row.StartNanos)
		}
		return cmp.Or(schema.Compare(a.row, b.row), cmp.Compare(a.number, b.number))
	})
	sorted := make([]schema.Span, len(places))
	for i, p := range places {
		sorted[i] = *p.row
	}
	return sorted
}
