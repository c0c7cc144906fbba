package traceql

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The hints that mean something. Others, and those with a value of a wrong
// type, are ignored, except for HintOrderBy, which would give wrong answers.
const (
	HintMostRecent = "most_recent" // true: accepted; the newest traces come first anyway
	HintOrderBy    = "order_by"    // "field", "field asc" or "field desc"
	HintExplain    = "explain"     // true
	HintExemplars  = "exemplars"   // true, false or a number
	HintSample     = "sample"      // true or a fraction
)

// Hint returns the value that the query gives to a hint, the last one if there
// are several.
func (q *Query) Hint(name string) (Static, bool) {
	for _, h := range slices.Backward(q.Hints) {
		if h.Name == name {
			return h.Value, true
		}
	}
	return Static{}, false
}

// OrderBy returns the field that the traces of a search are to be ordered by,
// an *Attribute or *Intrinsic. It reports false if the query does not say.
func (q *Query) OrderBy() (field FieldExpr, descending, ok bool) {
	value, ok := q.Hint(HintOrderBy)
	if !ok {
		return nil, false, false
	}
	field, descending, err := parseOrder(value)
	return field, descending, err == nil
}

// MostRecent reports whether the query asks for the newest traces.
func (q *Query) MostRecent() bool { return q.flag(HintMostRecent) }

// Explain reports whether the query asks for statistics of its execution.
func (q *Query) Explain() bool { return q.flag(HintExplain) }

func (q *Query) flag(name string) bool {
	value, _ := q.Hint(name)
	return value.IsTrue()
}

// Exemplars returns how many exemplars the query wants at most, 0 for none. It
// reports false if the query does not say a number: the default holds.
func (q *Query) Exemplars() (limit int, ok bool) {
	value, _ := q.Hint(HintExemplars)
	switch {
	case value.Type == TypeBool && !value.IsTrue():
		return 0, true
	case value.Type == TypeInt && value.Int >= 0:
		return int(value.Int), true
	default:
		return 0, false
	}
}

// Sample returns the fraction of the data, above 0 and up to 1, that is enough
// for the answer. It reports false if the query does not say a fraction.
func (q *Query) Sample() (fraction float64, ok bool) {
	value, _ := q.Hint(HintSample)
	if !value.Type.IsNumeric() || value.Type == TypeDuration {
		return 0, false
	}
	fraction = value.Number()
	if fraction <= 0 || fraction > 1 {
		return 0, false
	}
	return fraction, true
}

// parseOrder reads the value of order_by: a field and maybe a direction.
func parseOrder(value Static) (field FieldExpr, descending bool, err *Error) {
	if value.Type != TypeString {
		return nil, false, &Error{Message: fmt.Sprintf("%s is %s", value, article(value.Type)), kind: ErrType}
	}
	text, descending := strings.TrimSpace(value.Str), true
	for _, direction := range []string{"asc", "desc"} {
		// A name in quotes may hold spaces, but what ends in a quote ends in no direction.
		name, found := strings.CutSuffix(text, direction)
		if trimmed := strings.TrimSpace(name); found && trimmed != "" && len(trimmed) < len(name) {
			text, descending = trimmed, direction == "desc"
			break
		}
	}
	field, failure := ParseField(text)
	errors.As(failure, &err)
	return field, descending, err
}

// hints checks the hints that would change the answer.
func (c *checker) hints(hints []Hint) error {
	for _, h := range hints {
		if h.Name != HintOrderBy {
			continue
		}
		if _, _, err := parseOrder(h.Value); err != nil {
			return errorAt(c.src, h.pos, ErrType, "order_by needs a field and asc or desc in quotes: "+err.Message,
				cmp.Or(err.Hint, `write with(order_by="duration desc")`))
		}
	}
	return nil
}
