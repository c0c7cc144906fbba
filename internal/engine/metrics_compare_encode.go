package engine

import (
	"github.com/spanlake/spanlake/internal/wire"
)

// A compare observer is
//
//	fields | label, totals by cell, tooMany, values | value, counts | ... of each
//
// where counts are a list of cells that are not 0.

func (o *compareObserver) encode(dst []byte) []byte {
	dst = wire.AppendUint(dst, len(o.fields))
	for _, f := range o.fields {
		dst = appendCounts(wire.AppendText(dst, f.label), f.totals)
		dst = wire.AppendUint(wire.AppendBool(dst, f.tooMany), len(f.values))
		for i := range f.values {
			dst = f.counts[i].encode(wire.AppendValue(dst, &f.values[i]))
		}
	}
	return dst
}

func (o *compareObserver) decode(r *wire.Reader) error {
	for range r.Count(1) {
		label := r.Text()
		field, err := o.field(label)
		if err != nil {
			return err
		}
		readCounts(r, field.totals)
		if r.Bool() {
			o.giveUp(field)
		}
		for range r.Count(1) {
			v := r.Value()
			if !isLabel(v) {
				r.Fail("a value of kind %d", v.Kind)
			}
			if r.Err() != nil {
				return r.Err()
			}
			n, err := o.value(field, v)
			if err != nil {
				return err
			}
			if n < 0 {
				r.Fail("more values than are told apart")
				return r.Err()
			}
			if err := o.run.budget.take(field.counts[n].decode(r, o.cells())); err != nil {
				return err
			}
		}
	}
	return r.Err()
}

func (c *cellCounts) encode(dst []byte) []byte {
	var filled int
	for _, n := range c.dense {
		if n > 0 {
			filled++
		}
	}
	dst = wire.AppendUint(dst, len(c.few)+filled)
	for _, f := range c.few {
		dst = wire.AppendUint(wire.AppendUint(dst, f.cell), f.count)
	}
	for cell, n := range c.dense {
		if n > 0 {
			dst = wire.AppendUint(wire.AppendUint(dst, cell), n)
		}
	}
	return dst
}

// decode adds what was appended, and returns the bytes that this has taken.
func (c *cellCounts) decode(r *wire.Reader, cells int) (bytes int) {
	for range r.Count(2) {
		cell, n := r.Small(cells-1), r.Small(1<<32-1)
		if r.Err() != nil {
			break
		}
		bytes += c.add(int32(cell), uint32(n), cells) //nolint:gosec // bounded on the line above
	}
	return bytes
}
