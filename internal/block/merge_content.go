package block

import (
	"context"
	"fmt"

	"github.com/spanlake/spanlake/internal/block/cells"
	"github.com/spanlake/spanlake/internal/block/parquet"
)

// contentCopier copies the columns of content, which are too large to be held: some
// rows of all columns at a time. Of a row group what is compressed is held.
type contentCopier struct {
	*copier

	encoder *encoder
	group   *rowGroup
	columns []contentColumn
	pager   pager
	main    int   // page of the group's grid that has the last row, of those that are cut
	sizes   []int // of a row's content, by part, about
	most    int   // bytes of a slice

	row        int // to go on with
	next, used int // its run, and how many rows of that are done
	whole      []wholePages
}

// contentColumn is one column, written up to some row.
type contentColumn struct {
	number int
	writer chunkWriter
	pages  []byte
	values int
	had    []int // of them, by part

	widths []int // by row of the slice
	data   cells.Column
	place  pageRows
}

// content writes the columns of content and returns their uncompressed size.
func (m *merger) content(ctx context.Context, c *copier, meta *parquet.Group, g *rowGroup) (size int64, err error) {
	e := m.encoder
	x := contentCopier{copier: c, encoder: e, group: g, pager: c.g.pager, most: m.groupBytes / 4}
	for i := range e.dir.columns {
		if e.dir.columns[i].fine {
			w := chunkWriter{chunk: &g.chunks[i], rows: g.rows(), encoding: encodingPlain}
			x.columns = append(x.columns, contentColumn{number: i, writer: w, had: make([]int, len(c.plan.parts))})
		}
	}
	if len(x.columns) == 0 {
		g.finePages = g.pages
		return 0, nil
	}
	c.values = make([]values, len(c.values)) // lets go of what was read last
	if err := x.measure(); err != nil {
		return 0, err
	}
	x.findWhole()
	for x.row < g.rows() {
		if err := x.copyWhole(ctx); err != nil {
			return 0, err
		}
		row := x.row
		if n := x.slice(); n > 0 {
			if err := x.copySlice(ctx, row, n); err != nil {
				return 0, err
			}
		}
	}
	g.finePages = append(x.pager.fine, g.rows())
	for i := range x.columns {
		if err := c.compare(x.columns[i].number, x.columns[i].had); err != nil {
			return 0, err
		}
		raw, err := x.finish(meta, &x.columns[i])
		if err != nil {
			return 0, fmt.Errorf("column %s: %w", e.dir.columns[x.columns[i].number].name, err)
		}
		if err := m.flush(); err != nil {
			return 0, err
		}
		size += raw
	}
	return size, nil
}

// measure finds out about how large the content of a row is.
func (x *contentCopier) measure() error {
	x.sizes = make([]int, len(x.plan.parts))
	for i := range x.plan.parts {
		p := &x.plan.parts[i]
		for k := range x.columns {
			column := attributeColumnOf(x.encoder.dir.columns[x.columns[k].number].attribute)(p.groupReader)
			if column < 0 || p.chunk(column).absent {
				continue
			}
			pages, err := p.pages(column)
			if err != nil {
				return err
			}
			grid := p.grid(column)
			size, first, last := 0, pageOf(grid, p.from), pageOf(grid, p.to-1)
			for page := first; page <= last; page++ {
				size += int(pages[page].raw)
			}
			x.sizes[i] += size / (grid[last+1] - grid[first])
		}
	}
	return nil
}

// slice makes the next rows those that are copied, up to a page that may go over as
// it is, and returns how many they are.
func (x *contentCopier) slice() (rows int) {
	x.runs = nil
	clear(x.spans)
	for size := 0; x.next < len(x.plan.runs) && size < x.most; {
		r := x.plan.runs[x.next]
		each := x.sizes[r.part] + 1
		n := min(int(r.n)-x.used, (x.most-size)/each+1)
		if _, before, ok := x.nextWhole(); ok {
			if before == 0 {
				break
			}
			n = min(n, before)
		}
		r.from, r.n = r.from+int32(x.used), int32(n)
		x.runs = append(x.runs, r)
		span := &x.spans[r.part]
		if span.to == 0 {
			span.from = int(r.from)
		}
		span.to = int(r.from) + n
		rows, size = rows+n, size+n*each
		x.advance(n)
	}
	return rows
}

// advance goes on by n rows of the run that is next.
func (x *contentCopier) advance(n int) {
	x.row, x.used = x.row+n, x.used+n
	if x.used == int(x.plan.runs[x.next].n) {
		x.next, x.used = x.next+1, 0
	}
}

// copySlice copies n rows from the given one on.
func (x *contentCopier) copySlice(ctx context.Context, row, n int) error {
	for i := range x.columns {
		c := &x.columns[i]
		column := &x.encoder.dir.columns[c.number]
		if err := x.read(ctx, attributeColumnOf(column.attribute)); err != nil {
			return err
		}
		resize(&c.widths, n)
		clear(c.widths)
		values := cells.NewOptional(n, cells.NewTexts(0, 0, nil))
		x.had = c.had
		x.attributeCells(cells.Text, values, c.widths, x.promotedIn(c.number, row, n))
		c.data, c.place = values.Column(), pageRows{}
		c.values += c.data.Values
	}
	for from, to := range x.cut(row, n) {
		for i := range x.columns {
			if err := x.page(&x.columns[i], from-row, to-row); err != nil {
				return fmt.Errorf("column %s: %w", x.encoder.dir.columns[x.columns[i].number].name, err)
			}
		}
	}
	return nil
}

// promotedIn takes off the promoted values of n rows from the given one on, by their
// rows in the slice.
func (x *contentCopier) promotedIn(column, row, n int) []promotion {
	list, k := x.promoted[column], 0
	for ; k < len(list) && list[k].row < row+n; k++ {
		list[k].row -= row
	}
	x.promoted[column] = list[k:]
	return list[:k]
}

// cut yields the pages of n rows from the given one on: they end with the slice, and
// with each page of the group's grid.
func (x *contentCopier) cut(row, n int) func(yield func(from, to int) bool) {
	return func(yield func(from, to int) bool) {
		start := row
		for r := row; r < row+n; r++ {
			for i := range x.columns {
				x.pager.rowFine[i] = x.columns[i].widths[r-row]
			}
			begins := false
			for ; x.group.pages[x.main+1] <= r; x.main++ {
				begins = true
			}
			if x.pager.endFine(r, begins || r == row && r > 0) {
				if r > start && !yield(start, r) {
					return
				}
				start = r
			}
		}
		yield(start, row+n)
	}
}

// page writes a page of one column, of the rows [from, to) of the slice.
func (x *contentCopier) page(c *contentColumn, from, to int) error {
	e := x.encoder
	e.codec = e.content
	e.scratch.pages, c.pages = c.pages, e.scratch.pages
	c.place.from, c.place.to = from, to
	err := e.page(&c.writer, &c.data, &c.place)
	c.place.firstCell = c.place.endCell
	e.scratch.pages, c.pages = c.pages, e.scratch.pages
	return err
}

// finish writes what there is of a column.
func (x *contentCopier) finish(meta *parquet.Group, c *contentColumn) (int64, error) {
	e, w := x.encoder, &c.writer
	w.start = e.offset()
	stats := parquet.Stats{Nulls: x.group.rows() - c.values}
	if c.values == 0 {
		w.chunk.pages, w.chunk.compressed, w.raw = nil, false, 0
		e.absent(w, w.rows)
		return w.finish(meta, stats)
	}
	w.place(w.start)
	e.out = append(e.out, c.pages...)
	c.pages = nil
	return w.finish(meta, stats)
}
