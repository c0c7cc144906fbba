package encoding

import "math"

// DeltaIndex finds values of a page without decoding more than their block of
// 128, and blocks without such values without decoding any. It shares the
// page's memory, and is safe for concurrent use.
type DeltaIndex struct {
	first  int64
	count  int
	blocks []deltaZone
}

// deltaZone is a block of values, all but the page's first.
type deltaZone struct {
	start       deltas // as it is before the block
	least, most int64  // of its values
}

// DeltaZoneBytes is what a DeltaIndex takes for each block of 128 values.
const DeltaZoneBytes = 56

// NewDeltaIndex reads all of src, which must hold n values, one at least.
func NewDeltaIndex(src []byte, n int) (*DeltaIndex, error) {
	d, err := newDeltas(src)
	if err != nil || n < 1 || d.count != uint64(n) {
		return nil, ErrMalformed
	}
	x := &DeltaIndex{d.last, n, make([]deltaZone, 0, n/deltaBlock+1)}
	var block [deltaBlock]int64
	for left := n - 1; left > 0; left -= deltaBlock {
		zone := deltaZone{d, math.MaxInt64, math.MinInt64}
		values := block[:min(deltaBlock, left)]
		if err := d.block(values); err != nil {
			return nil, err
		}
		for _, v := range values {
			zone.least, zone.most = min(zone.least, v), max(zone.most, v)
		}
		x.blocks = append(x.blocks, zone)
	}
	return x, d.end()
}

// Blocks is how many times DeltaZoneBytes the index takes.
func (x *DeltaIndex) Blocks() int { return len(x.blocks) }

// Some sets dst[i] to the bits of value at[i], for all that are not negative.
// REQUIRES: those are ascending and below the number of values. A block is
// decoded once, up to the last of its values that is asked for.
func (x *DeltaIndex) Some(dst []uint64, at []int32) error {
	var block [deltaBlock]int64
	for i := 0; i < len(at); {
		if at[i] <= 0 {
			if at[i] == 0 {
				dst[i] = uint64(x.first)
			}
			i++
			continue
		}
		b := (int(at[i]) - 1) / deltaBlock
		base := 1 + b*deltaBlock
		end, most := i, 0
		for ; end < len(at) && int(at[end]) < base+deltaBlock; end++ {
			most = max(most, int(at[end])-base)
		}
		d := x.blocks[b].start
		if err := d.block(block[:most+1]); err != nil {
			return err
		}
		for ; i < end; i++ {
			if v := int(at[i]) - base; v >= 0 {
				dst[i] = uint64(block[v])
			}
		}
	}
	return nil
}

// Match is MatchDelta for the values whose bits are set in wanted, or all if
// that is nil. The bits of others are clear, or as MatchDelta has them.
func (x *DeltaIndex) Match(dst, wanted []uint64, least, most int64) error {
	dst = dst[:words(x.count)]
	clear(dst)
	within := newInterval(least, most)
	if least > most {
		return nil
	}
	dst[0] = within.has(x.first)
	var block [deltaBlock]int64
	for b := range x.blocks {
		zone := &x.blocks[b]
		at := 1 + b*deltaBlock
		values := block[:min(deltaBlock, x.count-at)]
		switch {
		case zone.most < least || zone.least > most || wanted != nil && !AnyBit(wanted, at, at+len(values)):
			continue
		case zone.least >= least && zone.most <= most:
			for i := 0; i < len(values); i += wordBits {
				n := min(wordBits, len(values)-i)
				putWord(dst, at+i, math.MaxUint64>>(wordBits-n), n)
			}
			continue
		}
		d := zone.start
		if err := d.block(values); err != nil {
			return err
		}
		for i := 0; i < len(values); i += wordBits {
			part := values[i:min(i+wordBits, len(values))]
			putWord(dst, at+i, within.matches(part), len(part))
		}
	}
	return nil
}
