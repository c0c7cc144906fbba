package traceql

// term is an operand between the stages of a query: of the first four fields
// exactly one is set.
type term struct {
	spanset SpansetExpr
	scalar  ScalarExpr
	metrics MetricsExpr
	stage   Stage // any other, which is no operand

	pos     int
	closed  bool // it stands in parentheses
	wrapped bool // spanset is made of pipelines in parentheses
}

// term reads an expression of operators that bind at least as tightly as prec.
func (p *parser) term(prec int) (term, error) {
	if err := p.descend(); err != nil {
		return term{}, err
	}
	defer p.ascend()
	left, err := p.operandTerm()
	if err != nil {
		return term{}, err
	}
	for bound := p.tok.prec(); bound != 0 && bound >= prec; bound = p.tok.prec() {
		if left.metrics != nil && p.tok.op.IsComparison() {
			break // a second stage, not an operand
		}
		if left, err = p.binaryTerm(left); err != nil {
			return term{}, err
		}
	}
	return left, nil
}

// operandTerm reads a filter, a parenthesis, a number, or a function.
func (p *parser) operandTerm() (t term, err error) {
	t.pos = p.tok.pos
	switch {
	case p.tok.isPunct("{"):
		t.spanset, err = p.filter()
	case p.tok.isPunct("("):
		return p.parenthesis()
	case p.tok.isOperator("-"):
		t.scalar, err = p.negative()
	case p.isNumber():
		value, _ := p.literal()
		t.scalar = &ScalarLiteral{Value: value, pos: p.tok.pos}
		err = p.advance()
	case p.tok.is(tokenWord, "by"):
		t.stage, err = p.groupBy()
	case p.tok.is(tokenWord, "select"):
		t.stage, err = p.selection()
	case p.tok.is(tokenWord, "coalesce"):
		t.stage, err = p.coalesce()
	case p.tok.kind == tokenWord && lookupAggregate(p.tok.text) != AggregateNone:
		t.scalar, err = p.aggregate()
	default:
		err = p.refuseTerm()
	}
	return t, err
}

// binaryTerm reads the rest of left op right, standing on the operator.
func (p *parser) binaryTerm(left term) (term, error) {
	operator := p.tok
	if err := p.refuseOperator(left); err != nil {
		return term{}, err
	}
	if err := p.advance(); err != nil {
		return term{}, err
	}
	if err := p.refuseRight(left); err != nil {
		return term{}, err
	}
	prec := operator.prec() + 1
	if operator.op == OpPower {
		prec--
	}
	right, err := p.term(prec)
	if err != nil {
		return term{}, err
	}
	joined := term{pos: left.pos}
	switch op, pos := operator.op, operator.pos; {
	case left.spanset != nil && right.spanset != nil:
		joined.wrapped = left.wrapped || right.wrapped
		joined.spanset, err = p.joinSpansets(operator.spanset, pos, left, right)
	case left.scalar != nil && right.scalar != nil && op.IsComparison():
		joined.stage, err = p.scalarFilter(op, pos, left.scalar, right.scalar)
	case left.scalar != nil && right.scalar != nil:
		joined.scalar, err = p.scalarBinary(op, pos, left.scalar, right.scalar)
	default:
		joined.metrics, err = p.joinMetrics(op, pos, left, right)
	}
	return joined, err
}

// joinSpansets joins filters with filters, and pipelines in parentheses with
// their like.
func (p *parser) joinSpansets(op SpansetOp, pos int, left, right term) (SpansetExpr, error) {
	if left.wrapped != right.wrapped {
		for _, side := range []*term{&left, &right} {
			if side.wrapped {
				continue
			}
			if !side.closed {
				return nil, p.failAt(side.pos, "a pipeline in parentheses is joined with another one in parentheses",
					"write ("+clip(side.spanset.String())+")")
			}
			side.spanset = &SpansetPipeline{Pipeline: Pipeline{side.spanset}, pos: side.pos}
		}
	}
	return &SpansetOperation{Op: op, Left: left.spanset, Right: right.spanset, pos: pos}, nil
}
