package engine

import (
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/traceql"
)

// A filter is what sources can decide of a query. It mirrors the conditions of
// compile.go, link by link, in the modes may and must: where a predicate on one
// field cannot say what the query does, it is true for too many rows in the one
// and for too few in the other. The conditions stay the judge.

// bound is the filter for what is not known in a row.
func bound(m mode) *vec.Filter {
	if m == modeMust {
		return &vec.Filter{Op: vec.OpFalse}
	}
	return &vec.Filter{Op: vec.OpTrue}
}

// filter compiles e for sources. REQUIRES: m is not modeExact.
func (c *compiler) filter(e traceql.FieldExpr, m mode) (*vec.Filter, error) {
	if c.partsOf(e) == 0 {
		return c.constant(e)
	}
	switch e := e.(type) {
	case *traceql.Unary:
		if e.Op == traceql.OpNot {
			inner, err := c.filter(e.X, m.negated())
			return not(inner), err
		}
	case *traceql.Binary:
		if e.Op.IsLogic() {
			return c.logicFilter(e, m)
		}
	}
	if c.partsOf(e).has(partTrace) {
		if of := ofClass(e); of != nil && m == modeMay {
			return c.filter(of, m)
		}
		return bound(m), nil
	}
	if b, ok := e.(*traceql.Binary); ok && !b.Op.IsArithmetic() {
		return c.comparisonFilter(b, m)
	}
	return c.bareFilter(e, traceql.Static.IsTrue, m), nil
}

// constant decides what depends on no row.
func (c *compiler) constant(e traceql.FieldExpr) (*vec.Filter, error) {
	holds, err := c.condition(e, modeExact)
	if err == nil && holds(newFrame()) {
		return &vec.Filter{Op: vec.OpTrue}, nil
	}
	return &vec.Filter{Op: vec.OpFalse}, err
}

// bareFilter is the filter of a field or arithmetic that stands for itself.
func (c *compiler) bareFilter(e traceql.FieldExpr, is test, m mode) *vec.Filter {
	if f := fieldFilter(e, boolPredicate(is)); f != nil {
		return f
	}
	return c.fallback(m, e)
}

// fallback stands for a comparison that no filter can say. It holds only if
// its operands have values at all, which a source can tell.
func (c *compiler) fallback(m mode, operands ...traceql.FieldExpr) *vec.Filter {
	c.loose = true
	if m == modeMust {
		return bound(m)
	}
	needed := make([]*vec.Filter, len(operands))
	for i, e := range operands {
		needed[i] = hasValue(e)
	}
	return allFilters(needed)
}

// hasValue holds for all rows for which e gives something to compare.
func hasValue(e traceql.FieldExpr) *vec.Filter {
	switch e := e.(type) {
	case *traceql.Binary:
		if e.Op.IsArithmetic() {
			return allFilters([]*vec.Filter{hasValue(e.Left), hasValue(e.Right)})
		}
	case *traceql.Unary:
		if e.Op == traceql.OpSub {
			return hasValue(e.X)
		}
	default:
		if f := presentFilter(e); f != nil {
			return f
		}
	}
	return bound(modeMay)
}

// presentFilter holds for the rows that have the field. It is nil if sources
// do not know the field.
func presentFilter(e traceql.FieldExpr) *vec.Filter {
	if i, ok := e.(*traceql.Intrinsic); ok {
		switch partsOfIntrinsic(i.ID) {
		case partEvent: // what every event has
			e = &traceql.Intrinsic{ID: traceql.IntrinsicEventName}
		case partLink:
		default:
			return bound(modeMay)
		}
	}
	return fieldFilter(e, presentPredicate())
}

func (c *compiler) comparisonFilter(e *traceql.Binary, m mode) (*vec.Filter, error) {
	op, left, right := literalLast(e)
	literal, ok := right.(*traceql.Literal)
	if !ok {
		return c.fallback(m, left, right), nil
	}
	if literal.Value.Type == traceql.TypeNil {
		return c.presenceFilter(op, left, m), nil
	}
	t, err := templateOf(op, left, literal.Value)
	if err != nil {
		return nil, err
	}
	if f := t.filter(); f != nil {
		return f, nil
	}
	return c.fallback(m, left), nil
}

// presenceFilter is the filter of a comparison with nil.
func (c *compiler) presenceFilter(op traceql.Operator, e traceql.FieldExpr, m mode) *vec.Filter {
	present := presentFilter(e)
	switch {
	case present == nil && op == traceql.OpNotEqual:
		return c.fallback(m, e)
	case present == nil:
		return c.fallback(m)
	case op == traceql.OpNotEqual:
		return present
	}
	return not(present)
}

