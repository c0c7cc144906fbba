package encoding

import (
	"encoding/binary"
	"slices"
)

// groupSize is the number of values that are packed together: as many bytes as
// each of them has bits.
const groupSize = 8

// slack is how far behind the bytes of a group the kernels may load and store:
// all of their accesses are of a word.
const slack = 8

// packable are the types of packed values.
type packable interface{ ~uint32 | ~uint64 | ~int64 }

// packedBytes is the size of n values of width bits.
func packedBytes(n, width int) int { return (n*width + 7) / 8 }

// unpack reads len(dst) values of width bits, 0 to 64, from the beginning of
// src. It is fastest if src goes on for slack bytes.
// REQUIRES: len(src) >= packedBytes(len(dst), width), width fits T.
func unpack[T packable](dst []T, src []byte, width int) {
	if width == 0 {
		clear(dst)
		return
	}
	done := unpackGroups(dst, src, width)
	dst, src = dst[done:], src[done/groupSize*width:]
	if len(dst) >= groupSize {
		// The groups that end too close to the end of src.
		var padded [64 + 2*slack]byte
		copy(padded[:], src)
		done = unpackGroups(dst, padded[:], width)
		dst, src = dst[done:], src[done/groupSize*width:]
	}
	mask := uint64(1)<<width - 1
	for i := range dst {
		dst[i] = T(loadBits(src, i*width) & mask)
	}
}

// loadBits returns the 64 bits that begin at the given one, zeros after the end.
func loadBits(src []byte, bit int) uint64 {
	var word [9]byte
	copy(word[:], src[min(bit>>3, len(src)):])
	shift := bit & 7
	return binary.LittleEndian.Uint64(word[:8])>>shift | uint64(word[8])<<(64-shift)
}

// pack appends whole groups of values of width bits, 0 to 64, each, least
// significant bit first. REQUIRES: every value < 1<<width.
func pack[T packable](dst []byte, values []T, width int) []byte {
	if width == 0 {
		return dst
	}
	from, size := len(dst), packedBytes(len(values), width)
	dst = slices.Grow(dst, size)[:from+size]
	done := packGroups(dst[from:], values, width)
	if done < len(values) {
		// The groups that end too close to the end of dst: behind it may be
		// bytes of someone else.
		var padded [64 + 2*slack]byte
		packGroups(padded[:], values[done:], width)
		copy(dst[from+packedBytes(done, width):], padded[:])
	}
	return dst
}
