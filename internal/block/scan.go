package block

import (
	"context"
	"fmt"
	"iter"

	"github.com/spanlake/spanlake/schema"
)

// ScanRequest selects rows and columns.
type ScanRequest struct {
	// StartNanos and EndNanos select the rows that overlap a range of time:
	// those that start before EndNanos and whose start or end, whichever is
	// later, is not before StartNanos. Unix nanoseconds; EndNanos 0 means no
	// upper end, both 0 every row.
	StartNanos, EndNanos uint64
	// Columns to read, all of them by default.
	Columns ColumnSet
}

// windowBytes is what a scan fetches at a time, except that a page per column
// is the least. Larger windows mean fewer requests and more memory.
const windowBytes = 16 << 20

// Scan yields the rows that req selects in the order of schema.Compare, up to
// 4096 at a time and never none. It ends after the first error.
//
// The yielded slice is reused: it is valid until the next iteration. The rows
// may be copied and kept: their strings, byte slices, Resources and Scopes are
// never written to again. A kept byte slice keeps what was fetched with it in
// memory, up to 16 MB and more with very large values; a kept string keeps its
// dictionary. Clone what is to be kept for long.
//
// Returns ErrCorrupt for damaged pages, objstore.ErrNotExist or
// objstore.ErrChanged if the object was removed or replaced since Open: list
// again, and discard the rows that were yielded.
func (r *Reader) Scan(ctx context.Context, req ScanRequest) iter.Seq2[[]schema.Span, error] {
	return func(yield func([]schema.Span, error) bool) {
		s := &scanner{reader: r, req: req, window: windowBytes}
		for {
			rows, err := s.next(ctx)
			if err != nil {
				yield(nil, fmt.Errorf("scan block: %w", err))
				return
			}
			if rows == nil || !yield(rows, nil) {
				return
			}
		}
	}
}

// scanner walks the pages of a block.
type scanner struct {
	reader *Reader
	req    ScanRequest
	window int64

	ordinal int          // of the row group after group
	group   *groupReader // nil before the first and after each
	page    int          // next of group
	fetched int          // pages of group that have been fetched
	rows    []schema.Span
}

// next returns the next rows that are selected, nil after the last. It
// recovers here and not around the caller's loop, whose panics are its own.
func (s *scanner) next(ctx context.Context) (rows []schema.Span, err error) {
	defer s.reader.guard("scan", &err)
	for {
		if s.group == nil && !s.nextGroup() {
			return nil, nil
		}
		if s.page == s.group.group.pages() {
			s.group = nil
			continue
		}
		if s.page == s.fetched {
			if err := s.fetch(ctx); err != nil {
				return nil, err
			}
		}
		rows, err := s.decode(s.page)
		s.page++
		if err != nil || len(rows) > 0 {
			return rows, err
		}
	}
}

// nextGroup goes to the next row group that overlaps the range.
func (s *scanner) nextGroup() bool {
	groups := s.reader.dir.groups
	for ; s.ordinal < len(groups); s.ordinal++ {
		if g := &groups[s.ordinal]; s.req.overlaps(g.minStart, g.maxEnd) {
			s.group = s.reader.groupReader(s.ordinal, s.req.Columns)
			s.ordinal++
			s.page, s.fetched = 0, 0
			return true
		}
	}
	return false
}

// fetch reads the next window of pages, and before the first the dictionaries.
func (s *scanner) fetch(ctx context.Context) error {
	g := s.group
	end := s.page
	for held := int64(0); end < g.group.pages(); end++ {
		size := g.pageBytes(end)
		if end > s.page && held+size > s.window {
			break
		}
		held += size
	}
	g.fetched = nil // let go of the last window first
	fetched, err := s.reader.fetch(ctx, g.extents(s.page, end))
	if err != nil {
		return err
	}
	g.fetched, s.fetched = fetched, end
	return g.load()
}

// pageBytes is the stored size of a page over all selected columns.
func (g *groupReader) pageBytes(p int) int64 {
	var n int64
	for id := range numColumns {
		if g.selected(id) {
			n += int64(g.group.chunks[id].pages[p].size)
		}
	}
	return n
}

// decode returns the selected rows of a page. Pages without any are not
// decoded beyond their times.
func (s *scanner) decode(p int) ([]schema.Span, error) {
	rows := resize(&s.rows, s.group.group.pageRows(p))
	clear(rows)
	if err := s.group.times(p, rows); err != nil {
		return nil, err
	}
	matches := 0
	for i := range rows {
		if s.req.selects(&rows[i]) {
			matches++
		}
	}
	if matches == 0 {
		return nil, nil
	}
	if err := s.group.rest(p, rows, 0); err != nil || matches == len(rows) {
		return rows, err
	}
	kept := rows[:0]
	for i := range rows {
		if s.req.selects(&rows[i]) {
			kept = append(kept, rows[i])
		}
	}
	return kept, nil
}

func (q *ScanRequest) selects(s *schema.Span) bool {
	return q.overlaps(s.StartNanos, max(s.StartNanos, s.EndNanos))
}

func (q *ScanRequest) overlaps(start, end uint64) bool {
	return end >= q.StartNanos && (q.EndNanos == 0 || start < q.EndNanos)
}
