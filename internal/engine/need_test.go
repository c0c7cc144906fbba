package engine_test

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// manyTraces are 40 traces of a root and a child. Every fourth root is an "a",
// every tenth child a "b", so that traces 0 and 20 have both; the roots of the
// second half take 10 s and have more children.
func manyTraces() []schema.Span {
	var spans []schema.Span
	for i := range byte(40) {
		names := []string{"x", "y"}
		if i%4 == 0 {
			names[0] = "a"
		}
		if i%10 == 0 {
			names[1] = "b"
		}
		root := span(i, 1, names[0], uint64(i)*1e12, uint64(i)*1e12+1e9)
		spans = append(spans, root, span(i, 2, names[1], root.StartNanos+1, root.StartNanos+2, childOfRoot))
		if i >= 20 {
			spans[len(spans)-2].EndNanos += 9e9
			for k := range byte(3) {
				spans = append(spans, span(i, 3+k, "more", root.StartNanos+5, root.StartNanos+6, childOfRoot))
			}
		}
	}
	return spans
}

// Only traces that have a row of every kind that the query needs are read,
// whatever sources their rows are in.
func TestSearchReadsOnlyTracesThatCanMatch(t *testing.T) {
	for _, tt := range []struct {
		query     string
		read      uint64 // traces
		found     int
		onlyWhole bool // what it is about is known of traces in one source
	}{
		{`{ name = "a" } > { name = "b" }`, 2, 2, false},
		{`{ name = "a" } && { name = "b" }`, 2, 2, false},
		{`{ name = "b" } >> { name = "a" }`, 2, 0, false},
		{`{ name = "a" } &> { name = "b" }`, 2, 2, false},
		{`{ name = "a" } !> { name = "b" }`, 4, 2, false},
		{`({ name = "a" } && { name = "b" }) || { name = "none" }`, 2, 2, false},
		{`{ name = "a" } || { name = "b" }`, 12, 12, false},
		{`{ name = "a" } | { name = "b" }`, 0, 0, false},
		{`{ name = "none" } > { }`, 0, 0, false},
		{`{ false } > { }`, 0, 0, false},
		{`{ } > { name = "b" }`, 4, 4, false},
		{`{ rootName = "a" && name = "b" }`, 2, 2, false},
		{`{ rootServiceName = "svc" && name = "b" }`, 4, 4, false},
		{`{ rootServiceName = "none" }`, 0, 0, false},
		{`{ } | count() > 2`, 20, 20, false},
		{`{ name = "more" } | count() = 3`, 20, 20, false},
		{`{ name = "more" } | count() > 3`, 0, 0, false},
		{`{ name = "more" } | by(name) | count() > 3`, 0, 0, false},
		{`{ name =~ "[ax]" } | max(duration) > 9s`, 20, 20, false},
		{`{ name =~ "[ax]" } | min(duration) < 2s`, 20, 20, false},
		{`{ name =~ "[ax]" } | avg(duration) > 9s`, 20, 20, false},
		{`{ } | sum(span.n) > 0`, 0, 0, false},
		{`{ traceDuration > 5s }`, 20, 20, true},
		{`{ traceDuration >= 11s }`, 0, 0, true},
	} {
		opts := engine.SearchOptions{Limit: 100}
		r := search(t, tt.query, one(manyTraces()...), opts)
		require.Len(t, r.Traces, tt.found, tt.query)
		require.Equal(t, tt.read, r.InspectedTraces, tt.query)
		apart := spread(manyTraces(), 5, func(s *schema.Span, _ int) []int { return []int{int(s.SpanID[7]) % 5} })
		r = search(t, tt.query, [][]engine.Source{apart}, opts)
		require.Len(t, r.Traces, tt.found, tt.query)
		if !tt.onlyWhole {
			require.Equal(t, tt.read, r.InspectedTraces, tt.query)
		}
		// More sources than are asked about each trace.
		many := spread(manyTraces(), 40, func(s *schema.Span, _ int) []int { return []int{int(s.TraceID[15]+s.SpanID[7]) % 40} })
		r = search(t, tt.query, [][]engine.Source{many}, opts)
		require.Len(t, r.Traces, tt.found, tt.query)
		if !tt.onlyWhole {
			require.Equal(t, tt.read, r.InspectedTraces, tt.query)
		}
	}
}

