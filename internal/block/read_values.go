package block

import (
	"encoding/binary"
	"math"
	"math/bits"
	"sort"

	"github.com/spanlake/spanlake/internal/block/encoding"
)

// values are those of one column for chosen rows of a page, in the order of the
// rows. Their memory is used again by the next load.
type values struct {
	dict  *dictionary // of codes
	codes []uint32    // by row, noCode for null; of a column with a dictionary
	bytes [][]byte    // by row, nil for null; of physicalBytes without one
	words []uint64    // by row; of any other type without one: an integer, or the bits of a double
	nulls []bool      // by row, of words
	raw   []byte      // what bytes lie in
}

// noCode stands for null.
const noCode = math.MaxUint32

// text is that of a row, nil for null. REQUIRES: the column is of bytes.
func (v *values) text(i int) []byte {
	if v.dict == nil {
		return v.bytes[i]
	}
	if v.codes[i] == noCode {
		return nil
	}
	return v.dict.texts[v.codes[i]]
}

// kept is text as it may be kept: that of a dictionary is.
func (v *values) kept(i int) string {
	if v.dict != nil {
		return alias(v.text(i))
	}
	return string(v.text(i))
}

// word is the bits of the number of a row, and whether it is not null.
// REQUIRES: the column is not of bytes.
func (v *values) word(i int) (uint64, bool) {
	switch {
	case v.dict == nil:
		return v.words[i], !v.nulls[i]
	case v.codes[i] == noCode:
		return 0, false
	case v.dict.doubles != nil:
		return math.Float64bits(v.dict.doubles[v.codes[i]]), true
	}
	return uint64(v.dict.ints[v.codes[i]]), true
}

// pagePart is a page with the rows of it that are asked for.
type pagePart struct {
	*pageView

	page  int
	rows  int     // of the whole page
	first int     // which of all rows asked for is the first of these
	dense []int32 // by row asked for: which of the page's values, -1 for null
	whole bool    // all rows are asked for, and none is null: dense is not set
}

// load reads the values of ascending rows of the group. REQUIRES: the column is
// not absent, and the pages of the rows and its dictionary were fetched.
func (g *groupReader) load(v *values, c int, rows []int32) error {
	k := g.chunk(c)
	v.dict, v.raw, g.scratch.raw = nil, v.raw[:0], g.scratch.raw[:0]
	if g.framed(c) {
		return g.loadTexts(v, c, rows)
	}
	if k.encoding == encodingCodes {
		var err error
		if v.dict, err = g.dictionary(c); err != nil {
			return err
		}
		resize(&v.codes, len(rows))
		return g.eachPage(c, rows, &g.scratch.raw, func(p *pagePart) error { return g.loadCodes(v.codes, k.entries, p) })
	}
	if g.column(c).physical == physicalBytes {
		resize(&v.bytes, len(rows))
		return g.eachPage(c, rows, &v.raw, v.loadBytes)
	}
	resize(&v.words, len(rows))
	resize(&v.nulls, len(rows))
	return g.eachPage(c, rows, &g.scratch.raw, func(p *pagePart) error { return g.loadWords(v, c, p) })
}

// eachPage calls f with every page of a column that has some of the rows.
// Pages are decompressed behind what scratch holds.
func (g *groupReader) eachPage(c int, rows []int32, scratch *[]byte, f func(*pagePart) error) error {
	grid := g.group.pages
	for first := 0; first < len(rows); {
		p := pageOf(grid, int(rows[first]))
		end := len(rows)
		if int(rows[end-1]) >= grid[p+1] { // most rows are of one page
			end = first + sort.Search(end-first, func(i int) bool { return int(rows[first+i]) >= grid[p+1] })
		}
		view, err := g.page(c, p, grid[p+1]-grid[p], scratch)
		if err != nil {
			return err
		}
		part := &g.scratch.part
		*part = pagePart{pageView: view, page: p, rows: grid[p+1] - grid[p], first: first}
		if part.whole = end-first == part.rows && view.defined == nil; part.whole {
			part.dense = resize(&g.scratch.dense, part.rows)
		} else {
			g.locate(part, rows[first:end], grid[p])
		}
		if err := f(part); err != nil {
			return g.corruptPage(c, p, err)
		}
		first = end
	}
	return nil
}

