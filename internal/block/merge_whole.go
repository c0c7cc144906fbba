package block

import (
	"context"
	"slices"
	"sort"

	"github.com/spanlake/spanlake/internal/block/cells"
	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
)

// wholePages tells which pages of content of a part may go over as they are.
type wholePages struct {
	may     bool
	columns []int // by column of content: that of the part, -1 for none
}

// findWhole finds out which parts have pages of content that may go over as they
// are: those that a merge has compressed, which does that as well as this one.
func (x *contentCopier) findWhole() {
	x.whole = make([]wholePages, len(x.plan.parts))
	for i := range x.whole {
		p, w := &x.plan.parts[i], &x.whole[i]
		w.may = p.reader.name.Level > 0
		for k := range x.columns {
			c := attributeColumnOf(x.encoder.dir.columns[x.columns[k].number].attribute)(p.groupReader)
			if c >= 0 && p.chunk(c).absent {
				c = -1
			}
			w.may = w.may && (c < 0 || p.column(c).fine && p.chunk(c).encoding == encodingPlain)
			w.columns = append(w.columns, c)
		}
	}
}

// nextWhole is the next page that may go over, among the rows of the run that is
// next, and how many rows lie before it. It is false if there is none.
func (x *contentCopier) nextWhole() (page, before int, ok bool) {
	r := x.plan.runs[x.next]
	if !x.whole[r.part].may {
		return 0, 0, false
	}
	p := &x.plan.parts[r.part]
	grid, from, end := p.group.finePages, p.from+int(r.from)+x.used, p.from+int(r.from+r.n)
	if page = pageOf(grid, from); grid[page] < from {
		page++
	}
	for ; page+1 < len(grid) && grid[page+1] <= end; page++ {
		before = grid[page] - from
		if n := grid[page+1] - grid[page]; x.mayStand(x.row+before, n) && x.worthwhile(int(r.part), page, n) {
			return page, before, true
		}
	}
	return 0, 0, false
}

// mayStand reports whether n rows from the given one on may be a page: they are in
// one page of the group's grid, and not too many, and nothing comes to them from
// outside of columns.
func (x *contentCopier) mayStand(row, n int) bool {
	if n > x.pager.limits.fineRows {
		return false
	}
	for i := range x.columns {
		list := x.promoted[x.columns[i].number]
		k := sort.Search(len(list), func(k int) bool { return list[k].row >= row })
		if k < len(list) && list[k].row < row+n {
			return false
		}
	}
	next, _ := slices.BinarySearch(x.group.pages, row+1)
	return x.group.pages[next] >= row+n
}

// worthwhile reports whether a page of n rows is of a decent size: small ones, which
// stand where something ended, are joined again.
func (x *contentCopier) worthwhile(part, page, n int) bool {
	if 4*n >= x.pager.limits.fineRows {
		return true
	}
	p := &x.plan.parts[part]
	for _, c := range x.whole[part].columns {
		if c < 0 {
			continue
		}
		if pages, err := p.pages(c); err == nil && 4*int(pages[page].raw) >= x.pager.limits.fineBytes {
			return true
		}
	}
	return false
}

// copyWhole copies the pages that are next and may go over as they are.
func (x *contentCopier) copyWhole(ctx context.Context) error {
	if x.next == len(x.plan.runs) {
		return nil
	}
	part := int(x.plan.runs[x.next].part)
	grid := x.plan.parts[part].group.finePages
	first, n := 0, 0
	for x.next < len(x.plan.runs) && int(x.plan.runs[x.next].part) == part && n < maxWhole {
		page, before, ok := x.nextWhole()
		if !ok || before > 0 || n > 0 && page != first+n {
			break
		}
		if n == 0 {
			first = page
		}
		n++
		if x.row > 0 {
			x.pager.fine = append(x.pager.fine, x.row)
		}
		x.advance(grid[page+1] - grid[page])
	}
	if n == 0 {
		return nil
	}
	for i := range x.columns {
		if err := x.copyPages(ctx, &x.columns[i], part, x.whole[part].columns[i], first, n); err != nil {
			return err
		}
	}
	clear(x.pager.heldFine)
	return nil
}

// maxWhole bounds what is read of a column at a time.
const maxWhole = 64

// copyPages copies pages of a column of a part, or nulls if it does not have it.
func (x *contentCopier) copyPages(ctx context.Context, c *contentColumn, part, column, first, n int) (err error) {
	p := &x.plan.parts[part]
	defer p.reader.guard("pages", &err)
	grid := p.group.finePages
	if column < 0 {
		for page := first; page < first+n; page++ {
			rows := grid[page+1] - grid[page]
			c.data, c.place = cells.NewOptional(rows, cells.NewTexts(0, 0, nil)).Column(), pageRows{}
			if err := x.page(c, 0, rows); err != nil {
				return err
			}
		}
		return nil
	}
	pages, err := p.pages(column)
	if err != nil {
		return err
	}
	if err := p.fetch(ctx, []extent{{pages[first].offset, pages[first+n-1].end()}}); err != nil {
		return err
	}
	for page := first; page < first+n; page++ {
		ref, rows := pages[page], grid[page+1]-grid[page]
		_, levels, err := p.stored(ref)
		values := 0
		if err == nil {
			values, err = encoding.DecodeLevels(vec.NewBitmap(rows), levels, rows)
		}
		if err != nil {
			return p.corruptPage(column, page, err)
		}
		c.values += values
		c.had[part] += values
		c.writer.accountStored(ref)
		c.pages = append(c.pages, p.window.at(ref.extent())...)
	}
	p.window = nil
	return nil
}
