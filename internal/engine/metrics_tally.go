package engine

import (
	"math"
	"slices"

	"github.com/spanlake/spanlake/internal/wire"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// tally gathers what a function needs to know of spans, by group and step.
// Groups are numbered from 0.
type tally interface {
	// grow makes room for one more group and returns the bytes that it takes.
	grow() int
	// add takes a span. measured is false if it lacks the field.
	add(group, step int32, n quantity, measured bool)
	// merge adds another tally's group to one of this. Step i of the other is
	// step i+at of this; steps that this does not have are left out.
	merge(group int32, other tally, from int32, at int)
	// empty reports whether a group has nothing in the steps [from, to).
	empty(group int32, from, to int) bool
	// size is the memory that all cells take.
	size() int
	// points yields the series of a group: a label besides those of the group
	// if it has a key, and a value for every step, NaN for none.
	points(group int32, yield func(extra schema.Attribute, values []float64))
	// bytes is what add has taken beyond grow since the last call.
	bytes() int
	// encode appends a group, and decode adds what was appended to one.
	encode(dst []byte, group int32) []byte
	decode(r *wire.Reader, group int32)
}

func (q *metricsLeaf) newTally(steps int, seconds float64) tally {
	switch q.op {
	case traceql.MetricsRate:
		return &countTally{steps: steps, per: seconds}
	case traceql.MetricsMinOverTime, traceql.MetricsMaxOverTime:
		return &extremeTally{steps: steps, min: q.op == traceql.MetricsMinOverTime, unit: unit(q.isDuration())}
	case traceql.MetricsSumOverTime, traceql.MetricsAvgOverTime:
		return &sumTally{steps: steps, average: q.op == traceql.MetricsAvgOverTime, unit: unit(q.isDuration())}
	case traceql.MetricsHistogramOverTime:
		return &bucketTally{steps: steps, isDuration: q.isDuration()}
	case traceql.MetricsQuantileOverTime:
		return &quantileTally{bucketTally{steps: steps, isDuration: q.isDuration()}, q.quantiles}
	default:
		return &countTally{steps: steps, per: 1}
	}
}

// cellsOf are the cells of a group, or of a bucket.
func cellsOf[T any](cells []T, group int32, steps int) []T { return cells[int(group)*steps:][:steps] }

// window are the steps [from, to) of so many which a grid of steps has that
// begins at the step -at of them.
func window(steps, of, at int) (from, to int) {
	from = min(max(-at, 0), steps)
	return from, max(from, min(steps, of-at))
}

// sameSteps returns the cells of the steps that both have, where step i of more is
// step i+at of into.
func sameSteps[T any](into, more []T, at int) (a, b []T) {
	from, to := window(len(more), len(into), at)
	if from == to {
		return nil, nil
	}
	return into[from+at : to+at], more[from:to]
}

func noneOf[T any](list []T, holds func(T) bool) bool { return !slices.ContainsFunc(list, holds) }

// countTally counts spans.
type countTally struct {
	steps int
	per   float64
	cells []uint64 // by group and step
}

const cellBytes = 8

func (t *countTally) grow() int {
	t.cells = append(t.cells, make([]uint64, t.steps)...)
	return t.steps * cellBytes
}

func (t *countTally) bytes() int { return 0 }

func (t *countTally) add(group, step int32, _ quantity, _ bool) {
	t.cells[int(group)*t.steps+int(step)]++
}

func (t *countTally) merge(group int32, other tally, from int32, at int) {
	o, _ := other.(*countTally)
	into, more := sameSteps(cellsOf(t.cells, group, t.steps), cellsOf(o.cells, from, o.steps), at)
	for i, n := range more {
		into[i] += n
	}
}

func (t *countTally) empty(group int32, from, to int) bool {
	return noneOf(cellsOf(t.cells, group, t.steps)[from:to], func(n uint64) bool { return n > 0 })
}

func (t *countTally) size() int { return cellBytes * cap(t.cells) }

func (t *countTally) points(group int32, yield func(schema.Attribute, []float64)) {
	values := make([]float64, t.steps)
	for i, n := range t.cells[int(group)*t.steps:][:t.steps] {
		values[i] = float64(n) / t.per
	}
	yield(schema.Attribute{}, values)
}

// extremeTally keeps the smallest or the largest numbers.
type extremeTally struct {
	steps int
	min   bool
	unit  float64
	cells []float64 // by group and step, NaN for none
}

func (t *extremeTally) grow() int {
	from := len(t.cells)
	t.cells = append(t.cells, make([]float64, t.steps)...)
	for i := from; i < len(t.cells); i++ {
		t.cells[i] = math.NaN()
	}
	return t.steps * cellBytes
}

func (t *extremeTally) bytes() int { return 0 }

func (t *extremeTally) add(group, step int32, n quantity, measured bool) {
	if measured {
		t.put(&t.cells[int(group)*t.steps+int(step)], n.float())
	}
}

func (t *extremeTally) put(cell *float64, v float64) {
	switch {
	case math.IsNaN(v):
	case math.IsNaN(*cell), t.min && v < *cell, !t.min && v > *cell:
		*cell = v
	}
}

func (t *extremeTally) merge(group int32, other tally, from int32, at int) {
	o, _ := other.(*extremeTally)
	into, more := sameSteps(cellsOf(t.cells, group, t.steps), cellsOf(o.cells, from, o.steps), at)
	for i, v := range more {
		t.put(&into[i], v)
	}
}

func (t *extremeTally) empty(group int32, from, to int) bool {
	return noneOf(cellsOf(t.cells, group, t.steps)[from:to], func(v float64) bool { return !math.IsNaN(v) })
}

func (t *extremeTally) size() int { return cellBytes * cap(t.cells) }

func (t *extremeTally) points(group int32, yield func(schema.Attribute, []float64)) {
	values := make([]float64, t.steps)
	for i, v := range t.cells[int(group)*t.steps:][:t.steps] {
		values[i] = v / t.unit
	}
	yield(schema.Attribute{}, values)
}

// sumTally adds numbers up and counts them.
type sumTally struct {
	steps   int
	average bool
	unit    float64
	cells   []sumCell // by group and step
}

type sumCell struct {
	exactSum

	count uint64
}

const sumCellBytes = 40

func (t *sumTally) grow() int {
	t.cells = append(t.cells, make([]sumCell, t.steps)...)
	return t.steps * sumCellBytes
}

func (t *sumTally) bytes() int { return 0 }

func (t *sumTally) add(group, step int32, n quantity, measured bool) {
	if measured {
		cell := &t.cells[int(group)*t.steps+int(step)]
		cell.add(n)
		cell.count++
	}
}

func (t *sumTally) merge(group int32, other tally, from int32, at int) {
	o, _ := other.(*sumTally)
	into, more := sameSteps(cellsOf(t.cells, group, t.steps), cellsOf(o.cells, from, o.steps), at)
	for i := range more {
		into[i].merge(&more[i].exactSum)
		into[i].count += more[i].count
	}
}

func (t *sumTally) empty(group int32, from, to int) bool {
	return noneOf(cellsOf(t.cells, group, t.steps)[from:to], func(c sumCell) bool { return c.count > 0 })
}

func (t *sumTally) size() int { return sumCellBytes * cap(t.cells) }

func (t *sumTally) points(group int32, yield func(schema.Attribute, []float64)) {
	values, cells := make([]float64, t.steps), t.cells[int(group)*t.steps:][:t.steps]
	for i := range cells {
		switch {
		case cells[i].count == 0:
			values[i] = math.NaN()
		case t.average:
			values[i] = cells[i].value() / float64(cells[i].count) / t.unit
		default:
			values[i] = cells[i].value() / t.unit
		}
	}
	yield(schema.Attribute{}, values)
}
