package block

import (
	"context"
	"fmt"

	"github.com/spanlake/spanlake/internal/block/cells"
	"github.com/spanlake/spanlake/internal/block/parquet"
	"github.com/spanlake/spanlake/internal/vec"
)

// contentCopier copies a column of content. Frames of which all texts stay go over
// as they are, in the order of their first rows; texts of others, and those that
// stood in no frame, are put into new frames, some rows at a time. What is
// compressed is held.
type contentCopier struct {
	*copier

	column   int // of the output
	find     func(*groupReader) int
	writer   *frameWriter
	promoted []promotion
	defined  vec.Bitmap
	parts    []contentPart
	most     int // bytes of the texts of a slice

	row        int // to go on with
	next, used int // its run, and how many rows of that are done
	raw        []byte
}

// contentPart is what a part has of the column.
type contentPart struct {
	column  int // -1: none
	rowSize int // of a text, about
	had     int // texts

	// Of a column that is content there, too: by row of the part the code, and by
	// frame the code that its first entry gets, or what is to be done with it.
	framed  bool
	codes   []uint32
	frames  []frame
	codesOf []int64
	entries [][][]byte // of frames that are taken apart, in the slice
	last    int        // frame that was looked at
}

// minFrameParts is how many small frames are joined to one.
const minFrameParts = 4

const (
	frameWhole = -1 // goes over, and has not yet
	frameParts = -2 // is taken apart
)

// content writes the columns of content and returns their uncompressed size.
func (m *merger) content(ctx context.Context, c *copier, meta *parquet.Group, g *rowGroup) (size int64, err error) {
	e := m.encoder
	c.values = make([]values, len(c.values)) // lets go of what was read last
	for i := range e.dir.columns {
		if !e.dir.columns[i].content {
			continue
		}
		x := contentCopier{
			copier: c, column: i, find: attributeColumnOf(e.dir.columns[i].attribute), writer: e.frames(), promoted: c.promoted[i],
			defined: vec.NewBitmap(g.rows()), parts: make([]contentPart, len(c.plan.parts)), most: m.groupBytes / 4,
		}
		raw, err := x.write(ctx, m, meta, g)
		if err != nil {
			return 0, fmt.Errorf("column %s: %w", e.dir.columns[i].name, err)
		}
		if err := m.flush(); err != nil {
			return 0, err
		}
		size += raw
	}
	return size, nil
}

// write writes the column.
func (x *contentCopier) write(ctx context.Context, m *merger, meta *parquet.Group, g *rowGroup) (int64, error) {
	for i := range x.parts {
		if err := x.begin(ctx, i, !m.Settle); err != nil {
			return 0, err
		}
	}
	for x.row < g.rows() {
		row := x.row
		x.slice()
		if err := x.copySlice(ctx, row); err != nil {
			return 0, err
		}
	}
	had := make([]int, len(x.parts))
	for i := range x.parts {
		had[i] = x.parts[i].had
	}
	if err := x.compare(x.column, had); err != nil {
		return 0, err
	}
	e := m.encoder
	w := chunkWriter{chunk: &g.chunks[x.column], start: e.offset(), rows: g.rows()}
	data := cells.Column{Defined: x.defined, Values: len(x.writer.codes)}
	if data.Values == 0 {
		e.absent(&w, w.rows)
		return w.finish(meta, parquet.Stats{Nulls: w.rows})
	}
	return e.framedChunk(meta, &w, g.pages, x.writer, data)
}

// begin finds out what a part has, and what becomes of its frames.
func (x *contentCopier) begin(ctx context.Context, i int, move bool) (err error) {
	p, part := &x.parts[i], &x.plan.parts[i]
	if p.column = x.find(part.groupReader); p.column < 0 || part.chunk(p.column).absent {
		p.column = -1
		return nil
	}
	defer part.reader.guard("content", &err)
	k := part.chunk(p.column)
	if p.framed = part.framed(p.column); !p.framed {
		pages, err := part.pages(p.column)
		for _, page := range pages {
			p.rowSize += int(page.raw)
		}
		p.rowSize /= part.group.rows()
		return err
	}
	p.rowSize = int(k.dict.raw) / part.group.rows()
	if p.frames, err = part.frames(p.column); err != nil {
		return err
	}
	p.codes, p.codesOf, p.entries = make([]uint32, part.to-part.from), make([]int64, len(p.frames)), make([][][]byte, len(p.frames))
	if err := part.readFrameCodes(ctx, p.codes, p.column, x.ordinal[part.from:part.to], x.scratch); err != nil {
		return err
	}
	stay := vec.NewBitmap(k.entries)
	for _, r := range x.plan.runs {
		if int(r.part) == i {
			for _, code := range p.codes[r.from:][:r.n] {
				if code != noCode {
					stay.Set(int(code))
				}
			}
		}
	}
	for n := range p.frames {
		f := &p.frames[n]
		p.codesOf[n] = frameParts
		// Small ones, of blocks of few rows, are joined.
		if move && minFrameParts*int(f.raw) >= x.writer.bytes && stay.CountIn(int(f.first), int(f.first+f.n)) == int(f.n) {
			p.codesOf[n] = frameWhole
		}
	}
	return nil
}

