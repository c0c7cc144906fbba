package encoding

import (
	"encoding/binary"
	"math"
)

// MatchInt64s sets bit i of dst if plain integer i is in [least, most], of the
// n that are all of src, and clears all other bits of the first (n+63)/64
// words. REQUIRES: dst has the words.
func MatchInt64s(dst []uint64, src []byte, n int, least, most int64) error {
	return matchPlain(dst, src, n, 8, func(b []byte) bool {
		v := int64(binary.LittleEndian.Uint64(b))
		return least <= v && v <= most
	})
}

// MatchInt32s is MatchInt64s for plain integers of 32 bits.
func MatchInt32s(dst []uint64, src []byte, n int, least, most int32) error {
	return matchPlain(dst, src, n, 4, func(b []byte) bool {
		v := int32(binary.LittleEndian.Uint32(b))
		return least <= v && v <= most
	})
}

// MatchDoubles is MatchInt64s for plain doubles. NaN is in no interval.
func MatchDoubles(dst []uint64, src []byte, n int, least, most float64) error {
	return matchPlain(dst, src, n, 8, func(b []byte) bool {
		v := math.Float64frombits(binary.LittleEndian.Uint64(b))
		return least <= v && v <= most
	})
}

func matchPlain(dst []uint64, src []byte, n, size int, holds func([]byte) bool) error {
	if n < 0 || len(src) != n*size {
		return ErrMalformed
	}
	clear(dst[:words(n)])
	for i := range n {
		if holds(src[i*size:]) {
			dst[i/wordBits] |= 1 << (i % wordBits)
		}
	}
	return nil
}
