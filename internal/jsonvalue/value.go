// Package jsonvalue reads JSON as clients of other protocols send it: fields of
// whichever type, or of none, numbers in strings, times in several forms. What
// cannot be used reads as nothing, and nothing that a client puts into an object
// costs more than its bytes.
//
// A Value has no blanks around it, as encoding/json leaves none.
package jsonvalue

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/spanlake/spanlake/schema"
)

// Value is a JSON value as it was sent, or nothing. Its bytes are valid JSON.
type Value = json.RawMessage

// Absent reports whether there is no value: SDKs send null for what they leave out.
func Absent(v Value) bool { return len(v) == 0 || v[0] == 'n' }

// Text is a string's text, and of anything else its JSON.
func Text(v Value) string {
	if Absent(v) {
		return ""
	}
	if v[0] != '"' {
		return Compact(v)
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// Compact is the JSON without blanks between.
func Compact(v Value) string {
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return ""
	}
	return b.String()
}

// Object has the members of a JSON object that somebody wants to look at.
type Object map[string]Value

// Pick reads those members of an object that have one of the names.
func Pick(v Value, names ...string) Object {
	found := make(Object)
	for key, member := range Members(v) {
		if !Absent(member) && slices.Contains(names, key) {
			found[key] = member
		}
	}
	return found
}

// First is the first that is there.
func (o Object) First(names ...string) Value {
	for _, name := range names {
		if v, ok := o[name]; ok {
			return v
		}
	}
	return nil
}

// At follows names down through objects.
func At(v Value, path ...string) Value {
	for _, name := range path {
		var found Value
		for key, member := range Members(v) {
			if key == name && !Absent(member) {
				found = member
			}
		}
		v = found
	}
	return v
}

// Head is the first element of an array.
func Head(v Value) Value {
	for element := range Elements(v) {
		return element
	}
	return nil
}

// Attribute is a value as an attribute has it: scalars with their type,
// objects and arrays as JSON, and nothing as nothing.
func Attribute(v Value) schema.Value {
	if Absent(v) {
		return schema.Value{}
	}
	switch v[0] {
	case 't', 'f':
		return schema.Value{Kind: schema.KindBool, Bool: v[0] == 't'}
	case '"', '{', '[':
		return schema.Value{Kind: schema.KindString, Str: Text(v)}
	}
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return schema.Value{Kind: schema.KindInt, Int: n}
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil { // larger than any double
		return schema.Value{Kind: schema.KindString, Str: string(v)}
	}
	return schema.Value{Kind: schema.KindDouble, Double: f}
}

// Number reads a number, or one in a string.
func Number(v Value) (float64, bool) {
	if Absent(v) {
		return 0, false
	}
	f, err := strconv.ParseFloat(Text(v), 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// Count reads a number of tokens; what is none is dropped.
func Count(v Value) (int64, bool) {
	f, ok := Number(v)
	if !ok || f < 0 || f >= 1<<53 || f != math.Trunc(f) {
		return 0, false
	}
	return int64(f), true
}

// Nanos reads a time as Unix nanoseconds, 0 if it is none: ISO 8601, without an
// offset in UTC, as Python writes it; or the milliseconds of JavaScript.
func Nanos(v Value) uint64 {
	if Absent(v) {
		return 0
	}
	if v[0] != '"' {
		return fromMillis(v)
	}
	s := Text(v)
	if len(s) > 2 && s[0] == '"' { // quoted twice
		s = Text(Value(s))
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return NanosOf(t)
		}
	}
	return fromMillis(Value(s))
}

func fromMillis(v Value) uint64 {
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || !(f > 0) || f > math.MaxInt64/1e6 {
		return 0
	}
	whole, part := math.Modf(f)
	return uint64(whole)*1e6 + uint64(part*1e6)
}

// NanosOf is a time as Unix nanoseconds, 0 if 64 bits do not hold it.
func NanosOf(t time.Time) uint64 {
	if t.Year() < 1970 || t.Year() > 2261 {
		return 0
	}
	return uint64(t.UnixNano()) //nolint:gosec // after 1970
}
