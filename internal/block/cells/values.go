package cells

import (
	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
)

// Kind is what values are.
type Kind uint8

// The kinds of values.
const (
	Text Kind = iota
	Int
	Double // as bits
	Bool
)

// Cells are the values of an optional column in one row group, of the rows that
// have one. They are added row by row, in ascending order.
type Cells struct {
	kind    Kind
	defined vec.Bitmap
	n       int
	texts   Texts
	numbers []int64
	bools   vec.Bitmap // by place among the rows that have one
}

// NewNumbers makes cells of ints, doubles or bools, in so many rows, of which
// about expected have one.
func NewNumbers(kind Kind, rows, expected int) *Cells {
	c := &Cells{kind: kind, defined: vec.NewBitmap(rows)}
	if kind == Bool {
		c.bools = vec.NewBitmap(rows)
	} else {
		c.numbers = make([]int64, 0, expected)
	}
	return c
}

// NewOptional makes cells of texts in so many rows. It takes the texts over.
func NewOptional(rows int, texts *Texts) *Cells {
	return &Cells{defined: vec.NewBitmap(rows), texts: *texts}
}

func (c *Cells) define(row int) {
	c.defined.Set(row)
	c.n++
}

// AddNumber gives the row an int, or a double by its bits.
func (c *Cells) AddNumber(row int, v int64) {
	c.define(row)
	c.numbers = append(c.numbers, v)
}

// AddBool gives the row a bool.
func (c *Cells) AddBool(row int, v bool) {
	if v {
		c.bools.Set(c.n)
	}
	c.define(row)
}

// AddText gives the row a string, whose memory must not change.
func (c *Cells) AddText(row int, s string) {
	c.define(row)
	c.texts.Add(s)
}

// AddEntry gives the row an entry of another dictionary.
func (c *Cells) AddEntry(row int, d *Entries, n uint32) {
	c.define(row)
	c.texts.AddEntry(d, n)
}

// AddCopy gives the row a string, whose memory may change afterwards.
func (c *Cells) AddCopy(row int, b []byte) {
	c.define(row)
	c.texts.AddCopy(b)
}

// AddKnown gives the row a string if the dictionary has it.
func (c *Cells) AddKnown(row int, s string) bool {
	if !c.texts.addKnown(s) {
		return false
	}
	c.define(row)
	return true
}

// TakeBack forgets the value of the row, which was the last that got one.
func (c *Cells) TakeBack(row int) {
	c.defined.Unset(row)
	c.n--
	switch c.kind {
	case Int, Double:
		c.numbers = c.numbers[:c.n]
	case Bool:
		c.bools.Unset(c.n)
	case Text:
		c.texts.takeBack()
	}
}

// Has reports whether the row has a value.
func (c *Cells) Has(row int) bool { return c.defined.Has(row) }

// Len is the number of rows that have a value.
func (c *Cells) Len() int { return c.n }

// Text is the n-th text.
func (c *Cells) Text(n int) string { return c.texts.at(n) }

// Word is the n-th number, or 1 or 0 for a bool.
func (c *Cells) Word(n int) uint64 {
	if c.kind != Bool {
		return uint64(c.numbers[n])
	}
	if c.bools.Has(n) {
		return 1
	}
	return 0
}

// Column ends the cells.
func (c *Cells) Column() Column {
	var d Column
	switch c.kind {
	case Int, Double:
		d = numbers(c.numbers, c.kind, encoding.CodeWidth)
	case Bool:
		d = bools(c.bools, c.n)
	case Text:
		d = c.texts.Column()
	}
	return d.Optional(c.defined, c.n)
}

// Texts gathers strings and makes a dictionary of them as long as that seems of
// use. It keeps what it is given without a copy, except by AddCopy.
type Texts struct {
	dict    codebook
	codes   []uint32 // of the strings in dict, unless all has them
	all     []string // the strings
	plain   bool     // there shall be no dictionary; if that is known from the beginning, all is used
	maxDict int      // bytes
	raw     int      // bytes of the strings in codes as plain values
	last    uint32   // code of the last string
	arena   *Arena
}

// sampleEntries is the number of entries from which a dictionary must save
// half at any time.
const sampleEntries = 4096

// NewTexts makes texts with a dictionary of up to so many bytes, none for 0, and
// room for about expected ones.
func NewTexts(maxDictBytes, expected int, arena *Arena) *Texts {
	t := &Texts{maxDict: maxDictBytes, plain: maxDictBytes == 0, arena: arena}
	if t.plain {
		t.all = make([]string, 0, expected)
	} else {
		t.codes = make([]uint32, 0, expected)
	}
	return t
}

// Add appends a string, whose memory must not change.
func (t *Texts) Add(s string) { t.append(s, false) }

// AddCopy appends a string, whose memory may change afterwards.
func (t *Texts) AddCopy(b []byte) { t.append(alias(b), true) }

// Entries are those of another dictionary. Their memory must not change.
type Entries struct {
	texts [][]byte
	codes []uint32 // by entry: the code that it got, plus one
}

// NewEntries makes entries that are added to texts, always the same ones.
func NewEntries(texts [][]byte) *Entries {
	return &Entries{texts, make([]uint32, len(texts))}
}

// AddEntry appends an entry of another dictionary.
func (t *Texts) AddEntry(d *Entries, n uint32) {
	s := alias(d.texts[n])
	if code := d.codes[n]; code > 0 && !t.plain {
		t.take(s, code-1)
		return
	}
	t.Add(s)
	if !t.plain {
		d.codes[n] = t.last + 1
	}
}

func (t *Texts) append(s string, volatile bool) {
	if t.plain {
		if volatile {
			s = t.arena.Copy(s)
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
func (t *Texts) addKnown(s string) bool {
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
func (t *Texts) repeats(s string) bool { return len(t.codes) > 0 && t.dict.entry(t.last) == s }

func (t *Texts) take(s string, code uint32) {
	t.raw += len(s) + encoding.LengthBytes
	t.codes = append(t.codes, code)
	t.last = code
}

// takeBack forgets the last string. It may stay in the dictionary.
func (t *Texts) takeBack() {
	if t.plain {
		t.all = t.all[:len(t.all)-1]
		return
	}
	last := len(t.codes) - 1
	t.raw -= t.dict.size(t.codes[last])
	t.codes = t.codes[:last]
}

func (t *Texts) giveUp() {
	t.all = make([]string, len(t.codes), cap(t.codes))
	for i, c := range t.codes {
		t.all[i] = t.dict.entry(c)
	}
	t.dict, t.codes, t.plain = codebook{}, nil, true
}

// at is the n-th string.
func (t *Texts) at(n int) string {
	if len(t.codes) > 0 {
		return t.dict.entry(t.codes[n])
	}
	return t.all[n]
}

// Column ends the texts, and decides whether there is a dictionary.
func (t *Texts) Column() Column {
	t.dict.slots = nil
	t.plain = t.plain || 2*len(t.dict.page) >= t.raw
	return t.column()
}
