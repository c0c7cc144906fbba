package engine_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/wire"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
	"github.com/spanlake/spanlake/traceql/traceqltest/random"
)

// partQueries are metrics queries of every kind of tally.
func partQueries() []string {
	return []string{
		`{ } | rate() by (name)`, `{ } | min_over_time(duration)`, `{ } | avg_over_time(duration) by (kind, status)`,
		`{ } | quantile_over_time(duration, .5, .9)`, `{ } | histogram_over_time(duration) by (name)`,
		`{ } | compare({ status = error })`, `({ status = error } | rate()) / ({ } | rate())`,
	}
}

// partOf gathers a query from random rows.
func partOf(t testing.TB, text string) (*engine.MetricsQuery, *engine.MetricsPart) {
	t.Helper()
	query, err := traceql.Parse(text)
	require.NoError(t, err)
	plan, err := engine.CompileMetrics(query)
	require.NoError(t, err)
	q, err := plan.Range(engine.MetricsOptions{
		StartNanos: random.Origin, EndNanos: random.Origin + random.Extent, StepNanos: random.Extent / 10, Exemplars: 20,
		MaxSeries: 1000, MaxBytes: 1 << 20,
	})
	require.NoError(t, err)
	part, err := q.Gather(t.Context(), [][]engine.Source{{randomSource(t)}})
	require.NoError(t, err)
	return q, part
}

func randomSource(t testing.TB) engine.Source {
	t.Helper()
	// Of these rows no attribute that is a label is NaN, which equals nothing.
	rows, err := random.Spans(rand.New(rand.NewPCG(1, 7)), 20)
	require.NoError(t, err)
	index := make(map[schema.TraceID][]int32)
	for i := range rows {
		index[rows[i].TraceID] = append(index[rows[i].TraceID], int32(i))
	}
	return engine.NewMemory([][]schema.Span{rows}, func(id schema.TraceID) []int32 { return index[id] })
}

func answerOf(t testing.TB, q *engine.MetricsQuery, parts ...*engine.MetricsPart) []engine.Series {
	t.Helper()
	sum := q.Sum()
	for _, p := range parts {
		require.NoError(t, sum.Add(p))
	}
	result, err := sum.Result()
	require.NoError(t, err)
	for i := range result.Series {
		for k, v := range result.Series[i].Values {
			if math.IsNaN(v) {
				result.Series[i].Values[k] = -1
			}
		}
	}
	return result.Series
}

func TestPartsKeepTheirMeaning(t *testing.T) {
	for _, text := range partQueries() {
		q, part := partOf(t, text)
		again, err := q.Parse(part.Append(nil))
		require.NoError(t, err, text)
		require.Equal(t, part.InspectedSpans, again.InspectedSpans)
		want := answerOf(t, q, part)
		require.NotEmpty(t, want)
		require.Equal(t, want, answerOf(t, q, again), text)
	}
}

func TestBadParts(t *testing.T) {
	for _, text := range partQueries() {
		q, part := partOf(t, text)
		whole := part.Append(nil)
		_, err := q.Parse(append(whole, 0))
		require.ErrorIs(t, err, wire.ErrMessage, text)
		for n := range whole {
			_, err := q.Parse(whole[:n])
			require.ErrorIs(t, err, wire.ErrMessage, "%s, %d bytes of %d", text, n, len(whole))
		}
	}
}

// A part of more groups than the query may have is refused, as gathering is.
func TestPartsAreBounded(t *testing.T) {
	_, part := partOf(t, `{ } | rate() by (name)`)
	query, err := traceql.Parse(`{ } | rate() by (name)`)
	require.NoError(t, err)
	plan, err := engine.CompileMetrics(query)
	require.NoError(t, err)
	for _, test := range []struct {
		series int
		bytes  int64
		want   error
	}{{1, 1 << 20, engine.ErrTooManySeries}, {1000, 100, engine.ErrTooMuchMemory}} {
		q, err := plan.Range(engine.MetricsOptions{
			StartNanos: random.Origin, EndNanos: random.Origin + random.Extent, StepNanos: random.Extent / 10, Exemplars: 20,
			MaxSeries: test.series, MaxBytes: test.bytes,
		})
		require.NoError(t, err)
		_, err = q.Parse(part.Append(nil))
		require.ErrorIs(t, err, test.want)
	}
}

