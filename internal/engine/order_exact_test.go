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
