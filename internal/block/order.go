package block

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// rowPlace is where a row lies, with what orders it nearly always: rows are large,
// and all over the memory.
type rowPlace struct {
	high, low uint64 // of the trace id
	start     uint64
	row       *schema.Span
	number    uint32 // of the row among those that were given
}

func newPlace(row *schema.Span, number int) rowPlace {
	return rowPlace{
		high: binary.BigEndian.Uint64(row.TraceID[:8]), low: binary.BigEndian.Uint64(row.TraceID[8:]),
		start: row.StartNanos, row: row, number: uint32(number),
	}
}

// compare orders as schema.Compare does, and rows that are equal there as they
// were given.
func (p *rowPlace) compare(q *rowPlace) int {
	switch {
	case p.high != q.high:
		return cmp.Compare(p.high, q.high)
	case p.low != q.low:
		return cmp.Compare(p.low, q.low)
	case p.start != q.start:
		return cmp.Compare(p.start, q.start)
	}
	return cmp.Or(schema.Compare(p.row, q.row), cmp.Compare(p.number, q.number))
}

// minBucketRows is how many rows a bucket of sortPlaces has, in the mean.
const minBucketRows = 8

// sortPlaces returns the places in order. It puts them into buckets by the first
// bits of the trace ids in which these differ, which are random bits in most
// ids, and sorts each bucket.
func sortPlaces(places []rowPlace) []rowPlace {
	var differ uint64
	for i := range places {
		differ |= places[i].high ^ places[0].high
	}
	low := differ == 0 // as where ids have 64 bits
	if low {
		for i := range places {
			differ |= places[i].low ^ places[0].low
		}
	}
	width := bits.Len64(differ)
	shift := max(width-bits.Len(uint(len(places)/minBucketRows)), 0)
	bucket := func(p *rowPlace) uint64 {
		id := p.high
		if low {
			id = p.low
		}
		return id & (1<<width - 1) >> shift
	}
	ends := make([]int, 1<<(width-shift)+1)
	for i := range places {
		ends[bucket(&places[i])+1]++
	}
	for b := 1; b < len(ends); b++ {
		ends[b] += ends[b-1]
	}
	sorted := make([]rowPlace, len(places))
	for i := range places {
		next := &ends[bucket(&places[i])] // where the bucket begins, and in the end where it ends
		sorted[*next] = places[i]
		*next++
	}
	from := 0
	for _, to := range ends[:len(ends)-1] {
		if to-from > 1 {
			slices.SortFunc(sorted[from:to], func(a, b rowPlace) int { return a.compare(&b) })
		}
		from = to
	}
	return sorted
}
