package encoding

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

const (
	// maxCodeWidth is the number of bits of the widest codes.
	maxCodeWidth = 32
	// endless is the number of codes of a stream whose end is not looked at.
	endless = math.MaxInt - groupSize
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
	// Few streams are longer than this. One growth is cheaper than several.
	dst = slices.Grow(dst, packedBytes(len(codes)+groupSize, width)+2*binary.MaxVarintLen32)
	least := leastRun(width)
	packed := 0 // codes[packed:i] wait for bit packing
	// A run may begin only where a group ends.
	for i := 0; len(codes)-i >= least; {
		if !uniform((*[groupSize]uint32)(codes[i:])) {
			i += groupSize
			continue
		}
		end := i + groupSize
		for end < len(codes) && codes[end] == codes[i] {
			end++
		}
		if end-i < least {
			i += (end - i) / groupSize * groupSize
			continue
		}
		dst = appendGroups(dst, codes[packed:i], width)
		dst = appendRun(dst, codes[i], end-i, width)
		i, packed = end, end
	}
	return appendGroups(dst, codes[packed:], width)
}

// leastRun is the number of equal codes from which on they are a run.
func leastRun(width int) int {
	if width == 1 {
		// A run is of two bytes, and begins the next groups with a header:
		// shorter ones cost more bytes, and several times the time to read.
		return 3 * groupSize
	}
	return groupSize
}

func uniform(g *[groupSize]uint32) bool {
	c := g[0]
	return (c^g[1])|(c^g[2])|(c^g[3])|(c^g[4])|(c^g[5])|(c^g[6])|(c^g[7]) == 0
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
	groups := (len(codes) + groupSize - 1) / groupSize
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	full := len(codes) / groupSize * groupSize
	dst = pack(dst, codes[:full], width)
	if full < len(codes) {
		var last [groupSize]uint32
		copy(last[:], codes[full:])
		dst = pack(dst, last[:], width)
	}
	return dst
}

// segment is a run, or groups of packed codes.
type segment struct {
	n    int    // codes, more than 0
	run  bool   // all of them are code
	code uint32 // of a run
	// packed begins with the packed codes and goes on to the end of the
	// stream, which lets kernels load beyond a segment.
	packed []byte
}

// segments walks over a stream of width bits, of which left codes are to come.
type segments struct {
	src   []byte
	width int
	left  int
}

// newSegments begins a stream of n codes.
func newSegments(src []byte, n, width int) (segments, error) {
	if width < 0 || width > maxCodeWidth || n < 0 || n > endless {
		return segments{}, ErrMalformed
	}
	return segments{src, width, n}, nil
}

// next returns the next segment. REQUIRES: left > 0.
func (s *segments) next() (segment, error) {
	header, n := binary.Uvarint(s.src)
	if n <= 0 {
		return segment{}, ErrMalformed
	}
	src, count := s.src[n:], header>>1
	if header&1 == 0 {
		size := (s.width + 7) / 8
		if count == 0 || count > uint64(s.left) || size > len(src) {
			return segment{}, ErrMalformed
		}
		var code uint32
		for i, b := range src[:size] {
			code |= uint32(b) << (8 * i)
		}
		s.src, s.left = src[size:], s.left-int(count)
		return segment{n: int(count), run: true, code: code}, nil
	}
	// The first two conditions keep the third from overflowing.
	if count == 0 || count > uint64(s.left+groupSize-1)/groupSize ||
		s.width > 0 && (count > uint64(len(src)) || int(count)*s.width > len(src)) {
		return segment{}, ErrMalformed
	}
	codes := min(int(count)*groupSize, s.left)
	s.src, s.left = src[int(count)*s.width:], s.left-codes
	return segment{n: codes, packed: src}, nil
}

// end checks that nothing is left. REQUIRES: left == 0.
func (s *segments) end() error {
	if len(s.src) != 0 {
		return ErrMalformed
	}
	return nil
}

// DecodeHybrid reads exactly len(dst) codes of width bits from all of src.
// Returns ErrMalformed also when a code is not below limit.
func DecodeHybrid(dst []uint32, src []byte, width int, limit uint32) error {
	s, err := newSegments(src, len(dst), width)
	if err != nil {
		return err
	}
	for out := dst; s.left > 0; {
		seg, err := s.next()
		if err != nil {
			return err
		}
		codes := out[:seg.n]
		out = out[seg.n:]
		if seg.run {
			if seg.code >= limit {
				return ErrMalformed
			}
			fill(codes, seg.code)
			continue
		}
		unpack(codes, seg.packed, width)
		// Codes of this many bits are all below the limit.
		if uint64(limit) < 1<<width && !below(codes, limit) {
			return ErrMalformed
		}
	}
	return s.end()
}

func fill(codes []uint32, code uint32) {
	for i := range codes {
		codes[i] = code
	}
}

func below(codes []uint32, limit uint32) bool {
	if limit == 0 {
		return len(codes) == 0
	}
	// A difference below zero has the highest bit of a word.
	var all uint64
	most := uint64(limit) - 1
	for ; len(codes) >= groupSize; codes = codes[groupSize:] {
		c := (*[groupSize]uint32)(codes)
		all |= (most - uint64(c[0])) | (most - uint64(c[1])) | (most - uint64(c[2])) | (most - uint64(c[3])) |
			(most - uint64(c[4])) | (most - uint64(c[5])) | (most - uint64(c[6])) | (most - uint64(c[7]))
	}
	for _, c := range codes {
		all |= most - uint64(c)
	}
	return all < 1<<63
}

// DecodeSome sets dst[k] to code at[k] of the codes of width bits that src begins
// with, and leaves it alone where at[k] is negative. The others must ascend.
// Codes between them are passed over by the run. Returns ErrMalformed also when
// there is no such code, or one that is not below limit.
func DecodeSome(dst []uint32, src []byte, width int, at []int32, limit uint32) error {
	s, err := newSegments(src, endless, width)
	if err != nil {
		return err
	}
	var seg segment
	first, end := 0, 0 // codes of seg
	for k, i := range at {
		i := int(i)
		if i < 0 {
			continue
		}
		if i < first {
			return ErrMalformed
		}
		for i >= end {
			if seg, err = s.next(); err != nil {
				return err
			}
			first, end = end, end+seg.n
		}
		code := seg.code
		if !seg.run {
			code = uint32(loadBits(seg.packed, (i-first)*width) & (1<<width - 1))
		}
		if code >= limit {
			return ErrMalformed
		}
		dst[k] = code
	}
	return nil
}
