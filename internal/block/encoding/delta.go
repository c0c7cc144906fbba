package encoding

import (
	"encoding/binary"
	"math/bits"
)

// The block and miniblock sizes that every known writer uses.
const (
	deltaBlock      = 128
	deltaMiniblocks = 4
	deltaMiniblock  = deltaBlock / deltaMiniblocks
)

// AppendDelta appends values as Parquet's DELTA_BINARY_PACKED. Differences
// wrap around, so any values go.
func AppendDelta(dst []byte, values []int64) []byte {
	dst = binary.AppendUvarint(dst, deltaBlock)
	dst = binary.AppendUvarint(dst, deltaMiniblocks)
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	if len(values) == 0 {
		return binary.AppendVarint(dst, 0)
	}
	dst = binary.AppendVarint(dst, values[0])
	var deltas [deltaBlock]uint64
	for i := 1; i < len(values); i += deltaBlock {
		n := min(deltaBlock, len(values)-i)
		for j := range n {
			deltas[j] = uint64(values[i+j] - values[i+j-1])
		}
		dst = appendDeltaBlock(dst, deltas[:n])
	}
	return dst
}

func appendDeltaBlock(dst []byte, deltas []uint64) []byte {
	least := int64(deltas[0])
	for _, d := range deltas {
		least = min(least, int64(d))
	}
	dst = binary.AppendVarint(dst, least)
	widths := len(dst)
	dst = append(dst, make([]byte, deltaMiniblocks)...)
	var padded [deltaMiniblock]uint64
	for m := 0; m*deltaMiniblock < len(deltas); m++ {
		clear(padded[:])
		var all uint64
		for i, d := range deltas[m*deltaMiniblock : min((m+1)*deltaMiniblock, len(deltas))] {
			padded[i] = d - uint64(least)
			all |= padded[i]
		}
		width := bits.Len64(all)
		dst[widths+m] = byte(width)
		dst = appendPacked(dst, padded[:], width)
	}
	return dst
}

// DecodeDelta reads exactly len(dst) values from all of src, which
// AppendDelta's block sizes must have been used for.
func DecodeDelta(dst []int64, src []byte) error {
	for _, want := range [3]uint64{deltaBlock, deltaMiniblocks, uint64(len(dst))} {
		have, n := binary.Uvarint(src)
		if n <= 0 || have != want {
			return ErrMalformed
		}
		src = src[n:]
	}
	first, n := binary.Varint(src)
	if n <= 0 {
		return ErrMalformed
	}
	src = src[n:]
	if len(dst) > 0 {
		dst[0] = first
	}
	for i := 1; i < len(dst); i += deltaBlock {
		var err error
		if src, err = decodeDeltaBlock(dst[i:min(i+deltaBlock, len(dst))], dst[i-1], src); err != nil {
			return err
		}
	}
	if len(src) != 0 {
		return ErrMalformed
	}
	return nil
}

func decodeDeltaBlock(dst []int64, last int64, src []byte) ([]byte, error) {
	least, n := binary.Varint(src)
	if n <= 0 || len(src) < n+deltaMiniblocks {
		return nil, ErrMalformed
	}
	widths := src[n : n+deltaMiniblocks]
	src = src[n+deltaMiniblocks:]
	var deltas [deltaMiniblock]uint64
	for m := 0; m*deltaMiniblock < len(dst); m++ {
		size := packedBytes(deltaMiniblock, int(widths[m]))
		if widths[m] > 64 || size > len(src) {
			return nil, ErrMalformed
		}
		unpack(deltas[:], src, int(widths[m]))
		src = src[size:]
		rows := dst[m*deltaMiniblock : min((m+1)*deltaMiniblock, len(dst))]
		for i := range rows {
			last += least + int64(deltas[i])
			rows[i] = last
		}
	}
	return src, nil
}

// DecodeDeltaPrefix reads the first len(dst) values of src, which may hold
// more. What follows them is not looked at.
func DecodeDeltaPrefix(dst []int64, src []byte) error {
	n, err := deltaCount(src)
	if err != nil || n < uint64(len(dst)) || n > uint64(len(src))*deltaMiniblock*deltaMiniblock {
		return ErrMalformed
	}
	all := make([]int64, n)
	if err := DecodeDelta(all, src); err != nil {
		return err
	}
	copy(dst, all)
	return nil
}

func deltaCount(src []byte) (count uint64, err error) {
	for range 3 {
		have, n := binary.Uvarint(src)
		if n <= 0 {
			return 0, ErrMalformed
		}
		count, src = have, src[n:]
	}
	return count, nil
}

// MatchDelta sets bit i of dst if value i is in [least, most], of the n that
// are all of src, and clears all other bits of the first (n+63)/64 words.
// Returns ErrMalformed where DecodeDelta does. REQUIRES: dst has the words.
func MatchDelta(dst []uint64, src []byte, n int, least, most int64) error {
	values := make([]int64, n)
	if err := DecodeDelta(values, src); err != nil {
		return err
	}
	clear(dst[:words(n)])
	for i, v := range values {
		if least <= v && v <= most {
			dst[i/wordBits] |= 1 << (i % wordBits)
		}
	}
	return nil
}
