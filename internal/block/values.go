package block

import (
	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
)

// cells are the values of an optional column in one row group, of the rows that
// have one. Of texts, numbers and bools one is used.
type cells struct {
	defined vec.Bitmap
	n       int
	texts   texts
	content bool       // of texts
	numbers []int64    // also the bits of doubles
	bools   vec.Bitmap // by place among the rows that have one
}

func newCells(rows int) *cells { return &cells{defined: vec.NewBitmap(rows)} }

// expect makes room for about so many values.
func (c *cells) expect(kind valueKind, n int) {
	switch kind {
	case kindInt, kindDouble:
		c.numbers = make([]int64, 0, n)
	case kindBool:
		c.bools = make(vec.Bitmap, len(c.defined)) // n may be too few
	case kindString, kindAny, kindList, numKinds:
		c.texts.expect(n)
	}
}

// define makes the row the next that has a value.
func (c *cells) define(row int) {
	c.defined.Set(row)
	c.n++
}

// takeBack forgets the value of the row, which was the last that got one.
func (c *cells) takeBack(row int, kind valueKind) {
	c.defined.Unset(row)
	c.n--
	switch kind {
	case kindInt, kindDouble:
		c.numbers = c.numbers[:c.n]
	case kindBool:
		c.bools.Unset(c.n)
	case kindString, kindAny, kindList, numKinds:
		c.texts.takeBack()
	}
}

// texts gathers strings and makes a dictionary of them as long as that seems of
// use. It does not copy what it is given, except by addCopy.
type texts struct {
	dict    codebook
	codes   []uint32 // of the strings in dict; nil once all is not nil
	all     []string // the strings, without a dictionary
	plain   bool     // there is no dictionary, whether or not all is used
	maxDict int      // bytes
	raw     int      // bytes of all strings as plain values
	last    uint32   // code of the last string
	arena   *arena
}

// sampleEntries is the number of entries from which a dictionary must save
// half at any time.
const sampleEntries = 4096

func (t *texts) expect(n int) {
	if t.plain {
		t.all = make([]string, 0, n)
	} else {
		t.codes = make([]uint32, 0, n)
	}
}

// add appends a string, whose memory must not change.
func (t *texts) add(s string) { t.append(s, false) }

// addCopy appends a string, whose memory may change afterwards.
func (t *texts) addCopy(b []byte) { t.append(alias(b), true) }

func (t *texts) append(s string, volatile bool) {
	t.raw += len(s) + encoding.LengthBytes
	if t.plain {
		t.all = append(t.all, t.keep(s, volatile))
		return
	}
	if len(t.codes) > 0 && t.dict.entries[t.last] == s {
		t.codes = append(t.codes, t.last)
		return
	}
	code, fresh := t.dict.code(s)
	t.codes = append(t.codes, code)
	t.last = code
	if fresh {
		t.dict.add(t.keep(s, volatile))
		if t.dict.bytes > t.maxDict || len(t.dict.entries) >= sampleEntries && 2*t.dict.bytes > t.raw {
			t.giveUp()
		}
	}
}

// takeBack forgets the last string. It may stay in the dictionary.
func (t *texts) takeBack() {
	if t.all != nil {
		t.raw -= len(t.all[len(t.all)-1]) + encoding.LengthBytes
		t.all = t.all[:len(t.all)-1]
		return
	}
	t.raw -= len(t.dict.entries[t.codes[len(t.codes)-1]]) + encoding.LengthBytes
	t.codes = t.codes[:len(t.codes)-1]
}

func (t *texts) keep(s string, volatile bool) string {
	if volatile {
		return t.arena.copy(s)
	}
	return s
}

func (t *texts) giveUp() {
	t.all = make([]string, len(t.codes), cap(t.codes))
	for i, c := range t.codes {
		t.all[i] = t.dict.entries[c]
	}
	t.dict, t.codes, t.plain = codebook{}, nil, true
}

// finish decides whether there is a dictionary.
func (t *texts) finish() {
	t.dict.slots = nil
	t.plain = t.plain || 2*t.dict.bytes >= t.raw
}
