package engine_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/schema"
)

func TestOrderBy(t *testing.T) {
	float := func(f float64) schema.Value { return schema.Value{Kind: schema.KindDouble, Double: f} }
	str := func(s string) schema.Value { return schema.Value{Kind: schema.KindString, Str: s} }
	spans := slices.Concat(
		traceOf(1, node{"a", "", with("n", integer(5))}, node{"b", "a", with("n", integer(1))}),
		traceOf(2, node{"a", "", with("n", float(4.5))}, node{"b", "a", with("n", float(math.NaN()))}),
		traceOf(3, node{"a", "", nil}),
		traceOf(4, node{"a", "", with("n", str("x"))}, node{"b", "a", with("n", integer(2))}),
		traceOf(5, node{"a", "", with("n", schema.Value{Kind: schema.KindArray, Array: []schema.Value{integer(3), integer(9)}})}),
		traceOf(6, node{"a", "", with("n", integer(5))}),
		traceOf(7, node{"a", "", with("n", schema.Value{Kind: schema.KindBool, Bool: true})}),
		traceOf(8, node{"a", "", func(s *schema.Span) { s.EndNanos += 5e9; s.StatusCode = 2 }}),
	)
	for _, tt := range []struct {
		query string
		want  []byte
	}{
		{`{ } with(order_by="span.n desc")`, []byte{4, 7, 5, 6, 1, 2, 8, 3}},
		{`{ } with(order_by="span.n asc")`, []byte{1, 4, 5, 2, 6, 7, 8, 3}},
		{`{ name = "a" } with(order_by="span.n asc")`, []byte{5, 2, 6, 1, 7, 4, 8, 3}},
		{`{ } with(order_by="duration desc")`, []byte{8, 7, 6, 5, 4, 3, 2, 1}},
		{`{ } with(order_by="status desc")`, []byte{8, 7, 6, 5, 4, 3, 2, 1}},
		{`{ } with(order_by="traceDuration asc")`, []byte{7, 6, 5, 3, 4, 2, 1, 8}},
		{`{ } | count() > 1 with(order_by="span.n")`, []byte{4, 1, 2}},
		{`{ } with(order_by="span.absent")`, []byte{8, 7, 6, 5, 4, 3, 2, 1}},
	} {
		for _, limit := range []int{100, 3, 1} {
			want := tt.want[:min(limit, len(tt.want))]
			opts := engine.SearchOptions{Limit: limit}
			require.Equal(t, want, traceIDs(search(t, tt.query, one(spans...), opts)), tt.query)
			cut := spread(spans, 3, func(s *schema.Span, i int) []int { return []int{i % 3, (i + 1) % 3}[:1+i%2] })
			r, err := engine.SearchInRoom(t.Context(), compile(t, tt.query), [][]engine.Source{cut}, opts, 2)
			require.NoError(t, err)
			require.Equal(t, want, traceIDs(r), tt.query)
		}
	}
}

// An order never depends on how much room there is for candidates.
func TestOrderByLongestOfMany(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var spans []schema.Span
	longest := make(map[byte]uint64)
	for i := range byte(200) {
		for k := range byte(1 + rng.IntN(3)) {
			d := uint64(rng.IntN(40))
			longest[i] = max(longest[i], d)
			spans = append(spans, span(i, k+1, "x", 1000+uint64(i), 1000+uint64(i)+d))
		}
	}
	ids := make([]byte, 0, len(longest))
	for id := range longest {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b byte) int {
		return cmp.Or(cmp.Compare(longest[b], longest[a]), cmp.Compare(b, a))
	})
	for range 20 {
		limit := 1 + rng.IntN(250)
		r, err := engine.SearchInRoom(t.Context(), compile(t, `{ } with(order_by="duration desc")`),
			randomCut(spans, rng), engine.SearchOptions{Limit: limit, Concurrency: 3}, 1+rng.IntN(300))
		require.NoError(t, err)
		require.Equal(t, ids[:min(limit, len(ids))], traceIDs(r))
	}
}
