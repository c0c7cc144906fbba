package traceql

import "math"

// Operator joins or changes field expressions.
type Operator uint8

// The operators. OpSub is unary minus too.
const (
	OpNone Operator = iota
	OpAnd
	OpOr
	OpEqual
	OpNotEqual
	OpLess
	OpLessEqual
	OpGreater
	OpGreaterEqual
	OpRegex
	OpNotRegex
	OpAdd
	OpSub
	OpNot
	OpMul
	OpDiv
	OpMod
	OpPower
)

// Binding strengths, loosest first.
const (
	precLogic = 1 + iota
	precCompare
	precSum
	precNot
	precProduct
	precPower
	precPrimary
)

var operatorTable = [...]struct {
	text string
	prec int
}{
	OpNone:         {"", 0},
	OpAnd:          {"&&", precLogic},
	OpOr:           {"||", precLogic},
	OpEqual:        {"=", precCompare},
	OpNotEqual:     {"!=", precCompare},
	OpLess:         {"<", precCompare},
	OpLessEqual:    {"<=", precCompare},
	OpGreater:      {">", precCompare},
	OpGreaterEqual: {">=", precCompare},
	OpRegex:        {"=~", precCompare},
	OpNotRegex:     {"!~", precCompare},
	OpAdd:          {"+", precSum},
	OpSub:          {"-", precSum},
	OpNot:          {"!", precNot},
	OpMul:          {"*", precProduct},
	OpDiv:          {"/", precProduct},
	OpMod:          {"%", precProduct},
	OpPower:        {"^", precPower},
}

// String is the operator as a query spells it.
func (op Operator) String() string { return operatorTable[op].text }

func (op Operator) prec() int { return operatorTable[op].prec }

// operandPrec is how tightly operands must bind to stand without parentheses.
// ^ is the only operator that associates to the right.
func (op Operator) operandPrec() (left, right int) {
	if op == OpPower {
		return op.prec() + 1, op.prec()
	}
	return op.prec(), op.prec() + 1
}

// IsLogic reports whether op is && or ||.
func (op Operator) IsLogic() bool { return op == OpAnd || op == OpOr }

// IsRegex reports whether op is =~ or !~.
func (op Operator) IsRegex() bool { return op == OpRegex || op == OpNotRegex }

// IsComparison reports whether op is one of = != < <= > >=.
func (op Operator) IsComparison() bool { return op >= OpEqual && op <= OpGreaterEqual }

// IsArithmetic reports whether op is one of + - * / % ^.
func (op Operator) IsArithmetic() bool {
	return op == OpAdd || op == OpSub || op >= OpMul && op <= OpPower
}

// Apply computes a op b for the operators other than =~ and !~. It reports
// false when the operation has no value: the types do not fit, or a number is
// divided by zero. Ints stay ints, unless a power does not fit one; with a
// float or a duration the result is a float, durations counting nanoseconds.
func (op Operator) Apply(a, b Static) (Static, bool) {
	switch {
	case op.IsComparison():
		holds, ok := op.Compare(a, b)
		return NewBool(holds), ok
	case op.IsLogic():
		if a.Type != TypeBool || b.Type != TypeBool {
			return Static{}, false
		}
		if op == OpAnd {
			return NewBool(a.Int&b.Int != 0), true
		}
		return NewBool(a.Int|b.Int != 0), true
	case op.IsArithmetic() && a.Type.IsNumeric() && b.Type.IsNumeric():
		if a.Type == TypeInt && b.Type == TypeInt {
			return intArithmetic(op, a.Int, b.Int)
		}
		return floatArithmetic(op, a.Number(), b.Number())
	}
	return Static{}, false
}

// Negate computes -a. It reports false when a is not a number.
func Negate(a Static) (Static, bool) {
	if !a.Type.IsNumeric() {
		return Static{}, false
	}
	if a.Type == TypeFloat {
		a.Float = -a.Float
	} else {
		a.Int = -a.Int
	}
	return a, true
}

func intArithmetic(op Operator, a, b int64) (Static, bool) {
	switch op {
	case OpAdd:
		return NewInt(a + b), true
	case OpSub:
		return NewInt(a - b), true
	case OpMul:
		return NewInt(a * b), true
	case OpPower:
		return intPower(a, b), true
	case OpDiv, OpMod:
		if b == 0 {
			return Static{}, false
		}
		if op == OpDiv {
			return NewInt(a / b), true
		}
		return NewInt(a % b), true
	default:
		return Static{}, false
	}
}

// intPower is exact while the result fits an int, and a float beyond that and
// for negative exponents.
func intPower(base, exponent int64) Static {
	inexact := NewFloat(math.Pow(float64(base), float64(exponent)))
	if exponent < 0 || math.Abs(inexact.Float) >= math.MaxInt64 {
		return inexact
	}
	result := int64(1)
	for ; exponent > 0; exponent >>= 1 {
		if exponent&1 != 0 {
			result *= base
		}
		base *= base
	}
	return NewInt(result)
}

func floatArithmetic(op Operator, a, b float64) (Static, bool) {
	switch op {
	case OpAdd:
		return NewFloat(a + b), true
	case OpSub:
		return NewFloat(a - b), true
	case OpMul:
		return NewFloat(a * b), true
	case OpPower:
		return NewFloat(math.Pow(a, b)), true
	case OpDiv, OpMod:
		if b == 0 {
			return Static{}, false
		}
		if op == OpDiv {
			return NewFloat(a / b), true
		}
		return NewFloat(math.Mod(a, b)), true
	default:
		return Static{}, false
	}
}

// Compare reports whether a op b holds for the six comparisons, and whether
// the two can be compared at all: numbers by value whatever their types,
// strings by bytes, booleans, statuses and kinds only for equality.
func (op Operator) Compare(a, b Static) (holds, ok bool) {
	switch {
	case a.Type == TypeFloat && b.Type.IsNumeric() || b.Type == TypeFloat && a.Type.IsNumeric():
		return compareOrdered(op, a.Number(), b.Number()), true
	case a.Type.IsNumeric() && b.Type.IsNumeric():
		return compareOrdered(op, a.Int, b.Int), true
	case a.Type != b.Type:
		return false, false
	case a.Type == TypeString:
		return compareOrdered(op, a.Str, b.Str), true
	case a.Type == TypeBool || a.Type == TypeStatus || a.Type == TypeKind:
		if op != OpEqual && op != OpNotEqual {
			return false, false
		}
		return (a.Int == b.Int) == (op == OpEqual), true
	}
	return false, false
}

func compareOrdered[T int64 | float64 | string](op Operator, a, b T) bool {
	switch op {
	case OpEqual:
		return a == b
	case OpNotEqual:
		return a != b
	case OpLess:
		return a < b
	case OpLessEqual:
		return a <= b
	case OpGreater:
		return a > b
	case OpGreaterEqual:
		return a >= b
	default:
		return false
	}
}
