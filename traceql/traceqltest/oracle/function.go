package oracle

import (
	"math"
	"math/big"
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
			if len(buckets(g.spans, f.Field)) > 0 {
				list = append(list, line("p", q, g, o, func(spans []scene) (float64, bool) {
					return quantile(q, buckets(spans, f.Field)), true
				}))
			}
		}
	case traceql.MetricsHistogramOverTime:
		for _, bound := range slices.Compact(buckets(g.spans, f.Field)) {
			list = append(list, line("__bucket", bound, g, o, func(spans []scene) (n float64, _ bool) {
				for _, b := range buckets(spans, f.Field) {
					if b == bound {
						n++
					}
				}
				return n, true
			}))
		}
	default:
		list = []series{line("", 0, g, o, func(spans []scene) (float64, bool) { return single(f, spans, o) })}
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

// single is the value of the functions with one series for a group. Those of a
// field have none where no span has a number.
func single(f *traceql.MetricsFunction, spans []scene, o traceqltest.MetricsOptions) (float64, bool) {
	count := float64(len(spans))
	if f.Op == traceql.MetricsRate {
		return count / seconds(o), true
	}
	if f.Op == traceql.MetricsCountOverTime {
		return count, true
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
	case !ok || math.IsNaN(asFloat(n)):
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

// quantile estimates the value that a share of q of the values do not exceed, of
// the buckets that they are in, in ascending order: those of one bucket are
// taken to lie evenly between its bounds, on a logarithmic scale. It is 0 of
// none.
func quantile(q float64, buckets []float64) float64 {
	if len(buckets) == 0 {
		return 0
	}
	rank := max(1, int(math.Ceil(q*float64(len(buckets)))))
	bound := buckets[rank-1]
	before := slices.Index(buckets, bound)
	inside := 0
	for _, b := range buckets {
		if b == bound {
			inside++
		}
	}
	return bound * math.Exp2(float64(rank-before)/float64(inside)-1)
}

// buckets are those of the spans' numbers, in ascending order.
func buckets(spans []scene, field traceql.FieldExpr) (bounds []float64) {
	for _, s := range spans {
		if bound, ok := bucket(s, field); ok {
			bounds = append(bounds, bound)
		}
	}
	slices.Sort(bounds)
	return bounds
}

// bucket is the upper bound of the bucket of a span's number: the smallest power
// of two that is not less, of durations counted in nanoseconds but given in
// seconds. What is not above zero is in none, and neither are durations below
// two nanoseconds, which nobody has measured.
func bucket(s scene, field traceql.FieldExpr) (float64, bool) {
	n, ok := s.last(field).number()
	if !ok || !(asFloat(n) > 0) || math.IsInf(asFloat(n), 1) {
		return 0, false
	}
	if n.Type == traceql.TypeDuration && n.Int < 2 {
		return 0, false
	}
	number := big.NewFloat(asFloat(n))
	if n.Type != traceql.TypeFloat {
		number = new(big.Float).SetInt64(n.Int) // a float has too few digits
	}
	bound := 1.0
	for ; big.NewFloat(bound).Cmp(number) < 0; bound *= 2 {
	}
	for ; big.NewFloat(bound/2).Cmp(number) >= 0; bound /= 2 {
	}
	if n.Type == traceql.TypeDuration {
		bound /= 1e9
	}
	return bound, true
}