func FuzzParsePart(f *testing.F) {
	queries := partQueries()
	list := make([]*engine.MetricsQuery, len(queries))
	for i, text := range queries {
		q, part := partOf(f, text)
		list[i] = q
		f.Add(byte(i), part.Append(nil))
	}
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		q := list[int(which)%len(list)]
		part, err := q.Parse(data)
		if err != nil {
			return
		}
		again, err := q.Parse(part.Append(nil))
		require.NoError(t, err)
		want := answerOf(t, q, part)
		require.Len(t, answerOf(t, q, again), len(want))
	})
}

func FuzzParseSearchResult(f *testing.F) {
	for _, text := range []string{`{ }`, `{ } with(order_by="duration desc")`, `{ } | by(name) | count() > 0 | select(.a)`} {
		query, err := traceql.Parse(text)
		require.NoError(f, err)
		plan, err := engine.Compile(query)
		require.NoError(f, err)
		result, err := engine.Search(f.Context(), plan, [][]engine.Source{{randomSource(f)}}, engine.SearchOptions{})
		require.NoError(f, err)
		f.Add(result.Append(nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		result, err := engine.ParseSearchResult(data)
		if err != nil {
			require.ErrorIs(t, err, wire.ErrMessage)
			return
		}
		again, err := engine.ParseSearchResult(result.Append(nil))
		require.NoError(t, err)
		require.Len(t, again.Traces, len(result.Traces))
	})
}

func tagsOf(t testing.TB, opts engine.TagOptions) (names, values *engine.Tags) {
	t.Helper()
	query, err := traceql.Parse("{ }")
	require.NoError(t, err)
	plan, err := engine.Compile(query)
	require.NoError(t, err)
	sources := [][]engine.Source{{randomSource(t)}}
	names, err = engine.CollectNames(t.Context(), plan, sources, []traceql.Scope{traceql.ScopeSpan, traceql.ScopeResource, traceql.ScopeEvent}, opts)
	require.NoError(t, err)
	values, err = engine.CollectValues(t.Context(), plan, sources, []traceql.FieldExpr{field(t, "name")}, opts)
	require.NoError(t, err)
	require.Greater(t, len(names.ByScope[traceql.ScopeSpan]), 2)
	require.Greater(t, len(values.Values), 2)
	return names, values
}

func TestTagsKeepTheirMeaning(t *testing.T) {
	names, values := tagsOf(t, engine.TagOptions{})
	for _, want := range []*engine.Tags{names, values} {
		encoded := want.Append(nil)
		got, err := engine.ParseTags(encoded)
		require.NoError(t, err)
		require.Equal(t, engine.MergeTags(engine.TagOptions{}, want), engine.MergeTags(engine.TagOptions{}, got))
		for n := range encoded {
			_, err := engine.ParseTags(encoded[:n])
			require.ErrorIs(t, err, wire.ErrMessage)
		}
	}
}

// What is merged is as bounded as what is collected.
func TestMergedTagsAreBounded(t *testing.T) {
	names, values := tagsOf(t, engine.TagOptions{})
	keys, texts := len(names.ByScope[traceql.ScopeSpan]), len(values.Values)
	for _, test := range []struct {
		opts        engine.TagOptions
		keys, texts int
	}{
		{engine.TagOptions{}, keys, texts},
		{engine.TagOptions{Limit: max(keys, texts)}, keys, texts},
		{engine.TagOptions{Limit: 2}, 2, 2},
		{engine.TagOptions{MaxBytes: 1}, 0, 0},
	} {
		got := engine.MergeTags(test.opts, names, values, names, values)
		require.Len(t, got.ByScope[traceql.ScopeSpan], test.keys, "%+v", test.opts)
		require.Len(t, got.Values, test.texts, "%+v", test.opts)
	}
}

func FuzzParseTags(f *testing.F) {
	names, values := tagsOf(f, engine.TagOptions{})
	f.Add(names.Append(nil))
	f.Add(values.Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		tags, err := engine.ParseTags(data)
		if err != nil {
			require.ErrorIs(t, err, wire.ErrMessage)
			return
		}
		again, err := engine.ParseTags(tags.Append(nil))
		require.NoError(t, err)
		require.Len(t, again.Values, len(tags.Values))
		engine.MergeTags(engine.TagOptions{Limit: 3}, tags, again)
	})
}
