package block

import (
	"math"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// tally counts the values of one field by cell, as long as they are few and
// short enough to be told apart.
type tally struct {
	cells, maxValues, maxText int

	many   bool           // not all values are told apart: slot 0 counts the others
	counts []uint32       // by slot and cell
	values []schema.Value // by slot, none of slot 0
	// Slots of values that are in no dictionary.
	texts map[string]int32
	words map[uint64]int32
}

func newTally(cells int) *tally {
	return &tally{
		cells: cells, counts: make([]uint32, 0, 64*cells), values: make([]schema.Value, 0, 64),
		texts: make(map[string]int32), words: make(map[uint64]int32),
	}
}

// reset begins with another field, of which so many values are told apart, of
// so many bytes.
func (c *tally) reset(maxValues, maxText int) {
	c.maxValues, c.maxText = maxValues, maxText
	c.many, c.counts, c.values = false, c.counts[:0], c.values[:0]
	c.grow(schema.Value{})
	c.begin()
}

func (c *tally) grow(v schema.Value) int32 {
	n := len(c.counts)
	if cap(c.counts) < n+c.cells && c.maxValues < math.MaxInt {
		c.counts = slices.Grow(c.counts, (c.maxValues+1)*c.cells-n)
	}
	c.counts = slices.Grow(c.counts, c.cells)[:n+c.cells]
	clear(c.counts[n:])
	c.values = append(c.values, v)
	return int32(len(c.values) - 1)
}

// slot is that of a value which had none: 0 if it is one too many, or too long.
func (c *tally) slot(v schema.Value) int32 {
	if c.many = c.many || len(c.values) > c.maxValues || len(v.Str) > c.maxText; c.many {
		return 0
	}
	return c.grow(v)
}

// ofText and ofWord are the slots of values that are in no dictionary.
// REQUIRES: begin was called since the values of another column.
func (c *tally) ofText(text string) int32 {
	n, ok := c.texts[text]
	if !ok {
		if n = c.slot(schema.Value{Kind: schema.KindString, Str: text}); n > 0 {
			text = strings.Clone(text)
			c.values[n].Str, c.texts[text] = text, n
		}
	}
	return n
}

func (c *tally) ofWord(kind valueKind, word uint64) int32 {
	n, ok := c.words[word]
	if !ok {
		if n = c.slot(valueOfWord(kind, word)); n > 0 {
			c.words[word] = n
		}
	}
	return n
}

// begin forgets the slots of values that are in no dictionary: those of another
// column follow.
func (c *tally) begin() {
	clear(c.texts)
	clear(c.words)
}

func valueOfWord(kind valueKind, word uint64) schema.Value {
	switch kind {
	case kindDouble:
		return schema.Value{Kind: schema.KindDouble, Double: math.Float64frombits(word)}
	case kindBool:
		return schema.Value{Kind: schema.KindBool, Bool: word != 0}
	default:
		return schema.Value{Kind: schema.KindInt, Int: int64(word)}
	}
}

// of are the counts of a slot.
func (c *tally) of(slot int32) []uint32 { return c.counts[int(slot)*c.cells:][:c.cells] }

// join makes all counts those of slot 0.
func (c *tally) join() []uint32 {
	all := c.of(0)
	for slot := 1; slot < len(c.values); slot++ {
		for cell, n := range c.of(int32(slot)) {
			all[cell] += n
		}
	}
	c.counts, c.values = c.counts[:c.cells], c.values[:1]
	return all
}

// give tells a table what was counted.
func (c *tally) give(field vec.Field, table vec.Table) error {
	if c.many {
		if all := c.join(); slices.ContainsFunc(all, func(n uint32) bool { return n > 0 }) {
			return table.Many(field, all)
		}
		return nil
	}
	for slot := 1; slot < len(c.values); slot++ {
		if err := table.Value(field, c.values[slot], c.of(int32(slot))); err != nil {
			return err
		}
	}
	return nil
}
