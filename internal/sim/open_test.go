package sim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// openTrace is a span in two pieces, of which one says when it began and the other
// when it ended, and a score of a minute later.
func openTrace(n int) (create, update, score schema.Span) {
	piece := func(kind schema.Fragment, span byte, start, end uint64) schema.Span {
		return schema.Span{
			TraceID: schema.TraceID{1, byte(n * 37), byte(n >> 8), byte(n)}, SpanID: schema.SpanID{7: span}, Name: "call",
			StartNanos: start, EndNanos: end, Fragment: kind, FragmentNanos: max(start, end), Position: uint64(n + 1),
			Resource: &schema.Resource{}, Scope: &schema.Scope{},
		}
	}
	at := uint64(1_790_000_000+n) * 1e9
	return piece(schema.FragmentCreate, 1, at, 0), piece(schema.FragmentUpdate, 1, 0, at+5e8), piece(schema.FragmentScore, 2, at+60e9, at+60e9)
}

// A search for the newest traces puts about as many together as it wants, not every
// trace in pieces that there is, and no block begins at the beginning of time.
func TestFewOpenTracesAreRead(t *testing.T) {
	const traces = 600
	var first, second []schema.Span
	for n := range traces {
		create, update, score := openTrace(n)
		first, second = append(first, create), append(second, update, score)
	}
	sources := []engine.Source{store(t, first), store(t, second)}
	for _, s := range sources {
		begin, _ := s.(engine.Timed).Times()
		require.Greater(t, begin, uint64(1_789_999_999e9))
	}
	query, err := traceql.Parse(`{ }`)
	require.NoError(t, err)
	plan, err := engine.Compile(query)
	require.NoError(t, err)
	for _, beside := range []bool{false, true} {
		list := sources
		if beside {
			list = []engine.Source{sources[0], engine.LookupOnly(sources[1])}
		}
		got, err := engine.Search(t.Context(), plan, [][]engine.Source{list}, engine.SearchOptions{Limit: 20, Concurrency: 2})
		require.NoError(t, err)
		require.Len(t, got.Traces, 20)
		for i, trace := range got.Traces {
			create, _, _ := openTrace(traces - 1 - i)
			require.Equal(t, create.TraceID, trace.TraceID)
			require.EqualValues(t, 500, trace.DurationMs)
			require.EqualValues(t, 1, trace.SpanSets[0].Matched)
		}
		if !beside { // how late the others are is not known where they are not searched
			require.Less(t, got.InspectedTraces, uint64(200))
		}
	}
}
