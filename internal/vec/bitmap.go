package vec

import "math/bits"

// wordBits is the number of rows of one word of a Bitmap.
const wordBits = 64

// Bitmap selects rows: bit i&63 of word i>>6 is row i. Bits beyond the last
// row are zero.
type Bitmap []uint64

// NewBitmap selects none of n rows.
func NewBitmap(n int) Bitmap { return make(Bitmap, (n+wordBits-1)/wordBits) }

// FullBitmap selects all of n rows.
func FullBitmap(n int) Bitmap {
	b := NewBitmap(n)
	for i := range b {
		b[i] = ^uint64(0)
	}
	if n%wordBits != 0 {
		b[len(b)-1] = 1<<(n%wordBits) - 1
	}
	return b
}

// Clone is a copy of b.
func (b Bitmap) Clone() Bitmap { return append(Bitmap(nil), b...) }

// Clear selects no row.
func (b Bitmap) Clear() { clear(b) }

// Any reports whether a row is selected.
func (b Bitmap) Any() bool {
	for _, w := range b {
		if w != 0 {
			return true
		}
	}
	return false
}

// Count is the number of selected rows.
func (b Bitmap) Count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// CountIn is the number of selected rows of [from, to).
func (b Bitmap) CountIn(from, to int) int {
	n := 0
	for w := from / wordBits; w*wordBits < to; w++ {
		word := b[w]
		if begin := from - w*wordBits; begin > 0 {
			word &= ^uint64(0) << begin
		}
		if end := to - w*wordBits; end < wordBits {
			word &= 1<<end - 1
		}
		n += bits.OnesCount64(word)
	}
	return n
}

// Has reports whether row i is selected.
func (b Bitmap) Has(i int) bool { return b[i/wordBits]>>(i%wordBits)&1 != 0 }

// Set selects row i.
func (b Bitmap) Set(i int) { b[i/wordBits] |= 1 << (i % wordBits) }

// Unset leaves row i out.
func (b Bitmap) Unset(i int) { b[i/wordBits] &^= 1 << (i % wordBits) }

// AndNot leaves out the rows of c. REQUIRES: c is of as many rows.
func (b Bitmap) AndNot(c Bitmap) {
	for i, w := range c {
		b[i] &^= w
	}
}

// And keeps only the rows of c. REQUIRES: c is of as many rows.
func (b Bitmap) And(c Bitmap) {
	for i, w := range c {
		b[i] &= w
	}
}

// AnyIn reports whether one of the rows [from, to) is selected.
func (b Bitmap) AnyIn(from, to int) bool { return b.Next(from) < min(to, len(b)*wordBits) }

// Next returns the first selected row at or after i, or a number beyond all
// rows.
func (b Bitmap) Next(i int) int {
	w := i / wordBits
	if w >= len(b) {
		return len(b) * wordBits
	}
	if word := b[w] >> (i % wordBits); word != 0 {
		return i + bits.TrailingZeros64(word)
	}
	for w++; w < len(b); w++ {
		if b[w] != 0 {
			return w*wordBits + bits.TrailingZeros64(b[w])
		}
	}
	return len(b) * wordBits
}

// Extract copies the rows [from, to) into dst, the first of them as row 0, and
// returns dst resized.
func (b Bitmap) Extract(dst Bitmap, from, to int) Bitmap {
	n := (to - from + wordBits - 1) / wordBits
	dst = append(dst[:0], make(Bitmap, n)...)
	shift := from % wordBits
	for i := range dst {
		w := from/wordBits + i
		dst[i] = b[w] >> shift
		if shift > 0 && w+1 < len(b) {
			dst[i] |= b[w+1] << (wordBits - shift)
		}
	}
	if used := (to - from) % wordBits; used != 0 {
		dst[n-1] &= 1<<used - 1
	}
	return dst
}

// Keep clears the rows from from on that part, of n rows, does not select.
func (b Bitmap) Keep(from, n int, part Bitmap) {
	shift := from % wordBits
	for i, word := range part {
		out := ^word
		if rest := n - i*wordBits; rest < wordBits {
			out &= 1<<rest - 1
		}
		w := from/wordBits + i
		b[w] &^= out << shift
		if shift > 0 && w+1 < len(b) {
			b[w+1] &^= out >> (wordBits - shift)
		}
	}
}
