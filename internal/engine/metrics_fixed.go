package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// fixedSampler is a source of which it is worth remembering what was counted in
// it.
type fixedSampler interface {
	Sampler
	Fixed
	// Times are the earliest start and the latest start or end of all rows.
	Times() (first, last uint64)
}

// remembers reports whether what the query counts in a source is remembered.
func (p *gathering) remembers(source Source) (fixedSampler, bool) {
	if p.opts.Tallies == nil || p.leaf.sampling == nil {
		return nil, false
	}
	f, ok := source.(fixedSampler)
	return f, ok
}

// scanFixed shows the rows of a source that never changes, or what they have
// been counted as.
func (p *gathering) scanFixed(
	ctx context.Context, source fixedSampler, held *vec.Held, apart []schema.TraceID, folded []vec.Folded,
) error {
	first, last := source.Times()
	steps, at := p.grid.around(first, last)
	sampling := *p.leaf.sampling
	sampling.After, sampling.Until = steps.after(), steps.until()
	// Of traces that the source does not have nothing depends on them.
	sampling.Except, sampling.Folded = appendShared(nil, apart, held.IDs), folded
	key := p.tallyKey(source, &steps, &sampling)
	part := p.opts.Tallies.lookup(key)
	if part == nil {
		var err error
		if part, err = p.count(ctx, source, steps, &sampling); err != nil {
			return err
		}
		part.key = key
		p.opts.Tallies.add(part)
	}
	if err := p.add(part.left); err != nil {
		return err
	}
	return p.borrow(func(o observer) error {
		into, _ := o.(*groupObserver) // what sampling is for
		return into.take(part, at, steps.steps)
	})
}

// around are the steps in which rows of a source may lie, however the grid
// begins: it moves from query to query. Step i of them is step i+at of the grid.
func (g *grid) around(first, last uint64) (steps grid, at int) {
	if g.instant {
		if first > g.base && last <= g.until() {
			return grid{base: first - 1, step: last - first + 1, steps: 1, to: 1, seconds: g.seconds, instant: true}, 0
		}
		return *g, 0
	}
	base, end := (max(first, 1)-1)/g.step, roundUp(last, g.step)
	// A source of very long ago or of ages to come is asked for no more than
	// is wanted of it, and nobody of steps that are counted elsewhere.
	ages := end-base > 2*uint64(g.steps)+16 //nolint:gosec // a count
	if ages || g.from > 0 {
		base = max(base, g.after()/g.step)
	}
	if ages || g.to < g.steps {
		end = min(end, g.until()/g.step)
	}
	steps = grid{base: base * g.step, step: g.step, seconds: g.seconds}
	steps.steps = int(max(end, base) - base) //nolint:gosec // not more than twice as many
	steps.to = steps.steps
	return steps, int(int64(base) - int64(g.base/g.step)) //nolint:gosec // counts of steps
}

// tallyKey names all that a count in a source depends on: the source, the query
// up to its function, the steps, and what is known of traces that lie in other
// sources, too.
func (p *gathering) tallyKey(source Fixed, steps *grid, sampling *vec.Sampling) (key [sha256.Size]byte) {
	h := sha256.New()
	var b []byte
	for _, text := range []string{source.Identity(), p.leaf.text} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	b = binary.AppendUvarint(b, steps.base)
	b = binary.AppendUvarint(b, steps.step)
	b = binary.AppendUvarint(b, uint64(steps.steps))              //nolint:gosec // a count
	b = binary.AppendUvarint(b, uint64(min(p.opts.Exemplars, 1))) //nolint:gosec // 0 or 1
	b = binary.AppendUvarint(b, uint64(len(sampling.Except)))
	for i := range sampling.Except {
		b = append(b, sampling.Except[i][:]...)
	}
	for i := range sampling.Folded {
		f := &sampling.Folded[i]
		b = append(b, f.ID[:]...)
		b = binary.AppendUvarint(b, uint64(len(f.Out)))
		for _, row := range f.Out {
			b = binary.AppendUvarint(b, uint64(row)) //nolint:gosec // a place
		}
	}
	h.Write(b)
	h.Sum(key[:0])
	return key
}

// count counts the rows of a source in steps of its own.
func (p *gathering) count(ctx context.Context, source Sampler, steps grid, sampling *vec.Sampling) (*tallyPart, error) {
	run := &metricsRun{grid: steps, opts: p.opts, partitions: p.partitions, budget: newBudget(p.budget.left.Load())}
	if run.opts.Exemplars > 0 {
		run.opts.Exemplars = perSlot * steps.steps // so that any slot finds its own
	}
	o := newGroupObserver(p.leaf, run)
	o.beginSamples()
	left, err := source.Sample(ctx, sampling, func(s *vec.Samples) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return o.samples(s)
	})
	if err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	part := &tallyPart{labels: o.groups.labels, tally: o.tally, left: slices.Clip(left)}
	for _, slot := range o.exemplars.slots {
		for _, e := range slot {
			part.exemplars = append(part.exemplars, e.detached())
		}
	}
	part.measure()
	return part, nil
}

// detached is e without anything that keeps its source in memory.
func (e *exemplar) detached() exemplar {
	d := *e
	d.Labels = slices.Clone(e.Labels)
	for i := range d.Labels {
		d.Labels[i].Value.Str = strings.Clone(d.Labels[i].Value.Str)
	}
	return d
}

// measure finds out how many bytes the part takes.
func (t *tallyPart) measure() {
	const partBytes, exemplarBytes, labelBytes = 400, 160, 160
	size := partBytes + t.tally.size() + len(t.left)*len(schema.TraceID{})
	for _, values := range t.labels {
		for i := range values {
			size += labelBytes + len(values[i].Str)
		}
	}
	for i := range t.exemplars {
		size += exemplarBytes
		for _, l := range t.exemplars[i].Labels {
			size += labelBytes + len(l.Value.Str)
		}
	}
	t.bytes = int64(size)
}

// take adds a part, of which step i is step i+at. Groups that have nothing in
// the grid are not there for it.
func (o *groupObserver) take(part *tallyPart, at, steps int) error {
	from, to := window(steps, o.run.grid.steps, at)
	numbers := make([]int32, len(part.labels))
	for i := range numbers {
		numbers[i] = -1
		if part.tally.empty(int32(i), from, to) { //nolint:gosec // bounded by MaxSeries
			continue
		}
		if err := o.takeGroup(part, i, numbers); err != nil {
			return err
		}
		o.tally.merge(numbers[i], part.tally, int32(i), at) //nolint:gosec // bounded by MaxSeries
	}
	o.exemplars.begin()
	for _, e := range part.exemplars {
		if int(e.step) < from || int(e.step) >= to || !o.exemplars.wants(e.step+int32(at)) { //nolint:gosec // within the grid
			continue
		}
		if numbers[e.group] < 0 { // it has a number that no bucket is for
			if err := o.takeGroup(part, int(e.group), numbers); err != nil {
				return err
			}
		}
		e.step, e.group = e.step+int32(at), numbers[e.group] //nolint:gosec // within the grid
		o.exemplars.offer(e)
	}
	return o.run.budget.take(o.tally.bytes())
}

// takeGroup finds the number of a group of a part.
func (o *groupObserver) takeGroup(part *tallyPart, i int, numbers []int32) (err error) {
	numbers[i], err = o.group(part.labels[i])
	return err
}