// logicFilter compiles a chain of && or ||.
func (c *compiler) logicFilter(e *traceql.Binary, m mode) (*vec.Filter, error) {
	links := chain(e)
	if e.Op == traceql.OpOr && !slices.ContainsFunc(links, isBare) {
		return c.anyFilter(links, m)
	}
	holds, isBool := make([]*vec.Filter, len(links)), make([]*vec.Filter, len(links))
	for i, link := range links {
		var err error
		if holds[i], err = c.filter(link, m); err != nil {
			return nil, err
		}
		isBool[i] = bound(modeMay)
		if e.Op == traceql.OpOr && isBare(link) {
			if isBool[i] = holds[i]; !c.partsOf(link).has(partTrace) { // else a bool if it is there
				isBool[i] = c.bareFilter(link, isBoolean, m)
			}
		}
	}
	if e.Op == traceql.OpAnd {
		return allFilter(links, holds)
	}
	// As someOfBare does it.
	sum, bools := holds[0], isBool[0]
	for i := 1; i < len(links); i++ {
		sum = allFilters([]*vec.Filter{bools, isBool[i], anyFilters([]*vec.Filter{sum, holds[i]})})
		bools = bound(modeMay)
	}
	return sum, nil
}

func isBare(e traceql.FieldExpr) bool { return e.Type() == traceql.TypeUnknown }

// anyFilter compiles a || b || c without bare links. Comparisons of one field
// become one predicate, so that its column is read once: a = 1 || a = 2 is a
// test of a.
func (c *compiler) anyFilter(links []traceql.FieldExpr, m mode) (*vec.Filter, error) {
	var filters []*vec.Filter
	var groups [][]template
	groupOf := make(map[string]int) // of the field as text
	for _, link := range links {
		t, ok, err := asTemplate(link)
		if err != nil {
			return nil, err
		}
		if !ok {
			f, err := c.filter(link, m)
			if err != nil {
				return nil, err
			}
			filters = append(filters, f)
			continue
		}
		field := t.field.String()
		i, ok := groupOf[field]
		if !ok {
			i = len(groups)
			groupOf[field], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], t)
	}
	for _, group := range groups {
		t := unite(group)
		filters = append(filters, t.filter())
	}
	return anyFilters(filters), nil
}

// asTemplate reads a comparison of a field that sources know with a constant.
func asTemplate(e traceql.FieldExpr) (template, bool, error) {
	b, ok := e.(*traceql.Binary)
	if !ok || b.Op.IsArithmetic() || b.Op.IsLogic() {
		return template{}, false, nil
	}
	op, left, right := literalLast(b)
	literal, ok := right.(*traceql.Literal)
	if !ok || literal.Value.Type == traceql.TypeNil {
		return template{}, false, nil
	}
	t, err := templateOf(op, left, literal.Value)
	return t, err == nil && t.filter() != nil, err
}

// not is the filter for the other rows.
func not(f *vec.Filter) *vec.Filter {
	switch {
	case f == nil:
		return nil
	case f.Op == vec.OpTrue:
		return &vec.Filter{Op: vec.OpFalse}
	case f.Op == vec.OpFalse:
		return &vec.Filter{Op: vec.OpTrue}
	case f.Op == vec.OpNot:
		return f.Args[0]
	}
	return &vec.Filter{Op: vec.OpNot, Args: []*vec.Filter{f}}
}

// allFilters holds where all do.
func allFilters(list []*vec.Filter) *vec.Filter {
	return combine(vec.OpAnd, vec.OpTrue, vec.OpFalse, list)
}

// anyFilters holds where one does.
func anyFilters(list []*vec.Filter) *vec.Filter {
	return combine(vec.OpOr, vec.OpFalse, vec.OpTrue, list)
}

// combine leaves out what is neutral, and gives up the rest for what decides.
func combine(op, neutral, decides vec.Op, list []*vec.Filter) *vec.Filter {
	var args []*vec.Filter
	for _, f := range list {
		switch f.Op {
		case neutral:
		case decides:
			return f
		case op:
			args = append(args, f.Args...)
		default:
			args = append(args, f)
		}
	}
	switch len(args) {
	case 0:
		return &vec.Filter{Op: neutral}
	case 1:
		return args[0]
	}
	return &vec.Filter{Op: op, Args: args}
}
