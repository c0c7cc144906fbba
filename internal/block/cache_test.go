package block_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// cachedBlock opens a block of several row groups through a cache.
func cachedBlock(t *testing.T, cache *block.Cache) (*block.Reader, *requests, []schema.Span) {
	t.Helper()
	spans := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 3000, traces: 90, distinct: 9, payload: 20, resources: 4})
	o, err := block.EncodeLimited(project, spans, block.Limits{PageRows: 64, GroupRows: 500})
	require.NoError(t, err)
	bucket := mem.New()
	put(t, bucket, keyOf(o), o.Data)
	counted := &requests{Ranger: bucket}
	r, err := cache.Open(t.Context(), counted, keyOf(o))
	require.NoError(t, err)
	return r, counted, spans
}

func TestCacheSparesRequests(t *testing.T) {
	cache := block.NewCache(16 << 20)
	r, asked, spans := cachedBlock(t, cache)
	require.Zero(t, cache.Stats())
	filter := &vec.Filter{Op: vec.OpPredicate, Predicate: &vec.Predicate{Field: vec.Field{Key: vec.StatusCode}, Int: is(int64(2))}}
	want, err := find(t.Context(), r, filter)
	require.NoError(t, err)
	rows, err := scan(t.Context(), r, filter, vec.AllColumns())
	require.NoError(t, err)
	misses := cache.Stats().Misses
	require.Positive(t, misses)

	asked.reset()
	again, err := find(t.Context(), r, filter)
	require.NoError(t, err)
	require.Equal(t, want, again)
	have, err := scan(t.Context(), r, filter, vec.AllColumns())
	require.NoError(t, err)
	requireSame(t, rows, have)
	require.Zero(t, asked.gets)
	require.Equal(t, misses, cache.Stats().Misses)

	// Another reader of the cache shares nothing with the first.
	other, asked, _ := cachedBlock(t, cache)
	asked.reset()
	have, err = scanAll(t.Context(), other)
	require.NoError(t, err)
	requireSame(t, spans, have)
	require.Positive(t, asked.gets)
}

func TestCacheKeepsItsBudget(t *testing.T) {
	for _, budget := range []int64{0, 1, 4 << 10, 40 << 10} {
		cache := block.NewCache(budget)
		r, _, spans := cachedBlock(t, cache)
		for range 3 {
			have, err := scanAll(t.Context(), r)
			require.NoError(t, err)
			requireSame(t, spans, have)
			require.LessOrEqual(t, cache.Stats().Bytes, budget)
		}
		require.Equal(t, budget >= 4<<10, cache.Stats().Bytes > 0)
	}
}

// A cache too small for what its readers ask at once gives each what it needs.
func TestCacheServesManyAtOnce(t *testing.T) {
	cache := block.NewCache(20 << 10)
	first, _, spans := cachedBlock(t, cache)
	second, _, _ := cachedBlock(t, cache)
	want := byTrace(spans)
	t.Run("readers", func(t *testing.T) {
		for i := range 8 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				r := first
				if i%2 == 0 {
					r = second
				}
				for n := range 20 {
					have, err := r.Trace(t.Context(), traceID(i+n))
					require.NoError(t, err)
					requireSame(t, want[traceID(i+n)], have)
				}
				have, err := scanAll(t.Context(), r)
				require.NoError(t, err)
				requireSame(t, spans, have)
			})
		}
	})
}
