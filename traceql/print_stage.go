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

// writeSpanset prints e as an operand of an operator that binds as tightly as
// prec.
func writeSpanset(b *strings.Builder, e SpansetExpr, prec int) {
	if op, ok := e.(*SpansetOperation); ok {
		writeInfix(b, op.Op, op.Left, op.Right, prec, writeSpanset)
		return
	}
	b.WriteString(e.String())
}

// writeScalar prints e as an operand of an operator that binds as tightly as
// prec.
func writeScalar(b *strings.Builder, e ScalarExpr, prec int) {
	if op, ok := e.(*ScalarBinary); ok {
		writeInfix(b, op.Op, op.Left, op.Right, prec, writeScalar)
		return
	}
	b.WriteString(e.String())
}

// infix is an operator between operands.
type infix interface {
	String() string
	prec() int
	operandPrec() (left, right int)
}

// writeInfix prints left op right, in parentheses if op binds looser than prec.
func writeInfix[E any](b *strings.Builder, op infix, left, right E, prec int, write func(*strings.Builder, E, int)) {
	if op.prec() < prec {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	leftPrec, rightPrec := op.operandPrec()
	write(b, left, leftPrec)
	b.WriteString(" " + op.String() + " ")
	write(b, right, rightPrec)
}

func joinFields(fields []FieldExpr) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = f.String()
	}
	return strings.Join(parts, ", ")
}
