package block

import (
	"context"
	"math/bits"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
)

// content counts the texts of a page of a column of content, until one is not told
// apart: mostly the first one.
func (c *columnCounter) content(ctx context.Context, p int, view *pageView, from int) error {
	t := contentTexts{columnCounter: c, codes: resize(&c.scratch.codes, view.count)}
	if len(view.body) == 0 {
		return c.corruptPage(c.number, p, encoding.ErrMalformed)
	}
	err := encoding.DecodeHybrid(t.codes, view.body[1:], int(view.body[0]), uint32(c.chunk(c.number).entries))
	if err != nil {
		return c.corruptPage(c.number, p, err)
	}
	if t.frames, err = c.frames(c.number); err != nil {
		return err
	}
	t.find(view.defined)
	m := &marks{defined: vec.NewBitmap(len(c.part) * 64)}
	err = c.each(view, from, func(value int) (int32, error) {
		text, err := t.text(ctx, value)
		if err != nil {
			return 0, err
		}
		row := t.rows[value]
		m.defined[row/64] |= 1 << (row % 64)
		m.values = append(m.values, markOf(text))
		return c.tally.ofText(alias(text)), nil
	})
	if err == nil {
		c.rememberMarks(c.number, p, m)
	}
	return err
}

// contentTexts reads the texts of a page that count, in their order.
type contentTexts struct {
	*columnCounter

	codes   []uint32 // by value of the page
	rows    []int32  // likewise: of the page
	frames  []frame
	needed  []int // frames, in the order in which they are
	fetched int   // of needed
	entries map[int][][]byte
	last    int
}

// find finds the frames that are needed.
func (t *contentTexts) find(defined []uint64) {
	t.rows = make([]int32, 0, len(t.codes))
	t.entries = make(map[int][][]byte)
	seen, at := vec.NewBitmap(len(t.frames)), 0
	for w, part := range t.part {
		word := ^uint64(0)
		if defined != nil {
			word = defined[w]
		}
		for ; word != 0 && len(t.rows) < len(t.codes); word &= word - 1 {
			row := 64*w + bits.TrailingZeros64(word)
			if part>>(row%64)&1 != 0 {
				if at = frameOf(t.frames, t.codes[len(t.rows)], at); !seen.Has(at) {
					seen.Set(at)
					t.needed = append(t.needed, at)
				}
			}
			t.rows = append(t.rows, int32(row))
		}
	}
}

// text is the text of a value. One frame is fetched at first, then more at a time.
func (t *contentTexts) text(ctx context.Context, value int) ([]byte, error) {
	code := t.codes[value]
	t.last = frameOf(t.frames, code, t.last)
	if entries := t.entries[t.last]; entries != nil {
		return entries[code-t.frames[t.last].first], nil
	}
	for t.entries[t.last] == nil && t.fetched < len(t.needed) {
		batch := t.needed[t.fetched:min(4*t.fetched+1, len(t.needed))]
		t.fetched += len(batch)
		list := make([]extent, len(batch))
		for i, n := range batch {
			list[i] = t.frames[n].extent()
		}
		if err := t.fetchTextExtents(ctx, list); err != nil {
			return nil, err
		}
		for _, n := range batch {
			var err error
			if t.entries[n], err = t.frameEntries(t.number, n, &t.frames[n], new([]byte)); err != nil {
				return nil, err
			}
		}
	}
	return t.entries[t.last][code-t.frames[t.last].first], nil
}
