package sim_test

import (
	"github.com/spanlake/spanlake/traceql"
)

// simpler yields queries with a part less than q, as texts.
func simpler(q *traceql.Query) (texts []string) {
	for _, p := range simplerPipelines(q.Pipeline) {
		texts = append(texts, (&traceql.Query{Pipeline: p}).String(), (&traceql.Query{Pipeline: p, Hints: q.Hints}).String())
	}
	if q.Metrics != nil {
		for _, m := range simplerMetrics(q.Metrics) {
			texts = append(texts, m.String())
		}
	}
	return texts
}

func simplerPipelines(p traceql.Pipeline) (list []traceql.Pipeline) {
	for i, stage := range p {
		if len(p) > 1 {
			list = append(list, append(append(traceql.Pipeline{}, p[:i]...), p[i+1:]...))
		}
		for _, s := range simplerStages(stage) {
			other := append(traceql.Pipeline{}, p...)
			other[i] = s
			list = append(list, other)
		}
		if inner, ok := stage.(*traceql.SpansetPipeline); ok {
			list = append(list, inner.Pipeline)
		}
	}
	return list
}

func simplerStages(s traceql.Stage) (list []traceql.Stage) {
	switch s := s.(type) {
	case *traceql.SpansetFilter:
		for _, e := range simplerExpressions(s.Expr) {
			list = append(list, &traceql.SpansetFilter{Expr: e})
		}
		if s.Expr.String() != "true" {
			list = append(list, &traceql.SpansetFilter{Expr: &traceql.Literal{Value: traceql.NewBool(true)}})
		}
	case *traceql.SpansetOperation:
		list = append(list, s.Left, s.Right)
		for _, l := range simplerStages(s.Left) {
			if e, ok := l.(traceql.SpansetExpr); ok {
				list = append(list, &traceql.SpansetOperation{Op: s.Op, Left: e, Right: s.Right})
			}
		}
		for _, r := range simplerStages(s.Right) {
			if e, ok := r.(traceql.SpansetExpr); ok {
				list = append(list, &traceql.SpansetOperation{Op: s.Op, Left: s.Left, Right: e})
			}
		}
	case *traceql.SpansetPipeline:
		for _, p := range simplerPipelines(s.Pipeline) {
			list = append(list, &traceql.SpansetPipeline{Pipeline: p})
		}
	case *traceql.ScalarFilter:
		if a, ok := s.Left.(*traceql.Aggregate); ok && a.Expr != nil {
			for _, e := range simplerExpressions(a.Expr) {
				list = append(list, &traceql.ScalarFilter{Op: s.Op, Left: &traceql.Aggregate{Op: a.Op, Expr: e}, Right: s.Right})
			}
		}
	case *traceql.GroupBy:
		for _, e := range simplerExpressions(s.Expr) {
			list = append(list, &traceql.GroupBy{Expr: e})
		}
	case *traceql.Select:
		for i := range s.Fields {
			if len(s.Fields) > 1 {
				list = append(list, &traceql.Select{Fields: append(append([]traceql.FieldExpr{}, s.Fields[:i]...), s.Fields[i+1:]...)})
			}
		}
	}
	return list
}

func simplerExpressions(e traceql.FieldExpr) (list []traceql.FieldExpr) {
	switch e := e.(type) {
	case *traceql.Binary:
		list = append(list, e.Left, e.Right)
		for _, l := range simplerExpressions(e.Left) {
			list = append(list, &traceql.Binary{Op: e.Op, Left: l, Right: e.Right})
		}
		for _, r := range simplerExpressions(e.Right) {
			list = append(list, &traceql.Binary{Op: e.Op, Left: e.Left, Right: r})
		}
	case *traceql.Unary:
		list = append(list, e.X)
		for _, x := range simplerExpressions(e.X) {
			list = append(list, &traceql.Unary{Op: e.Op, X: x})
		}
	}
	return list
}

func simplerMetrics(m traceql.MetricsExpr) (list []traceql.MetricsExpr) {
	switch m := m.(type) {
	case *traceql.MetricsQuery:
		for _, p := range simplerPipelines(m.Pipeline) {
			list = append(list, &traceql.MetricsQuery{Pipeline: p, Function: m.Function, Stages: m.Stages})
		}
		for i := range m.Stages {
			stages := append(append([]traceql.SecondStage{}, m.Stages[:i]...), m.Stages[i+1:]...)
			list = append(list, &traceql.MetricsQuery{Pipeline: m.Pipeline, Function: m.Function, Stages: stages})
		}
		for i := range m.Function.By {
			f := *m.Function
			f.By = append(append([]traceql.FieldExpr{}, f.By[:i]...), f.By[i+1:]...)
			list = append(list, &traceql.MetricsQuery{Pipeline: m.Pipeline, Function: &f, Stages: m.Stages})
		}
	case *traceql.MetricsBinary:
		list = append(list, m.Left, m.Right)
		for _, l := range simplerMetrics(m.Left) {
			list = append(list, &traceql.MetricsBinary{Op: m.Op, Left: l, Right: m.Right, Stages: m.Stages})
		}
		for _, r := range simplerMetrics(m.Right) {
			list = append(list, &traceql.MetricsBinary{Op: m.Op, Left: m.Left, Right: r, Stages: m.Stages})
		}
	}
	return list
}
