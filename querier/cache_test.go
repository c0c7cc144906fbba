package querier

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Blocks that grow as they are read are counted as large as they are, not as
// they were when they were opened.
func TestOpenBlocksAreCountedAsTheyGrow(t *testing.T) {
	spans := workloadSpans(t, 1, 200)
	sources := storeBlocks(t, 0, spans[:100], spans[100:])
	cache := sources[0].(*blockSource).cache
	open := func() (bytes int64) {
		for _, s := range sources {
			r, err := cache.open(t.Context(), s.(*blockSource).name)
			require.NoError(t, err)
			bytes += r.Bytes()
		}
		return bytes
	}
	opened := open()
	require.Equal(t, opened, cache.bytes)
	read := func() {
		for i, s := range sources {
			rows, err := s.Traces(t.Context(), []schema.TraceID{spans[100*i].TraceID}, vec.AllColumns())
			require.NoError(t, err)
			require.NotEmpty(t, rows)
		}
	}
	read()
	grown := open()
	require.Greater(t, grown, opened)
	require.Equal(t, grown, cache.bytes)
	require.Equal(t, 2, cache.recent.Len())

	sources = storeBlocks(t, 0, spans[:100], spans[100:])
	cache = sources[0].(*blockSource).cache
	require.Equal(t, opened, open())
	cache.maxBytes = opened
	read()
	r, err := cache.open(t.Context(), sources[1].(*blockSource).name)
	require.NoError(t, err)
	require.Equal(t, 1, cache.recent.Len())
	require.Equal(t, r.Bytes(), cache.bytes)
}
