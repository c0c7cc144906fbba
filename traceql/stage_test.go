package traceql_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/traceql"
)

// spansetTree spells a stage with all parentheses, pipelines in < >.
func spansetTree(s traceql.Stage) string {
	switch s := s.(type) {
	case *traceql.SpansetOperation:
		return fmt.Sprintf("(%s %s %s)", spansetTree(s.Left), s.Op, spansetTree(s.Right))
	case *traceql.SpansetPipeline:
		return "<" + pipelineTree(s.Pipeline) + ">"
	default:
		return s.String()
	}
}

func pipelineTree(p traceql.Pipeline) string {
	var stages []string
	for _, s := range p {
		stages = append(stages, spansetTree(s))
	}
	return strings.Join(stages, " | ")
}

func metricsTree(e traceql.MetricsExpr) string {
	stages := func(list []traceql.SecondStage) string {
		var text strings.Builder
		for _, s := range list {
			text.WriteString(" " + s.String())
		}
		return text.String()
	}
	switch e := e.(type) {
	case *traceql.MetricsQuery:
		return "<" + pipelineTree(e.Pipeline) + " | " + e.Function.String() + stages(e.Stages) + ">"
	case *traceql.MetricsBinary:
		return fmt.Sprintf("(%s %s %s)%s", metricsTree(e.Left), e.Op, metricsTree(e.Right), stages(e.Stages))
	default:
		return e.String()
	}
}

func TestStagePrecedence(t *testing.T) {
	_, cases := readCorpus(t, "precedence_stages.txt")
	require.NotEmpty(t, cases)
	for _, c := range cases {
		q, err := traceql.Parse(c.query)
		require.NoError(t, err, c.query)
		if q.Metrics != nil {
			require.Nil(t, q.Pipeline)
			require.Equal(t, c.answer, metricsTree(q.Metrics), c.query)
		} else {
			require.Equal(t, c.answer, pipelineTree(q.Pipeline), c.query)
		}
		requireIdentity(t, q)
	}
}

func TestSpansetOps(t *testing.T) {
	relations := map[string]traceql.SpansetOp{
		">": traceql.SpansetChild, "<": traceql.SpansetParent, ">>": traceql.SpansetDescendant,
		"<<": traceql.SpansetAncestor, "~": traceql.SpansetSibling,
	}
	for text, relation := range relations {
		for prefix, negated := range map[string]bool{"": false, "!": true, "&": false} {
			q, err := traceql.Parse("{ .a } " + prefix + text + " { .b }")
			require.NoError(t, err)
			operation, ok := q.Pipeline[0].(*traceql.SpansetOperation)
			require.True(t, ok)
			op := operation.Op
			require.Equal(t, prefix+text, op.String())
			require.Equal(t, relation, op.Relation())
			require.Equal(t, negated, op.IsNegated())
			require.Equal(t, prefix == "&", op.IsUnion())
			require.True(t, op.IsStructural())
			require.Equal(t, len("{ .a } "), operation.Pos())
		}
	}
	for _, op := range []traceql.SpansetOp{traceql.SpansetAnd, traceql.SpansetUnion} {
		require.False(t, op.IsStructural() || op.IsNegated() || op.IsUnion())
		require.Equal(t, op, op.Relation())
	}
}

func TestMetricsFunctions(t *testing.T) {
	parse := func(text string) *traceql.MetricsFunction {
		q, err := traceql.Parse("{ } | " + text)
		require.NoError(t, err, text)
		m, ok := q.Metrics.(*traceql.MetricsQuery)
		require.True(t, ok, text)
		return m.Function
	}
	f := parse("quantile_over_time(span:duration, 1, .5) by (span.x, name)")
	require.Equal(t, traceql.MetricsQuantileOverTime, f.Op)
	require.Equal(t, "duration", f.Field.String())
	require.Equal(t, []float64{1, 0.5}, f.Quantiles)
	require.Len(t, f.By, 2)
	require.Nil(t, f.Compare)
	require.Equal(t, len("{ } | "), f.Pos())

	f = parse("rate()")
	require.Equal(t, traceql.MetricsRate, f.Op)
	require.Nil(t, f.Field)

	f = parse("compare({ .a })")
	require.Equal(t, traceql.DefaultTopN, f.Compare.TopN)
	require.Zero(t, f.Compare.EndNanos)
	require.Equal(t, "compare({ .a })", f.String())

	f = parse("compare({ .a }, 10, 0, 0)")
	require.Equal(t, "compare({ .a })", f.String())

	f = parse("compare({ .a }, 1000, 5, 7)")
	require.Equal(t, 1000, f.Compare.TopN)
	require.Equal(t, uint64(5), f.Compare.StartNanos)
	require.Equal(t, uint64(7), f.Compare.EndNanos)

	for _, op := range []traceql.MetricsOp{
		traceql.MetricsCountOverTime, traceql.MetricsMinOverTime, traceql.MetricsMaxOverTime, traceql.MetricsAvgOverTime,
		traceql.MetricsSumOverTime, traceql.MetricsHistogramOverTime,
	} {
		field := "duration"
		if op == traceql.MetricsCountOverTime {
			field = ""
		}
		require.Equal(t, op, parse(op.String()+"("+field+")").Op)
	}
}

func TestAggregates(t *testing.T) {
	for _, tt := range []struct {
		text string
		op   traceql.AggregateOp
		want traceql.Type
	}{
		{"count()", traceql.AggregateCount, traceql.TypeInt},
		{"min(duration)", traceql.AggregateMin, traceql.TypeDuration},
		{"max(.x)", traceql.AggregateMax, traceql.TypeUnknown},
		{"sum(span:childCount)", traceql.AggregateSum, traceql.TypeInt},
		{"avg(span:childCount)", traceql.AggregateAvg, traceql.TypeFloat},
		{"avg(duration)", traceql.AggregateAvg, traceql.TypeDuration},
		{"avg(.x * 2)", traceql.AggregateAvg, traceql.TypeFloat},
	} {
		q, err := traceql.Parse("{ } | " + tt.text + " >= 1")
		require.NoError(t, err, tt.text)
		filter, ok := q.Pipeline[1].(*traceql.ScalarFilter)
		require.True(t, ok)
		require.Equal(t, traceql.OpGreaterEqual, filter.Op)
		a, ok := filter.Left.(*traceql.Aggregate)
		require.True(t, ok)
		require.Equal(t, tt.op, a.Op)
		require.Equal(t, tt.want, a.Type(), tt.text)
		require.Equal(t, tt.text, a.String())
	}
}
