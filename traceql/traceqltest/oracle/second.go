package oracle

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
	"github.com/spanlake/spanlake/traceql/traceqltest"
)

// secondStages sends series through topk, bottomk and comparisons.
func secondStages(stages []traceql.SecondStage, list []series) []series {
	for _, stage := range stages {
		switch stage := stage.(type) {
		case *traceql.TopK:
			list = top(stage, list)
		case *traceql.MetricsFilter:
			list = where(stage, list)
		}
		list = slices.DeleteFunc(list, series.isEmpty)
	}
	return list
}

func (s series) isEmpty() bool {
	return !slices.ContainsFunc(s.points, func(p point) bool { return p.there })
}

// where keeps the points that compare with the number.
func where(f *traceql.MetricsFilter, list []series) []series {
	for _, s := range list {
		for i, p := range s.points {
			s.points[i].there = p.there && compareFloats(f.Op, p.value, inSeconds(f.Value))
		}
	}
	return list
}

// inSeconds is a number, durations in seconds.
func inSeconds(v traceql.Static) float64 {
	if v.Type == traceql.TypeDuration {
		return float64(v.Int) / 1e9
	}
	return asFloat(v)
}

// top keeps the N largest or smallest points of each step. Of equal ones topk
// keeps those whose labels come first, bottomk those that come last: by the
// texts of the labels, then by their keys, and larger numbers before smaller
// ones.
func top(k *traceql.TopK, list []series) []series {
	type ranked struct {
		labels []schema.Attribute
		point  *point
	}
	for step := range windowsOf(list) {
		var order []ranked
		for _, s := range list {
			if s.points[step].there {
				order = append(order, ranked{s.labels, &s.points[step]})
			}
		}
		slices.SortFunc(order, func(a, b ranked) int {
			c := cmp.Or(cmp.Compare(b.point.value, a.point.value), compareTies(a.labels, b.labels))
			if k.Bottom {
				return -c
			}
			return c
		})
		for _, r := range order[min(k.N, len(order)):] {
			r.point.there = false
		}
	}
	return list
}

// windowsOf is the number of points of each series.
func windowsOf(list []series) int {
	if len(list) == 0 {
		return 0
	}
	return len(list[0].points)
}

func compareTies(a, b []schema.Attribute) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i].Value, b[i].Value
		if c := cmp.Or(
			cmp.Compare(x.Str, y.Str), cmp.Compare(a[i].Key, b[i].Key), cmp.Compare(y.Kind, x.Kind),
			cmp.Compare(y.Int, x.Int), cmp.Compare(y.Double, x.Double),
			cmp.Compare(strconv.FormatBool(y.Bool), strconv.FormatBool(x.Bool)),
		); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// binary combines the points of series with the same labels, those of a series
// without labels with every one of the other side, and a number with all.
func (e *Engine) binary(b *traceql.MetricsBinary, o traceqltest.MetricsOptions) ([]series, error) {
	if n, ok := b.Left.(*traceql.MetricsLiteral); ok {
		right, err := e.metrics(b.Right, o)
		return scaled(right, func(v float64) point { return calculated(b.Op, inSeconds(n.Value), v) }), err
	}
	left, err := e.metrics(b.Left, o)
	if err != nil {
		return nil, err
	}
	if n, ok := b.Right.(*traceql.MetricsLiteral); ok {
		return scaled(left, func(v float64) point { return calculated(b.Op, v, inSeconds(n.Value)) }), nil
	}
	right, err := e.metrics(b.Right, o)
	if err != nil {
		return nil, err
	}
	var list []series
	for _, x := range left {
		for _, y := range right {
			if traceqltest.LabelsText(x.labels) != traceqltest.LabelsText(y.labels) && len(x.labels) > 0 && len(y.labels) > 0 {
				continue
			}
			s := series{name: "(" + x.name + " " + b.Op.String() + " " + y.name + ")", labels: x.labels}
			if len(x.labels) == 0 {
				s.labels = y.labels
			}
			for i := range x.points {
				p := point{}
				if x.points[i].there && y.points[i].there {
					p = calculated(b.Op, x.points[i].value, y.points[i].value)
				}
				s.points = append(s.points, p)
			}
			list = append(list, s)
		}
	}
	return slices.DeleteFunc(list, series.isEmpty), nil
}

func scaled(list []series, f func(float64) point) []series {
	for _, s := range list {
		for i, p := range s.points {
			if p.there {
				s.points[i] = f(p.value)
			}
		}
	}
	return slices.DeleteFunc(list, series.isEmpty)
}

// calculated is "a op b", no point where one would divide by zero or that is no
// number.
func calculated(op traceql.Operator, a, b float64) point {
	var v float64
	switch op {
	case traceql.OpAdd:
		v = a + b
	case traceql.OpSub:
		v = a - b
	case traceql.OpMul:
		v = a * b
	default:
		if b == 0 {
			return point{}
		}
		v = a / b
	}
	return point{!math.IsNaN(v), v}
}
