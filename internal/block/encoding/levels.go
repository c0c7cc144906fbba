package encoding

import "math/bits"

// wordBits is the number of rows of one word of a bitmap.
const wordBits = 64

// words is the size of a bitmap of n rows.
func words(n int) int { return (n + wordBits - 1) / wordBits }

// DecodeLevels sets bit i of dst if definition level i is 1, of the n levels
// (0 or 1) that are all of src, and clears all other bits of the first
// (n+63)/64 words. Defined is the number of set bits. Returns ErrMalformed if
// src is not n levels; dst is then undefined. REQUIRES: dst has the words.
func DecodeLevels(dst []uint64, src []byte, n int) (defined int, err error) {
	if err := MatchHybrid(dst, src, n, 1, []bool{false, true}); err != nil {
		return 0, err
	}
	for _, w := range dst[:words(n)] {
		defined += bits.OnesCount64(w)
	}
	return defined, nil
}

// AppendLevels appends n definition levels, level i being bit i of defined:
// the same bytes as AppendHybrid with width 1. REQUIRES: bits of defined beyond
// n are zero.
func AppendLevels(dst []byte, defined []uint64, n int) []byte {
	codes := make([]uint32, n)
	for i := range codes {
		codes[i] = uint32(defined[i/wordBits] >> (i % wordBits) & 1)
	}
	return AppendHybrid(dst, codes, 1)
}
