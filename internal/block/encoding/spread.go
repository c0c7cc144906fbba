package encoding

// Expand spreads dense, which has one bit per row that defined has, to those
// rows: bit i of dst is the next bit of dense if bit i of defined is set, else
// zero. Bits that dense lacks are zero. The first (n+63)/64 words of dst are
// overwritten. Dst may be defined, but not dense. REQUIRES: bits of defined
// beyond n are zero; dst and defined have the words.
func Expand(dst, dense, defined []uint64, n int) {
	at := 0
	for i := range n {
		bit := uint64(1) << (i % wordBits)
		if i%wordBits == 0 {
			dst[i/wordBits] = 0
		}
		if defined[i/wordBits]&bit == 0 {
			continue
		}
		if at/wordBits < len(dense) && dense[at/wordBits]>>(at%wordBits)&1 != 0 {
			dst[i/wordBits] |= bit
		}
		at++
	}
}

// Compact is the inverse of Expand: it gathers the bits of rows that defined
// has, and returns their number. The words of dst that hold them are
// overwritten. REQUIRES: rows is as long as defined, dst is long enough for
// the bits of defined.
func Compact(dst, rows, defined []uint64) int {
	at := 0
	for i := range len(defined) * wordBits {
		if defined[i/wordBits]>>(i%wordBits)&1 == 0 {
			continue
		}
		if at%wordBits == 0 {
			dst[at/wordBits] = 0
		}
		dst[at/wordBits] |= rows[i/wordBits] >> (i % wordBits) & 1 << (at % wordBits)
		at++
	}
	return at
}
