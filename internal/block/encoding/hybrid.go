package encoding

import (
	"encoding/binary"
	"math/bits"
)

// CodeWidth is the number of bits of a code of a dictionary with n entries.
func CodeWidth(n int) int {
	if n < 2 {
		return 0
	}
	return bits.Len32(uint32(n - 1))
}

// AppendHybrid appends codes of width bits, 0 to 32, as runs and bit-packed
// groups of eight: Parquet's dictionary codes (after their width byte) and
// definition levels. Every code must be below 1<<width.
func AppendHybrid(dst []byte, codes []uint32, width int) []byte {
	packed := 0 // codes[packed:i] wait for bit packing
	for i := 0; i < len(codes); {
		end := i + 1
		for end < len(codes) && codes[end] == codes[i] {
			end++
		}
		// A run may begin only where a group of eight ends.
		fill := (packed - i) & 7
		if end-i-fill < 8 {
			i = end
			continue
		}
		i += fill
		dst = appendGroups(dst, codes[packed:i], width)
		dst = appendRun(dst, codes[i], end-i, width)
		i, packed = end, end
	}
	return appendGroups(dst, codes[packed:], width)
}

func appendRun(dst []byte, code uint32, n, width int) []byte {
	dst = binary.AppendUvarint(dst, uint64(n)<<1)
	for range (width + 7) / 8 {
		dst = append(dst, byte(code))
		code >>= 8
	}
	return dst
}

func appendGroups(dst []byte, codes []uint32, width int) []byte {
	if len(codes) == 0 {
		return dst
	}
	groups := (len(codes) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	size := len(dst) + groups*width
	dst = appendPacked(dst, codes, width)
	for len(dst) < size {
		dst = append(dst, 0)
	}
	return dst
}

// DecodeHybrid reads exactly len(dst) codes of width bits from all of src.
// Returns ErrMalformed also when a code is not below limit.
func DecodeHybrid(dst []uint32, src []byte, width int, limit uint32) error {
	if width < 0 || width > 32 {
		return ErrMalformed
	}
	all := dst
	for len(dst) > 0 {
		header, n := binary.Uvarint(src)
		if n <= 0 || header>>1 == 0 {
			return ErrMalformed
		}
		var err error
		if header&1 == 0 {
			dst, src, err = decodeRun(dst, src[n:], header>>1, width)
		} else {
			dst, src, err = decodeGroups(dst, src[n:], header>>1, width)
		}
		if err != nil {
			return err
		}
	}
	if len(src) != 0 || !below(all, limit) {
		return ErrMalformed
	}
	return nil
}

func decodeRun(dst []uint32, src []byte, n uint64, width int) ([]uint32, []byte, error) {
	size := (width + 7) / 8
	if n > uint64(len(dst)) || size > len(src) {
		return nil, nil, ErrMalformed
	}
	var code uint32
	for i := range size {
		code |= uint32(src[i]) << (8 * i)
	}
	run := dst[:n]
	for i := range run {
		run[i] = code
	}
	return dst[n:], src[size:], nil
}

func decodeGroups(dst []uint32, src []byte, groups uint64, width int) ([]uint32, []byte, error) {
	if groups > uint64(len(dst)+7)/8 || int(groups)*width > len(src) {
		return nil, nil, ErrMalformed
	}
	n := min(int(groups)*8, len(dst))
	unpack(dst[:n], src, width)
	return dst[n:], src[int(groups)*width:], nil
}

func below(codes []uint32, limit uint32) bool {
	var highest uint32
	for _, c := range codes {
		highest = max(highest, c)
	}
	return len(codes) == 0 || highest < limit
}

// HybridAt returns code i of the codes of width bits that src begins with,
// without decoding those before it. Returns ErrMalformed if there is none.
func HybridAt(src []byte, width, i int) (uint32, error) {
	if width < 0 || width > 32 || i < 0 {
		return 0, ErrMalformed
	}
	at := uint64(i)
	for {
		header, n := binary.Uvarint(src)
		if n <= 0 || header>>1 == 0 {
			return 0, ErrMalformed
		}
		src = src[n:]
		if header&1 == 0 {
			var run [1]uint32
			_, rest, err := decodeRun(run[:], src, 1, width)
			if err != nil || at < header>>1 {
				return run[0], err
			}
			at, src = at-header>>1, rest
			continue
		}
		// No slice has 1<<56 bytes: what is more would overflow below.
		groups := header >> 1
		if groups >= 1<<56 || width > 0 && groups > uint64(len(src)/width) {
			return 0, ErrMalformed
		}
		if at < groups*8 {
			return uint32(loadBits(src, int(at)*width) & (1<<width - 1)), nil
		}
		at -= groups * 8
		src = src[int(groups)*width:]
	}
}
