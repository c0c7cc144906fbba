package block

import (
	"bytes"
	"context"
	"fmt"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// maxGroups is the most row groups of a Parquet file.
const maxGroups = 1<<15 - 1

// mergeInput reads the rows of a block once, in their order.
type mergeInput struct {
	reader   *Reader
	wanted   *wanted
	rowBytes int           // of a row in memory, about
	chunk    []schema.Span // scratch

	group int          // that is read next
	row   int          // likewise, of the group
	pages *groupReader // of the group, nil before its first row; keeps its dictionaries
}

func newMergeInput(r *Reader) *mergeInput {
	return &mergeInput{reader: r, wanted: r.wanted(vec.AllColumns())}
}

// appendBefore appends the next rows up to the trace end, all if it is nil. They
// may be kept.
func (in *mergeInput) appendBefore(ctx context.Context, dst []schema.Span, end *schema.TraceID) (_ []schema.Span, err error) {
	defer in.reader.guard("rows", &err)
	for in.group < len(in.reader.dir.groups) {
		to, err := in.rowOf(ctx, end)
		if err != nil {
			return nil, fmt.Errorf("read block %s: %w", in.reader.key, err)
		}
		if dst, err = in.append(ctx, dst, to); err != nil {
			return nil, fmt.Errorf("read block %s: %w", in.reader.key, err)
		}
		if in.row < in.reader.dir.groups[in.group].rows() {
			break
		}
		in.group, in.row, in.pages = in.group+1, 0, nil
	}
	return dst, nil
}

// rowOf is the first row of the group that belongs to the trace end or a later
// one.
func (in *mergeInput) rowOf(ctx context.Context, end *schema.TraceID) (int, error) {
	g := &in.reader.dir.groups[in.group]
	switch {
	case end == nil || bytes.Compare(g.lastTrace[:], end[:]) < 0:
		return g.rows(), nil
	case bytes.Compare(g.firstTrace[:], end[:]) >= 0:
		return 0, nil
	}
	r := in.groupReader()
	i := g.sectionOfID(*end)
	if err := r.fetch(ctx, r.missingSection(nil, i)); err != nil {
		return 0, err
	}
	s, err := r.readSection(i)
	if err != nil {
		return 0, err
	}
	trace, _ := s.find(*end)
	return s.first[trace], nil
}

func (in *mergeInput) groupReader() *groupReader {
	if in.pages == nil {
		in.pages = in.reader.groupReader(in.group)
	}
	return in.pages
}

// append reads the rows of the group up to a row. Between two calls it keeps no
// pages: all inputs wait at the same time.
func (in *mergeInput) append(ctx context.Context, dst []schema.Span, to int) ([]schema.Span, error) {
	if to <= in.row {
		return dst, nil
	}
	g := in.groupReader()
	r := newRowReader(g, in.wanted, tasksBetween(g.group.pages, in.row, to))
	in.row = to
	for !r.done() {
		var err error
		r.hint = int64(len(r.tasks[0].rows) * (in.rowBytes - spanBytes))
		if dst, err = r.next(ctx, dst); err != nil {
			return nil, err
		}
	}
	g.window, g.scratch = nil, groupScratch{}
	return dst, nil
}

// tasksBetween cuts the rows [from, to) by page.
func tasksBetween(grid []int, from, to int) []task {
	var tasks []task
	for p := range len(grid) - 1 {
		first, end := max(grid[p], from), min(grid[p+1], to)
		if first >= end {
			continue
		}
		rows := make([]int32, end-first)
		for i := range rows {
			rows[i] = int32(first + i)
		}
		tasks = append(tasks, task{page: p, rows: rows})
	}
	return tasks
}
