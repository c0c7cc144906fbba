package engine

import (
	"math"
	"time"
)

// grid are the steps of a metrics query: sample i covers the spans that start
// in (base + i*step, base + (i+1)*step], Unix nanoseconds.
type grid struct {
	base, step uint64
	steps      int
	seconds    float64 // of a step, as rates see it
	instant    bool

	// Of these steps [from, to) count. They have the same numbers as without
	// it, so that what is seen of some adds up with what is seen of others.
	from, to int
}

// within lets only those steps count that begin in [start, end).
func (g grid) within(start, end uint64) grid {
	g.from, g.to = g.begun(start), g.begun(end)
	return g
}

// begun is how many steps begin before t.
func (g *grid) begun(t uint64) int {
	first := g.base + 1
	return int(min(roundUp(t-min(t, first), g.step), uint64(g.steps))) //nolint:gosec // counts
}

// DefaultStep is the step of a range query that names none: about 240 steps,
// rounded down to a round duration.
func DefaultStep(startNanos, endNanos uint64) uint64 {
	const millisecond, second, minute = uint64(time.Millisecond), uint64(time.Second), uint64(time.Minute)
	span := endNanos - min(startNanos, endNanos)
	step := span / 240
	if span < minute {
		return max(50*millisecond, step/(50*millisecond)*(50*millisecond))
	}
	for _, round := range [...]uint64{60 * minute, 5 * minute, minute, 15 * second, 5 * second, second} {
		if step >= round {
			return step / round * round
		}
	}
	return second
}

// rangeGrid has a sample at every multiple of the step from start to end, the
// former rounded down and the latter up. It ends with the step that now is in,
// which is there although it is not over.
func rangeGrid(startNanos, endNanos, stepNanos, nowNanos uint64) grid {
	// A sample before the first multiple would reach below zero.
	first := max(1, startNanos/stepNanos)
	last := min(roundUp(endNanos, stepNanos), roundUp(nowNanos, stepNanos))
	g := grid{base: (first - 1) * stepNanos, step: stepNanos, seconds: float64(stepNanos) / float64(time.Second)}
	if last >= first {
		g.steps = int(min(last-first+1, math.MaxInt32)) //nolint:gosec // bounded on this line
	}
	g.to = g.steps
	return g
}

// roundUp is the least number of steps that is no less than t.
func roundUp(t, step uint64) uint64 {
	n := t / step
	if t%step != 0 {
		n++
	}
	return n
}

// instantGrid is one step that covers [start, end]. REQUIRES: start < end.
func instantGrid(startNanos, endNanos uint64) grid {
	base := max(startNanos, 1) - 1
	return grid{
		base: base, step: endNanos - base, steps: 1, to: 1, instant: true,
		seconds: float64(endNanos-startNanos) / float64(time.Second),
	}
}

// at is the step of a span that starts then, negative if it is in none that counts.
func (g *grid) at(startNanos uint64) int {
	if startNanos <= g.base {
		return -1
	}
	i := (startNanos - g.base - 1) / g.step
	if i < uint64(g.from) || i >= uint64(g.to) { //nolint:gosec // counts
		return -1
	}
	return int(i) //nolint:gosec // below the number of steps
}

// after is the last time before the steps that count, until the last time of them.
func (g *grid) after() uint64 { return g.base + uint64(g.from)*g.step } //nolint:gosec // a count
func (g *grid) until() uint64 { return g.base + uint64(g.to)*g.step }   //nolint:gosec // a count

// reaches reports whether a source may have a span that counts.
func (g *grid) reaches(source Source) bool {
	timed, ok := source.(Timed)
	if !ok {
		return true
	}
	first, last := timed.Times()
	return first <= g.until() && last > g.after()
}

// timeOf is the time of a sample, Unix nanoseconds.
func (g *grid) timeOf(step int) uint64 { return g.base + uint64(step+1)*g.step } //nolint:gosec // a count
