package block

import (
	"context"
	"math/bits"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// whole counts a field whose values are all in columns of their own, of which no
// two have the same row, page by page as they lie. It is false, and has done
// nothing, if the field is another.
func (t *tabulator) whole(ctx context.Context, field vec.Field, parts []codedPart) (bool, error) {
	for i := range parts {
		p := &parts[i]
		if p.find != nil || p.kind == kindAny {
			return false, nil
		}
		for k := range parts[:i] {
			if !t.exclude(&parts[k].holding, &p.holding) {
				return false, nil
			}
		}
	}
	t.tally.reset(t.MaxValues, t.MaxText)
	t.tally.many = !t.table.TellsApart(field) || t.haveMany(parts)
	for i := range parts {
		c := &columnCounter{tabulator: t, number: parts[i].column, kind: parts[i].kind}
		if err := t.eachPageOf(ctx, c.number, func(p, from, n int) error { return c.page(ctx, p, from, n) }); err != nil {
			return true, err
		}
	}
	return true, t.tally.give(field, t.table)
}

// eachPageOf calls f with the pages of a column that have rows which count,
// and the rows that they have.
func (t *tabulator) eachPageOf(ctx context.Context, c int, f func(p, from, n int) error) error {
	grid := t.group.pages
	pages, err := t.pages(c)
	if err != nil {
		return err
	}
	for next := 0; next < len(pages); {
		wanted, size, end, window := t.missingDictionaries([]int{c}), int64(0), next, int64(windowBytes)
		if t.column(c).content && !t.tally.many {
			window = 0 // one will do to see that these are texts
		}
		for ; end < len(pages) && (size == 0 || size+int64(pages[end].size) <= window); end++ {
			known, some := t.knownValues(c, end)
			enough := known && (t.tally.many || !some)
			if !enough && encoding.AnyBit(t.counted, grid[end], grid[end+1]) {
				wanted = append(wanted, pages[end].extent())
				size += int64(pages[end].size)
			}
		}
		if err := t.fetch(ctx, wanted); err != nil {
			return err
		}
		for ; next < end; next++ {
			if !encoding.AnyBit(t.counted, grid[next], grid[next+1]) {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := f(next, grid[next], grid[next+1]-grid[next]); err != nil {
				return err
			}
		}
	}
	return nil
}

// columnCounter counts the values of a column.
type columnCounter struct {
	*tabulator

	number int
	kind   valueKind
	dict   *dictionary
	slots  []int32 // by entry of the dictionary, 0 for none yet
	begun  bool
}

// page counts those of a page.
func (c *columnCounter) page(ctx context.Context, p, from, n int) error {
	c.part = c.counted.Extract(c.part, from, from+n)
	if c.tally.many {
		return c.present(p, from, n)
	}
	if known, some := c.knownValues(c.number, p); known && !some {
		return nil
	}
	c.scratch.raw = c.scratch.raw[:0]
	view, err := c.groupReader.page(c.number, p, n, &c.scratch.raw)
	if err != nil {
		return err
	}
	if c.rememberDefined(c.number, p, view.defined); !anyBoth(c.part, view.defined) {
		return nil
	}
	switch k := c.chunk(c.number); {
	case c.framed(c.number):
		return c.content(ctx, p, view, from)
	case k.encoding == encodingCodes:
		err = c.codes(view, k.entries, from)
	case c.column(c.number).physical == physicalBytes:
		if err = c.markTexts(c.number, p, view); err == nil {
			err = c.bytes(view, from)
		}
	default:
		err = c.words(view, from)
	}
	if err != nil {
		return c.corruptPage(c.number, p, err)
	}
	return nil
}

// present counts the rows of a page that have a value.
func (c *columnCounter) present(p, from, n int) error {
	if c.column(c.number).optional {
		defined, err := c.definedBits(c.number, p, n)
		if err != nil {
			return err
		}
		for i := range c.part {
			c.part[i] &= defined[i]
		}
	}
	c.countAll(from)
	return nil
}

// countAll counts the rows of a page, whatever they have.
func (c *columnCounter) countAll(from int) {
	others := c.tally.of(0)
	for w, rows := range c.part {
		cells := c.cells[from+64*w:]
		for ; rows != 0; rows &= rows - 1 {
			others[cells[bits.TrailingZeros64(rows)]]++
		}
	}
}

// codes counts values that are entries of a dictionary.
func (c *columnCounter) codes(view *pageView, entries, from int) error {
	if c.slots == nil {
		dict, err := c.dictionary(c.number)
		if err != nil {
			return err
		}
		c.dict, c.slots = dict, resize(&c.slotScratch, entries)
		clear(c.slots)
	}
	codes := resize(&c.scratch.codes, view.count)
	if len(view.body) == 0 {
		return encoding.ErrMalformed
	}
	if err := encoding.DecodeHybrid(codes, view.body[1:], int(view.body[0]), uint32(entries)); err != nil {
		return err
	}
	counts, size, first := c.tally.counts, c.tally.cells, 0
	for w, rows := range c.part {
		defined := ^uint64(0)
		if view.defined != nil {
			defined = view.defined[w]
		}
		cells := c.cells[from+64*w:]
		for rows &= defined; rows != 0; rows &= rows - 1 {
			row := bits.TrailingZeros64(rows)
			code := codes[first+bits.OnesCount64(defined&(1<<row-1))]
			slot := c.slots[code]
			if slot == 0 {
				slot = c.tally.slot(c.dict.value(c.kind, code))
				c.slots[code], counts = slot, c.tally.counts
			}
			counts[int(slot)*size+int(cells[row])]++
		}
		first += bits.OnesCount64(defined)
	}
	return nil
}

// value is that of an entry.
func (d *dictionary) value(kind valueKind, code uint32) schema.Value {
	switch {
	case d.ints != nil:
		return valueOfWord(kind, uint64(d.ints[code]))
	case d.doubles != nil:
		return schema.Value{Kind: schema.KindDouble, Double: d.doubles[code]}
	}
	return schema.Value{Kind: schema.KindString, Str: alias(d.texts[code])}
}

// bytes counts texts that are in no dictionary.
func (c *columnCounter) bytes(view *pageView, from int) error {
	arrays, next := encoding.NewByteArrays(view.body), 0
	return c.each(view, from, func(value int) (int32, error) {
		if err := arrays.Skip(value - next); err != nil {
			return 0, err
		}
		text, err := arrays.Next()
		next = value + 1
		if err != nil {
			return 0, err
		}
		return c.tally.ofText(alias(text)), nil
	})
}

// words counts numbers that are in no dictionary.
func (c *columnCounter) words(view *pageView, from int) error {
	all := resize(&c.wordScratch, view.count)
	part := pagePart{pageView: view, rows: view.count}
	if err := c.loadWhole(all, c.number, &part); err != nil {
		return err
	}
	return c.each(view, from, func(value int) (int32, error) { return c.tally.ofWord(c.kind, all[value]), nil })
}

// each counts the rows of a page that have a value by the slots of the values.
// From the first on that is not told apart it counts the rows alone.
func (c *columnCounter) each(view *pageView, from int, slotOf func(value int) (int32, error)) error {
	if !c.begun {
		c.tally.begin()
		c.begun = true
	}
	if view.defined != nil {
		for i := range c.part {
			c.part[i] &= view.defined[i]
		}
	}
	first := 0
	for w := range c.part {
		defined := ^uint64(0)
		if view.defined != nil {
			defined = view.defined[w]
		}
		cells := c.cells[from+64*w:]
		for ; c.part[w] != 0; c.part[w] &= c.part[w] - 1 {
			row := bits.TrailingZeros64(c.part[w])
			slot, err := slotOf(first + bits.OnesCount64(defined&(1<<row-1)))
			if err != nil {
				return err
			}
			if slot == 0 {
				c.countAll(from)
				return nil
			}
			c.tally.counts[int(slot)*c.tally.cells+int(cells[row])]++
		}
		first += bits.OnesCount64(defined)
	}
	return nil
}