// pageOf is the page of a grid that has a row.
func pageOf(grid []int, row int) int {
	low, high := 0, len(grid)-1
	if guess := row / maxPageRows; guess < high && grid[guess] <= row && row < grid[guess+1] {
		return guess
	}
	for high-low > 1 {
		if middle := (low + high) / 2; grid[middle] <= row {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// locate finds which values of the page are those of the rows.
func (g *groupReader) locate(part *pagePart, rows []int32, base int) {
	defined := part.defined
	part.dense = resize(&g.scratch.dense, len(rows))
	if defined == nil {
		for i, row := range rows {
			part.dense[i] = row - int32(base)
		}
		return
	}
	if len(rows) == part.rows {
		part.spread()
		return
	}
	word, before := 0, 0
	for i, row := range rows {
		row := int(row) - base
		for ; word < row/64; word++ {
			before += bits.OnesCount64(defined[word])
		}
		bit := uint64(1) << (row % 64)
		if defined[word]&bit == 0 {
			part.dense[i] = -1
			continue
		}
		part.dense[i] = int32(before + bits.OnesCount64(defined[word]&(bit-1)))
	}
}

// spread does that for all rows of the page.
func (p *pagePart) spread() {
	for i := range p.dense {
		p.dense[i] = -1
	}
	next := int32(0)
	for w, word := range p.defined {
		for ; word != 0; word &= word - 1 {
			p.dense[64*w+bits.TrailingZeros64(word)] = next
			next++
		}
	}
}

// some reports whether so few values are wanted that it is better to look for
// each than to decode all.
func (p *pagePart) some() bool { return len(p.dense)*16 < p.count }

func (g *groupReader) loadCodes(dst []uint32, entries int, p *pagePart) error {
	codes := dst[p.first:][:len(p.dense)]
	if p.count == 0 {
		for i := range codes {
			codes[i] = noCode
		}
		return nil
	}
	if len(p.body) == 0 {
		return encoding.ErrMalformed
	}
	width, packed := int(p.body[0]), p.body[1:]
	if p.whole {
		return encoding.DecodeHybrid(codes, packed, width, uint32(entries))
	}
	if p.some() {
		for i := range codes {
			codes[i] = noCode
		}
		return encoding.DecodeSome(codes, packed, width, p.dense, uint32(entries))
	}
	all := resize(&g.scratch.codes, p.count)
	if err := encoding.DecodeHybrid(all, packed, width, uint32(entries)); err != nil {
		return err
	}
	for i, d := range p.dense {
		codes[i] = noCode
		if d >= 0 {
			codes[i] = all[d]
		}
	}
	return nil
}

func (v *values) loadBytes(p *pagePart) error {
	texts := v.bytes[p.first:][:len(p.dense)]
	arrays, next := encoding.NewByteArrays(p.body), int32(0)
	for i, d := range p.dense {
		if p.whole {
			d = int32(i)
		}
		texts[i] = nil
		if d < 0 {
			continue
		}
		if err := arrays.Skip(int(d - next)); err != nil {
			return err
		}
		text, err := arrays.Next()
		if err != nil {
			return err
		}
		texts[i], next = text, d+1
	}
	return nil
}

func (g *groupReader) loadWords(v *values, c int, p *pagePart) error {
	words, nulls := v.words[p.first:][:len(p.dense)], v.nulls[p.first:][:len(p.dense)]
	if p.whole {
		clear(nulls)
		return g.loadWhole(words, c, p)
	}
	last := int32(-1)
	for i, d := range p.dense {
		words[i], nulls[i] = 0, d < 0
		last = max(last, d)
	}
	if last < 0 {
		return nil
	}
	if p.index != nil && p.some() {
		return p.index.Some(words, p.dense)
	}
	if g.chunk(c).encoding == encodingDelta {
		all := resize(&g.scratch.ints, p.count)[:last+1]
		if err := encoding.DecodeDeltaPrefix(all, p.body); err != nil {
			return err
		}
		for i, d := range p.dense {
			if d >= 0 {
				words[i] = uint64(all[d])
			}
		}
		return nil
	}
	read, size := plainWord(g.column(c).physical)
	if read == nil || len(p.body) != (p.count*size+7)/8 {
		return errStructure
	}
	for i, d := range p.dense {
		if d >= 0 {
			words[i] = read(p.body, int(d))
		}
	}
	return nil
}

// loadWhole is loadWords for all values of a page without nulls.
func (g *groupReader) loadWhole(words []uint64, c int, p *pagePart) error {
	if g.chunk(c).encoding == encodingDelta {
		all := resize(&g.scratch.ints, len(words))
		if err := encoding.DecodeDelta(all, p.body); err != nil {
			return err
		}
		for i, v := range all {
			words[i] = uint64(v)
		}
		return nil
	}
	read, size := plainWord(g.column(c).physical)
	if read == nil || len(p.body) != (p.count*size+7)/8 {
		return errStructure
	}
	for i := range words {
		words[i] = read(p.body, i)
	}
	return nil
}

// plainWord returns what reads a plain value, nil if it is longer than a word,
// and the value's size in bits.
func plainWord(t physical) (read func(body []byte, i int) uint64, size int) {
	switch t {
	case physicalInt32:
		return func(b []byte, i int) uint64 { return uint64(int64(int32(binary.LittleEndian.Uint32(b[4*i:])))) }, 32
	case physicalInt64, physicalDouble:
		return func(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }, 64
	case physicalFixed8:
		return func(b []byte, i int) uint64 { return binary.BigEndian.Uint64(b[8*i:]) }, 64
	case physicalBool:
		return func(b []byte, i int) uint64 { return uint64(b[i/8]>>(i%8)) & 1 }, 1
	default:
		return nil, 0
	}
}
