package traceql

import "iter"

// Fields returns every attribute and intrinsic that the query mentions, from
// left to right, as often as it does. Those of the hint order_by are not among
// them.
func (q *Query) Fields() iter.Seq[FieldExpr] {
	return func(yield func(FieldExpr) bool) {
		v := fieldVisitor{yield: yield}
		v.pipeline(q.Pipeline)
		v.metrics(q.Metrics)
	}
}

// Fields returns every attribute and intrinsic of an expression, from left to
// right, as often as it has them.
func Fields(e FieldExpr) iter.Seq[FieldExpr] {
	return func(yield func(FieldExpr) bool) {
		v := fieldVisitor{yield: yield}
		v.expr(e)
	}
}

// fieldVisitor hands out fields until it is told to stop.
type fieldVisitor struct {
	yield func(FieldExpr) bool
	done  bool
}

func (v *fieldVisitor) expr(e FieldExpr) {
	if v.done {
		return
	}
	switch e := e.(type) {
	case *Binary:
		v.expr(e.Left)
		v.expr(e.Right)
	case *Unary:
		v.expr(e.X)
	case *Attribute, *Intrinsic:
		v.done = !v.yield(e)
	}
}

func (v *fieldVisitor) list(fields []FieldExpr) {
	for _, f := range fields {
		v.expr(f)
	}
}

func (v *fieldVisitor) pipeline(p Pipeline) {
	for _, s := range p {
		v.stage(s)
	}
}

func (v *fieldVisitor) stage(s Stage) {
	switch s := s.(type) {
	case *SpansetFilter:
		v.expr(s.Expr)
	case *SpansetOperation:
		v.stage(s.Left)
		v.stage(s.Right)
	case *SpansetPipeline:
		v.pipeline(s.Pipeline)
	case *ScalarFilter:
		v.scalar(s.Left)
		v.scalar(s.Right)
	case *GroupBy:
		v.expr(s.Expr)
	case *Select:
		v.list(s.Fields)
	case *Coalesce:
	}
}

func (v *fieldVisitor) scalar(e ScalarExpr) {
	switch e := e.(type) {
	case *Aggregate:
		v.expr(e.Expr)
	case *ScalarBinary:
		v.scalar(e.Left)
		v.scalar(e.Right)
	case *ScalarPipeline:
		v.pipeline(e.Pipeline)
		v.scalar(e.Aggregate)
	case *ScalarLiteral:
	}
}

func (v *fieldVisitor) metrics(e MetricsExpr) {
	switch e := e.(type) {
	case *MetricsQuery:
		v.pipeline(e.Pipeline)
		if c := e.Function.Compare; c != nil {
			v.stage(c.Selection)
		}
		v.expr(e.Function.Field)
		v.list(e.Function.By)
	case *MetricsBinary:
		v.metrics(e.Left)
		v.metrics(e.Right)
	case *MetricsLiteral:
	}
}
