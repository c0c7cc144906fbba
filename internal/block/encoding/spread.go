package encoding

import "math/bits"

// fewBits is the number of bits up to which moving one after the other beats
// moving all of a word at once.
const fewBits = 6

// Expand spreads dense, which has one bit per row that defined has, to those
// rows: bit i of dst is the next bit of dense if bit i of defined is set, else
// zero. Bits that dense lacks are zero. The first (n+63)/64 words of dst are
// overwritten. Dst may be defined, but not dense. REQUIRES: bits of defined
// beyond n are zero; dst and defined have the words.
func Expand(dst, dense, defined []uint64, n int) {
	dst, defined = dst[:words(n)], defined[:words(n)]
	at := 0
	for i, mask := range defined {
		if mask == 0 {
			dst[i] = 0
			continue
		}
		x := bitsAt(dense, at)
		if mask != ^uint64(0) {
			count := bits.OnesCount64(mask)
			x = deposit(x&(1<<count-1), mask, count)
			at += count
		} else {
			at += wordBits
		}
		dst[i] = x
	}
}

// Compact is the inverse of Expand: it gathers the bits of rows that defined
// has, and returns their number. The words of dst that hold them are
// overwritten. REQUIRES: rows is as long as defined, dst is long enough for
// the bits of defined.
func Compact(dst, rows, defined []uint64) int {
	at := 0
	var open uint64 // the bits of the last word, which is not full
	for i, mask := range defined {
		if mask == 0 {
			continue
		}
		x, count := rows[i], wordBits
		if mask != ^uint64(0) {
			count = bits.OnesCount64(mask)
			x = extract(x&mask, mask)
		}
		shift := at % wordBits
		open |= x << shift
		if shift+count >= wordBits {
			dst[at/wordBits] = open
			open = x >> (wordBits - shift)
		}
		at += count
	}
	if at%wordBits != 0 {
		dst[at/wordBits] = open
	}
	return at
}

// deposit moves the bits of x to the bits of mask, in their order. REQUIRES:
// mask has count bits and x none beyond.
func deposit(x, mask uint64, count int) uint64 {
	switch {
	case x == 0:
		return 0
	case x == 1<<count-1:
		return mask
	case count <= fewBits:
		var out uint64
		for ; mask != 0; mask &= mask - 1 {
			out |= -(x & 1) & mask & -mask
			x >>= 1
		}
		return out
	case count >= wordBits-fewBits:
		// Make room for each row that is not in mask, from the lowest on.
		for gaps := ^mask; gaps != 0; gaps &= gaps - 1 {
			below := gaps&-gaps - 1
			x = x&below | x&^below<<1
		}
		return x
	}
	moves := movesOf(mask)
	for i := len(moves) - 1; i >= 0; i-- {
		x = x&^moves[i] | x<<(1<<i)&moves[i]
	}
	return x & mask
}

// extract gathers the bits of x that mask has. REQUIRES: x has no others.
func extract(x, mask uint64) uint64 {
	switch {
	case x == mask:
		return 1<<bits.OnesCount64(mask) - 1
	case x&(x-1) == 0 || bits.OnesCount64(x) <= fewBits:
		var out uint64
		for ; x != 0; x &= x - 1 {
			out |= 1 << bits.OnesCount64(mask&(x&-x-1))
		}
		return out
	}
	for i, move := range movesOf(mask) {
		moved := x & move
		x = x ^ moved | moved>>(1<<i)
	}
	return x
}

// movesOf returns which bits of mask, as they stand by then, move down by 1, 2,
// 4, 8, 16 and 32 places, so that all end up at the bottom in their order: a bit
// moves by the number of bits below it that are not in mask.
func movesOf(mask uint64) (moves [6]uint64) {
	gaps := ^mask << 1 // bit i: i-1 is not in mask
	for i := range moves {
		// Bit i: the number of gaps at or below i is odd.
		odd := gaps ^ gaps<<1
		odd ^= odd << 2
		odd ^= odd << 4
		odd ^= odd << 8
		odd ^= odd << 16
		odd ^= odd << 32
		move := odd & mask
		moves[i] = move
		mask = mask ^ move | move>>(1<<i)
		gaps &^= odd
	}
	return moves
}
