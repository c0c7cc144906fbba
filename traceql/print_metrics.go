package traceql

import (
	"strconv"
	"strings"
)

// String is the pipeline with the function and the second stages.
func (e *MetricsQuery) String() string {
	return e.Pipeline.String() + " | " + e.Function.String() + joinStages(e.Stages)
}

// String is the expression with the necessary parentheses.
func (e *MetricsBinary) String() string {
	var b strings.Builder
	writeInfix(&b, e.Op, e.Left, e.Right, 0, writeMetrics)
	b.WriteString(joinStages(e.Stages))
	return b.String()
}

// String is the literal as a query spells it.
func (e *MetricsLiteral) String() string { return e.Value.String() }

// String is the function with its arguments and by clause.
func (f *MetricsFunction) String() string {
	var b strings.Builder
	b.WriteString(f.Op.String() + "(")
	if f.Compare != nil {
		b.WriteString(f.Compare.String())
	}
	if f.Field != nil {
		b.WriteString(f.Field.String())
	}
	for _, q := range f.Quantiles {
		b.WriteString(", " + NewFloat(q).String())
	}
	b.WriteByte(')')
	if len(f.By) > 0 {
		b.WriteString(" by(" + joinFields(f.By) + ")")
	}
	return b.String()
}

// String is the list of arguments, without those that are as if not given.
func (c *Compare) String() string {
	text := c.Selection.String()
	if c.TopN != DefaultTopN || c.EndNanos != 0 {
		text += ", " + strconv.Itoa(c.TopN)
	}
	if c.EndNanos != 0 {
		text += ", " + strconv.FormatUint(c.StartNanos, 10) + ", " + strconv.FormatUint(c.EndNanos, 10)
	}
	return text
}

// String is topk(n) or bottomk(n) behind a |.
func (s *TopK) String() string {
	name := "topk"
	if s.Bottom {
		name = "bottomk"
	}
	return "| " + name + "(" + strconv.Itoa(s.N) + ")"
}

// String is the comparison.
func (s *MetricsFilter) String() string { return s.Op.String() + " " + s.Value.String() }

func joinStages(stages []SecondStage) string {
	var b strings.Builder
	for _, s := range stages {
		b.WriteString(" " + s.String())
	}
	return b.String()
}

// writeMetrics prints e as an operand of an operator that binds as tightly as
// prec. Queries always stand in parentheses, and so does what has stages.
func writeMetrics(b *strings.Builder, e MetricsExpr, prec int) {
	switch e := e.(type) {
	case *MetricsLiteral:
		b.WriteString(e.String())
		return
	case *MetricsBinary:
		if e.Op.prec() >= prec && len(e.Stages) == 0 {
			b.WriteString(e.String())
			return
		}
	}
	b.WriteString("(" + e.String() + ")")
}
