package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// metricsMath combines the series of two sides, one of which may be a number.
type metricsMath struct {
	op          traceql.Operator
	left, right metricsNode // nil: the number
	number      float64
	stages      []traceql.SecondStage
}

func newMetricsMath(e *traceql.MetricsBinary) (*metricsMath, error) {
	m := &metricsMath{op: e.Op, stages: e.Stages}
	for _, side := range []struct {
		expr traceql.MetricsExpr
		node *metricsNode
	}{{e.Left, &m.left}, {e.Right, &m.right}} {
		if literal, ok := side.expr.(*traceql.MetricsLiteral); ok {
			m.number = scalarValue(literal.Value)
			continue
		}
		node, err := compileMetrics(side.expr)
		if err != nil {
			return nil, err
		}
		*side.node = node
	}
	if m.left == nil && m.right == nil {
		return nil, fmt.Errorf("%w: %s", traceql.ErrUnsupported, e)
	}
	return m, nil
}

func (m *metricsMath) leaves(list []*metricsLeaf) []*metricsLeaf {
	for _, side := range []metricsNode{m.left, m.right} {
		if side != nil {
			list = side.leaves(list)
		}
	}
	return list
}

func (m *metricsMath) stepwise() bool {
	return (m.left == nil || m.left.stepwise()) && (m.right == nil || m.right.stepwise()) && !ranks(m.stages)
}

func (m *metricsMath) series(r *metricsRun) ([]Series, error) {
	var left, right []Series
	var err error
	if m.left != nil {
		if left, err = m.left.series(r); err != nil {
			return nil, err
		}
	}
	if m.right != nil {
		if right, err = m.right.series(r); err != nil {
			return nil, err
		}
	}
	switch {
	case m.left == nil:
		m.each(right, func(v float64) float64 { return m.apply(m.number, v) })
		return applyStages(right, m.stages)
	case m.right == nil:
		m.each(left, func(v float64) float64 { return m.apply(v, m.number) })
		return applyStages(left, m.stages)
	}
	return applyStages(m.join(left, right), m.stages)
}

// each changes every point.
func (m *metricsMath) each(series []Series, f func(float64) float64) {
	for i := range series {
		for step, v := range series[i].Values {
			series[i].Values[step] = f(v)
		}
		for j := range series[i].Exemplars {
			series[i].Exemplars[j].fill = true
		}
	}
}

// apply is NaN where a side has no point, and for a division by zero.
func (m *metricsMath) apply(a, b float64) float64 {
	v, ok := m.op.Apply(traceql.NewFloat(a), traceql.NewFloat(b))
	if !ok {
		return math.NaN()
	}
	return v.Float
}

// join combines the series that have the same labels. A side that is one series
// without labels is combined with every series of the other.
func (m *metricsMath) join(left, right []Series) []Series {
	var joined []Series
	switch {
	case unlabelled(left):
		for i := range right {
			joined = append(joined, m.combine(&left[0], &right[i], &right[i]))
		}
	case unlabelled(right):
		for i := range left {
			joined = append(joined, m.combine(&left[i], &right[0], &left[i]))
		}
	default:
		byLabels := make(map[string]*Series, len(right))
		for i := range right {
			byLabels[labelsKey(right[i].Labels)] = &right[i]
		}
		for i := range left {
			if other := byLabels[labelsKey(left[i].Labels)]; other != nil {
				joined = append(joined, m.combine(&left[i], other, &left[i]))
			}
		}
	}
	return joined
}

// unlabelled reports whether there is one series, which has no label but its
// name.
func unlabelled(series []Series) bool {
	return len(series) == 1 && len(series[0].Labels) == 1 && series[0].Labels[0].Key == labelName
}

// labelsKey is the same for equal sets of labels.
func labelsKey(labels []schema.Attribute) string {
	sorted := slices.Clone(labels)
	slices.SortFunc(sorted, func(a, b schema.Attribute) int { return cmp.Compare(a.Key, b.Key) })
	var key []byte
	for i := range sorted {
		name := schema.Value{Kind: schema.KindString, Str: sorted[i].Key}
		if sorted[i].Key != labelName {
			key = appendValueKey(appendValueKey(key, &name), &sorted[i].Value)
		}
	}
	return string(key)
}

// combine makes a series with the labels and exemplars of the given one.
func (m *metricsMath) combine(a, b, labelled *Series) Series {
	s := Series{
		Labels: labelled.Labels, Exemplars: slices.Clone(labelled.Exemplars),
		Values: make([]float64, len(a.Values)),
		name:   fmt.Sprintf("(%s %s %s)", a.name, m.op, b.name),
	}
	if unlabelled([]Series{*labelled}) {
		s.Labels = []schema.Attribute{textLabel(labelName, s.name)}
	}
	for i := range s.Values {
		s.Values[i] = m.apply(a.Values[i], b.Values[i])
	}
	for i := range s.Exemplars {
		s.Exemplars[i].fill = true
	}
	return s
}
