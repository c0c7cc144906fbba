package block

import (
	"context"
	"fmt"
	"iter"
	"math/bits"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Scan yields the rows for which the filter holds in the order of
// schema.Compare, up to 4096 at a time and never none. Of each row it fills in
// what every row has and what columns select, and of attributes that are
// selected by key these and no others. It ends after the first error.
//
// The yielded slice is reused: it is valid until the next iteration. The rows
// may be copied and kept: their strings, byte slices, Resources and Scopes are
// never written to again. A kept row keeps the memory of its chunk's and its
// dictionaries' values. Rows of one row group with equal resources share a
// Resource, likewise a Scope.
//
// Returns ErrCorrupt for damaged pages, objstore.ErrNotExist or
// objstore.ErrChanged if the object was removed or replaced since Open: list
// again, and discard the rows that were yielded.
func (r *Reader) Scan(ctx context.Context, filter *vec.Filter, columns vec.Columns) iter.Seq2[[]schema.Span, error] {
	return func(yield func([]schema.Span, error) bool) {
		s := &scanner{walker: walker{reader: r, filter: filter}, columns: r.wanted(columns)}
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

// scanner reads the rows that a walker selects.
type scanner struct {
	walker

	columns *wanted
	rows    *rowReader // nil before the first row group
	chunk   []schema.Span
}

// next returns the next rows, nil after the last. It recovers here and not
// around the caller's loop, whose panics are its own.
func (s *scanner) next(ctx context.Context) (rows []schema.Span, err error) {
	defer s.reader.guard("scan", &err)
	for s.rows == nil || s.rows.done() {
		g, selected, err := s.walker.next(ctx, func(*rowGroup) bool { return false })
		if err != nil || g == nil {
			return nil, err
		}
		s.rows = newRowReader(g, s.columns, tasksOf(g.group.pages, selected))
	}
	s.chunk, err = s.rows.next(ctx, s.chunk[:0])
	return s.chunk, err
}

// task is the rows to read of one page.
type task struct {
	page int
	rows []int32 // of the group, ascending
	used []int   // columns that attributes of the rows stand in, by shape
}

// tasksOf cuts selected rows by page.
func tasksOf(grid []int, selected vec.Bitmap) []task {
	var tasks []task
	for p := range len(grid) - 1 {
		if selected == nil || !encoding.AnyBit(selected, grid[p], grid[p+1]) {
			continue
		}
		rows := make([]int32, 0, countIn(selected, grid[p], grid[p+1]))
		tasks = append(tasks, task{page: p, rows: appendRows(rows, selected, grid[p], grid[p+1])})
	}
	return tasks
}

// tasksOfRows cuts ascending rows by page.
func tasksOfRows(grid []int, rows []int32) (tasks []task) {
	for len(rows) > 0 {
		page := pageOf(grid, int(rows[0]))
		n := 1
		for n < len(rows) && int(rows[n]) < grid[page+1] {
			n++
		}
		tasks = append(tasks, task{page: page, rows: rows[:n:n]})
		rows = rows[n:]
	}
	return tasks
}

// countIn is at least the number of selected rows of [from, to).
func countIn(selected vec.Bitmap, from, to int) int {
	return min(selected[from/64:(to+63)/64].Count(), to-from)
}

// appendRows appends the selected rows of [from, to).
func appendRows(dst []int32, selected vec.Bitmap, from, to int) []int32 {
	for w := from / 64; w <= (to-1)/64; w++ {
		for word := selected[w]; word != 0; word &= word - 1 {
			if row := 64*w + bits.TrailingZeros64(word); row >= from && row < to {
				dst = append(dst, int32(row))
			}
		}
	}
	return dst
}
