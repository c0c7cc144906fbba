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
		base: base, step: endNanos - base, steps: 1, instant: true,
		seconds: float64(endNanos-startNanos) / float64(time.Second),
	}
}

// at is the step of a span that starts then, negative if it is in none.
func (g *grid) at(startNanos uint64) int {
	if startNanos <= g.base {
		return -1
	}
	i := (startNanos - g.base - 1) / g.step
	if i >= uint64(g.steps) { //nolint:gosec // a count
		return -1
	}
	return int(i) //nolint:gosec // below the number of steps
}

// end is the last time that the grid covers.
func (g *grid) end() uint64 { return g.base + uint64(g.steps)*g.step } //nolint:gosec // a count

// timeOf is the time of a sample, Unix nanoseconds.
func (g *grid) timeOf(step int) uint64 { return g.base + uint64(step+1)*g.step } //nolint:gosec // a count
