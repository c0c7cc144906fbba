package traceql

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Type is the type of a value or of an expression.
type Type uint8

// The types. TypeUnknown is that of an attribute, known only at run time.
const (
	TypeUnknown Type = iota
	TypeNil
	TypeInt
	TypeFloat
	TypeString
	TypeBool
	TypeDuration
	TypeStatus
	TypeKind
)

// String is the type's name in messages.
func (t Type) String() string {
	switch t {
	case TypeNil:
		return "nil"
	case TypeInt:
		return "int"
	case TypeFloat:
		return "float"
	case TypeString:
		return "string"
	case TypeBool:
		return "boolean"
	case TypeDuration:
		return "duration"
	case TypeStatus:
		return "status"
	case TypeKind:
		return "kind"
	case TypeUnknown:
	}
	return "attribute"
}

// IsNumeric reports whether t is int, float or duration: types that compare
// and calculate with each other.
func (t Type) IsNumeric() bool { return t == TypeInt || t == TypeFloat || t == TypeDuration }

// Static is one value: of a literal, or of an attribute at run time. The zero
// Static has TypeUnknown and equals nothing.
type Static struct {
	Type  Type
	Int   int64   // TypeInt; TypeDuration in nanoseconds; TypeBool 0 or 1; TypeStatus and TypeKind as OTLP codes
	Float float64 // TypeFloat
	Str   string  // TypeString
}

// NewInt makes a TypeInt value.
func NewInt(v int64) Static { return Static{Type: TypeInt, Int: v} }

// NewFloat makes a TypeFloat value.
func NewFloat(v float64) Static { return Static{Type: TypeFloat, Float: v} }

// NewString makes a TypeString value.
func NewString(v string) Static { return Static{Type: TypeString, Str: v} }

// NewDuration makes a TypeDuration value of v nanoseconds.
func NewDuration(v time.Duration) Static { return Static{Type: TypeDuration, Int: int64(v)} }

// NewStatus makes a TypeStatus value from an OTLP status code.
func NewStatus(code int32) Static { return Static{Type: TypeStatus, Int: int64(code)} }

// NewKind makes a TypeKind value from an OTLP span kind.
func NewKind(code int32) Static { return Static{Type: TypeKind, Int: int64(code)} }

// NewBool makes a TypeBool value.
func NewBool(v bool) Static {
	s := Static{Type: TypeBool}
	if v {
		s.Int = 1
	}
	return s
}

// IsTrue reports whether s is the boolean true.
func (s Static) IsTrue() bool { return s.Type == TypeBool && s.Int != 0 }

// Number is the value of a numeric type as a float, durations in nanoseconds.
func (s Static) Number() float64 {
	if s.Type == TypeFloat {
		return s.Float
	}
	return float64(s.Int)
}

// Order compares values for sorting: by type, then by value. It is 0 only for
// values that are the same, or both no number.
func (s Static) Order(t Static) int {
	return cmp.Or(
		cmp.Compare(s.Type, t.Type),
		cmp.Compare(s.Int, t.Int),
		cmp.Compare(s.Float, t.Float),
		cmp.Compare(s.Str, t.Str),
	)
}

const (
	statusUnset = iota
	statusOk
	statusError
)

// Names of the statuses and kinds at the place of their OTLP codes.
var (
	statusNames = [...]string{statusUnset: "unset", statusOk: "ok", statusError: "error"}
	kindNames   = [...]string{"unspecified", "internal", "server", "client", "producer", "consumer"}
)

// keywordValue is the literal that is the word.
func keywordValue(word string) (Static, bool) {
	switch word {
	case "true", "false":
		return NewBool(word == "true"), true
	case "nil":
		return Static{Type: TypeNil}, true
	case "minInt":
		return NewInt(math.MinInt64), true
	case "maxInt":
		return NewInt(math.MaxInt64), true
	}
	if code := slices.Index(statusNames[:], word); code >= 0 {
		return Static{Type: TypeStatus, Int: int64(code)}, true
	}
	if code := slices.Index(kindNames[:], word); code >= 0 {
		return Static{Type: TypeKind, Int: int64(code)}, true
	}
	return Static{}, false
}

// Statuses returns every status that a query can name, in the order of their
// codes.
func Statuses() []Static { return enumeration(TypeStatus) }

// Kinds returns every span kind that a query can name, in the order of their
// codes.
func Kinds() []Static { return enumeration(TypeKind) }

func enumeration(t Type) []Static {
	var values []Static
	for v := (Static{Type: t}); ; v.Int++ {
		if _, ok := v.codeName(); !ok {
			return values
		}
		values = append(values, v)
	}
}

// codeName is the name of a status or kind, false for codes that OTLP does not define.
func (s Static) codeName() (string, bool) {
	names := kindNames[:]
	if s.Type == TypeStatus {
		names = statusNames[:]
	}
	if s.Int < 0 || s.Int >= int64(len(names)) {
		return strconv.FormatInt(s.Int, 10), false
	}
	return names[s.Int], true
}

// String is the literal as a query spells it.
func (s Static) String() string {
	switch s.Type {
	case TypeInt:
		if s.Int == math.MinInt64 {
			return "minInt" // its digits without the sign are no int
		}
		return strconv.FormatInt(s.Int, 10)
	case TypeFloat:
		text := strconv.FormatFloat(s.Float, 'g', -1, 64)
		if !strings.ContainsAny(text, ".eIN") {
			text += ".0"
		}
		return text
	case TypeString:
		return strconv.Quote(s.Str)
	case TypeBool:
		return strconv.FormatBool(s.Int != 0)
	case TypeDuration:
		return time.Duration(s.Int).String()
	case TypeStatus, TypeKind:
		name, _ := s.codeName()
		return name
	case TypeNil, TypeUnknown:
	}
	return "nil"
}

// spellable reports whether String gives text that reads back as s.
func (s Static) spellable() bool {
	switch s.Type {
	case TypeFloat:
		return !math.IsNaN(s.Float) && !math.IsInf(s.Float, 0)
	case TypeDuration:
		return s.Int != math.MinInt64
	case TypeUnknown, TypeNil, TypeInt, TypeString, TypeBool, TypeStatus, TypeKind:
	}
	return true
}

// isNegative reports whether the literal is spelt with a minus sign.
func (s Static) isNegative() bool {
	switch s.Type {
	case TypeInt:
		return s.Int < 0 && s.Int != math.MinInt64
	case TypeDuration:
		return s.Int < 0
	case TypeFloat:
		return math.Signbit(s.Float)
	case TypeUnknown, TypeNil, TypeString, TypeBool, TypeStatus, TypeKind:
	}
	return false
}
