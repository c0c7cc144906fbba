package block_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/vec/vectest"
	"github.com/spanlake/spanlake/schema"
)

var attributeScopes = []vec.Scope{vec.ScopeSpan, vec.ScopeResource, vec.ScopeInstrumentation, vec.ScopeEvent, vec.ScopeLink}

// The keys that a block tells of are those that its rows have: in columns and
// outside of them, in and beside a range, whatever is known before.
func TestKeysOfRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	all := []block.Limits{
		{}, {PageRows: 16, GroupRows: 50}, {PageRows: 77, FrameBytes: 13, GroupRows: 300, ColumnRows: 1}, {PageRows: 64, Columns: 3, ColumnRows: 1},
	}
	for range 30 / thinning {
		spans := vectest.Spans(rng, []int{1, 150, 600}[rng.IntN(3)])
		slices.SortStableFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
		o, err := block.EncodeLimited(project, spans, all[rng.IntN(len(all))])
		require.NoError(t, err)
		r, err := block.NewCache(1<<20).Open(t.Context(), memory(o.Data), keyOf(o))
		require.NoError(t, err)
		if rng.IntN(2) == 0 {
			r, err = block.Open(t.Context(), memory(o.Data), keyOf(o))
			require.NoError(t, err)
		}
		for range 20 {
			requireKeysOf(t, rng, r, spans)
		}
	}
}

func requireKeysOf(t *testing.T, rng *rand.Rand, r *block.Reader, spans []schema.Span) {
	t.Helper()
	q := &vec.KeyQuery{Filter: vectest.Filter(rng, 2)}
	if rng.IntN(2) == 0 {
		q.StartNanos = spans[rng.IntN(len(spans))].StartNanos
		q.EndNanos = spans[rng.IntN(len(spans))].EndNanos
	}
	for _, scope := range attributeScopes {
		if rng.IntN(3) > 0 {
			q.Scopes = append(q.Scopes, scope)
		}
	}
	known, want, rows := map[string]bool{}, map[string]bool{}, 0
	for i := range spans {
		s := &spans[i]
		if rng.IntN(100) == 0 { // of rows that count and of others
			for key := range keysOf(s, q.Scopes) {
				known[key] = rng.IntN(2) == 0
			}
		}
		if vectest.Holds(q.Filter, s) && max(s.StartNanos, s.EndNanos) >= q.StartNanos && (q.EndNanos == 0 || s.StartNanos < q.EndNanos) {
			rows++
			for key := range keysOf(s, q.Scopes) {
				want[key] = true
			}
		}
	}
	got := map[string]bool{}
	q.Known = func(scope vec.Scope, key string) bool { return known[named(scope, key)] || got[named(scope, key)] }
	q.Add = func(scope vec.Scope, key string) { got[named(scope, key)] = true }
	n, err := r.KeysOf(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, rows, n)
	for key, is := range known {
		if is {
			delete(want, key)
			require.NotContains(t, got, key)
		}
	}
	require.Equal(t, want, got)
}

func named(scope vec.Scope, key string) string { return fmt.Sprint(scope, " ", key) }

// keysOf are the keys of a row, with their scopes.
func keysOf(s *schema.Span, scopes []vec.Scope) map[string]bool {
	keys := map[string]bool{}
	add := func(scope vec.Scope, attributes []schema.Attribute) {
		for _, a := range attributes {
			keys[named(scope, a.Key)] = true
		}
	}
	for _, scope := range scopes {
		switch scope {
		case vec.ScopeResource:
			add(scope, otlp.ResourceAttributes(s.Resource))
		case vec.ScopeInstrumentation:
			add(scope, otlp.ScopeAttributes(s.Scope))
		case vec.ScopeEvent:
			for e := range otlp.Events(s) {
				add(scope, e.Attributes)
			}
		case vec.ScopeLink:
			for l := range otlp.Links(s) {
				add(scope, l.Attributes)
			}
		default:
			for _, fields := range [][]byte{s.Attributes, s.Derived} {
				for key := range otlp.Attributes(fields) {
					keys[named(scope, key)] = true
				}
			}
		}
	}
	return keys
}
