package traceql

import "strings"

// String is the filter in braces.
func (s *SpansetFilter) String() string { return "{ " + s.Expr.String() + " }" }

// String is the pipeline in parentheses.
func (s *SpansetPipeline) String() string { return "(" + s.Pipeline.String() + ")" }

// String is the operation with the necessary parentheses.
func (s *SpansetOperation) String() string {
	var b strings.Builder
	writeSpanset(&b, s, 0)
	return b.String()
}

// String is by with its expression.
func (s *GroupBy) String() string { return "by(" + s.Expr.String() + ")" }

// String is select with its fields.
func (s *Select) String() string { return "select(" + joinFields(s.Fields) + ")" }

// String is coalesce().
func (s *Coalesce) String() string { return "coalesce()" }

// String is the comparison.
func (s *ScalarFilter) String() string {
	return s.Left.String() + " " + s.Op.String() + " " + s.Right.String()
}

// String is the function with its argument.
func (e *Aggregate) String() string {
	if e.Expr == nil {
		return e.Op.String() + "()"
	}
	return e.Op.String() + "(" + e.Expr.String() + ")"
}

// String is the literal as a query spells it.
func (e *ScalarLiteral) String() string { return e.Value.String() }

// String is the expression with the necessary parentheses.
func (e *ScalarBinary) String() string {
	var b strings.Builder
	writeScalar(&b, e, 0)
	return b.String()
}

// String is the pipeline in parentheses.
func (e *ScalarPipeline) String() string {
	return "(" + e.Pipeline.String() + " | " + e.Aggregate.String() + ")"
}

func writeSpanset(b *strings.Builder, e SpansetExpr, prec int) {
	op, ok := e.(*SpansetOperation)
	if !ok {
		b.WriteString(e.String())
		return
	}
	if op.Op.prec() < prec {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	writeSpanset(b, op.Left, op.Op.prec())
	b.WriteString(" " + op.Op.String() + " ")
	writeSpanset(b, op.Right, op.Op.prec()+1)
}

func writeScalar(b *strings.Builder, e ScalarExpr, prec int) {
	op, ok := e.(*ScalarBinary)
	if !ok {
		b.WriteString(e.String())
		return
	}
	if op.Op.prec() < prec {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	left, right := op.Op.operandPrec()
	writeScalar(b, op.Left, left)
	b.WriteString(" " + op.Op.String() + " ")
	writeScalar(b, op.Right, right)
}

func joinFields(fields []FieldExpr) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = f.String()
	}
	return strings.Join(parts, ", ")
}
