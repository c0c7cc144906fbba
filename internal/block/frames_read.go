package block

import (
	"context"
	"sort"
	"strconv"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
)

// framed reports whether the values of a column stand in frames.
func (g *groupReader) framed(c int) bool { return g.column(c).content && !g.chunk(c).absent }

// hasDictionary reports whether a column has a dictionary that is read as a whole.
func (g *groupReader) hasDictionary(c int) bool {
	return g.chunk(c).encoding == encodingCodes && !g.chunk(c).absent && !g.column(c).content
}

func frameName(i int) string { return "frame " + strconv.Itoa(i) }

// frames are those of a column of content.
func (g *groupReader) frames(c int) ([]frame, error) {
	parts, err := g.chunkParts(c)
	return parts.frames, err
}

// contentBytes is about what so many rows have of a column of content as it is
// stored, 0 for others.
func (g *groupReader) contentBytes(c, rows int) int64 {
	if !g.framed(c) {
		return 0
	}
	return int64(g.chunk(c).dict.size) * int64(rows) / int64(g.group.rows())
}

// frameOf is the frame that has an entry. guess is where it may be.
func frameOf(frames []frame, code uint32, guess int) int {
	if guess < len(frames) && code-frames[guess].first < frames[guess].n {
		return guess
	}
	return sort.Search(len(frames), func(i int) bool { return frames[i].first > code }) - 1
}

// each calls f with the elements of a list.
func each[T any](list []T, f func(T)) {
	for _, v := range list {
		f(v)
	}
}

// fetchTexts fetches the frames that tasks need of their columns. REQUIRES: the
// pages were fetched.
func (g *groupReader) fetchTexts(ctx context.Context, tasks []task, columns func(t *task, f func(c int))) error {
	var list []extent
	var err error
	for i := range tasks {
		columns(&tasks[i], func(c int) {
			if err == nil && g.framed(c) {
				list, err = g.appendFrames(list, c, tasks[i].rows)
			}
		})
	}
	if err != nil {
		return err
	}
	return g.fetchTextExtents(ctx, list)
}

// fetchTextsOf is fetchTexts of rows.
func (g *groupReader) fetchTextsOf(ctx context.Context, columns []int, rows []int32) error {
	return g.fetchTexts(ctx, []task{{rows: rows}}, func(_ *task, f func(c int)) { each(columns, f) })
}

// fetchTextExtents fetches frames in place of those of the last call.
func (g *groupReader) fetchTextExtents(ctx context.Context, list []extent) error {
	g.texts = nil // let go of them first
	if len(list) == 0 {
		return nil
	}
	var err error
	g.texts, err = g.reader.fetch(ctx, list)
	return err
}

// appendFrames appends the extents of the frames that have the texts of rows.
func (g *groupReader) appendFrames(list []extent, c int, rows []int32) ([]extent, error) {
	frames, err := g.frames(c)
	if err != nil {
		return nil, err
	}
	codes := resize(&g.scratch.codesOfRows, len(rows))
	if err := g.loadFrameCodes(codes, c, rows); err != nil {
		return nil, err
	}
	needed, at := vec.NewBitmap(len(frames)), 0
	for _, code := range codes {
		if code != noCode {
			at = frameOf(frames, code, at)
			needed.Set(at)
		}
	}
	for i := needed.Next(0); i < len(frames); i = needed.Next(i + 1) {
		list = append(list, frames[i].extent())
	}
	return list, nil
}

// loadFrameCodes reads which entries of frames rows have. REQUIRES: their pages
// were fetched.
func (g *groupReader) loadFrameCodes(dst []uint32, c int, rows []int32) error {
	g.scratch.raw = g.scratch.raw[:0]
	entries := g.chunk(c).entries
	return g.eachPage(c, rows, &g.scratch.raw, func(p *pagePart) error { return g.loadCodes(dst, entries, p) })
}

// loadTexts is load of a column of content. REQUIRES: the frames were fetched.
func (g *groupReader) loadTexts(v *values, c int, rows []int32) error {
	frames, err := g.frames(c)
	if err != nil {
		return err
	}
	resize(&v.codes, len(rows))
	if err := g.loadFrameCodes(v.codes, c, rows); err != nil {
		return err
	}
	if cap(g.scratch.entries) < len(frames) {
		g.scratch.entries = make([][][]byte, len(frames))
	}
	entries := g.scratch.entries[:len(frames)]
	clear(entries)
	resize(&v.bytes, len(rows))
	at := 0
	for i, code := range v.codes {
		if v.bytes[i] = nil; code == noCode {
			continue
		}
		if at = frameOf(frames, code, at); entries[at] == nil {
			if entries[at], err = g.frameEntries(c, at, &frames[at], &v.raw); err != nil {
				return err
			}
		}
		v.bytes[i] = entries[at][code-frames[at].first]
	}
	return nil
}