// What a source has that is not searched counts for the traces that others
// have rows of.
func TestNeedsOfSourcesThatAreNotSearched(t *testing.T) {
	spans := traceOf(1, node{"a", "", nil}, node{"b", "a", nil}, node{"c", "b", nil})
	partitions := [][]engine.Source{{newMemory(spans[:1]), engine.LookupOnly(newMemory(spans[1:2])), newMemory(spans[2:])}}
	for _, query := range []string{
		`{ name = "a" } > { name = "b" }`, `{ name = "b" } > { name = "c" }`, `{ name = "a" } >> { name = "c" }`,
		`{ } | count() = 3`, `{ name =~ "[bc]" } | count() = 2`,
	} {
		require.Len(t, search(t, query, partitions, engine.SearchOptions{}).Traces, 1, query)
	}
	require.Empty(t, search(t, `{ name = "a" } > { name = "c" }`, partitions, engine.SearchOptions{}).Traces)
}

// stopping cancels the query when it is asked for something the n-th time.
type stopping struct {
	memory
	cancel context.CancelFunc
	left   *int
	after  *int // calls after that
}

func (s stopping) count() {
	if *s.left--; *s.left == 0 {
		s.cancel()
	} else if *s.left < 0 {
		*s.after++
	}
}

func (s stopping) Find(ctx context.Context, f *vec.Filter) iter.Seq2[[]vec.Hit, error] {
	return func(yield func([]vec.Hit, error) bool) {
		for hits, err := range s.memory.Find(ctx, f) {
			s.count()
			if !yield(hits, err) {
				return
			}
		}
	}
}

func (s stopping) Traces(ctx context.Context, ids []schema.TraceID, c vec.Columns) ([]schema.Span, error) {
	s.count()
	return s.memory.Traces(ctx, ids, c)
}

// A query that is given up stops at once, wherever it is: nothing is read
// after that but what was begun.
func TestSearchStops(t *testing.T) {
	for _, query := range []string{
		`{ name = "x" }`, `{ name = "x" } > { name = "y" }`, `{ name = "x" } !> { name = "none" || name = "y" }`,
		`{ } | by(name) | max(duration) >= 0s`, `{ } with(order_by="duration")`, `{ name = "x" } && { nestedSetLeft = 2 }`,
	} {
		total := 0
		for stopAt := 1; ; stopAt++ {
			ctx, cancel := context.WithCancel(t.Context())
			left, after := stopAt, 0
			source := stopping{newMemory(manyTraces()), cancel, &left, &after}
			_, err := engine.Search(ctx, compile(t, query), [][]engine.Source{{source}}, engine.SearchOptions{Limit: 100})
			cancel()
			if left > 0 {
				require.NoError(t, err, query)
				break
			}
			total++
			require.ErrorIs(t, err, context.Canceled, query)
			require.LessOrEqual(t, after, 1, query)
		}
		require.Greater(t, total, 2, query)
	}
}

// givenUp is a context that ends when it is asked often enough.
type givenUp struct {
	context.Context

	left, after *int
}

func (g givenUp) Err() error {
	if *g.left--; *g.left >= 0 {
		return nil
	}
	*g.after++
	return context.Canceled
}

// The stages themselves look whether they are still wanted, every so many spans.
func TestStagesStop(t *testing.T) {
	nodes := make([]node, 5000)
	for i := range nodes {
		nodes[i] = node{name: "a"}
	}
	spans := traceOf(1, nodes...)
	for i := range spans {
		spans[i].SpanID = schema.SpanID{byte(i >> 8), byte(i), 1}
	}
	for _, query := range []string{
		`{ name != "x" }`, `{ } | by(span:id)`, `{ } | max(duration) > 0s`, `{ } > { }`, `({ } | count() > 1) && ({ name = "a" })`,
	} {
		for stopAt := range 5 {
			left, after := stopAt, 0
			err := engine.RunOn(givenUp{t.Context(), &left, &after}, compile(t, query), spans)
			require.ErrorIs(t, err, context.Canceled, query)
			require.LessOrEqual(t, after, 2, query)
		}
	}
}
