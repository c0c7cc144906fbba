package encoding

import (
	"encoding/binary"
	"math"
)

// LengthBytes is what a plain byte array takes besides its bytes.
const LengthBytes = 4

// AppendBytes appends a plain byte array: its length and its bytes.
func AppendBytes[T []byte | string](dst []byte, value T) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(value)))
	return append(dst, value...)
}

// SplitBytes reads exactly len(dst) plain byte arrays from all of src. The
// values share src's memory; their capacity ends with them.
func SplitBytes[T []byte | string](dst []T, src T) error {
	for i := range dst {
		if len(src) < LengthBytes {
			return ErrMalformed
		}
		n := uint64(src[0]) | uint64(src[1])<<8 | uint64(src[2])<<16 | uint64(src[3])<<24
		src = src[LengthBytes:]
		if n > uint64(len(src)) {
			return ErrMalformed
		}
		dst[i] = src[:n]
		src = src[n:]
	}
	if len(src) != 0 {
		return ErrMalformed
	}
	return nil
}

// AppendInt64s appends plain integers.
func AppendInt64s(dst []byte, values []int64) []byte {
	for _, v := range values {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
	}
	return dst
}

// DecodeInt64s reads exactly len(dst) plain integers from all of src.
func DecodeInt64s(dst []int64, src []byte) error {
	if len(src) != 8*len(dst) {
		return ErrMalformed
	}
	for i := range dst {
		dst[i] = int64(binary.LittleEndian.Uint64(src[8*i:]))
	}
	return nil
}

// AppendInt32s appends plain integers.
func AppendInt32s(dst []byte, values []int32) []byte {
	for _, v := range values {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v))
	}
	return dst
}

// DecodeInt32s reads exactly len(dst) plain integers from all of src.
func DecodeInt32s(dst []int32, src []byte) error {
	if len(src) != 4*len(dst) {
		return ErrMalformed
	}
	for i := range dst {
		dst[i] = int32(binary.LittleEndian.Uint32(src[4*i:]))
	}
	return nil
}

// AppendDoubles appends plain doubles.
func AppendDoubles(dst []byte, values []float64) []byte {
	for _, v := range values {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	return dst
}

// DecodeDoubles reads exactly len(dst) plain doubles from all of src.
func DecodeDoubles(dst []float64, src []byte) error {
	if len(src) != 8*len(dst) {
		return ErrMalformed
	}
	for i := range dst {
		dst[i] = math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:]))
	}
	return nil
}

// AppendBools appends the first n bits of values as plain booleans: a bit each,
// the last byte filled with zeros. REQUIRES: bits of values beyond n are zero.
func AppendBools(dst []byte, values []uint64, n int) []byte {
	for i := range (n + 7) / 8 {
		dst = append(dst, byte(values[i/8]>>(i%8*8)))
	}
	return dst
}

// DecodeBools reads n plain booleans from all of src: bit i of dst is boolean
// i, all other bits of the first (n+63)/64 words are cleared. REQUIRES: dst has
// the words.
func DecodeBools(dst []uint64, src []byte, n int) error {
	if n < 0 || len(src) != (n+7)/8 {
		return ErrMalformed
	}
	clear(dst[:words(n)])
	for i, b := range src {
		dst[i/8] |= uint64(b) << (i % 8 * 8)
	}
	if rest := n % wordBits; rest != 0 {
		dst[n/wordBits] &= 1<<rest - 1
	}
	return nil
}
