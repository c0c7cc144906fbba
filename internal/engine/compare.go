package engine

import (
	"fmt"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// mirrored is the operator that holds for b and a when op holds for a and b.
func mirrored(op traceql.Operator) traceql.Operator {
	switch op {
	case traceql.OpLess:
		return traceql.OpGreater
	case traceql.OpLessEqual:
		return traceql.OpGreaterEqual
	case traceql.OpGreater:
		return traceql.OpLess
	case traceql.OpGreaterEqual:
		return traceql.OpLessEqual
	default:
		return op
	}
}

// literalLast returns the parts of a comparison, turned around if a literal
// stands on its left.
func literalLast(e *traceql.Binary) (op traceql.Operator, left, right traceql.FieldExpr) {
	if _, ok := e.Left.(*traceql.Literal); ok && e.Op.IsComparison() {
		return mirrored(e.Op), e.Right, e.Left
	}
	return e.Op, e.Left, e.Right
}

// positive is the operator that op negates, or op itself.
func positive(op traceql.Operator) traceql.Operator {
	switch op {
	case traceql.OpNotEqual:
		return traceql.OpEqual
	case traceql.OpNotRegex:
		return traceql.OpRegex
	default:
		return op
	}
}

// comparisonWith compiles "op literal" for the values of field.
func comparisonWith(op traceql.Operator, field traceql.FieldExpr, literal traceql.Static) (comparison, error) {
	some, err := constantTest(op, field, literal)
	if err != nil || positive(op) == op {
		return comparison{some: some}, err
	}
	none, err := constantTest(positive(op), field, literal)
	return comparison{some: some, none: none}, err
}

// constantTest compiles "op literal" for one value of field.
func constantTest(op traceql.Operator, field traceql.FieldExpr, literal traceql.Static) (test, error) {
	if op.IsRegex() {
		p, err := matcher(literal.Str)
		if err != nil {
			return nil, fmt.Errorf("compile %s %s: %w", op, literal, err)
		}
		want := op == traceql.OpRegex
		return func(v traceql.Static) bool {
			return v.Type == traceql.TypeString && p.match(v.Str) == want
		}, nil
	}
	if digits := idDigits(field); digits > 0 && literal.Type == traceql.TypeString {
		literal.Str = normalID(literal.Str, digits)
	}
	if literal.Type == traceql.TypeString && (op == traceql.OpEqual || op == traceql.OpNotEqual) {
		text, want := literal.Str, op == traceql.OpEqual
		return func(v traceql.Static) bool {
			return v.Type == traceql.TypeString && (v.Str == text) == want
		}, nil
	}
	return func(v traceql.Static) bool {
		holds, ok := op.Compare(v, literal)
		return ok && holds
	}, nil
}

// idCondition compares the ids of the row itself without writing them out. It
// returns nil where that is not possible.
func idCondition(op traceql.Operator, field traceql.FieldExpr, literal traceql.Static) condition {
	intrinsic, ok := field.(*traceql.Intrinsic)
	if !ok || literal.Type != traceql.TypeString || op != traceql.OpEqual && op != traceql.OpNotEqual {
		return nil
	}
	want := op == traceql.OpEqual
	text := normalID(literal.Str, idDigits(field))
	switch intrinsic.ID {
	case traceql.IntrinsicTraceID:
		if id, err := schema.ParseTraceID(text); err == nil {
			return func(f *frame) bool { return (f.span.TraceID == id) == want }
		}
	case traceql.IntrinsicSpanID:
		if id, err := schema.ParseSpanID(text); err == nil {
			return func(f *frame) bool { return (f.span.SpanID == id) == want }
		}
	case traceql.IntrinsicParentID:
		id, err := schema.ParseSpanID(text)
		if text == "" || err == nil && !id.IsZero() {
			return func(f *frame) bool { return (f.span.ParentSpanID == id) == want }
		}
	default:
	}
	return nil
}

// compareOperands compares what two expressions gave. One list compares its
// elements; two lists do not compare.
func compareOperands(op traceql.Operator, a, b *operand) bool {
	list, value := a, b.value
	if b.state != stateScalar {
		if a.state != stateScalar {
			return false
		}
		list, value, op = b, a.value, mirrored(op)
	}
	against := func(op traceql.Operator) test {
		return func(v traceql.Static) bool {
			holds, ok := op.Compare(v, value)
			return ok && holds
		}
	}
	c := comparison{some: against(op)}
	if op == traceql.OpNotEqual {
		c.none = against(traceql.OpEqual)
	}
	return list.fulfils(c)
}
