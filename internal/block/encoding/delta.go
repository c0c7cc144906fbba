package encoding

import (
	"encoding/binary"
	"math"
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
	for len(values) > 1 {
		n := min(deltaBlock, len(values)-1)
		dst = appendDeltaBlock(dst, values[:n+1], &deltas)
		values = values[n:]
	}
	return dst
}

// appendDeltaBlock appends the differences of neighbours, at most a block of
// them. It overwrites deltas.
func appendDeltaBlock(dst []byte, values []int64, deltas *[deltaBlock]uint64) []byte {
	last, least := values[0], int64(math.MaxInt64)
	n := len(values) - 1
	for i, v := range values[1:] {
		deltas[i] = uint64(v - last)
		least = min(least, v-last)
		last = v
	}
	for i := n; i%deltaMiniblock != 0; i++ {
		deltas[i] = uint64(least)
	}
	dst = binary.AppendVarint(dst, least)
	widths := len(dst)
	dst = append(dst, make([]byte, deltaMiniblocks)...)
	for m := 0; m*deltaMiniblock < n; m++ {
		mini := (*[deltaMiniblock]uint64)(deltas[m*deltaMiniblock:])
		var all uint64
		for i := range mini {
			mini[i] -= uint64(least)
			all |= mini[i]
		}
		width := bits.Len64(all)
		dst[widths+m] = byte(width)
		dst = pack(dst, mini[:], width)
	}
	return dst
}

// DecodeDelta reads exactly len(dst) values from all of src, which
// AppendDelta's block sizes must have been used for.
func DecodeDelta(dst []int64, src []byte) error {
	d, err := newDeltas(src)
	if err != nil || d.count != uint64(len(dst)) {
		return ErrMalformed
	}
	if err := d.decode(dst); err != nil {
		return err
	}
	return d.end()
}

// DecodeDeltaPrefix reads the first len(dst) values of src, which may hold
// more. What follows them is not looked at.
func DecodeDeltaPrefix(dst []int64, src []byte) error {
	d, err := newDeltas(src)
	if err != nil || d.count < uint64(len(dst)) {
		return ErrMalformed
	}
	return d.decode(dst)
}

// MatchDelta sets bit i of dst if value i is in [least, most], of the n that
// are all of src, and clears all other bits of the first (n+63)/64 words.
// Returns ErrMalformed where DecodeDelta does. REQUIRES: dst has the words.
func MatchDelta(dst []uint64, src []byte, n int, least, most int64) error {
	d, err := newDeltas(src)
	if err != nil || n < 0 || d.count != uint64(n) {
		return ErrMalformed
	}
	dst = dst[:words(n)]
	clear(dst)
	if n == 0 {
		return d.end()
	}
	wanted := newInterval(least, most)
	dst[0] = wanted.matches([]int64{d.last})
	var block [deltaBlock]int64
	for at := 1; at < n; at += deltaBlock {
		values := block[:min(deltaBlock, n-at)]
		if err := d.block(values); err != nil {
			return err
		}
		for i := 0; i < len(values); i += wordBits {
			part := values[i:min(i+wordBits, len(values))]
			putWord(dst, at+i, wanted.matches(part), len(part))
		}
	}
	return d.end()
}

// deltas walks over the values of a page.
type deltas struct {
	src   []byte // the blocks that are to come
	count uint64 // values of the page
	last  int64  // the value before the next block; at first the first value
}

func newDeltas(src []byte) (deltas, error) {
	var header [3]uint64
	for i := range header {
		v, n := binary.Uvarint(src)
		if n <= 0 {
			return deltas{}, ErrMalformed
		}
		header[i], src = v, src[n:]
	}
	first, n := binary.Varint(src)
	if n <= 0 || header[0] != deltaBlock || header[1] != deltaMiniblocks {
		return deltas{}, ErrMalformed
	}
	return deltas{src[n:], header[2], first}, nil
}

// decode reads the first values of the page.
func (d *deltas) decode(dst []int64) error {
	if len(dst) == 0 {
		return nil
	}
	dst[0] = d.last
	for dst = dst[1:]; len(dst) > 0; {
		n := min(deltaBlock, len(dst))
		if err := d.block(dst[:n]); err != nil {
			return err
		}
		dst = dst[n:]
	}
	return nil
}

// block reads the first values of the next block, one at least. Miniblocks
// behind them are left in src.
func (d *deltas) block(dst []int64) error {
	least, n := binary.Varint(d.src)
	if n <= 0 || len(d.src) < n+deltaMiniblocks {
		return ErrMalformed
	}
	widths, src := d.src[n:n+deltaMiniblocks], d.src[n+deltaMiniblocks:]
	last := d.last
	for m := 0; len(dst) > 0; m++ {
		width := int(widths[m])
		size := packedBytes(deltaMiniblock, width)
		if width > 64 || size > len(src) {
			return ErrMalformed
		}
		rows := dst[:min(deltaMiniblock, len(dst))]
		unpack(rows, src, width)
		for i, delta := range rows {
			last += delta + least
			rows[i] = last
		}
		dst, src = dst[len(rows):], src[size:]
	}
	d.src, d.last = src, last
	return nil
}

// end checks that nothing is left.
func (d *deltas) end() error {
	if len(d.src) != 0 {
		return ErrMalformed
	}
	return nil
}
