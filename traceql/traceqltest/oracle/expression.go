package oracle

import "github.com/spanlake/spanlake/traceql"

// holds reports whether a filter is true for the scene's span.
func (s scene) holds(e traceql.FieldExpr) bool {
	switch e := e.(type) {
	case *traceql.Unary:
		if e.Op == traceql.OpNot {
			return !s.holds(e.X)
		}
	case *traceql.Binary:
		switch {
		case e.Op.IsLogic():
			if !s.isBool(e.Left) || !s.isBool(e.Right) {
				return false
			}
			if e.Op == traceql.OpAnd {
				return s.holds(e.Left) && s.holds(e.Right)
			}
			return s.holds(e.Left) || s.holds(e.Right)
		case !e.Op.IsArithmetic():
			return s.compares(e)
		}
	}
	return s.some(e, value.isTrue)
}

// isBool reports whether an expression gives a boolean: && and || are false
// with anything else.
func (s scene) isBool(e traceql.FieldExpr) bool {
	switch e := e.(type) {
	case *traceql.Unary:
		if e.Op == traceql.OpNot {
			return true
		}
	case *traceql.Binary:
		if !e.Op.IsArithmetic() {
			return true
		}
	}
	return s.some(e, value.isBool)
}

// some tries an expression that is no comparison on all events and links.
func (s scene) some(e traceql.FieldExpr, is func(value) bool) (found bool) {
	s.each(func(s scene) { found = found || is(s.value(e)) }, e)
	return found
}

// compares decides a comparison: it holds if it does with one event or link,
// the same one on both sides.
func (s scene) compares(e *traceql.Binary) (holds bool) {
	if literal, ok := e.Right.(*traceql.Literal); ok && literal.Value.Type == traceql.TypeNil {
		there := s.some(e.Left, func(v value) bool { return v.there })
		return there == (e.Op == traceql.OpNotEqual)
	}
	s.each(func(s scene) {
		left, right := s.value(e.Left), s.value(e.Right)
		if !e.Op.IsRegex() {
			left, right = inForm(e.Right, e.Left, left), inForm(e.Left, e.Right, right)
		}
		holds = holds || compare(e.Op, left, right)
	}, e.Left, e.Right)
	return holds
}

// inForm is the value of e, in the form of ids if it is a literal that is
// compared with one.
func inForm(other, e traceql.FieldExpr, v value) value {
	literal, ok := e.(*traceql.Literal)
	if !ok || literal.Value.Type != traceql.TypeString {
		return v
	}
	return one(traceql.NewString(asID(other, literal.Value.Str)))
}

// last is what an expression gives outside of comparisons: of several events or
// links the last one that has a value.
func (s scene) last(e traceql.FieldExpr) (found value) {
	s.each(func(s scene) {
		if v := s.value(e); v.there {
			found = v
		}
	}, e)
	return found
}

// value is what an expression gives, with the scene's event and link.
func (s scene) value(e traceql.FieldExpr) value {
	switch e := e.(type) {
	case *traceql.Literal:
		return one(e.Value)
	case *traceql.Attribute:
		if v, ok := s.attribute(e); ok {
			return stored(v)
		}
		return value{}
	case *traceql.Intrinsic:
		return one(s.intrinsic(e.ID))
	case *traceql.Unary:
		if e.Op == traceql.OpSub {
			return negate(s.value(e.X))
		}
	case *traceql.Binary:
		if e.Op.IsArithmetic() {
			return calculate(e.Op, s.value(e.Left), s.value(e.Right))
		}
	}
	return one(traceql.NewBool(s.holds(e)))
}
