package engine_test

import (
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// plainSource has none of the abilities that a source may have.
type plainSource struct{ memory memory }

func (s plainSource) Scan(ctx context.Context, f *vec.Filter, c vec.Columns) iter.Seq2[[]schema.Span, error] {
	return s.memory.Scan(ctx, f, c)
}

func (s plainSource) Find(ctx context.Context, f *vec.Filter) iter.Seq2[[]vec.Hit, error] {
	return s.memory.Find(ctx, f)
}

func (s plainSource) MayHold(ctx context.Context, id schema.TraceID) (bool, error) {
	return s.memory.MayHold(ctx, id)
}

func (s plainSource) Traces(ctx context.Context, ids []schema.TraceID, c vec.Columns) ([]schema.Span, error) {
	return s.memory.Traces(ctx, ids, c)
}

func (s plainSource) Spans() int { return s.memory.Spans() }

// metricsOracle is a function of spans, and how its samples follow from the
// numbers of those in a group and a step.
type metricsOracle struct {
	query  string
	match  func(*schema.Span) bool
	group  func(*schema.Span) string
	number func(*schema.Span) (float64, bool)
	points func(all int, numbers []float64, seconds float64) map[string]float64
}

func metricsOracles() []metricsOracle {
	all := func(*schema.Span) bool { return true }
	none := func(*schema.Span) string { return "" }
	name := func(s *schema.Span) string { return "name=s:" + s.Name }
	n := func(s *schema.Span) (schema.Value, bool) { return otlp.Lookup(s.Attributes, "n") }
	tag := func(s *schema.Span) string {
		if v, ok := n(s); ok {
			return fmt.Sprintf("span.n=i:%d", v.Int)
		}
		return "span.n=s:nil"
	}
	value := func(s *schema.Span) (float64, bool) {
		v, ok := n(s)
		return float64(v.Int), ok
	}
	duration := func(s *schema.Span) (float64, bool) { return float64(s.DurationNanos()) / 1e9, true }
	one := func(f func(numbers []float64) float64) func(int, []float64, float64) map[string]float64 {
		return func(_ int, numbers []float64, _ float64) map[string]float64 {
			if len(numbers) == 0 {
				return nil
			}
			return map[string]float64{"": f(numbers)}
		}
	}
	total := func(numbers []float64) (sum float64) {
		for _, v := range numbers {
			sum += v
		}
		return sum
	}
	buckets := func(_ int, numbers []float64, _ float64) map[string]float64 {
		counts := make(map[string]float64)
		for _, v := range numbers {
			if v >= 2e-9 {
				bound := math.Exp2(math.Ceil(math.Log2(math.Round(v*1e9)))) / 1e9
				counts[fmt.Sprintf("__bucket=d:%.12g", bound)]++
			}
		}
		return counts
	}
	return []metricsOracle{
		{"{ } | rate() by (name)", all, name, nil, func(all int, _ []float64, seconds float64) map[string]float64 {
			return map[string]float64{"": float64(all) / seconds}
		}},
		{
			"{ status = ok } | count_over_time() by (span.n)", func(s *schema.Span) bool { return s.StatusCode == 1 }, tag, nil,
			func(all int, _ []float64, _ float64) map[string]float64 { return map[string]float64{"": float64(all)} },
		},
		{"{ } | sum_over_time(span.n)", all, none, value, one(total)},
		{"{ } | min_over_time(span.n) by (name)", all, name, value, one(func(v []float64) float64 { return slices.Min(v) })},
		{"{ } | max_over_time(duration) by (span.n)", all, tag, duration, one(func(v []float64) float64 { return slices.Max(v) })},
		{
			"{ name != `z` } | avg_over_time(duration) by (name)", func(s *schema.Span) bool { return s.Name != "z" }, name, duration,
			one(func(v []float64) float64 { return total(v) / float64(len(v)) }),
		},
		{"{ } | histogram_over_time(duration) by (name)", all, name, duration, buckets},
		{
			"{ span.n + 1 = 2 } | rate() by (name)", func(s *schema.Span) bool { v, ok := n(s); return ok && v.Int == 1 }, name, nil,
			func(all int, _ []float64, seconds float64) map[string]float64 {
				return map[string]float64{"": float64(all) / seconds}
			},
		},
	}
}

// answer calculates the series from all folded spans.
func (o *metricsOracle) answer(spans []schema.Span, start, end, step uint64) map[string]map[uint64]float64 {
	type cell struct {
		all     int
		numbers []float64
	}
	cells := make(map[string]map[uint64]*cell)
	for _, s := range spans {
		at := (s.StartNanos + step - 1) / step * step
		if at < max(start/step*step, step) || at > (end+step-1)/step*step || !o.match(&s) {
			continue
		}
		group := o.group(&s)
		if cells[group] == nil {
			cells[group] = make(map[uint64]*cell)
		}
		if cells[group][at] == nil {
			cells[group][at] = &cell{}
		}
		c := cells[group][at]
		c.all++
		if o.number != nil {
			if v, ok := o.number(&s); ok {
				c.numbers = append(c.numbers, v)
			}
		}
	}
	answer := make(map[string]map[uint64]float64)
	for group, steps := range cells {
		for at, c := range steps {
			for extra, v := range o.points(c.all, c.numbers, float64(step)/1e9) {
				labels := slices.DeleteFunc([]string{extra, group}, func(s string) bool { return s == "" })
				key := "{" + strings.Join(labels, ", ") + "}"
				if answer[key] == nil {
					answer[key] = make(map[uint64]float64)
				}
				answer[key][at] = v
			}
		}
	}
	return answer
}

// foldAll folds the rows of every trace.
func foldAll(spans []schema.Span) (folded []schema.Span) {
	byTrace := make(map[schema.TraceID][]schema.Span)
	for _, s := range spans {
		byTrace[s.TraceID] = append(byTrace[s.TraceID], s)
	}
	for _, rows := range byTrace {
		slices.SortStableFunc(rows, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
		folded = append(folded, schema.Fold(rows)...)
	}
	return folded
}

// Whatever the rows, the way they are spread and what the sources are able to,
// the samples are those of the folded spans.
func TestMetricsEqualOracle(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for range 80 {
		spans := versions(rng, 1+rng.IntN(60))
		folded := foldAll(spans)
		partitions := randomCut(spans, rng)
		for i := range partitions[0] {
			if source, ok := partitions[0][i].(memory); ok && rng.IntN(3) == 0 {
				partitions[0][i] = plainSource{source}
			}
		}
		for _, o := range metricsOracles() {
			opts := engine.MetricsOptions{
				StartNanos: uint64(rng.IntN(100)), StepNanos: uint64(1 + rng.IntN(100)),
				Exemplars: rng.IntN(120), Concurrency: 1 + rng.IntN(4),
			}
			opts.EndNanos = opts.StartNanos + 1 + uint64(rng.IntN(500))
			want := o.answer(folded, opts.StartNanos, opts.EndNanos, opts.StepNanos)
			got, err := engine.QueryRange(t.Context(), compileMetrics(t, o.query), partitions, opts)
			require.NoError(t, err)
			requireSamples(t, &o, want, got)
			requireExemplars(t, folded, got, opts)
		}
	}
}

func compileMetrics(t testing.TB, query string) *engine.MetricsPlan {
	t.Helper()
	q, err := traceql.Parse(query)
	require.NoError(t, err)
	plan, err := engine.CompileMetrics(q)
	require.NoError(t, err)
	return plan
}

// requireSamples compares all samples. Counts are zero where there is none.
func requireSamples(t *testing.T, o *metricsOracle, want map[string]map[uint64]float64, got *engine.MetricsResult) {
	t.Helper()
	series := normalSeries(got)
	require.Len(t, series, len(want), o.query)
	for i, s := range got.Series {
		labels := normalSeries(&engine.MetricsResult{Times: got.Times, Series: got.Series[i : i+1]})[0].Labels
		if labels == "{__name__=s:sum_over_time}" {
			labels = "{}"
		}
		points, ok := want[labels]
		require.True(t, ok, "%s: %s", o.query, labels)
		for k, v := range s.Values {
			expected, ok := points[got.Times[k]]
			switch {
			case ok:
				require.InEpsilon(t, expected+1, v+1, 1e-9, "%s: %s at %d", o.query, labels, got.Times[k])
			case o.number == nil || strings.Contains(o.query, "histogram"):
				require.Zero(t, v)
			default:
				require.True(t, math.IsNaN(v))
			}
		}
	}
}

// requireExemplars looks the exemplars up.
func requireExemplars(t *testing.T, folded []schema.Span, got *engine.MetricsResult, opts engine.MetricsOptions) {
	t.Helper()
	count := 0
	for _, s := range got.Series {
		for _, e := range s.Exemplars {
			count++
			require.True(t, slices.ContainsFunc(folded, func(s schema.Span) bool {
				return s.TraceID == e.TraceID && s.StartNanos == e.StartNanos
			}))
			require.Greater(t, e.StartNanos, got.Times[0]-opts.StepNanos)
			require.LessOrEqual(t, e.StartNanos, got.Times[len(got.Times)-1])
		}
	}
	require.LessOrEqual(t, count, min(opts.Exemplars, engine.MaxExemplars))
}

// The way rows are spread changes nothing of an answer, exemplars included.
func TestMetricsDoNotDependOnTheCut(t *testing.T) {
	spans := dataset(t)
	queries := []string{
		"{ } | rate() by (resource.service.name)",
		"{ kind = server } | quantile_over_time(duration, .5, .99) by (name)",
		"{ span.http.response.status_code >= 500 } | histogram_over_time(duration)",
		"{ } | sum_over_time(span.llm.cost) by (.service.name, span.absent)",
		"{ } | compare({ status = error })",
		"{ rootServiceName = `gateway` } | avg_over_time(traceDuration) by (rootName)",
		"{ } | max_over_time(event:timeSinceStart) by (event:name)",
	}
	for _, query := range queries {
		plan := compileMetrics(t, query)
		var first *engine.MetricsResult
		for _, c := range cuttings() {
			got, err := engine.QueryRange(t.Context(), plan, c.cut(spans), engine.MetricsOptions{
				StartNanos: corpus.DatasetStart * 1e9, EndNanos: corpus.DatasetEnd * 1e9, Exemplars: 100, Concurrency: 3,
			})
			require.NoError(t, err)
			require.NotEmpty(t, got.Series, query)
			got.InspectedSpans = 0
			if first == nil {
				first = got
			}
			require.Equal(t, fmt.Sprintf("%+v", first), fmt.Sprintf("%+v", got), "%s: %s", query, c.name)
		}
	}
}
