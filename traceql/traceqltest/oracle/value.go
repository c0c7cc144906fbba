package oracle

import (
	"cmp"
	"math"
	"math/big"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// value is what an expression gives for a span.
type value struct {
	there bool // else the span has no such value
	list  bool
	// items is the value, or what a list holds. What is neither string,
	// number nor boolean is not in it: nothing compares with that.
	items    []traceql.Static
	elements []schema.Value // of a list, as they are
}

func one(v traceql.Static) value { return value{there: true, items: []traceql.Static{v}} }

// stored is the value of an attribute. The value that holds nothing and the
// empty list are like no attribute.
func stored(v schema.Value) value {
	switch v.Kind {
	case schema.KindEmpty:
		return value{}
	case schema.KindArray:
		if len(v.Array) == 0 {
			return value{}
		}
		list := value{there: true, list: true, elements: v.Array}
		for _, e := range v.Array {
			if s, ok := static(e); ok {
				list.items = append(list.items, s)
			}
		}
		return list
	default:
		if s, ok := static(v); ok {
			return one(s)
		}
		return value{there: true}
	}
}

func static(v schema.Value) (traceql.Static, bool) {
	switch v.Kind {
	case schema.KindString:
		return traceql.NewString(v.Str), true
	case schema.KindBool:
		return traceql.NewBool(v.Bool), true
	case schema.KindInt:
		return traceql.NewInt(v.Int), true
	case schema.KindDouble:
		return traceql.NewFloat(v.Double), true
	case schema.KindEmpty, schema.KindBytes, schema.KindArray, schema.KindMap:
	}
	return traceql.Static{}, false
}

// number is the only item of a value if that is a number.
func (v value) number() (traceql.Static, bool) {
	if !v.there || v.list || len(v.items) != 1 || !v.items[0].Type.IsNumeric() {
		return traceql.Static{}, false
	}
	return v.items[0], true
}

// isTrue reports whether the value is true, or one of the list is.
func (v value) isTrue() bool {
	for _, item := range v.items {
		if item.Type == traceql.TypeBool && item.Int == 1 {
			return true
		}
	}
	return false
}

// isBool reports whether the value is a boolean, or one of the list is.
func (v value) isBool() bool {
	for _, item := range v.items {
		if item.Type == traceql.TypeBool {
			return true
		}
	}
	return false
}

// compare decides "a op b". Values of types that do not go together make it
// false, whatever the operator. With a list it holds if it does for one
// element; != and !~ hold if no element is equal or matches. Two lists do not
// compare.
func compare(op traceql.Operator, a, b value) bool {
	if !a.there || !b.there || a.list && b.list {
		return false
	}
	negated := op == traceql.OpNotEqual || op == traceql.OpNotRegex
	decided, some, all := false, false, true
	for _, x := range a.items {
		for _, y := range b.items {
			holds, ok := compareItems(op, x, y)
			if ok {
				decided, some, all = true, some || holds, all && holds
			}
		}
	}
	if negated {
		return decided && all
	}
	return some
}

// compareItems decides "a op b", and whether it can be decided at all.
func compareItems(op traceql.Operator, a, b traceql.Static) (holds, ok bool) {
	switch {
	case op.IsRegex():
		if a.Type != traceql.TypeString || b.Type != traceql.TypeString {
			return false, false
		}
		re, err := traceql.CompileRegex(b.Str)
		return err == nil && re.MatchString(a.Str) == (op == traceql.OpRegex), err == nil
	case a.Type.IsNumeric() && b.Type.IsNumeric():
		if a.Type == traceql.TypeFloat || b.Type == traceql.TypeFloat {
			return compareFloats(op, asFloat(a), asFloat(b)), true
		}
		return holdsFor(op, cmp.Compare(a.Int, b.Int)), true
	case a.Type != b.Type:
		return false, false
	case a.Type == traceql.TypeString:
		return holdsFor(op, cmp.Compare(a.Str, b.Str)), true
	case op == traceql.OpEqual || op == traceql.OpNotEqual: // booleans, statuses, kinds
		return (a.Int == b.Int) == (op == traceql.OpEqual), true
	}
	return false, false
}

func asFloat(v traceql.Static) float64 {
	if v.Type == traceql.TypeFloat {
		return v.Float
	}
	return float64(v.Int)
}

// compareFloats knows that nothing equals what is no number, which is neither
// less nor more than anything.
func compareFloats(op traceql.Operator, a, b float64) bool {
	if math.IsNaN(a) || math.IsNaN(b) {
		return op == traceql.OpNotEqual
	}
	return holdsFor(op, cmp.Compare(a, b))
}

// holdsFor decides the six comparisons by the order of their sides.
func holdsFor(op traceql.Operator, order int) bool {
	switch op {
	case traceql.OpEqual:
		return order == 0
	case traceql.OpNotEqual:
		return order != 0
	case traceql.OpLess:
		return order < 0
	case traceql.OpLessEqual:
		return order <= 0
	case traceql.OpGreater:
		return order > 0
	case traceql.OpGreaterEqual:
		return order >= 0
	default:
		return false
	}
}

// calculate gives "a op b" for + - * / % ^: an int of two ints, else a float in
// which durations are nanoseconds. Anything but two numbers has no value, and
// neither has division by zero.
func calculate(op traceql.Operator, a, b value) value {
	x, okX := a.number()
	y, okY := b.number()
	if !okX || !okY {
		return value{}
	}
	if x.Type == traceql.TypeInt && y.Type == traceql.TypeInt {
		return calculateInts(op, x.Int, y.Int)
	}
	f, g := asFloat(x), asFloat(y)
	switch op {
	case traceql.OpAdd:
		return one(traceql.NewFloat(f + g))
	case traceql.OpSub:
		return one(traceql.NewFloat(f - g))
	case traceql.OpMul:
		return one(traceql.NewFloat(f * g))
	case traceql.OpPower:
		return one(traceql.NewFloat(math.Pow(f, g)))
	case traceql.OpDiv:
		if g != 0 {
			return one(traceql.NewFloat(f / g))
		}
	case traceql.OpMod:
		if g != 0 {
			return one(traceql.NewFloat(math.Mod(f, g)))
		}
	default:
	}
	return value{}
}

func calculateInts(op traceql.Operator, a, b int64) value {
	switch op {
	case traceql.OpAdd:
		return one(traceql.NewInt(a + b))
	case traceql.OpSub:
		return one(traceql.NewInt(a - b))
	case traceql.OpMul:
		return one(traceql.NewInt(a * b))
	case traceql.OpPower:
		return one(power(a, b))
	case traceql.OpDiv:
		if b != 0 {
			return one(traceql.NewInt(a / b))
		}
	case traceql.OpMod:
		if b != 0 {
			return one(traceql.NewInt(a % b))
		}
	default:
	}
	return value{}
}

// power is exact where the result fits an int, else a float.
func power(a, b int64) traceql.Static {
	if b >= 0 && (b < 64 || a >= -1 && a <= 1) {
		exact := new(big.Int).Exp(big.NewInt(a), big.NewInt(b), nil)
		if exact.IsInt64() {
			return traceql.NewInt(exact.Int64())
		}
	}
	return traceql.NewFloat(math.Pow(float64(a), float64(b)))
}

// negate gives -v of a number.
func negate(v value) value {
	n, ok := v.number()
	if !ok {
		return value{}
	}
	if n.Type == traceql.TypeFloat {
		return one(traceql.NewFloat(-n.Float))
	}
	n.Int = -n.Int
	return one(n)
}
