package engine

import (
	"math"

	"github.com/spanlake/spanlake/internal/wire"
	"github.com/spanlake/spanlake/schema"
)

// A group observer is
//
//	groups | labels, tally of each | exemplars | group, step, span of each
//
// and a tally of a group has a value for every step. Compressing is left to
// whoever carries it.

func (o *groupObserver) encode(dst []byte) []byte {
	dst = wire.AppendUint(dst, len(o.groups.labels))
	for i, values := range o.groups.labels {
		for k := range values {
			dst = wire.AppendValue(dst, &values[k])
		}
		dst = o.tally.encode(dst, int32(i)) //nolint:gosec // bounded by MaxSeries
	}
	return o.exemplars.encode(dst)
}

func (o *groupObserver) decode(r *wire.Reader) error {
	count := r.Count(1)
	for i := range count {
		for k := range o.values {
			if o.values[k] = r.Value(); !isLabel(o.values[k]) {
				r.Fail("a label of kind %d", o.values[k].Kind)
			}
		}
		if r.Err() != nil {
			return r.Err()
		}
		group, err := o.group(o.values)
		if err != nil {
			return err
		}
		if int(group) != i {
			r.Fail("a group stands there twice")
			return r.Err()
		}
		o.tally.decode(r, group)
		if err := o.run.budget.take(o.tally.bytes()); err != nil {
			return err
		}
	}
	o.exemplars.decode(r, o.groups.labels[:count])
	return r.Err()
}

// isLabel reports whether groups may have such a value.
func isLabel(v schema.Value) bool {
	return v.Kind <= schema.KindDouble
}

func (t *countTally) encode(dst []byte, group int32) []byte {
	return appendCounts(dst, t.cells[int(group)*t.steps:][:t.steps])
}

func (t *countTally) decode(r *wire.Reader, group int32) {
	readCounts(r, t.cells[int(group)*t.steps:][:t.steps])
}

func appendCounts(dst []byte, cells []uint64) []byte {
	for _, n := range cells {
		dst = wire.AppendUint(dst, n)
	}
	return dst
}

// readCounts adds what was appended.
func readCounts(r *wire.Reader, into []uint64) {
	for i := range into {
		into[i] += r.Uint()
	}
}

func (t *extremeTally) encode(dst []byte, group int32) []byte {
	for _, v := range t.cells[int(group)*t.steps:][:t.steps] {
		dst = wire.AppendFloat(dst, v)
	}
	return dst
}

func (t *extremeTally) decode(r *wire.Reader, group int32) {
	into := t.cells[int(group)*t.steps:][:t.steps]
	for i := range into {
		t.put(&into[i], r.Float())
	}
}

func (t *sumTally) encode(dst []byte, group int32) []byte {
	cells := t.cells[int(group)*t.steps:][:t.steps]
	for i := range cells {
		c := &cells[i]
		if dst = wire.AppendUint(dst, c.count); c.count > 0 {
			dst = wire.AppendUint(wire.AppendUint(dst, c.high), c.low)
			dst = wire.AppendFloat(wire.AppendFloat(dst, c.float), c.lost)
		}
	}
	return dst
}

func (t *sumTally) decode(r *wire.Reader, group int32) {
	into := t.cells[int(group)*t.steps:][:t.steps]
	for i := range into {
		count := r.Uint()
		if count == 0 {
			continue
		}
		into[i].count += count
		into[i].merge(&exactSum{high: r.Uint(), low: r.Uint(), float: r.Float(), lost: r.Float()})
	}
}

func (t *bucketTally) encode(dst []byte, group int32) []byte {
	places := t.of(group)
	dst = wire.AppendUint(dst, len(places))
	for _, i := range places {
		dst = wire.AppendInt(dst, int64(t.buckets[i].exponent))
		dst = appendCounts(dst, t.cells[i*t.steps:][:t.steps])
	}
	return dst
}

func (t *bucketTally) decode(r *wire.Reader, group int32) {
	for range r.Count(1 + t.steps) {
		exponent := r.Int()
		if exponent < minExponent || exponent > maxExponent {
			r.Fail("%d is no exponent", exponent)
			return
		}
		place := t.place(group, int(exponent))
		readCounts(r, t.cells[place*t.steps:][:t.steps])
	}
}

// The exponents that floats have.
const (
	minExponent = -1100
	maxExponent = 1100
)

func (x *exemplars) encode(dst []byte) []byte {
	count := 0
	for _, slot := range x.slots {
		count += len(slot)
	}
	dst = wire.AppendUint(dst, count)
	for _, slot := range x.slots {
		for i := range slot {
			e := &slot[i]
			dst = wire.AppendUint(wire.AppendUint(dst, e.group), e.step)
			dst = append(dst, e.TraceID[:]...)
			dst = wire.AppendFloat(wire.AppendUint(dst, e.StartNanos), e.Value)
			dst = wire.AppendAttributes(dst, e.Labels)
		}
	}
	return dst
}

// decode takes exemplars of groups with these values.
func (x *exemplars) decode(r *wire.Reader, groups [][]schema.Value) {
	count := r.Small(len(x.slots) * perSlot)
	for range count {
		var e exemplar
		e.group = int32(r.Small(math.MaxInt32)) //nolint:gosec // bounded on this line
		e.step = int32(r.Small(math.MaxInt32))  //nolint:gosec // likewise
		r.Fixed(e.TraceID[:])
		e.StartNanos, e.Value = r.Uint(), r.Float()
		e.Labels = r.Attributes()
		switch {
		case r.Err() != nil:
			return
		case int(e.group) >= len(groups) || int(e.step) >= len(x.slotOf):
			r.Fail("an exemplar of no sample")
			return
		case x.slotOf[e.step] >= 0:
			e.values = groups[e.group]
			x.offer(e)
		}
	}
}
