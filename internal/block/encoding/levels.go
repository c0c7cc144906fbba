package encoding

import (
	"encoding/binary"
	"math/bits"
)

// levelWidth is the number of bits of a definition level of a column that may
// be null and is not nested.
const levelWidth = 1

// DecodeLevels sets bit i of dst if definition level i is 1, of the n levels
// (0 or 1) that are all of src, and clears all other bits of the first
// (n+63)/64 words. Defined is the number of set bits. Returns ErrMalformed if
// src is not n levels; dst is then undefined. REQUIRES: dst has the words.
func DecodeLevels(dst []uint64, src []byte, n int) (defined int, err error) {
	s, err := newSegments(src, n, levelWidth)
	if err != nil {
		return 0, err
	}
	dst = dst[:words(n)]
	clear(dst)
	for s.left > 0 {
		at := n - s.left
		seg, err := s.next()
		switch {
		case err != nil:
			return 0, err
		case !seg.run:
			putBits(dst, at, seg.packed, seg.n)
		case seg.code > 1:
			return 0, ErrMalformed
		case seg.code == 1:
			putOnes(dst, at, at+seg.n)
		}
	}
	for _, w := range dst {
		defined += bits.OnesCount64(w)
	}
	return defined, s.end()
}

// AppendLevels appends n definition levels, level i being bit i of defined:
// the same bytes as AppendHybrid with width 1. REQUIRES: bits of defined beyond
// n are zero.
func AppendLevels(dst []byte, defined []uint64, n int) []byte {
	least := leastRun(levelWidth)
	packed := 0 // the levels [packed, i) wait for bit packing
	for i := 0; n-i >= least; {
		window := bitsAt(defined, i)
		if skip := firstUniform(window); skip > 0 {
			i += skip
			continue
		}
		end := min(runEnd(defined, i, window&1), n)
		if end-i < least {
			i += (end - i) / groupSize * groupSize
			continue
		}
		dst = appendLevelGroups(dst, defined, packed, i)
		dst = appendRun(dst, uint32(window&1), end-i, levelWidth)
		i, packed = end, end
	}
	return appendLevelGroups(dst, defined, packed, n)
}

// firstUniform returns the first bit of the first byte of window all of whose
// bits are the same, or wordBits if there is none.
func firstUniform(window uint64) int {
	const low, high = 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	changes := (window ^ window>>1) & low // bit i: i and i+1 differ, within a byte
	mixed := (changes + low) & high
	return bits.TrailingZeros64(mixed^high) &^ (groupSize - 1)
}

// runEnd returns the first bit after i that is not level, or a number beyond
// all words.
func runEnd(b []uint64, i int, level uint64) int {
	for ; i < len(b)*wordBits; i += wordBits {
		if other := bitsAt(b, i) ^ -level; other != 0 {
			return i + bits.TrailingZeros64(other)
		}
	}
	return i
}

// appendLevelGroups appends the levels [from, to) as packed groups.
// REQUIRES: to-from is a multiple of groupSize, or the bits from to on are
// zero.
func appendLevelGroups(dst []byte, b []uint64, from, to int) []byte {
	if from == to {
		return dst
	}
	groups := (to - from + groupSize - 1) / groupSize
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	for ; groups >= wordBits/groupSize; groups -= wordBits / groupSize {
		dst = binary.LittleEndian.AppendUint64(dst, bitsAt(b, from))
		from += wordBits
	}
	for word := bitsAt(b, from); groups > 0; groups-- {
		dst = append(dst, byte(word))
		word >>= groupSize
	}
	return dst
}
