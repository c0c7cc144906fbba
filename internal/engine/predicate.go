package engine

import (
	"fmt"
	"math"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// template is a comparison of a field with a constant, from which predicates
// are made: one, or of a field without a scope two.
type template struct {
	field traceql.FieldExpr
	vec.Predicate

	// words, if not nil, are the texts for which Text holds.
	words []string
}

// templateOf compiles "field op literal".
func templateOf(op traceql.Operator, field traceql.FieldExpr, literal traceql.Static) (template, error) {
	with, err := comparisonWith(op, field, literal)
	if err != nil {
		return template{}, err
	}
	holds := with.some
	t := template{field: field}
	t.Other = elements(with)
	switch {
	case op.IsRegex():
		err = t.setPattern(op, literal.Str)
	case literal.Type == traceql.TypeString:
		t.Text = func(s string) bool { return holds(traceql.NewString(s)) }
		if op == traceql.OpEqual {
			t.setWords([]string{literal.Str})
		}
	case literal.Type.IsNumeric():
		t.Int = func(i int64) bool { return holds(traceql.NewInt(i)) }
		t.Float = func(f float64) bool { return holds(traceql.NewFloat(f)) }
		t.setBetween(op, literal)
	case literal.Type == traceql.TypeBool:
		t.Bool = func(b bool) bool { return holds(traceql.NewBool(b)) }
	default:
		t.Other = nil // no attribute is a status or kind
	}
	if i, ok := field.(*traceql.Intrinsic); ok {
		t.setIntrinsic(i.ID, op, holds, literal)
	}
	return t, err
}

// elements decides lists by their elements; of the other values that are no
// scalars none equals anything.
func elements(c comparison) func(schema.Value) bool {
	return func(v schema.Value) bool {
		o := operandOf(v)
		return o.fulfils(c)
	}
}

func (t *template) setPattern(op traceql.Operator, text string) error {
	p, err := matcher(text)
	if err != nil {
		return fmt.Errorf("compile %s %q: %w", op, text, err)
	}
	switch {
	case op == traceql.OpNotRegex:
		t.Text = func(s string) bool { return !p.match(s) }
	case p.words != nil:
		t.setWords(p.words)
	default:
		t.Text, t.Contains = p.match, p.contains
	}
	return nil
}

// setWords says that Text holds for the words and nothing else.
func (t *template) setWords(words []string) {
	t.words = words
	if len(words) == 1 {
		word := words[0]
		t.Text = func(s string) bool { return s == word }
		t.Contains = word
		return
	}
	t.Text = wordTest(words)
}

// setIntrinsic adapts a template to the types of an intrinsic.
func (t *template) setIntrinsic(id traceql.IntrinsicID, op traceql.Operator, holds test, literal traceql.Static) {
	t.Float, t.Bool, t.Other = nil, nil, nil
	code := func(static func(int32) traceql.Static, want traceql.Type) {
		t.Text, t.Int, t.Between = nil, nil, nil
		if literal.Type != want {
			return
		}
		t.Int = func(i int64) bool {
			return i == int64(int32(i)) && holds(static(int32(i))) //nolint:gosec // compared with the whole
		}
		if op == traceql.OpEqual {
			t.Between = &vec.Interval{Least: literal.Int, Most: literal.Int}
		}
	}
	switch id {
	case traceql.IntrinsicStatus:
		code(traceql.NewStatus, traceql.TypeStatus)
	case traceql.IntrinsicKind:
		code(traceql.NewKind, traceql.TypeKind)
	case traceql.IntrinsicDuration:
		t.Text = nil
	default:
		t.Int, t.Between = nil, nil
	}
}

// setBetween says which ints compare with a number as op wants: an interval,
// whatever the number's type, since a larger int never compares as less.
func (t *template) setBetween(op traceql.Operator, literal traceql.Static) {
	if math.IsNaN(literal.Number()) {
		return
	}
	first := func(op traceql.Operator) *int64 {
		return firstInt(func(i int64) bool {
			holds, _ := op.Compare(traceql.NewInt(i), literal)
			return holds
		})
	}
	equal, more := first(traceql.OpGreaterEqual), first(traceql.OpGreater)
	least := new(int64)
	*least = math.MinInt64
	switch op {
	case traceql.OpEqual:
		t.between(equal, more)
	case traceql.OpLess:
		t.between(least, equal)
	case traceql.OpLessEqual:
		t.between(least, more)
	case traceql.OpGreater:
		t.between(more, nil)
	case traceql.OpGreaterEqual:
		t.between(equal, nil)
	default:
	}
}

// between says that Int holds from least on, up to end without it. nil is the
// number behind the largest.
func (t *template) between(least, end *int64) {
	switch {
	case least == nil, end != nil && *least >= *end:
		t.Int = nil
	case end == nil:
		t.Between = &vec.Interval{Least: *least, Most: math.MaxInt64}
	default:
		t.Between = &vec.Interval{Least: *least, Most: *end - 1}
	}
}

// firstInt returns the least int for which holds is true, which it is for all
// larger ones; nil if there is none.
func firstInt(holds func(int64) bool) *int64 {
	if !holds(math.MaxInt64) {
		return nil
	}
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	for low < high {
		if middle := low + int64(uint64(high-low)/2); holds(middle) { //nolint:gosec // the distance fits 64 bits without sign
			high = middle
		} else {
			low = middle + 1
		}
	}
	return &low
}

// unite makes one template of several of one field, which holds where one of
// them does. That is right for lists, events and links too: Other decides
// lists as a whole, and of events and links one must do.
func unite(group []template) template {
	t := template{field: group[0].field}
	var words []string
	var rest []vec.Predicate
	for i := range group {
		if group[i].words == nil {
			rest = append(rest, group[i].Predicate)
		}
		words = append(words, group[i].words...)
	}
	if words != nil {
		slices.Sort(words)
		t.setWords(slices.Compact(words))
		holds := t.Text
		t.Other = elements(comparison{some: func(v traceql.Static) bool { return v.Type == traceql.TypeString && holds(v.Str) }})
	}
	if len(rest) == 0 {
		return t
	}
	return template{field: t.field, Predicate: either(append(rest, t.Predicate))}
}

// either holds where one of the predicates does.
func either(list []vec.Predicate) vec.Predicate {
	if len(list) == 1 {
		return list[0]
	}
	var p vec.Predicate
	var ints []func(int64) bool
	for _, q := range list {
		if q.Int != nil {
			ints = append(ints, q.Int)
			p.Between = q.Between
		}
		p.Absent = p.Absent || q.Absent
	}
	if len(ints) > 1 {
		p.Between = nil
	}
	p.Int = oneOf(ints)
	p.Text = oneOf(functions(list, func(q *vec.Predicate) func(string) bool { return q.Text }))
	p.Float = oneOf(functions(list, func(q *vec.Predicate) func(float64) bool { return q.Float }))
	p.Bool = oneOf(functions(list, func(q *vec.Predicate) func(bool) bool { return q.Bool }))
	p.Other = oneOf(functions(list, func(q *vec.Predicate) func(schema.Value) bool { return q.Other }))
	return p
}

// functions lists what the predicates have of one kind.
func functions[T any](list []vec.Predicate, of func(*vec.Predicate) func(T) bool) []func(T) bool {
	var out []func(T) bool
	for i := range list {
		if f := of(&list[i]); f != nil {
			out = append(out, f)
		}
	}
	return out
}

func oneOf[T any](list []func(T) bool) func(T) bool {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return func(v T) bool {
		for _, f := range list {
			if f(v) {
				return true
			}
		}
		return false
	}
}

// presentPredicate holds for what is not absent.
func presentPredicate() vec.Predicate {
	return vec.Predicate{
		Text:    func(string) bool { return true },
		Int:     func(int64) bool { return true },
		Float:   func(float64) bool { return true },
		Bool:    func(bool) bool { return true },
		Between: &vec.Interval{Least: math.MinInt64, Most: math.MaxInt64},
		Other:   func(v schema.Value) bool { return operandOf(v).state != stateAbsent },
	}
}

// boolPredicate holds for booleans, alone or in a list, for which is does.
func boolPredicate(is test) vec.Predicate {
	return vec.Predicate{
		Bool:  func(b bool) bool { return is(traceql.NewBool(b)) },
		Other: elements(comparison{some: is}),
	}
}

// filter is nil for a field that sources do not know.
func (t *template) filter() *vec.Filter { return fieldFilter(t.field, t.Predicate) }

// fieldFilter holds where p does for e. It is nil if sources do not know e.
func fieldFilter(e traceql.FieldExpr, p vec.Predicate) *vec.Filter {
	switch e := e.(type) {
	case *traceql.Attribute:
		if isCounted(e) {
			return nil
		}
		return attributeFilter(e, p)
	case *traceql.Intrinsic:
		if name, ok := intrinsicKeys()[e.ID]; ok {
			return on(vec.ScopeIntrinsic, name, p)
		}
	}
	return nil
}

func attributeFilter(a *traceql.Attribute, p vec.Predicate) *vec.Filter {
	switch a.Scope {
	case traceql.ScopeNone:
		unset := on(vec.ScopeSpan, a.Name, vec.Predicate{
			Absent: true,
			Other:  func(v schema.Value) bool { return v.Kind == schema.KindEmpty },
		})
		return anyFilters([]*vec.Filter{
			on(vec.ScopeSpan, a.Name, p),
			allFilters([]*vec.Filter{resourceFilter(a.Name, p), unset}),
		})
	case traceql.ScopeSpan:
		return on(vec.ScopeSpan, a.Name, p)
	case traceql.ScopeResource:
		return resourceFilter(a.Name, p)
	case traceql.ScopeInstrumentation:
		return on(vec.ScopeInstrumentation, a.Name, p)
	case traceql.ScopeEvent:
		return on(vec.ScopeEvent, a.Name, p)
	case traceql.ScopeLink:
		return on(vec.ScopeLink, a.Name, p)
	case traceql.ScopeParent, traceql.ScopeParentSpan, traceql.ScopeParentResource:
	}
	return nil
}

// resourceFilter knows that service.name is never absent (lookupResource).
func resourceFilter(key string, p vec.Predicate) *vec.Filter {
	if key == serviceName && p.Text != nil && p.Text("") {
		other := p.Other
		p.Absent = true
		p.Other = func(v schema.Value) bool { return v.Kind == schema.KindEmpty || other != nil && other(v) }
	}
	return on(vec.ScopeResource, key, p)
}

func on(scope vec.Scope, key string, p vec.Predicate) *vec.Filter {
	if p.Text == nil && p.Int == nil && p.Float == nil && p.Bool == nil && p.Other == nil && !p.Absent {
		return &vec.Filter{Op: vec.OpFalse}
	}
	p.Field = vec.Field{Scope: scope, Key: key}
	return &vec.Filter{Op: vec.OpPredicate, Predicate: &p}
}

// intrinsicKeys are the intrinsics that sources know.
func intrinsicKeys() map[traceql.IntrinsicID]string {
	return map[traceql.IntrinsicID]string{
		traceql.IntrinsicName:                   vec.Name,
		traceql.IntrinsicKind:                   vec.Kind,
		traceql.IntrinsicStatus:                 vec.StatusCode,
		traceql.IntrinsicStatusMessage:          vec.StatusMessage,
		traceql.IntrinsicDuration:               vec.Duration,
		traceql.IntrinsicInstrumentationName:    vec.ScopeName,
		traceql.IntrinsicInstrumentationVersion: vec.ScopeVersion,
		traceql.IntrinsicEventName:              vec.EventName,
	}
}
