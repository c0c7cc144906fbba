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
// use. It keeps what it is given without a copy, except by addCopy.
type texts struct {
	dict    codebook
	codes   []uint32 // of the strings in dict, unless all has them
	all     []string // the strings
	plain   bool     // there shall be no dictionary; if that is known from the beginning, all is used
	maxDict int      // bytes
	raw     int      // bytes of the strings in codes as plain values
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
	if t.plain {
		if volatile {
			s = t.arena.copy(s)
		}
		t.all = append(t.all, s)
		return
	}
	if t.repeats(s) {
		t.raw += len(s) + encoding.LengthBytes
		t.codes = append(t.codes, t.last)
		return
	}
	code, hash, ok := t.dict.find(s)
	if !ok {
		code = t.dict.add(s, hash)
	}
	t.take(s, code)
	if !ok && (len(t.dict.page) > t.maxDict || len(t.dict.ends) >= sampleEntries && 2*len(t.dict.page) > t.raw) {
		t.giveUp()
	}
}

// addKnown appends a string if the dictionary has it.
func (t *texts) addKnown(s string) bool {
	if t.plain {
		return false
	}
	if t.repeats(s) {
		t.take(s, t.last)
		return true
	}
	code, _, ok := t.dict.find(s)
	if ok {
		t.take(s, code)
	}
	return ok
}

// repeats reports whether s is the last string once more.
func (t *texts) repeats(s string) bool { return len(t.codes) > 0 && t.dict.entry(t.last) == s }

func (t *texts) take(s string, code uint32) {
	t.raw += len(s) + encoding.LengthBytes
	t.codes = append(t.codes, code)
	t.last = code
}

// takeBack forgets the last string. It may stay in the dictionary.
func (t *texts) takeBack() {
	if t.plain {
		t.all = t.all[:len(t.all)-1]
		return
	}
	last := len(t.codes) - 1
	t.raw -= t.dict.size(t.codes[last])
	t.codes = t.codes[:last]
}

func (t *texts) giveUp() {
	t.all = make([]string, len(t.codes), cap(t.codes))
	for i, c := range t.codes {
		t.all[i] = t.dict.entry(c)
	}
	t.dict, t.codes, t.plain = codebook{}, nil, true
}

// finish decides whether there is a dictionary.
func (t *texts) finish() {
	t.dict.slots = nil
	t.plain = t.plain || 2*len(t.dict.page) >= t.raw
}
