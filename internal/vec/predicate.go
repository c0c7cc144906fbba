package vec

import "github.com/spanlake/spanlake/schema"

// Predicate is a condition on one field of a row. Its functions must be pure
// and safe for concurrent use; nil means that the predicate holds for no value
// of that kind. For a field of events or links it holds if it holds for one of
// the values.
type Predicate struct {
	Field Field

	Text  func(string) bool
	Int   func(int64) bool
	Float func(float64) bool
	Bool  func(bool) bool
	// Other decides whole values of the kinds empty, bytes, array and map.
	Other func(schema.Value) bool
	// Absent says whether it holds for rows that lack the field.
	Absent bool

	// Contains, if not empty, is a text that every string for which Text
	// holds contains.
	Contains string
	// Between, if not nil, says the same as Int: it holds for the numbers in
	// the interval and for no others.
	Between *Interval
}

// Interval is a range of integers, both ends inclusive.
type Interval struct{ Least, Most int64 }

// Holds decides a value that is there.
func (p *Predicate) Holds(v schema.Value) bool {
	switch v.Kind {
	case schema.KindString:
		return p.Text != nil && p.Text(v.Str)
	case schema.KindBool:
		return p.Bool != nil && p.Bool(v.Bool)
	case schema.KindInt:
		return p.Int != nil && p.Int(v.Int)
	case schema.KindDouble:
		return p.Float != nil && p.Float(v.Double)
	case schema.KindEmpty, schema.KindBytes, schema.KindArray, schema.KindMap:
	}
	return p.Other != nil && p.Other(v)
}
