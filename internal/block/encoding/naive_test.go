package encoding_test

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/spanlake/spanlake/internal/block/encoding"
)

// The functions here read and decide one value, and one bit, after the other.
// The kernels must say the same.

// naiveHybrid reads n codes of width bits, which must be all of src.
func naiveHybrid(src []byte, n, width int) (codes []uint32, ok bool) {
	for len(codes) < n {
		header, size := binary.Uvarint(src)
		if size <= 0 || header>>1 == 0 || header>>1 > uint64(n) {
			return nil, false
		}
		src = src[size:]
		count, bytes := int(header>>1), (width+7)/8
		if header&1 == 1 {
			bytes = count * width
		}
		if bytes > len(src) {
			return nil, false
		}
		if header&1 == 0 {
			if count > n-len(codes) {
				return nil, false
			}
			code := uint32(naiveBits(src, 0, bytes*8))
			for range count {
				codes = append(codes, code)
			}
		} else {
			if count > (n-len(codes)+7)/8 {
				return nil, false
			}
			for i := 0; i < count*8 && len(codes) < n; i++ {
				codes = append(codes, uint32(naiveBits(src, i*width, width)))
			}
		}
		src = src[bytes:]
	}
	return codes, len(src) == 0
}

func naiveBits(src []byte, from, n int) (v uint64) {
	for i := range n {
		v |= uint64(src[(from+i)/8]>>((from+i)%8)&1) << i
	}
	return v
}

// naiveAppendHybrid encodes as AppendHybrid is said to.
func naiveAppendHybrid(codes []uint32, width int) []byte {
	var out []byte
	flush := func(codes []uint32) {
		if len(codes) == 0 {
			return
		}
		groups := (len(codes) + 7) / 8
		out = binary.AppendUvarint(out, uint64(groups)<<1|1)
		packed := make([]byte, groups*width)
		for i, c := range codes {
			for j := range width {
				packed[(i*width+j)/8] |= byte(c>>j&1) << ((i*width + j) % 8)
			}
		}
		out = append(out, packed...)
	}
	packed, least := 0, 8
	if width == 1 {
		least = 24
	}
	for i := 0; i < len(codes); i += 8 {
		end := i
		for end < len(codes) && codes[end] == codes[i] {
			end++
		}
		if end-i < least {
			continue
		}
		flush(codes[packed:i])
		out = binary.AppendUvarint(out, uint64(end-i)<<1)
		for j := range (width + 7) / 8 {
			out = append(out, byte(codes[i]>>(8*j)))
		}
		packed, i = end, end-8
	}
	flush(codes[packed:])
	return out
}

// bitsOf packs n answers into a bitmap.
func bitsOf(n int, holds func(i int) bool) []uint64 {
	b := make([]uint64, (n+63)/64)
	for i := range n {
		if holds(i) {
			b[i/64] |= 1 << (i % 64)
		}
	}
	return b
}

func has(b []uint64, i int) bool { return b[i/64]>>(i%64)&1 != 0 }

// dirty is a bitmap for n rows that is full of ones, and one word longer than
// needed, which nobody may touch.
func dirty(n int) []uint64 {
	b := make([]uint64, (n+63)/64+1)
	for i := range b {
		b[i] = ^uint64(0)
	}
	return b
}

// clean cuts the untouched word off again.
func clean(b []uint64) []uint64 {
	if b[len(b)-1] != ^uint64(0) {
		panic("a kernel wrote beyond its bitmap")
	}
	return b[:len(b)-1]
}

// randomCodes are n codes below limit, in which runs and mixtures alternate.
func randomCodes(rng *rand.Rand, n int, limit uint64) []uint32 {
	codes := make([]uint32, n)
	for i := 0; i < n; {
		size := min(1+rng.IntN(1+rng.IntN(300)), n-i)
		same := rng.IntN(2) == 0
		code := rng.Uint64N(limit)
		for range size {
			if !same {
				code = rng.Uint64N(limit)
			}
			codes[i] = uint32(code)
			i++
		}
	}
	return codes
}

// foreignHybrid encodes codes as other writers might: with runs of any length,
// groups in segments of any size, and garbage behind the last code.
func foreignHybrid(rng *rand.Rand, codes []uint32, width int) []byte {
	var out []byte
	for len(codes) > 0 {
		run := 1
		for run < len(codes) && codes[run] == codes[0] {
			run++
		}
		if rng.IntN(3) == 0 || run > 30 {
			run = 1 + rng.IntN(run)
			out = binary.AppendUvarint(out, uint64(run)<<1)
			for i := range (width + 7) / 8 {
				out = append(out, byte(codes[0]>>(8*i)))
			}
			codes = codes[run:]
			continue
		}
		groups := 1 + rng.IntN(1+len(codes)/8)
		groups = min(groups, (len(codes)+7)/8)
		n := min(groups*8, len(codes))
		padded := make([]uint32, groups*8)
		for i := range padded {
			padded[i] = uint32(rng.Uint64() & (1<<width - 1))
		}
		copy(padded, codes[:n])
		out = binary.AppendUvarint(out, uint64(groups)<<1|1)
		packed := make([]byte, groups*width)
		for i, c := range padded {
			for j := range width {
				packed[(i*width+j)/8] |= byte(c>>j&1) << ((i*width + j) % 8)
			}
		}
		out = append(out, packed...)
		codes = codes[n:]
	}
	return out
}

// naiveFind looks into one value after the other, up to one that is malformed.
// Valid says that there is none, and nothing behind n values.
func naiveFind(src []byte, n int, holds func(value []byte) bool) (found []uint64, valid bool) {
	values := encoding.NewByteArrays(src)
	valid = true
	found = bitsOf(n, func(int) bool {
		value, err := values.Next()
		valid = valid && err == nil
		return valid && holds(value)
	})
	return found, valid && values.Done()
}
