package vectest_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/vec/vectest"
	"github.com/spanlake/spanlake/schema"
)

// Filters that find nothing, or everything, would test nothing.
func TestFiltersTellRowsApart(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	spans := vectest.Spans(rng, 200)
	apart := 0
	for range 1000 {
		f := vectest.Filter(rng, 3)
		n := 0
		for i := range spans {
			if vectest.Holds(f, &spans[i]) {
				n++
			}
		}
		if n > 0 && n < len(spans) {
			apart++
		}
	}
	require.Greater(t, apart, 350)
}

// Every field of vec has a value in some row and none in others, except where
// no row lacks it.
func TestSpansHaveEveryField(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var spans []schema.Span
	for range 10 {
		spans = append(spans, vectest.Spans(rng, 100)...)
	}
	for scope := vec.ScopeSpan; scope <= vec.ScopeLink; scope++ {
		absent := &vec.Filter{Op: vec.OpPredicate, Predicate: &vec.Predicate{Field: vec.Field{Scope: scope, Key: "b"}, Absent: true}}
		n := 0
		for i := range spans {
			if vectest.Holds(absent, &spans[i]) {
				n++
			}
		}
		require.NotZero(t, n, scope)
		require.Less(t, n, len(spans), scope)
	}
}
