package block

import (
	"math"
	"slices"
	"unsafe"

	"github.com/spanlake/spanlake/internal/vec"
)

// cells are the values of an optional column in one row group, of the rows that
// have one. Of texts, numbers and bools one is used.
type cells struct {
	defined vec.Bitmap
	n       int
	texts   texts
	numbers []int64 // also the bits of doubles
	bools   []byte
}

func newCells(rows int) *cells { return &cells{defined: vec.NewBitmap(rows)} }

// texts gathers strings and makes a dictionary of them as long as that seems of
// use. It does not copy what it is given, except by addCopy.
type texts struct {
	entries  []string          // different ones, in the order of their first occurrence; without index all of them
	codes    []uint32          // of the strings; nil without index
	index    map[string]uint32 // nil: no dictionary
	maxDict  int               // bytes
	raw      int               // bytes of all strings as plain values
	dict     int               // bytes of entries as plain values
	arena    *arena
	noDict   bool
	lastCode uint32
}

// sampleEntries is the number of entries from which a dictionary must save
// half at any time.
const sampleEntries = 4096

// add appends a string, whose memory must not change.
func (t *texts) add(s string) { t.append(s, false) }

// addCopy appends a string, whose memory may change afterwards.
func (t *texts) addCopy(b []byte) { t.append(alias(b), true) }

func (t *texts) append(s string, volatile bool) {
	t.raw += len(s) + plainLengthBytes
	if t.noDict {
		t.entries = append(t.entries, t.keep(s, volatile))
		return
	}
	if len(t.codes) > 0 && t.entries[t.lastCode] == s {
		t.codes = append(t.codes, t.lastCode)
		return
	}
	code, ok := t.index[s]
	if !ok {
		if t.index == nil {
			t.index = map[string]uint32{}
		}
		code = uint32(len(t.entries))
		s = t.keep(s, volatile)
		t.index[s] = code
		t.entries = append(t.entries, s)
		t.dict += len(s) + plainLengthBytes
	}
	t.codes = append(t.codes, code)
	t.lastCode = code
	if !ok && (t.dict > t.maxDict || len(t.entries) >= sampleEntries && 2*t.dict > t.raw) {
		t.giveUp()
	}
}

func (t *texts) keep(s string, volatile bool) string {
	if volatile {
		return t.arena.copy(s)
	}
	return s
}

// giveUp makes entries the strings themselves.
func (t *texts) giveUp() {
	all := make([]string, len(t.codes), 2*len(t.codes))
	for i, c := range t.codes {
		all[i] = t.entries[c]
	}
	t.entries, t.codes, t.index, t.noDict = all, nil, nil, true
}

// finish decides whether there is a dictionary.
func (t *texts) finish() {
	t.index = nil
	if !t.noDict && 2*t.dict >= t.raw {
		t.noDict = true // codes stay: they tell the order
	}
}

// alias is the text of b without a copy.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// arena keeps copies of many small strings.
type arena struct{ free []byte }

const arenaBytes = 64 << 10

func (a *arena) copy(s string) string {
	if len(s) > arenaBytes/4 {
		return string([]byte(s))
	}
	if len(s) > cap(a.free)-len(a.free) {
		a.free = make([]byte, 0, arenaBytes)
	}
	start := len(a.free)
	a.free = append(a.free, s...)
	return alias(a.free[start:])
}

// numberDictionary returns codes into a dictionary of numbers in the order of
// first occurrence, unless there are too many different ones.
func numberDictionary(values []int64) (codes []uint32, entries []int64) {
	limit := len(values) / 4
	index := map[int64]uint32{}
	codes = make([]uint32, len(values))
	var code uint32
	for i, v := range values {
		if i == 0 || v != values[i-1] {
			var ok bool
			if code, ok = index[v]; !ok {
				code = uint32(len(entries))
				index[v] = code
				entries = append(entries, v)
				if n := len(entries); n > limit || n >= sampleEntries && 2*n > i {
					return nil, nil
				}
			}
		}
		codes[i] = code
	}
	return codes, entries
}

// numberBounds returns the least and the most of values.
func numberBounds(values []int64) (least, most int64) {
	if len(values) == 0 {
		return math.MaxInt64, math.MinInt64
	}
	return slices.Min(values), slices.Max(values)
}
