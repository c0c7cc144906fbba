package block

import (
	"encoding/binary"

	"github.com/spanlake/spanlake/internal/block/encoding"
)

// traceTable says of every trace that begins in one page what a search needs to
// order and cut its hits. Times are Unix nanoseconds.
type traceTable struct {
	rows   []int64 // number of rows
	starts []int64 // earliest start
	lasts  []int64 // latest start minus earliest
	ends   []int64 // latest start or end minus earliest start
	// roots has the first row without a parent, relative to the trace's first
	// and plus one, 0 if there is none, shifted left by one; bit 0 is set if
	// two rows may be of one span or one is a fragment.
	roots []int64
}

func (t *traceTable) columns() [5]*[]int64 {
	return [...]*[]int64{&t.rows, &t.starts, &t.lasts, &t.ends, &t.roots}
}

// appendTo appends each column: the size of its bytes, then these, delta
// encoded.
func (t *traceTable) appendTo(b []byte) []byte {
	var scratch []byte
	for _, c := range t.columns() {
		scratch = encoding.AppendDelta(scratch[:0], *c)
		b = binary.AppendUvarint(b, uint64(len(scratch)))
		b = append(b, scratch...)
	}
	return b
}

// parse reads n traces from all of b.
func (t *traceTable) parse(b []byte, n int) error {
	for _, c := range t.columns() {
		size, used := binary.Uvarint(b)
		if used <= 0 || size > uint64(len(b)-used) {
			return errTruncated
		}
		if err := encoding.DecodeDelta(resize(c, n), b[used:][:size]); err != nil {
			return err
		}
		b = b[used+int(size):]
	}
	if len(b) != 0 {
		return errStructure
	}
	for _, rows := range t.rows {
		if rows < 1 {
			return errStructure
		}
	}
	return nil
}
