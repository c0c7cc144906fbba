package block

import (
	"fmt"

	"github.com/spanlake/spanlake/schema"
)

const (
	// maxPageRows is the rows of a page and of a chunk in memory.
	maxPageRows = 4096
	// maxGroupRows bounds what a scan of one column decides at once and the
	// dictionaries; more and smaller groups make the tail larger.
	maxGroupRows = 256 << 10
	// maxPageBytes bounds the memory of a scan: a page of long texts has
	// fewer rows.
	maxPageBytes = 8 << 20
	// maxValueBytes is far above what a receiver accepts.
	maxValueBytes = 256 << 20
	// levelWidth is the bits of a definition level: null or not.
	levelWidth = 1
)

// limits are where a block is cut; tests lower them.
type limits struct{ pageRows, pageBytes, groupRows int }

func defaultLimits() limits {
	return limits{pageRows: maxPageRows, pageBytes: maxPageBytes, groupRows: maxGroupRows}
}

// checkRows verifies the order and the size of the values, and returns the
// times of a block's name.
func checkRows(spans []schema.Span) (minStart, maxEnd uint64, err error) {
	for i := range spans {
		s := &spans[i]
		if i > 0 && schema.Compare(&spans[i-1], s) > 0 {
			return 0, 0, fmt.Errorf("%w: row %d", ErrUnsorted, i)
		}
		for _, n := range columnBytes(s) {
			if n > maxValueBytes {
				return 0, 0, fmt.Errorf("%w: row %d has a value of %d bytes", ErrTooLarge, i, n)
			}
		}
	}
	minStart, maxEnd = timeRange(spans)
	return minStart, maxEnd, nil
}

// timeRange returns the earliest start and the latest start or end, zeros
// without spans.
func timeRange(spans []schema.Span) (minStart, maxEnd uint64) {
	for i := range spans {
		s := &spans[i]
		if i == 0 {
			minStart = s.StartNanos
		}
		minStart = min(minStart, s.StartNanos)
		maxEnd = max(maxEnd, s.StartNanos, s.EndNanos)
	}
	return minStart, maxEnd
}

// countTraces counts the distinct trace ids of sorted rows.
func countTraces(spans []schema.Span) int {
	n := 0
	for i := range spans {
		if i == 0 || spans[i].TraceID != spans[i-1].TraceID {
			n++
		}
	}
	return n
}

// columnBytes are the sizes of a row's values of variable length.
func columnBytes(s *schema.Span) [11]int {
	n := [11]int{
		len(s.Name), len(s.StatusMessage), len(s.TraceState),
		len(s.Attributes), len(s.Events), len(s.Links), len(s.Rest),
	}
	if s.Resource != nil {
		n[7] = len(s.Resource.Wire) + len(s.Resource.ServiceName)
	}
	if s.Scope != nil {
		n[8], n[9], n[10] = len(s.Scope.Wire), len(s.Scope.Name), len(s.Scope.Version)
	}
	return n
}

// planGroups returns the first row of each row group and the number of rows.
// A group exceeds the limit only by being one trace.
func planGroups(spans []schema.Span, limit int) []int {
	cuts := []int{0}
	if len(spans) == 0 {
		return cuts
	}
	trace := 0 // where the current trace begins
	for i := range spans {
		if spans[i].TraceID != spans[trace].TraceID {
			trace = i
		}
		if start := cuts[len(cuts)-1]; i-start >= limit && trace > start {
			cuts = append(cuts, trace)
		}
	}
	return append(cuts, len(spans))
}

// planPages returns the first row of each page of a row group and its number
// of rows: a page ends when it has enough rows, or enough bytes in one column.
func planPages(spans []schema.Span, lim limits) []int {
	cuts := []int{0}
	var held [11]int
	for i := range spans {
		full := i-cuts[len(cuts)-1] >= lim.pageRows
		sizes := columnBytes(&spans[i])
		for c, n := range sizes {
			full = full || held[c] > 0 && held[c]+n > lim.pageBytes
		}
		if full {
			cuts = append(cuts, i)
			clear(held[:])
		}
		for c, n := range sizes {
			held[c] += n
		}
	}
	return append(cuts, len(spans))
}