// frameEntries decompresses a frame behind what scratch holds, and returns its
// entries.
func (g *groupReader) frameEntries(c, i int, f *frame, scratch *[]byte) ([][]byte, error) {
	raw, err := g.frameBytes(c, i, f, scratch)
	if err != nil {
		return nil, err
	}
	entries := make([][]byte, f.n)
	if err := encoding.SplitBytes(entries, raw); err != nil {
		return nil, g.corrupt(c, frameName(i), f.extent(), err)
	}
	return entries, nil
}

// frameBytes decompresses a frame behind what scratch holds.
func (g *groupReader) frameBytes(c, i int, f *frame, scratch *[]byte) ([]byte, error) {
	raw, err := g.verified(f.extent(), f.sum)
	if err == nil {
		raw, err = decompressBehind(scratch, raw, int(f.raw))
	}
	if err != nil {
		return nil, g.corrupt(c, frameName(i), f.extent(), err)
	}
	return raw, nil
}

// decideTexts decides the texts that open rows of some pages have in a place,
// frame by frame. REQUIRES: the pages were fetched.
func (s *selector) decideTexts(pl *place, from, to int, open vec.Bitmap) error {
	c := pl.column
	frames, err := s.frames(c)
	if err != nil {
		return err
	}
	needed, err := s.openEntries(c, from, to, open)
	if err != nil {
		return err
	}
	holds, present := make([]bool, s.chunk(c).entries), make([]bool, s.chunk(c).entries)
	for next := 0; next < len(frames); {
		var list []extent
		var size int64
		end := next
		for ; end < len(frames) && size < windowBytes; end++ {
			if f := &frames[end]; encoding.AnyBit(needed, int(f.first), int(f.first+f.n)) {
				list, size = append(list, f.extent()), size+int64(f.size)
			}
		}
		if err := s.fetchFrames(list); err != nil {
			return err
		}
		for ; next < end; next++ {
			f := &frames[next]
			if !encoding.AnyBit(needed, int(f.first), int(f.first+f.n)) {
				continue
			}
			s.scratch.raw = s.scratch.raw[:0]
			raw, err := s.frameBytes(c, next, f, &s.scratch.raw)
			if err != nil {
				return err
			}
			if err := s.match.decideFrame(pl, raw, f, needed, holds, present); err != nil {
				return s.corrupt(c, frameName(next), f.extent(), err)
			}
		}
	}
	pl.present = nil
	if !pl.text {
		pl.present = encoding.NewCodeSet(present)
	}
	pl.holds = encoding.NewCodeSet(holds)
	return nil
}

// openEntries are the entries that open rows of some pages have.
func (s *selector) openEntries(c, from, to int, open vec.Bitmap) (vec.Bitmap, error) {
	needed := vec.NewBitmap(s.chunk(c).entries)
	pages := s.group.pages
	var rows []int32
	for p := from; p < to; p++ {
		if !encoding.AnyBit(open, pages[p], pages[p+1]) {
			continue
		}
		rows = appendRows(rows[:0], open, pages[p], pages[p+1])
		codes := resize(&s.scratch.codesOfRows, len(rows))
		if err := s.loadFrameCodes(codes, c, rows); err != nil {
			return nil, err
		}
		for _, code := range codes {
			if code != noCode {
				needed.Set(int(code))
			}
		}
	}
	return needed, nil
}

// decideFrame decides the needed entries of a frame.
func (m *matchScratch) decideFrame(pl *place, raw []byte, f *frame, needed vec.Bitmap, holds, present []bool) error {
	n := int(f.n)
	m.open = needed.Extract(m.open, int(f.first), int(f.first)+n)
	resize(&m.holds, (n+63)/64)
	m.present = nil
	if err := m.matchBytes(pl, raw, nil, n); err != nil {
		return err
	}
	for i := range n {
		at := int(f.first) + i
		holds[at] = m.holds[i/64]>>(i%64)&1 != 0
		present[at] = m.present != nil && m.present[i/64]>>(i%64)&1 != 0
	}
	return nil
}
