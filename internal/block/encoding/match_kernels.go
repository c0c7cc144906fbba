package encoding

import "encoding/binary"

// matchKernel matches groups as long as there are results to fill and src has
// slack behind the group. It returns the number of groups, and whether all
// codes are below the limit. REQUIRES: width is s.width, or above maxTableWidth.
func (s *CodeSet) matchKernel(results, src []byte, width int) (groups int, ok bool) {
	switch {
	case width > maxTableWidth:
		return lookUpWide(results, src, s.hits, width)
	case s.alone:
		return compareNarrow(results, src, s)
	}
	return lookUpNarrow(results, src, s.tuples, width)
}

// tupleSize is the number of codes of width bits that are looked up at once:
// more than 4096 tuples would take longer to prepare than they save.
func tupleSize(width int) int {
	switch {
	case width <= 2:
		return 4
	case width <= 6:
		return 2
	}
	return 1
}

// tupleBad marks a tuple with a code that is not below the limit. It is beyond
// the results of a group.
const tupleBad = 1 << groupSize

// newTuples returns, by the packed bits of a tuple of codes, their results.
func newTuples(hits []uint8, width int) []uint16 {
	one := make([]uint16, 1<<width)
	for i := range one {
		one[i] = tupleBad
		if i < len(hits) {
			one[i] = uint16(hits[i])
		}
	}
	tuples := one
	for size := 1; size < tupleSize(width); size *= 2 {
		pairs := make([]uint16, 0, len(tuples)*len(tuples))
		for _, high := range tuples {
			// The mark stays where it is.
			high = high&tupleBad | high&^tupleBad<<size
			for _, low := range tuples {
				pairs = append(pairs, low|high)
			}
		}
		tuples = pairs
	}
	return tuples
}

// lookUpTuples looks tuples of codes up in a table of their results.
func lookUpTuples[W narrow](results, src []byte, table []uint16) (groups int, ok bool) {
	var stand W
	w := len(stand)
	mask := uint64(1)<<(w*tupleSize(w)) - 1
	t := table[:mask+1]
	var all uint
	for groups < len(results) && len(src) >= w+slack {
		x := binary.LittleEndian.Uint64(src)
		var r uint
		switch tupleSize(w) {
		case 4:
			r = uint(t[x&mask]) | uint(t[x>>(4*w)&mask])<<4
		case 2:
			r = uint(t[x&mask]) | uint(t[x>>(2*w)&mask])<<2 | uint(t[x>>(4*w)&mask])<<4 | uint(t[x>>(6*w)&mask])<<6
		default:
			r = uint(t[x&mask]) | uint(t[x>>w&mask])<<1 | uint(t[x>>(2*w)&mask])<<2 | uint(t[x>>(3*w)&mask])<<3 |
				uint(t[x>>(4*w)&mask])<<4 | uint(t[x>>(5*w)&mask])<<5 | uint(t[x>>(6*w)&mask])<<6 | uint(t[x>>(7*w)&mask])<<7
		}
		results[groups] = byte(r)
		all |= r
		groups++
		src = src[w:]
	}
	return groups, all < tupleBad
}

// lookUp looks each code up.
func lookUp[W narrow](results, src []byte, hits []uint8) (groups int, ok bool) {
	var stand W
	w := len(stand)
	for groups < len(results) && len(src) >= w+slack {
		c0, c1, c2, c3 := field(src, 0, w), field(src, 1, w), field(src, 2, w), field(src, 3, w)
		c4, c5, c6, c7 := field(src, 4, w), field(src, 5, w), field(src, 6, w), field(src, 7, w)
		n := uint64(len(hits))
		if c0 >= n || c1 >= n || c2 >= n || c3 >= n || c4 >= n || c5 >= n || c6 >= n || c7 >= n {
			return groups, false
		}
		results[groups] = hits[c0] | hits[c1]<<1 | hits[c2]<<2 | hits[c3]<<3 |
			hits[c4]<<4 | hits[c5]<<5 | hits[c6]<<6 | hits[c7]<<7
		groups++
		src = src[w:]
	}
	return groups, true
}

