package traceql

import "fmt"

// pipeline checks the stages of a pipeline that is nested in depth others.
func (c *checker) pipeline(p Pipeline, depth int) error {
	for _, s := range p {
		if err := c.stage(s, depth); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) stage(s Stage, depth int) error {
	switch s := s.(type) {
	case SpansetExpr:
		return c.spanset(s, depth)
	case *ScalarFilter:
		return c.scalarFilter(s, depth)
	case *GroupBy:
		return c.ofSpan(s.Expr, "by(...)")
	case *Select:
		return c.fields(s.Fields)
	case *Coalesce:
	}
	return nil
}

func (c *checker) spanset(e SpansetExpr, depth int) error {
	if depth > maxNesting {
		return c.tooDeep(e.Pos())
	}
	switch e := e.(type) {
	case *SpansetFilter:
		return c.filter(e)
	case *SpansetOperation:
		if err := c.spanset(e.Left, depth+1); err != nil {
			return err
		}
		return c.spanset(e.Right, depth+1)
	case *SpansetPipeline:
		return c.pipeline(e.Pipeline, depth+1)
	}
	return nil
}

func (c *checker) fields(fields []FieldExpr) error {
	for _, f := range fields {
		if err := c.expr(f, 0); err != nil {
			return err
		}
	}
	return nil
}

// ofSpan checks an expression that has to depend on the span.
func (c *checker) ofSpan(e FieldExpr, function string) error {
	if err := c.expr(e, 0); err != nil {
		return err
	}
	if !hasField(e) {
		return c.fail(e, fmt.Sprintf("%s is the same for every span, %s needs a field", brief(e), function), "")
	}
	return nil
}

// hasField reports whether an expression depends on the span.
func hasField(e FieldExpr) bool {
	for range Fields(e) {
		return true
	}
	return false
}

// scalarFilter refuses comparisons other than that of one aggregate with a
// constant on its right.
func (c *checker) scalarFilter(s *ScalarFilter, depth int) error {
	for _, side := range []ScalarExpr{s.Left, s.Right} {
		if err := c.scalar(side, depth+1); err != nil {
			return err
		}
	}
	if isConstant(s.Left) {
		return c.fail(s, "the number stands on the right of a comparison",
			fmt.Sprintf("write %s %s %s", clip(s.Right.String()), mirrored(s.Op), s.Left))
	}
	if _, ok := s.Left.(*Aggregate); !ok || !isConstant(s.Right) {
		return c.fail(s, "only one aggregate can be compared, with a number or duration", "as in count() > 1")
	}
	return nil
}

func (c *checker) scalar(e ScalarExpr, depth int) error {
	if depth > maxNesting {
		return c.tooDeep(e.Pos())
	}
	switch e := e.(type) {
	case *Aggregate:
		return c.aggregate(e)
	case *ScalarBinary:
		if err := c.scalar(e.Left, depth+1); err != nil {
			return err
		}
		if err := c.scalar(e.Right, depth+1); err != nil {
			return err
		}
		return c.fail(e, "it is not supported to calculate with aggregates", "compare one with a number or duration: count() > 1")
	case *ScalarPipeline:
		if err := c.pipeline(e.Pipeline, depth+1); err != nil {
			return err
		}
		if err := c.aggregate(e.Aggregate); err != nil {
			return err
		}
		return c.fail(e, "it is not supported to compare the aggregate of a pipeline in parentheses",
			fmt.Sprintf("write it without them: %s | %s > 1", clip(e.Pipeline.String()), clip(e.Aggregate.String())))
	case *ScalarLiteral:
	}
	return nil
}

func (c *checker) aggregate(a *Aggregate) error {
	if a.Op == AggregateCount {
		return nil
	}
	if err := c.ofSpan(a.Expr, a.Op.String()+"(...)"); err != nil {
		return err
	}
	if t := a.Expr.Type(); t != TypeUnknown && !t.IsNumeric() {
		return c.fail(a.Expr, fmt.Sprintf("%s(...) works on numbers, %s is %s", a.Op, brief(a.Expr), article(t)), "")
	}
	return nil
}

// mirrored is the operator that compares the other way round.
func mirrored(op Operator) Operator {
	switch op {
	case OpLess:
		return OpGreater
	case OpLessEqual:
		return OpGreaterEqual
	case OpGreater:
		return OpLess
	case OpGreaterEqual:
		return OpLessEqual
	default:
		return op
	}
}
