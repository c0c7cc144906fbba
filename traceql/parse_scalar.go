package traceql

import "math"

// isNumber reports whether the current token is a constant number.
func (p *parser) isNumber() bool {
	value, ok := p.literal()
	return ok && value.Type.IsNumeric()
}

// aggregate = "count" "(" ")" | NAME "(" expr ")".
func (p *parser) aggregate() (ScalarExpr, error) {
	a := &Aggregate{Op: lookupAggregate(p.tok.text), pos: p.tok.pos}
	if a.Op == AggregateCount {
		return a, p.emptyCall("count")
	}
	var err error
	a.Expr, err = p.argument(a.Op.String())
	return a, err
}

// negative = "-" scalar. How tightly it binds makes no difference to numbers,
// but it lets -1 be multiplied with series.
func (p *parser) negative() (ScalarExpr, error) {
	if err := p.descend(); err != nil {
		return nil, err
	}
	defer p.ascend()
	pos := p.tok.pos
	if err := p.advance(); err != nil {
		return nil, err
	}
	t, err := p.operandTerm()
	if err != nil {
		return nil, err
	}
	literal, ok := t.scalar.(*ScalarLiteral)
	if !ok {
		return nil, p.failAt(t.pos, "- stands only before a number or duration", "")
	}
	value, _ := Negate(literal.Value)
	return &ScalarLiteral{Value: value, pos: pos}, nil
}

// scalarFilter makes a comparison of aggregates and numbers.
func (p *parser) scalarFilter(op Operator, pos int, left, right ScalarExpr) (Stage, error) {
	if isConstant(left) && isConstant(right) {
		return nil, p.failAt(pos, left.String()+" "+op.String()+" "+right.String()+" compares two constants",
			"compare an aggregate: { ... } | count() > 1")
	}
	return &ScalarFilter{Op: op, Left: left, Right: right, pos: pos}, nil
}

// scalarBinary calculates with constants, and makes what the checks refuse of
// others.
func (p *parser) scalarBinary(op Operator, pos int, left, right ScalarExpr) (ScalarExpr, error) {
	a, isLeft := left.(*ScalarLiteral)
	b, isRight := right.(*ScalarLiteral)
	if !isLeft || !isRight {
		return &ScalarBinary{Op: op, Left: left, Right: right, pos: pos}, nil
	}
	if op == OpMod || op == OpPower {
		return nil, p.failAt(pos, "numbers outside of braces are combined with + - * / only", "")
	}
	value, ok := scalarArithmetic(op, a.Value, b.Value)
	if !ok {
		text := clip(left.String() + " " + op.String() + " " + right.String())
		return nil, errorAt(p.lex.src, pos, ErrType, text+" has no value", "")
	}
	return &ScalarLiteral{Value: value, pos: a.pos}, nil
}

func isConstant(e ScalarExpr) bool {
	_, ok := e.(*ScalarLiteral)
	return ok
}

// scalarArithmetic computes a op b for + - * /. Unlike in a filter, what is a
// duration stays one: numbers to compare with have their meaning from their
// type. It reports false for what no literal can spell.
func scalarArithmetic(op Operator, a, b Static) (Static, bool) {
	v, ok := op.Apply(a, b)
	if !ok || !isDuration(op, a, b) {
		return v, ok && v.spellable()
	}
	if math.Abs(v.Number()) >= math.MaxInt64 {
		return Static{}, false
	}
	nanos := int64(math.Round(v.Number()))
	if a.Type != TypeFloat && b.Type != TypeFloat {
		exact, _ := intArithmetic(op, a.Int, b.Int)
		nanos = exact.Int
	}
	return Static{Type: TypeDuration, Int: nanos}, true
}

// isDuration reports whether the result of a op b is a duration: a sum with
// one, a multiple or a fraction of one.
func isDuration(op Operator, a, b Static) bool {
	left, right := a.Type == TypeDuration, b.Type == TypeDuration
	switch op {
	case OpAdd, OpSub:
		return left || right
	case OpMul:
		return left != right
	default:
		return left && !right
	}
}
