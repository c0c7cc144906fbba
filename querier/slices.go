package querier

import (
	"cmp"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

const (
	// firstSlice is the number of blocks in the newest slice, for each that is
	// read at once: few, so that there is something to show soon.
	firstSlice = 2
	// sliceGrowth is how many times more blocks the next slice has. Live data is
	// searched for every slice, so there should not be many.
	sliceGrowth = 4
	// sliceTries is how many times are looked at for the end of a slice.
	sliceTries = 16
)

// timeSlices cuts a range into ranges that touch each other, the newest first,
// where few blocks reach over the cut: those are searched on both sides. Each
// slice has at least so many blocks.
func timeSlices(blocks []schema.BlockName, within timeRange, size int) []timeRange {
	var inside []schema.BlockName
	for _, b := range blocks {
		if within.overlaps(b) {
			inside = append(inside, b)
		}
	}
	slices.SortFunc(inside, func(a, b schema.BlockName) int { return cmp.Compare(b.MaxEnd, a.MaxEnd) })
	var list []timeRange
	end := within.end
	for begin := 0; begin+2*size <= len(inside); size *= sliceGrowth {
		next, start := bestCut(inside, begin+size, min(begin+2*size, len(inside)-size), size/2)
		if start <= within.start || start >= end {
			continue // with a larger slice
		}
		list = append(list, timeRange{start, end})
		begin, end = next, start
	}
	return append(list, timeRange{within.start, end})
}

// bestCut looks for a cut before one of the blocks from first to last, which
// come in the order of their ends, the latest first. It returns the block and
// the time, or 0 if more than so many blocks reach over every cut.
func bestCut(blocks []schema.BlockName, first, last, most int) (next int, start uint64) {
	for i := first; i <= last; i += max((last-first)/sliceTries, 1) {
		at := blocks[i].MaxEnd + 1
		across := 0
		for _, b := range blocks[:i] {
			if b.MinStart < at && b.MaxEnd >= at {
				across++
			}
		}
		if across <= most {
			next, start, most = i, at, across-1
		}
	}
	return next, start
}