// compare matches the only code of the set, or the only one outside of it,
// against all fields of a word at once.
func compare[W narrow](results, src []byte, s *CodeSet) (groups int, ok bool) {
	var stand W
	w := len(stand)
	first := uint64(1) // the lowest bit of every field
	first |= first << w
	first |= first << (2 * w)
	first |= first << (4 * w)
	top, rest := first<<(w-1), first<<(w-1)-first // the highest bit of every field, all others
	code, limit := uint64(s.code)*first, uint64(s.limit)*first&rest
	check := top
	if s.limit == 1<<w {
		check = 0 // no code is too high
	}
	var bad uint64
	for groups < len(results) && len(src) >= w+slack {
		x := binary.LittleEndian.Uint64(src)
		// The highest bit of limit is set. A code is not below it if its
		// own is and the rest of it is not below limit's.
		bad |= ((x | top) - limit) & x
		differs := x ^ code
		// Adding carries into the highest bit of a field unless the rest
		// of it is zero, and never beyond.
		same := ^((differs&rest + rest) | differs) & top
		results[groups] = uint8(gather(same>>(w-1), w) ^ s.inverted)
		groups++
		src = src[w:]
	}
	return groups, bad&check == 0
}

// gather moves bit i*w of x to bit i, for i below 8. All other bits of x up to
// 8*w are zero.
func gather(x uint64, w int) uint64 {
	if w == 8 {
		// Bit 8*i times 1<<(56-7*i) is bit 56+i, and no two products meet.
		return x * 0x0102040810204080 >> 56
	}
	s := w - 1
	x |= x >> s
	x &= 3 | 3<<(2*w) | 3<<(4*w) | 3<<(6*w)
	x |= x >> (2 * s)
	x &= 15 | 15<<(4*w)
	return (x | x>>(4*s)) & 255
}

func lookUpNarrow(results, src []byte, table []uint16, width int) (groups int, ok bool) {
	switch width {
	case 1:
		return lookUpTuples[[1]byte](results, src, table)
	case 2:
		return lookUpTuples[[2]byte](results, src, table)
	case 3:
		return lookUpTuples[[3]byte](results, src, table)
	case 4:
		return lookUpTuples[[4]byte](results, src, table)
	case 5:
		return lookUpTuples[[5]byte](results, src, table)
	case 6:
		return lookUpTuples[[6]byte](results, src, table)
	case 7:
		return lookUpTuples[[7]byte](results, src, table)
	case 8:
		return lookUpTuples[[8]byte](results, src, table)
	}
	return 0, false
}

func compareNarrow(results, src []byte, s *CodeSet) (groups int, ok bool) {
	switch s.width {
	case 1:
		return compare[[1]byte](results, src, s)
	case 2:
		return compare[[2]byte](results, src, s)
	case 3:
		return compare[[3]byte](results, src, s)
	case 4:
		return compare[[4]byte](results, src, s)
	case 5:
		return compare[[5]byte](results, src, s)
	case 6:
		return compare[[6]byte](results, src, s)
	case 7:
		return compare[[7]byte](results, src, s)
	case 8:
		return compare[[8]byte](results, src, s)
	}
	return 0, false
}

func lookUpWide(results, src []byte, hits []uint8, width int) (groups int, ok bool) {
	switch width {
	case 9:
		return lookUp[[9]byte](results, src, hits)
	case 10:
		return lookUp[[10]byte](results, src, hits)
	case 11:
		return lookUp[[11]byte](results, src, hits)
	case 12:
		return lookUp[[12]byte](results, src, hits)
	case 13:
		return lookUp[[13]byte](results, src, hits)
	case 14:
		return lookUp[[14]byte](results, src, hits)
	case 15:
		return lookUp[[15]byte](results, src, hits)
	case 16:
		return lookUp[[16]byte](results, src, hits)
	case 17:
		return lookUp[[17]byte](results, src, hits)
	case 18:
		return lookUp[[18]byte](results, src, hits)
	case 19:
		return lookUp[[19]byte](results, src, hits)
	case 20:
		return lookUp[[20]byte](results, src, hits)
	case 21:
		return lookUp[[21]byte](results, src, hits)
	case 22:
		return lookUp[[22]byte](results, src, hits)
	case 23:
		return lookUp[[23]byte](results, src, hits)
	case 24:
		return lookUp[[24]byte](results, src, hits)
	case 25:
		return lookUp[[25]byte](results, src, hits)
	case 26:
		return lookUp[[26]byte](results, src, hits)
	case 27:
		return lookUp[[27]byte](results, src, hits)
	case 28:
		return lookUp[[28]byte](results, src, hits)
	case 29:
		return lookUp[[29]byte](results, src, hits)
	case 30:
		return lookUp[[30]byte](results, src, hits)
	case 31:
		return lookUp[[31]byte](results, src, hits)
	case 32:
		return lookUp[[32]byte](results, src, hits)
	}
	return 0, false
}
