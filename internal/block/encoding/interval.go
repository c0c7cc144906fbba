package encoding

import "math"

// interval is a range of numbers, which may be empty.
type interval struct {
	least int64
	span  uint64 // what the highest number is above the least
	keep  uint64 // 0 if the interval is empty, else ^0
}

// newInterval is [least, most].
func newInterval(least, most int64) interval {
	return interval{least, uint64(most) - uint64(least), -bit(least <= most)}
}

// has is 1 for a number of the interval, if that is not empty.
func (r interval) has(v int64) uint64 { return bit(uint64(v)-uint64(r.least) <= r.span) }

// matches sets bit i if values[i] is in the interval. REQUIRES: at most a
// word's values.
func (r interval) matches(values []int64) uint64 {
	var word uint64
	shift := 0
	for ; len(values) >= groupSize; values = values[groupSize:] {
		v := (*[groupSize]int64)(values)
		word |= (r.has(v[0]) | r.has(v[1])<<1 | r.has(v[2])<<2 | r.has(v[3])<<3 |
			r.has(v[4])<<4 | r.has(v[5])<<5 | r.has(v[6])<<6 | r.has(v[7])<<7) << shift
		shift += groupSize
	}
	for i, v := range values {
		word |= r.has(v) << (shift + i)
	}
	return word & r.keep
}

// MatchInt64s sets bit i of dst if plain integer i is in [least, most], of the
// n that are all of src, and clears all other bits of the first (n+63)/64
// words. REQUIRES: dst has the words.
func MatchInt64s(dst []uint64, src []byte, n int, least, most int64) error {
	return newInterval(least, most).matchPlain(dst, src, n, plainInt64)
}

// MatchInt32s is MatchInt64s for plain integers of 32 bits.
func MatchInt32s(dst []uint64, src []byte, n int, least, most int32) error {
	return newInterval(int64(least)<<32, int64(most)<<32).matchPlain(dst, src, n, plainInt32)
}

// MatchDoubles is MatchInt64s for plain doubles. Zeros of both signs are equal,
// NaN is in no interval, and an interval with NaN as an end is empty.
func MatchDoubles(dst []uint64, src []byte, n int, least, most float64) error {
	if least == 0 {
		least = math.Copysign(0, -1)
	}
	if most == 0 {
		most = 0 // not -0
	}
	wanted := newInterval(ordered(math.Float64bits(least)), ordered(math.Float64bits(most)))
	if math.IsNaN(least) || math.IsNaN(most) {
		wanted = newInterval(1, 0)
	}
	return wanted.matchPlain(dst, src, n, plainDouble)
}

// plain is a type of plain numbers.
type plain uint8

const (
	plainInt64 plain = iota
	plainInt32
	plainDouble
)

// matchPlain reads plain numbers as what they are: packed, of 64 or 32 bits.
func (r interval) matchPlain(dst []uint64, src []byte, n int, kind plain) error {
	width := 64
	if kind == plainInt32 {
		width = 32
	}
	if n < 0 || n > len(src) || n*width != len(src)*8 {
		return ErrMalformed
	}
	var buffer [wordBits]int64
	for i := range dst[:words(n)] {
		values := buffer[:min(wordBits, n-i*wordBits)]
		unpack(values, src, width)
		src = src[packedBytes(len(values), width):]
		switch kind {
		case plainInt64:
		case plainInt32: // unpacked without its sign
			for j := range values {
				values[j] <<= 32
			}
		case plainDouble:
			for j, v := range values {
				values[j] = ordered(uint64(v))
			}
		}
		dst[i] = r.matches(values)
	}
	return nil
}

// ordered maps the bits of doubles to integers of the same order, -0 below 0
// and NaN beyond the infinities.
func ordered(b uint64) int64 { return int64(b ^ uint64(int64(b)>>63)>>1) }
