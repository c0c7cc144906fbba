package engine

import (
	"math"
	"math/bits"
	"time"

	"github.com/spanlake/spanlake/traceql"
)

// quantity is what a span has of the field that a function measures: an int, or
// a float. Durations are ints of nanoseconds.
type quantity struct {
	isFloat bool
	i       int64
	f       float64
}

// float is the number in its own unit.
func (n quantity) float() float64 {
	if n.isFloat {
		return n.f
	}
	return float64(n.i)
}

// numberOf reads a value. It is false for what is no number.
func numberOf(v traceql.Static) (quantity, bool) {
	switch v.Type {
	case traceql.TypeInt, traceql.TypeDuration:
		return quantity{i: v.Int}, true
	case traceql.TypeFloat:
		return quantity{isFloat: true, f: v.Float}, !math.IsNaN(v.Float)
	default:
		return quantity{}, false
	}
}

// noBucket is the bucket of numbers that have none.
const noBucket = math.MinInt16

// bucket is the exponent of the smallest power of two that is no less than the
// number. Numbers that are not positive have none, nor have durations below two
// nanoseconds, which are spans without a measured duration.
func (n quantity) bucket(isDuration bool) int {
	switch {
	case n.isFloat:
		if !(n.f > 0) || math.IsInf(n.f, 0) {
			return noBucket
		}
		fraction, exponent := math.Frexp(n.f) // fraction in [0.5, 1)
		if fraction == 0.5 {
			exponent--
		}
		return exponent
	case n.i < 1, isDuration && n.i < 2:
		return noBucket
	}
	return bits.Len64(uint64(n.i - 1)) //nolint:gosec // not negative
}

// unit is what numbers are divided by to be shown: durations are in seconds.
func unit(isDuration bool) float64 {
	if isDuration {
		return float64(time.Second)
	}
	return 1
}

// exactSum adds up numbers so that the result depends on their order as little as
// possible: ints exactly, floats with compensation.
type exactSum struct {
	high, low   uint64 // of the ints, two's complement
	float, lost float64
}

func (s *exactSum) add(n quantity) {
	if n.isFloat {
		s.addFloat(n.f)
		return
	}
	var carry uint64
	s.low, carry = bits.Add64(s.low, uint64(n.i), 0) //nolint:gosec // two's complement
	s.high += uint64(n.i>>63) + carry                //nolint:gosec // two's complement
}

// addFloat is Neumaier's summation.
func (s *exactSum) addFloat(v float64) {
	t := s.float + v
	switch {
	case math.IsInf(t, 0) || math.IsNaN(t):
	case math.Abs(s.float) >= math.Abs(v):
		s.lost += s.float - t + v
	default:
		s.lost += v - t + s.float
	}
	s.float = t
}

func (s *exactSum) merge(t *exactSum) {
	var carry uint64
	s.low, carry = bits.Add64(s.low, t.low, 0)
	s.high, _ = bits.Add64(s.high, t.high, carry)
	s.addFloat(t.float)
	s.lost += t.lost
}

func (s *exactSum) value() float64 {
	return s.ints() + (s.float + s.lost)
}

// ints is the sum of the ints.
func (s *exactSum) ints() float64 {
	if int64(s.high) == int64(s.low)>>63 { //nolint:gosec // two's complement
		return float64(int64(s.low)) //nolint:gosec // two's complement
	}
	return float64(int64(s.high))*(1<<64) + float64(s.low) //nolint:gosec // two's complement
}
