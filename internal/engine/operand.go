package engine

import (
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// operandState says what an expression gave for one span.
type operandState uint8

const (
	stateAbsent operandState = iota
	stateScalar              // value
	stateList                // list
	stateOpaque              // something that no comparison works on
)

// operand is what an expression gives for one span.
type operand struct {
	state operandState
	value traceql.Static
	list  []schema.Value
}

// evaluator computes an expression for the frame's span.
type evaluator func(*frame) operand

func scalar(v traceql.Static) operand { return operand{state: stateScalar, value: v} }

// operandOf reads an attribute's value.
func operandOf(v schema.Value) operand {
	switch v.Kind {
	case schema.KindString, schema.KindBool, schema.KindInt, schema.KindDouble:
		return scalar(staticOf(v))
	case schema.KindArray:
		if len(v.Array) > 0 {
			return operand{state: stateList, list: v.Array}
		}
	case schema.KindBytes, schema.KindMap:
		return operand{state: stateOpaque}
	case schema.KindEmpty:
	}
	return operand{}
}

// staticOf reads a scalar; every other kind gives the Static that equals nothing.
func staticOf(v schema.Value) traceql.Static {
	switch v.Kind {
	case schema.KindString:
		return traceql.NewString(v.Str)
	case schema.KindBool:
		return traceql.NewBool(v.Bool)
	case schema.KindInt:
		return traceql.NewInt(v.Int)
	case schema.KindDouble:
		return traceql.NewFloat(v.Double)
	case schema.KindEmpty, schema.KindBytes, schema.KindArray, schema.KindMap:
	}
	return traceql.Static{}
}

// test is a condition on one value.
type test func(traceql.Static) bool

// comparison is what a value is compared with. A list fulfils it if one of its
// elements passes some and none passes none: so != means that no element is
// equal, of the elements that can be compared at all.
type comparison struct {
	some test
	none test // nil for the operators that ask for one element
}

// fulfils reports whether the value or the list does.
func (o *operand) fulfils(c comparison) bool {
	return o.holds(c.some) && (o.state != stateList || c.none == nil || !o.holds(c.none))
}

// holds reports whether the test is true for the value or one of the list.
func (o *operand) holds(t test) bool {
	switch o.state {
	case stateScalar:
		return t(o.value)
	case stateList:
		for i := range o.list {
			if t(staticOf(o.list[i])) {
				return true
			}
		}
	case stateAbsent, stateOpaque:
	}
	return false
}
