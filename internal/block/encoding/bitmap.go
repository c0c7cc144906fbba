package encoding

import "encoding/binary"

// wordBits is the number of rows of one word of a bitmap.
const wordBits = 64

// words is the size of a bitmap of n rows.
func words(n int) int { return (n + wordBits - 1) / wordBits }

// bitsAt returns the 64 bits of b from bit i on, zeros after the end.
func bitsAt(b []uint64, i int) uint64 {
	at, shift := i/wordBits, i%wordBits
	if at >= len(b) {
		return 0
	}
	word := b[at] >> shift
	if at+1 < len(b) { // a shift by 64 gives zero
		word |= b[at+1] << (wordBits - shift)
	}
	return word
}

// putWord ors the n bits of word, at most 64, into dst from bit at on.
// REQUIRES: bits of word beyond n are zero.
func putWord(dst []uint64, at int, word uint64, n int) {
	i, shift := at/wordBits, at%wordBits
	dst[i] |= word << shift
	if shift+n > wordBits {
		dst[i+1] |= word >> (wordBits - shift)
	}
}

// putBits ors the first n bits of src into dst from bit at on.
// REQUIRES: len(src) >= (n+7)/8.
func putBits(dst []uint64, at int, src []byte, n int) {
	for n >= wordBits && len(src) >= 8 {
		putWord(dst, at, binary.LittleEndian.Uint64(src), wordBits)
		at, src, n = at+wordBits, src[8:], n-wordBits
	}
	if n > 0 {
		putWord(dst, at, loadBits(src, 0)&(1<<n-1), n)
	}
}

// putOnes sets the bits [from, to) of dst.
func putOnes(dst []uint64, from, to int) {
	if from == to {
		return
	}
	first, last := from/wordBits, (to-1)/wordBits
	head, tail := ^uint64(0)<<(from%wordBits), ^uint64(0)>>(wordBits-1-(to-1)%wordBits)
	if first == last {
		dst[first] |= head & tail
		return
	}
	dst[first] |= head
	for i := first + 1; i < last; i++ {
		dst[i] = ^uint64(0)
	}
	dst[last] |= tail
}

// bit is 1 for true. It costs no jump.
func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// AnyBit reports whether one of the bits [from, to) is set, without looking at
// others. REQUIRES: there is one at least.
func AnyBit(b []uint64, from, to int) bool {
	first, last := from/wordBits, (to-1)/wordBits
	head, tail := ^uint64(0)<<(from%wordBits), ^uint64(0)>>(wordBits-1-(to-1)%wordBits)
	if first == last {
		return b[first]&head&tail != 0
	}
	for _, w := range b[first+1 : last] {
		if w != 0 {
			return true
		}
	}
	return b[first]&head != 0 || b[last]&tail != 0
}
