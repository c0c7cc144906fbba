package oracle

import (
	"math"
	"slices"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
	"github.com/spanlake/spanlake/traceql/traceqltest"
)

// lines are the series of one group: one, or one for each quantile or bucket.
func lines(f *traceql.MetricsFunction, g group, o traceqltest.MetricsOptions) (list []series) {
	switch f.Op {
	case traceql.MetricsQuantileOverTime:
		for _, q := range f.Quantiles {
			if !slices.ContainsFunc(g.spans, func(s scene) bool { _, ok := measure(s, f.Field); return ok }) {
				continue
			}
			list = append(list, line("p", q, g, o, func(spans []scene) (float64, bool) {
				values := measures(spans, f.Field)
				return quantile(q, values), true
			}))
		}
	case traceql.MetricsHistogramOverTime:
		var bounds []float64
		for _, s := range g.spans {
			if bound, ok := bucket(s, f.Field); ok && !slices.Contains(bounds, bound) {
				bounds = append(bounds, bound)
			}
		}
		for _, bound := range bounds {
			list = append(list, line("__bucket", bound, g, o, func(spans []scene) (n float64, _ bool) {
				for _, s := range spans {
					if b, ok := bucket(s, f.Field); ok && b == bound {
						n++
					}
				}
				return n, true
			}))
		}
	default:
		list = []series{line("", 0, g, o, func(spans []scene) (float64, bool) { return total(f, spans, o) })}
	}
	return list
}

// line calculates the points of one series of a group, whose label beyond
// those of the group is key, if it has any.
func line(key string, label float64, g group, o traceqltest.MetricsOptions, f func([]scene) (float64, bool)) series {
	s := series{}
	if key != "" {
		s.labels = []schema.Attribute{{Key: key, Value: schema.Value{Kind: schema.KindDouble, Double: label}}}
	}
	for _, w := range windows(o) {
		var inside []scene
		for _, span := range g.spans {
			if start := span.span().StartNanos; start >= w.first && start <= w.last {
				inside = append(inside, span)
			}
		}
		v, ok := f(inside)
		s.points = append(s.points, point{ok, v})
	}
	return s
}

// total is the value of the functions with one series for a group. Those of a
// field have none where no span has a number.
func total(f *traceql.MetricsFunction, spans []scene, o traceqltest.MetricsOptions) (float64, bool) {
	switch f.Op {
	case traceql.MetricsRate:
		return float64(len(spans)) / seconds(o), true
	case traceql.MetricsCountOverTime:
		return float64(len(spans)), true
	}
	values := measures(spans, f.Field)
	if len(values) == 0 {
		return 0, false
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	switch f.Op {
	case traceql.MetricsMinOverTime:
		return slices.Min(values), true
	case traceql.MetricsMaxOverTime:
		return slices.Max(values), true
	case traceql.MetricsAvgOverTime:
		return sum / float64(len(values)), true
	default:
		return sum, true
	}
}

// measure is the number that a span has for a field, false if it has none.
// Durations are in seconds.
func measure(s scene, field traceql.FieldExpr) (float64, bool) {
	n, ok := s.last(field).number()
	switch {
	case !ok:
		return 0, false
	case n.Type == traceql.TypeDuration:
		return float64(n.Int) / 1e9, true
	default:
		return asFloat(n), true
	}
}

func measures(spans []scene, field traceql.FieldExpr) (values []float64) {
	for _, s := range spans {
		if v, ok := measure(s, field); ok {
			values = append(values, v)
		}
	}
	return values
}

// quantile is the value that a share of q of the values do not exceed, 0 of
// none. An engine may answer with an estimate.
func quantile(q float64, values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	rank := int(math.Ceil(q * float64(len(values))))
	return values[max(rank, 1)-1]
}

// bucket is the upper bound of the bucket of a span's number: the smallest power
// of two that is not less, of durations counted in nanoseconds but given in
// seconds. What is not above zero is in none.
func bucket(s scene, field traceql.FieldExpr) (float64, bool) {
	n, ok := s.last(field).number()
	if !ok || !(asFloat(n) > 0) || math.IsInf(asFloat(n), 1) {
		return 0, false
	}
	bound := 1.0
	for ; bound < asFloat(n); bound *= 2 {
	}
	for ; bound/2 >= asFloat(n); bound /= 2 {
	}
	if n.Type == traceql.TypeDuration {
		bound /= 1e9
	}
	return bound, true
}
