package traceql

// wholeExpr reads an expression that stands between braces or parentheses.
func (p *parser) wholeExpr() (FieldExpr, error) {
	e, err := p.expr(precLogic)
	if err != nil {
		return nil, err
	}
	return e, p.refuseNil(e)
}

// expr reads an expression of operators that bind at least as tightly as prec.
func (p *parser) expr(prec int) (FieldExpr, error) {
	if err := p.descend(); err != nil {
		return nil, err
	}
	defer p.ascend()
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	for p.tok.op != OpNone && p.tok.op.prec() >= prec {
		if left, err = p.binary(p.tok.op, left); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// binary reads the rest of left op right, standing on the operator.
func (p *parser) binary(op Operator, left FieldExpr) (FieldExpr, error) {
	pos := p.tok.pos
	if err := p.advance(); err != nil {
		return nil, err
	}
	prec := op.prec() + 1
	if op == OpPower { // the only one that associates to the right
		prec = op.prec()
	}
	right, err := p.expr(prec)
	if err != nil {
		return nil, err
	}
	if op != OpEqual && op != OpNotEqual {
		for _, side := range []FieldExpr{left, right} {
			if err := p.refuseNil(side); err != nil {
				return nil, err
			}
		}
	}
	return fold(&Binary{Op: op, Left: left, Right: right, pos: pos}), nil
}

// operand reads a value, a field, a parenthesis or a prefix operator with what
// it applies to.
func (p *parser) operand() (FieldExpr, error) {
	pos := p.tok.pos
	switch {
	case p.tok.isOperator("!"):
		return p.unary(OpNot)
	case p.tok.isOperator("-"):
		return p.unary(OpSub)
	case p.tok.isPunct("("):
		return p.exprParenthesis()
	}
	if value, ok := p.literal(); ok {
		return &Literal{Value: value, pos: pos}, p.advance()
	}
	if field := p.fieldToken(); field != nil {
		return field, p.advance()
	}
	if p.tok.kind == tokenWord {
		return nil, p.failHint("a value or a field", adviceForWord(p.tok.text, p.lex.src[pos:]))
	}
	return nil, p.fail("a value or a field")
}

func (p *parser) unary(op Operator) (FieldExpr, error) {
	pos := p.tok.pos
	if err := p.advance(); err != nil {
		return nil, err
	}
	x, err := p.expr(op.prec() + 1)
	if err != nil {
		return nil, err
	}
	if err := p.refuseNil(x); err != nil {
		return nil, err
	}
	return fold(&Unary{Op: op, X: x, pos: pos}), nil
}

func (p *parser) exprParenthesis() (FieldExpr, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	e, err := p.wholeExpr()
	if err != nil {
		return nil, err
	}
	if !p.tok.isPunct(")") {
		return nil, p.fail("an operator or ')'")
	}
	return e, p.advance()
}

// refuseNil fails if e is the word nil, which stands only beside = and !=.
func (p *parser) refuseNil(e FieldExpr) error {
	if !isNil(e) {
		return nil
	}
	return errorAt(p.lex.src, e.Pos(), ErrSyntax, "nil can only be compared with = and !=",
		"write .a = nil for absent, .a != nil for present")
}
