package traceql

// fold computes an operation on constants, and brings a test for nil into the
// form with nil on the right. What has no value (5 / 0) or no spelling
// (infinity) stays as it is, and so does what the checks will refuse.
func fold(e FieldExpr) FieldExpr {
	switch e := e.(type) {
	case *Binary:
		if isNil(e.Left) {
			e.Left, e.Right = e.Right, e.Left
		}
		return foldBinary(e)
	case *Unary:
		return foldUnary(e)
	default:
		return e
	}
}

func foldBinary(e *Binary) FieldExpr {
	left, ok := e.Left.(*Literal)
	if !ok {
		return e
	}
	right, ok := e.Right.(*Literal)
	if !ok {
		return e
	}
	if right.isNil() {
		// A constant is never absent, and nil equals nothing, not even nil.
		return &Literal{Value: NewBool(e.Op == OpNotEqual && !left.isNil()), pos: left.pos}
	}
	v, ok := e.Op.Apply(left.Value, right.Value)
	if !ok || !v.spellable() {
		return e
	}
	return &Literal{Value: v, pos: left.pos}
}

func foldUnary(e *Unary) FieldExpr {
	x, ok := e.X.(*Literal)
	if !ok {
		return e
	}
	if e.Op == OpNot && x.Value.Type == TypeBool {
		return &Literal{Value: NewBool(!x.Value.IsTrue()), pos: e.pos}
	}
	if v, ok := Negate(x.Value); ok && e.Op == OpSub && v.spellable() {
		return &Literal{Value: v, pos: e.pos}
	}
	return e
}
