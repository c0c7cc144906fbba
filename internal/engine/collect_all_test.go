package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// timed is a source that knows its times, and nothing else without its rows.
type timed struct{ memory }

var _ engine.Lister = timed{}

func (s timed) Times() (first, last uint64) {
	first = s.spans[0].StartNanos
	for i := range s.spans {
		first = min(first, s.spans[i].StartNanos)
		last = max(last, s.spans[i].StartNanos, s.spans[i].EndNanos)
	}
	return first, last
}

func (timed) Keys(context.Context, vec.Scope) ([]string, bool, error) { return nil, false, nil }

func (timed) Distinct(context.Context, vec.Field, func(*schema.Span) bool) (bool, error) {
	return false, nil
}

// Sources with only older rows than an answer needs are left alone, whatever else
// is asked of its traces.
func TestSearchPassesOldSources(t *testing.T) {
	const perSource = 10
	var sources []engine.Source
	for k := range byte(20) {
		var spans []schema.Span
		for i := range byte(perSource) {
			n := perSource*k + i
			start := 1000 * uint64(n)
			spans = append(spans, span(n, 1, "root", start, start+10), span(n, 2, "leaf", start+1, start+2, childOfRoot))
		}
		sources = append(sources, timed{newMemory(spans)})
	}
	for _, query := range []string{
		`{ name = "leaf" }`, `{ name = "root" } > { name = "leaf" }`, `{ } | count() > 1`, `{ } | avg(duration) > 1ns`,
		`{ name = "leaf" } | by(name)`, `{ rootName = "root" }`, `{ name = "leaf" } && { name = "root" }`,
	} {
		opts := engine.SearchOptions{Limit: 3, Concurrency: 1}
		r := search(t, query, [][]engine.Source{sources}, opts)
		require.Equal(t, []byte{199, 198, 197}, traceIDs(r), query)
		require.EqualValues(t, 2*perSource, r.InspectedSpans, query)

		opts.EndNanos = 120_500 // the newest trace begins at 120_000
		r = search(t, query, [][]engine.Source{sources}, opts)
		require.Equal(t, []byte{120, 119, 118}, traceIDs(r), query)

		opts.Limit, opts.EndNanos = 15, 0
		r = search(t, query, [][]engine.Source{sources}, opts)
		require.Len(t, r.Traces, 15, query)
		require.EqualValues(t, 5*2*perSource, r.InspectedSpans, query) // the first, and a step more
	}
	r := search(t, `{ } with(order_by="duration")`, [][]engine.Source{sources}, engine.SearchOptions{Limit: 3, Concurrency: 1})
	require.EqualValues(t, 400, r.InspectedSpans, "any may rank first")
}

// Whatever the times of sources and however few traces are wanted, the answer is
// that of one source.
func TestPassingDoesNotMatter(t *testing.T) {
	spans := dataset(t)
	queries, err := corpus.Queries()
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(3, 5))
	whole := [][]engine.Source{{newMemory(spans)}}
	for range 3 {
		cut := byTime(spans, rng)
		for _, q := range queries {
			query, err := traceql.Parse(q.Params["q"])
			if err != nil || rng.IntN(3) > 0 {
				continue
			}
			plan, err := engine.Compile(query)
			if errors.Is(err, traceql.ErrUnsupported) {
				continue
			}
			require.NoError(t, err)
			opts := engine.SearchOptions{Limit: 1 + rng.IntN(8), Concurrency: 1 + rng.IntN(2)}
			if rng.IntN(2) == 0 {
				opts.EndNanos = (corpus.DatasetEnd - uint64(rng.IntN(3000))) * 1e9
			}
			want, err := engine.Search(t.Context(), plan, whole, opts)
			require.NoError(t, err)
			got, err := engine.Search(t.Context(), plan, cut, opts)
			require.NoError(t, err)
			require.Equal(t, want.Traces, got.Traces, q.Params["q"])
		}
	}
}

// byTime puts rows into sources by their time, some of them late or twice.
func byTime(spans []schema.Span, rng *rand.Rand) [][]engine.Source {
	const count = 12
	first, last := timed{newMemory(spans)}.Times()
	parts := spread(spans, count, func(s *schema.Span, _ int) []int {
		place := int(uint64(count) * (s.StartNanos - first) / (last - first + 1))
		places := []int{place}
		if rng.IntN(20) == 0 {
			places = append(places, place+rng.IntN(count-place))
		}
		if rng.IntN(20) == 0 {
			places[0] += rng.IntN(count - place)
		}
		return places
	})
	for i, s := range parts {
		if m, ok := s.(memory); ok && len(m.spans) > 0 {
			parts[i] = timed{m}
		}
	}
	return [][]engine.Source{parts}
}
