package engine_test

import (
	"context"
	"fmt"
	"iter"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

func TestDefaultStep(t *testing.T) {
	for _, tc := range []struct{ span, step time.Duration }{
		{10 * time.Second, 50 * time.Millisecond},
		{30 * time.Second, 100 * time.Millisecond},
		{59 * time.Second, 200 * time.Millisecond},
		{time.Minute, time.Second},
		{30 * time.Minute, 5 * time.Second},
		{time.Hour, 15 * time.Second},
		{2 * time.Hour, 30 * time.Second},
		{6 * time.Hour, time.Minute},
		{24 * time.Hour, 5 * time.Minute},
		{100 * time.Hour, 25 * time.Minute},
		{744 * time.Hour, 3 * time.Hour},
	} {
		require.Equal(t, tc.step, time.Duration(engine.DefaultStep(1000, 1000+uint64(tc.span))), tc.span)
	}
}

// numbered is a span with the attribute v.
func numbered(trace, id byte, name string, start, end uint64, v schema.Value) schema.Span {
	s := span(trace, id, name, start, end)
	if v.Kind != schema.KindEmpty {
		s.Attributes = otlp.AppendKeyValue(s.Attributes, 9, "v", v)
	}
	return s
}

func intValue(v int64) schema.Value { return schema.Value{Kind: schema.KindInt, Int: v} }

func doubleValue(v float64) schema.Value { return schema.Value{Kind: schema.KindDouble, Double: v} }

// handSpans start at 1 to 40 s.
func handSpans() []schema.Span {
	const s = uint64(time.Second)
	return []schema.Span{
		numbered(1, 1, "a", 1*s, 2*s, intValue(4)),
		numbered(1, 2, "a", 10*s, 11*s, doubleValue(0.5)), // on the edge of a step: belongs to the earlier one
		numbered(2, 1, "b", 10*s+1, 12*s, intValue(8)),
		numbered(2, 2, "b", 20*s, 24*s, schema.Value{}),
		numbered(3, 1, "c", 40*s, 40*s, intValue(-3)),
		numbered(3, 2, "c", 40*s, 41*s, schema.Value{Kind: schema.KindString, Str: "7"}),
	}
}

// Every function over a few spans, in steps of ten seconds. nan is no point.
func TestMetricsFunctions(t *testing.T) {
	nan := math.NaN()
	for _, tc := range []struct {
		query string
		want  map[string][]float64 // samples at 0 (left out), 10, 20, 30, 40 s
	}{
		{"{ } | rate()", map[string][]float64{"{__name__=s:rate}": {0.2, 0.2, 0, 0.2}}},
		{"{ } | count_over_time() by (name)", map[string][]float64{
			"{name=s:a}": {2, 0, 0, 0}, "{name=s:b}": {0, 2, 0, 0}, "{name=s:c}": {0, 0, 0, 2},
		}},
		{"{ } | sum_over_time(span.v)", map[string][]float64{"{__name__=s:sum_over_time}": {4.5, 8, nan, -3}}},
		{"{ } | min_over_time(span.v)", map[string][]float64{"{__name__=s:min_over_time}": {0.5, 8, nan, -3}}},
		{"{ } | max_over_time(span.v)", map[string][]float64{"{__name__=s:max_over_time}": {4, 8, nan, -3}}},
		{"{ } | avg_over_time(.v)", map[string][]float64{"{__name__=s:avg_over_time}": {2.25, 8, nan, -3}}},
		{"{ } | max_over_time(duration)", map[string][]float64{"{__name__=s:max_over_time}": {1, 4, nan, 1}}},
		{"{ } | sum_over_time(traceDuration) by (name)", map[string][]float64{
			"{name=s:a}": {20, nan, nan, nan}, "{name=s:b}": {nan, 2 * (14 - 1e-9), nan, nan}, "{name=s:c}": {nan, nan, nan, 2},
		}},
		{"{ } | histogram_over_time(span.v)", map[string][]float64{
			"{__bucket=d:0.5}": {1, 0, 0, 0}, "{__bucket=d:4}": {1, 0, 0, 0}, "{__bucket=d:8}": {0, 1, 0, 0},
		}},
		{"{ } | quantile_over_time(span.v, 0, .5, 1)", map[string][]float64{
			"{p=d:0}": {0.5, 8, 0, 0}, "{p=d:0.5}": {0.5, 8, 0, 0}, "{p=d:1}": {4, 8, 0, 0},
		}},
		{"{ } | count_over_time() by (span.v)", map[string][]float64{
			"{span.v=i:4}": {1, 0, 0, 0}, "{span.v=d:0.5}": {1, 0, 0, 0}, "{span.v=i:8}": {0, 1, 0, 0},
			"{span.v=s:nil}": {0, 1, 0, 0}, "{span.v=i:-3}": {0, 0, 0, 1}, "{span.v=s:7}": {0, 0, 0, 1},
		}},
		{"{ name = `b` } | count_over_time() by (span.v, name)", map[string][]float64{
			"{name=s:b, span.v=i:8}": {0, 1, 0, 0}, "{name=s:b}": {0, 1, 0, 0},
		}},
		{"{ } | max_over_time(span.absent)", map[string][]float64{}},
		{"{ name = `x` } | rate()", map[string][]float64{"{__name__=s:rate}": {0, 0, 0, 0}}},
		{"{ name = `x` } | rate() by (name)", map[string][]float64{}},
		// Of equal values the first in the alphabet is the largest.
		{"{ } | count_over_time() by (name) | topk(1)", map[string][]float64{"{name=s:a}": {2, nan, 0, nan}, "{name=s:b}": {nan, 2, nan, nan}, "{name=s:c}": {nan, nan, nan, 2}}},
		{"{ } | count_over_time() by (name) | bottomk(1)", map[string][]float64{"{name=s:b}": {nan, nan, nan, 0}, "{name=s:c}": {0, 0, 0, nan}}},
		{"{ } | count_over_time() by (name) | topk(3)", map[string][]float64{
			"{name=s:a}": {2, 0, 0, 0}, "{name=s:b}": {0, 2, 0, 0}, "{name=s:c}": {0, 0, 0, 2},
		}},
		{"{ } | max_over_time(duration) > 900ms | topk(1)", map[string][]float64{"{__name__=s:max_over_time}": {1, 4, nan, 1}}},
		{"{ } | max_over_time(duration) != 1s", map[string][]float64{"{__name__=s:max_over_time}": {nan, 4, nan, nan}}},
		{"({ name = `a` } | rate()) / ({ } | rate())", map[string][]float64{"{__name__=s:(rate / rate)}": {1, 0, nan, 0}}},
		{"2 * ({ } | count_over_time()) - 1", map[string][]float64{"{__name__=s:count_over_time}": {3, 3, -1, 3}}},
		{"({ } | count_over_time()) / 0", map[string][]float64{}},
		{"({ } | count_over_time() by (name)) / ({ } | count_over_time())", map[string][]float64{
			"{name=s:a}": {1, 0, nan, 0}, "{name=s:b}": {0, 1, nan, 0}, "{name=s:c}": {0, 0, nan, 1},
		}},
		{"({ name = `a` } | count_over_time() by (name)) + ({ } | count_over_time() by (name))", map[string][]float64{"{name=s:a}": {4, 0, 0, 0}}},
	} {
		t.Run(tc.query, func(t *testing.T) {
			result, err := engine.QueryRange(t.Context(), compileMetrics(t, tc.query), [][]engine.Source{{newMemory(handSpans())}}, engine.MetricsOptions{
				StartNanos: uint64(time.Second), EndNanos: uint64(40 * time.Second), StepNanos: uint64(10 * time.Second),
			})
			require.NoError(t, err)
			require.Equal(t, []uint64{10e9, 20e9, 30e9, 40e9}, result.Times)
			got := make(map[string]string)
			for i, s := range result.Series {
				labels := normalSeries(&engine.MetricsResult{Times: result.Times, Series: result.Series[i : i+1]})[0].Labels
				got[labels] = fmt.Sprintf("%.9g", s.Values)
			}
			want := make(map[string]string)
			for labels, values := range tc.want {
				want[labels] = fmt.Sprintf("%.9g", values)
			}
			require.Equal(t, want, got)
		})
	}
}

func TestInstantMetrics(t *testing.T) {
	opts := engine.MetricsOptions{StartNanos: uint64(10 * time.Second), EndNanos: uint64(40 * time.Second), Exemplars: 50}
	for query, want := range map[string]float64{
		"{ } | count_over_time()":     5, // both ends included
		"{ } | rate()":                5.0 / 30,
		"{ } | sum_over_time(span.v)": 5.5,
	} {
		result, err := engine.QueryInstant(t.Context(), compileMetrics(t, query), [][]engine.Source{{newMemory(handSpans())}}, opts)
		require.NoError(t, err)
		require.Equal(t, []uint64{40e9}, result.Times)
		require.Len(t, result.Series, 1)
		require.InEpsilon(t, want, result.Series[0].Values[0], 1e-12, query)
		require.Empty(t, result.Series[0].Exemplars)
	}
}

// A range begins with the step of its start, and ends with that of its end, or
// with the one that now is in.
func TestMetricsSteps(t *testing.T) {
	const s = uint64(time.Second)
	for _, tc := range []struct {
		start, end, now, step uint64
		first, last           uint64
	}{
		{100, 200, 1000, 10, 100, 200},
		{101, 199, 1000, 10, 100, 200},
		{109, 191, 1000, 10, 100, 200},
		{100, 200, 150, 10, 100, 150},
		{100, 200, 151, 10, 100, 160},
		{100, 200, 99, 10, 100, 100},
		{0, 20, 1000, 10, 10, 20},
	} {
		result, err := engine.QueryRange(t.Context(), compileMetrics(t, "{ } | rate()"), [][]engine.Source{{newMemory(nil)}}, engine.MetricsOptions{
			StartNanos: tc.start * s, EndNanos: tc.end * s, StepNanos: tc.step * s, NowNanos: tc.now * s,
		})
		require.NoError(t, err)
		require.Equal(t, tc.first*s, result.Times[0], tc)
		require.Equal(t, tc.last*s, result.Times[len(result.Times)-1], tc)
		require.Len(t, result.Times, int((tc.last-tc.first)/tc.step)+1)
	}
	result, err := engine.QueryRange(t.Context(), compileMetrics(t, "{ } | rate()"), nil, engine.MetricsOptions{
		StartNanos: 100 * s, EndNanos: 200 * s, StepNanos: s, NowNanos: 5 * s,
	})
	require.NoError(t, err)
	require.Empty(t, result.Times)
	require.Empty(t, result.Series)
}

// Which exemplars are shown of spans with one start does not depend on which
// source has them.
func TestExemplarsOfOneStart(t *testing.T) {
	sources := make([]engine.Source, 0, 4)
	for i, name := range []string{"d", "b", "c", "a"} {
		sources = append(sources, newMemory([]schema.Span{span(1, byte(i+1), name, 1e9, 2e9)}))
	}
	plan := compileMetrics(t, "{ } | rate() by (name)")
	for range sources {
		sources = append(sources[1:], sources[0])
		result, err := engine.QueryRange(t.Context(), plan, [][]engine.Source{sources}, engine.MetricsOptions{
			StartNanos: 1e9, EndNanos: 2e9, StepNanos: 10e9, Exemplars: 2,
		})
		require.NoError(t, err)
		var names []string
		for _, s := range result.Series {
			for range s.Exemplars {
				names = append(names, s.Labels[0].Value.Str)
			}
		}
		require.ElementsMatch(t, []string{"a", "b"}, names)
	}
}

// The hint allows fewer exemplars, which are labelled with what the query says.
func TestExemplars(t *testing.T) {
	for query, want := range map[string]int{
		"{ name != `c` } | rate()":                              2 + 2,
		"{ name != `c` } | rate() with(exemplars=2)":            2,
		"{ name != `c` } | rate() with(exemplars=false)":        0,
		"{ name != `c` } | max_over_time(span.v) by (name)":     3,
		"{ name != `c` } | histogram_over_time(span.v) by(.v)":  3,
		"{ name != `c` } | quantile_over_time(span.v, .1, .99)": 3,
	} {
		result, err := engine.QueryRange(t.Context(), compileMetrics(t, query), [][]engine.Source{{newMemory(handSpans())}}, engine.MetricsOptions{
			StartNanos: uint64(time.Second), EndNanos: uint64(40 * time.Second), StepNanos: uint64(10 * time.Second), Exemplars: 100,
		})
		require.NoError(t, err)
		count := 0
		for _, s := range result.Series {
			for _, e := range s.Exemplars {
				count++
				require.Contains(t, fmt.Sprint(e.Labels), "name")
			}
		}
		require.Equal(t, want, count, query)
	}
}

// stuck is a source that gives up the query with its first rows.
type stuck struct {
	memory

	giveUp context.CancelFunc
}

func (s stuck) Scan(ctx context.Context, f *vec.Filter, c vec.Columns) iter.Seq2[[]schema.Span, error] {
	s.giveUp()
	return s.memory.Scan(ctx, f, c)
}

func (s stuck) Find(ctx context.Context, f *vec.Filter) iter.Seq2[[]vec.Hit, error] {
	s.giveUp()
	return s.memory.Find(ctx, f)
}

func (s stuck) Held(ctx context.Context) (*vec.Held, error) {
	s.giveUp()
	return s.memory.Held(context.WithoutCancel(ctx))
}

func TestMetricsEndWhenGivenUp(t *testing.T) {
	for _, query := range []string{
		"{ } | rate()", "{ } | max_over_time(event:timeSinceStart)", "{ } >> { } | rate()", "{ } | compare({ status = error })",
		"({ } | rate()) + ({ } | rate())",
	} {
		ctx, giveUp := context.WithCancel(t.Context())
		sources := [][]engine.Source{{stuck{newMemory(handSpans()), giveUp}, newMemory(handSpans())}}
		_, err := engine.QueryRange(ctx, compileMetrics(t, query), sources, engine.MetricsOptions{
			StartNanos: uint64(time.Second), EndNanos: uint64(40 * time.Second),
		})
		require.ErrorIs(t, err, context.Canceled, query)
	}
}
