package encoding

import "encoding/binary"

// packable are the types of packed values.
type packable interface{ ~uint32 | ~uint64 }

// appendPacked appends values of width bits each, least significant bit first,
// and fills the last byte with zeros. REQUIRES: every value < 1<<width.
func appendPacked[T packable](dst []byte, values []T, width int) []byte {
	var word uint64
	used := 0
	for _, v := range values {
		word |= uint64(v) << used
		used += width
		if used < 64 {
			continue
		}
		dst = binary.LittleEndian.AppendUint64(dst, word)
		used -= 64
		// A shift by 64 gives zero: nothing of v is left over then.
		word = uint64(v) >> (width - used)
	}
	for ; used > 0; used -= 8 {
		dst = append(dst, byte(word))
		word >>= 8
	}
	return dst
}

// packedBytes is the size of n values of width bits.
func packedBytes(n, width int) int { return (n*width + 7) / 8 }

// unpack reads len(dst) values of width bits, 0 to 64.
// REQUIRES: len(src) >= packedBytes(len(dst), width), width fits T.
func unpack[T packable](dst []T, src []byte, width int) {
	mask := uint64(1)<<width - 1
	bit, i := 0, 0
	if width <= 56 { // a value and the bits before it in its first byte fit one load
		for ; i < len(dst) && bit>>3+8 <= len(src); i++ {
			dst[i] = T(binary.LittleEndian.Uint64(src[bit>>3:]) >> (bit & 7) & mask)
			bit += width
		}
	}
	for ; i < len(dst); i++ {
		dst[i] = T(loadBits(src, bit) & mask)
		bit += width
	}
}

// loadBits returns the 64 bits that begin at the given one, zeros after the end.
func loadBits(src []byte, bit int) uint64 {
	var word [9]byte
	copy(word[:], src[min(bit>>3, len(src)):])
	shift := bit & 7
	return binary.LittleEndian.Uint64(word[:8])>>shift | uint64(word[8])<<(64-shift)
}