// readFrameCodes reads the codes of rows.
func (g *groupReader) readFrameCodes(ctx context.Context, dst []uint32, c int, rows []int32, scratch *groupScratch) error {
	var list []extent
	g.eachRowPage(c, &task{rows: rows}, func(ref pageRef) { list = append(list, ref.extent()) })
	if err := g.fetch(ctx, list); err != nil {
		return err
	}
	g.scratch = *scratch
	err := g.loadFrameCodes(dst, c, rows)
	*scratch, g.scratch = g.scratch, groupScratch{}
	g.window = nil
	return err
}

// slice makes the next rows those that are copied.
func (x *contentCopier) slice() {
	x.runs = nil
	clear(x.spans)
	for size := 0; x.next < len(x.plan.runs) && size < x.most; {
		r := x.plan.runs[x.next]
		each := x.parts[r.part].rowSize + 1
		n := min(int(r.n)-x.used, (x.most-size)/each+1)
		r.from, r.n = r.from+int32(x.used), int32(n)
		x.runs = append(x.runs, r)
		span := &x.spans[r.part]
		if span.to == 0 {
			span.from = int(r.from)
		}
		span.to = int(r.from) + n
		size += n * each
		if x.row, x.used = x.row+n, x.used+n; x.used == int(x.plan.runs[x.next].n) {
			x.next, x.used = x.next+1, 0
		}
	}
}

// copySlice copies the rows of the slice, the first of which is row.
func (x *contentCopier) copySlice(ctx context.Context, row int) error {
	x.raw = x.raw[:0]
	for i := range x.parts {
		if err := x.readSlice(ctx, i); err != nil {
			return err
		}
	}
	for _, r := range x.runs {
		if err := x.copyRun(&r, row); err != nil {
			return err
		}
		row += int(r.n)
	}
	for i := range x.parts {
		if g := x.plan.parts[i].groupReader; x.parts[i].framed {
			g.texts = nil
			clear(x.parts[i].entries)
		}
	}
	return nil
}

// readSlice reads what the slice needs of a part.
func (x *contentCopier) readSlice(ctx context.Context, i int) (err error) {
	p, part, span := &x.parts[i], &x.plan.parts[i], x.spans[i]
	if p.column < 0 || span.to == span.from {
		return nil
	}
	if !p.framed {
		return x.readPart(ctx, &x.values[i], i, p.column)
	}
	defer part.reader.guard("content", &err)
	var list []extent
	needed, at := vec.NewBitmap(len(p.frames)), 0
	for _, code := range p.codes[span.from:span.to] {
		if code != noCode {
			if at = frameOf(p.frames, code, at); p.codesOf[at] < 0 {
				needed.Set(at)
			}
		}
	}
	for n := needed.Next(0); n < len(p.frames); n = needed.Next(n + 1) {
		list = append(list, p.frames[n].extent())
	}
	if err := part.fetchTextExtents(ctx, list); err != nil {
		return err
	}
	for n := needed.Next(0); n < len(p.frames); n = needed.Next(n + 1) {
		if p.codesOf[n] == frameParts {
			if p.entries[n], err = part.frameEntries(p.column, n, &p.frames[n], &x.raw); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyRun copies rows of a part, and the texts that stood in no column there.
func (x *contentCopier) copyRun(r *run, row int) error {
	p := &x.parts[r.part]
	for i := int(r.from); i < int(r.from+r.n); i, row = i+1, row+1 {
		if len(x.promoted) > 0 && x.promoted[0].row == row {
			x.add(row, []byte(x.promoted[0].text))
			x.promoted = x.promoted[1:]
			continue
		}
		switch {
		case p.column < 0:
		case p.framed:
			if err := x.addCode(p, int(r.part), row, p.codes[i]); err != nil {
				return err
			}
		default:
			if text := x.values[r.part].text(i - x.spans[r.part].from); text != nil {
				x.add(row, text)
				p.had++
			}
		}
	}
	return nil
}

func (x *contentCopier) add(row int, text []byte) {
	x.defined.Set(row)
	x.writer.add(text)
}

// addCode copies an entry of a frame, with the frame if that goes over.
func (x *contentCopier) addCode(p *contentPart, part, row int, code uint32) error {
	if code == noCode {
		return nil
	}
	p.had++
	n := frameOf(p.frames, code, p.last)
	p.last = n
	f := &p.frames[n]
	if p.codesOf[n] == frameParts {
		x.add(row, p.entries[n][code-f.first])
		return nil
	}
	if p.codesOf[n] == frameWhole {
		g := x.plan.parts[part].groupReader
		stored, err := g.verified(f.extent(), f.sum)
		if err != nil {
			return g.corrupt(p.column, frameName(n), f.extent(), err)
		}
		p.codesOf[n] = int64(x.writer.copy(f, stored))
	}
	x.defined.Set(row)
	x.writer.codes = append(x.writer.codes, uint32(p.codesOf[n])+code-f.first)
	return nil
}
