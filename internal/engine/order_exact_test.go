package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/schema"
)

// Ints that are the same as floats are different in an order: it would not be
// one otherwise.
func TestOrderOfNumbersIsExact(t *testing.T) {
	with := func(trace byte, v schema.Value) schema.Span {
		return span(trace, 1, "x", uint64(trace), uint64(trace)+1, func(s *schema.Span) {
			s.Attributes = attributesOf(schema.Attribute{Key: "n", Value: v})
		})
	}
	spans := []schema.Span{
		with(1, schema.Value{Kind: schema.KindInt, Int: 1<<53 + 1}),
		with(2, schema.Value{Kind: schema.KindDouble, Double: 1 << 53}),
		with(3, schema.Value{Kind: schema.KindInt, Int: 1 << 53}),
		with(4, schema.Value{Kind: schema.KindDouble, Double: 1e19}),
		with(5, schema.Value{Kind: schema.KindDouble, Double: -1e19}),
		with(6, schema.Value{Kind: schema.KindDouble, Double: 1<<53 + 2}),
	}
	r := search(t, `{ } with(order_by="span.n")`, one(spans...), engine.SearchOptions{})
	require.Equal(t, []byte{4, 6, 1, 3, 2, 5}, traceIDs(r))
	r = search(t, `{ } with(order_by="span.n asc")`, one(spans...), engine.SearchOptions{})
	require.Equal(t, []byte{5, 3, 2, 1, 6, 4}, traceIDs(r))
}

// Traces that have nothing to rank by stand last, whatever their sources say, and
// those that another source has too are put together before they rank.
func TestOrderOfWhatIsElsewhere(t *testing.T) {
	with := func(trace, id byte, n int64) schema.Span {
		return span(trace, id, "x", uint64(trace), uint64(trace)+1, func(s *schema.Span) {
			if n >= 0 {
				s.Attributes = attributesOf(schema.Attribute{Key: "n", Value: schema.Value{Kind: schema.KindInt, Int: n}})
			}
		})
	}
	sources := [][]engine.Source{{
		newMemory([]schema.Span{with(1, 1, 10), with(2, 1, 20), with(3, 1, 5), with(4, 1, -1), with(5, 1, 1)}),
		newMemory([]schema.Span{with(3, 2, 30), with(6, 1, 8), with(5, 1, 1)}),
	}}
	for limit, want := range [][]byte{1: {3}, 2: {3, 2}, 3: {3, 2, 1}, 5: {3, 2, 1, 6, 5}, 6: {3, 2, 1, 6, 5, 4}} {
		if limit == 0 || want == nil {
			continue
		}
		r := search(t, `{ } with(order_by="span.n")`, sources, engine.SearchOptions{Limit: limit})
		require.Equal(t, want, traceIDs(r))
	}
	r := search(t, `{ } with(order_by="span.n")`, sources, engine.SearchOptions{Limit: 1, StartNanos: 6, EndNanos: 9})
	require.Equal(t, []byte{6}, traceIDs(r))
}

// An aggregate is computed over all of a trace, wherever its spans are.
func TestAggregatesOfWhatIsElsewhere(t *testing.T) {
	with := func(trace, id byte, v schema.Value) schema.Span {
		return span(trace, id, "x", uint64(trace), uint64(trace)+1, func(s *schema.Span) {
			s.Attributes = attributesOf(schema.Attribute{Key: "n", Value: v})
		})
	}
	i := func(n int64) schema.Value { return schema.Value{Kind: schema.KindInt, Int: n} }
	f := func(n float64) schema.Value { return schema.Value{Kind: schema.KindDouble, Double: n} }
	sources := [][]engine.Source{{
		newMemory([]schema.Span{
			with(1, 1, i(6)), with(1, 2, i(4)), with(2, 1, i(6)), with(3, 1, f(.1)), with(3, 2, f(.2)), with(4, 1, i(-5)),
			with(5, 1, schema.Value{Kind: schema.KindString, Str: "none"}),
		}),
		newMemory([]schema.Span{with(2, 2, i(5)), with(2, 1, i(6)), with(4, 2, i(7))}),
	}}
	for query, want := range map[string][]byte{
		`{ } | sum(span.n) > 10`:                   {2},
		`{ } | sum(span.n) >= 10`:                  {2, 1},
		`{ } | sum(span.n) = 0.30000000000000004`:  {3},
		`{ } | sum(span.n) < 1`:                    {3},
		`{ } | sum(span.n) <= 2`:                   {4, 3},
		`{ } | sum(span.n) != 10`:                  {4, 3, 2},
		`{ } | avg(span.n) = 5.5`:                  {2},
		`{ } | min(span.n) > 4`:                    {2},
		`{ } | min(span.n) >= 4`:                   {2, 1},
		`{ } | max(span.n) < 7`:                    {3, 2, 1},
		`{ span.n > 4 } | sum(span.n) < 8`:         {4, 1},
		`{ } | avg(duration) > 1ns`:                nil,
		`{ } | avg(duration) >= 1ns`:               {5, 4, 3, 2, 1},
		`{ } | sum(span.n) > 5 | count() > 1`:      {2, 1},
		`{ } | sum(span.n) > 5 | by(span.n)`:       {2, 1},
		`{ } | { span.n > 5 } | sum(span.n) >= 7`:  {4},
		`{ } | sum(span.n) > -6 | sum(span.n) < 0`: nil,
	} {
		require.Equal(t, want, traceIDs(search(t, query, sources, engine.SearchOptions{})), query)
	}
}
