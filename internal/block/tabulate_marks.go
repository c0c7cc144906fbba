package block

import (
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
)

// Pages of texts that are too large for the cache are mostly of columns with too
// many values to tell apart. Two things are remembered of them that say so: which
// rows have a value, and a mark of each value. They take the places of parts that
// begin behind the page's first bytes, where none does.
const (
	definedBehind = 1
	marksBehind   = 2
)

// Marks of texts are hashes, but for those longer than longText.
const (
	longText = 256
	longMark = 0
)

// isLarge reports whether the cache does not take a page.
func (t *tabulator) isLarge(c, p int) bool {
	return t.column(c).content || t.ref(c, p).raw > maxPartBytes
}

// ref is where a page lies. REQUIRES: the list of the column's pages was read.
func (t *tabulator) ref(c, p int) pageRef {
	if pages, err := t.pages(c); err == nil {
		return pages[p]
	}
	return pageRef{}
}

// definedBits says which of the n rows of a page of an optional column are not
// null.
func (t *tabulator) definedBits(c, p, n int) ([]uint64, error) {
	offset := t.ref(c, p).offset + definedBehind
	if bits, ok := t.parts.at(offset).([]uint64); ok {
		return bits, nil
	}
	defined, err := t.definedOf(c, p, n)
	if err != nil {
		return nil, t.corruptPage(c, p, err)
	}
	t.rememberDefined(c, p, defined)
	return defined, nil
}

// rememberDefined remembers which rows of a large page are not null.
func (t *tabulator) rememberDefined(c, p int, defined []uint64) {
	offset := t.ref(c, p).offset + definedBehind
	if defined != nil && t.isLarge(c, p) && !t.has(offset) {
		t.reader.remember(offset, slices.Clone(defined), 8*len(defined))
	}
}

// knownValues reports whether it is known without reading a page which of its
// rows have a value, and if so whether a row that counts is one.
func (t *tabulator) knownValues(c, p int) (known, some bool) {
	switch {
	case !t.isLarge(c, p):
		return false, true
	case !t.column(c).optional:
		return true, true
	}
	offset, grid := t.ref(c, p).offset+definedBehind, t.group.pages
	if !t.has(offset) {
		return false, true
	}
	defined, known := t.parts.at(offset).([]uint64)
	t.part = t.counted.Extract(t.part, grid[p], grid[p+1])
	return known, anyBoth(t.part, defined)
}

// anyBoth reports whether a row is in both bitmaps of a page; all are in nil.
func anyBoth(rows vec.Bitmap, defined []uint64) bool {
	for i, w := range rows {
		if defined != nil {
			w &= defined[i]
		}
		if w != 0 {
			return true
		}
	}
	return false
}

// marks are the marks of a page's values that were looked at, and their rows.
type marks struct {
	defined []uint64 // nil: all
	values  []uint16
}

// markTexts remembers the marks of a large page.
func (t *tabulator) markTexts(c, p int, view *pageView) error {
	offset := t.ref(c, p).offset + marksBehind
	if !t.isLarge(c, p) || t.has(offset) {
		return nil
	}
	m := &marks{defined: slices.Clone(view.defined), values: make([]uint16, view.count)}
	arrays := encoding.NewByteArrays(view.body)
	for i := range m.values {
		text, err := arrays.Next()
		if err != nil {
			return err
		}
		m.values[i] = markOf(text)
	}
	t.rememberMarks(c, p, m)
	return nil
}

func (t *tabulator) rememberMarks(c, p int, m *marks) {
	if offset := t.ref(c, p).offset + marksBehind; !t.has(offset) {
		t.reader.remember(offset, m, 8*len(m.defined)+2*len(m.values))
	}
}

func markOf(text []byte) uint16 {
	if len(text) > longText {
		return longMark
	}
	return max(uint16(xxhash.Sum64(text)), longMark+1)
}

// haveMany reports whether marks prove that columns have too many values to tell
// apart, or a longer one: more values have different marks.
func (t *tabulator) haveMany(parts []codedPart) bool {
	if len(parts) != 1 || parts[0].kind != kindString || t.hasDictionary(parts[0].column) || t.MaxText > longText {
		return false
	}
	c := parts[0].column
	if _, err := t.pages(c); err != nil {
		return false // as the reading of it says
	}
	seen, left := vec.NewBitmap(1<<16), t.MaxValues
	grid := t.group.pages
	for p := range len(grid) - 1 {
		from, to := grid[p], grid[p+1]
		if !t.isLarge(c, p) || !encoding.AnyBit(t.counted, from, to) || !t.has(t.ref(c, p).offset+marksBehind) {
			continue
		}
		m, ok := t.parts.at(t.ref(c, p).offset + marksBehind).(*marks)
		if !ok {
			continue
		}
		t.part = t.counted.Extract(t.part, from, to)
		first := 0
		for w, rows := range t.part {
			defined := ^uint64(0)
			if m.defined != nil {
				defined = m.defined[w]
			}
			for rows &= defined; rows != 0; rows &= rows - 1 {
				row := bits.TrailingZeros64(rows)
				mark := int(m.values[first+bits.OnesCount64(defined&(1<<row-1))])
				if !seen.Has(mark) {
					seen.Set(mark)
					left--
				}
				if left < 0 || mark == longMark {
					return true
				}
			}
			first += bits.OnesCount64(defined)
		}
	}
	return false
}
