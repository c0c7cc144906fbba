package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// applyStages changes series stage by stage.
func applyStages(series []Series, stages []traceql.SecondStage) ([]Series, error) {
	for _, stage := range stages {
		switch stage := stage.(type) {
		case *traceql.TopK:
			keepTop(series, stage)
		case *traceql.MetricsFilter:
			keepPoints(series, stage)
		default:
			return nil, fmt.Errorf("%w: %s", traceql.ErrUnsupported, stage)
		}
		series = slices.DeleteFunc(series, func(s Series) bool { return !s.hasPoints() })
	}
	return series, nil
}

// ranks reports whether a stage ranks series.
func ranks(stages []traceql.SecondStage) bool {
	return slices.ContainsFunc(stages, func(stage traceql.SecondStage) bool {
		_, ok := stage.(*traceql.TopK)
		return ok
	})
}

func (s *Series) hasPoints() bool {
	return slices.ContainsFunc(s.Values, func(v float64) bool { return !math.IsNaN(v) })
}

// drop removes the point of a step.
func (s *Series) drop(step int) { s.Values[step] = math.NaN() }

// keepTop keeps the points of the best series of each step. Series are ranked
// by value; of equal ones the one whose labels come first in the alphabet is
// the larger.
func keepTop(series []Series, stage *traceql.TopK) {
	if len(series) <= stage.N {
		return
	}
	sign := 1
	if stage.Bottom {
		sign = -1
	}
	ranked := make([]int, 0, len(series))
	for step := range series[0].Values {
		ranked = ranked[:0]
		for i := range series {
			if !math.IsNaN(series[i].Values[step]) {
				ranked = append(ranked, i)
			}
		}
		if len(ranked) <= stage.N {
			continue
		}
		slices.SortFunc(ranked, func(a, b int) int {
			return sign * cmp.Or(
				cmp.Compare(series[b].Values[step], series[a].Values[step]),
				compareTies(series[a].Labels, series[b].Labels),
			)
		})
		for _, i := range ranked[stage.N:] {
			series[i].drop(step)
		}
	}
}

// compareTies ranks the labels of points with equal values: by their texts, and
// of numbers the larger first.
func compareTies(a, b []schema.Attribute) int { return compareLabelsBy(a, b, -1) }

// keepPoints keeps the points for which a comparison holds.
func keepPoints(series []Series, stage *traceql.MetricsFilter) {
	limit := traceql.NewFloat(scalarValue(stage.Value))
	for i := range series {
		for step, v := range series[i].Values {
			if holds, ok := stage.Op.Compare(traceql.NewFloat(v), limit); !holds || !ok {
				series[i].drop(step)
			}
		}
	}
}

// scalarValue is a literal as points see it: durations in seconds.
func scalarValue(v traceql.Static) float64 {
	if v.Type == traceql.TypeDuration {
		return v.Number() / float64(time.Second)
	}
	return v.Number()
}

// finish leaves out what has no point, and sorts the rest.
func finish(series []Series) []Series {
	series = slices.DeleteFunc(series, func(s Series) bool { return !s.hasPoints() })
	for i := range series {
		s := &series[i]
		s.Exemplars = slices.DeleteFunc(s.Exemplars, func(e Exemplar) bool { return math.IsNaN(s.Values[e.step]) })
		for j := range s.Exemplars {
			if e := &s.Exemplars[j]; e.fill {
				e.Value = s.Values[e.step]
			}
		}
	}
	slices.SortStableFunc(series, func(a, b Series) int { return compareLabels(a.Labels, b.Labels) })
	return series
}
