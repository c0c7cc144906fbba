package block_test

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// fewBlocks stores blocks of the same rows, which are as large.
func fewBlocks(t *testing.T, count int) (bucket *mem.Bucket, names []schema.BlockName, trace schema.TraceID) {
	t.Helper()
	spans := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 300, traces: 9, distinct: 9, payload: 20, resources: 4})
	o, err := block.Encode(project, spans)
	require.NoError(t, err)
	bucket = mem.New()
	for i := range count {
		name, err := schema.ParseBlockName(keyOf(o))
		require.NoError(t, err)
		name.First, name.Last = uint64(i+1), uint64(i+1)
		put(t, bucket, name.Key(), o.Data)
		names = append(names, name)
	}
	return bucket, names, spans[0].TraceID
}

// Open blocks are counted as large as they are, not as they were when they were
// opened, and those that were used last stay.
func TestReadersKeepTheirBudget(t *testing.T) {
	bucket, names, trace := fewBlocks(t, 3)
	open := func(c *block.Readers, i int) *block.Reader {
		t.Helper()
		r, err := c.Open(t.Context(), names[i])
		require.NoError(t, err)
		return r
	}
	all := block.NewReaders(bucket, 1<<30, block.NewCache(0))
	opened := open(all, 0).Bytes()
	require.Equal(t, opened+open(all, 1).Bytes(), all.Stats().Bytes)
	_, err := open(all, 0).Traces(t.Context(), []schema.TraceID{trace}, vec.AllColumns())
	require.NoError(t, err)
	grown := open(all, 0).Bytes()
	require.Greater(t, grown, opened)
	require.Equal(t, block.ReadersStats{Bytes: opened + grown, Hits: 2, Misses: 2}, all.Stats())

	few := block.NewReaders(bucket, opened+grown, block.NewCache(0))
	first := open(few, 0)
	open(few, 1)
	_, err = first.Traces(t.Context(), []schema.TraceID{trace}, vec.AllColumns())
	require.NoError(t, err)
	require.Same(t, first, open(few, 0), "it has grown, and there is room")
	open(few, 2)
	require.LessOrEqual(t, few.Stats().Bytes, opened+grown)
	require.Same(t, first, open(few, 0), "it was used last")
	misses := few.Stats().Misses
	open(few, 1)
	require.Equal(t, misses+1, few.Stats().Misses)

	none := block.NewReaders(bucket, opened-1, block.NewCache(0))
	before := open(none, 0)
	require.NotSame(t, before, open(none, 0))
	require.Zero(t, none.Stats().Bytes)
}

// What is gone is forgotten when its user says so, and is asked for again then.
func TestReadersForget(t *testing.T) {
	bucket, names, _ := fewBlocks(t, 1)
	asked := &requests{Ranger: bucket}
	readers := block.NewReaders(asked, 1<<30, block.NewCache(0))
	for range 3 {
		_, err := readers.Open(t.Context(), names[0])
		require.NoError(t, err)
	}
	require.Equal(t, 1, asked.gets)
	require.NoError(t, bucket.Delete(t.Context(), names[0].Key()))
	readers.Forget(names[0])
	require.Zero(t, readers.Stats().Bytes)
	_, err := readers.Open(t.Context(), names[0])
	require.ErrorIs(t, err, objstore.ErrNotExist)
	readers.Forget(names[0])
}

// Many at once get one reader of a block each time that it is there.
func TestReadersServeManyAtOnce(t *testing.T) {
	bucket, names, _ := fewBlocks(t, 4)
	readers := block.NewReaders(bucket, 1<<30, block.NewCache(0))
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			for n := range 100 {
				name := names[(i+n)%len(names)]
				r, err := readers.Open(t.Context(), name)
				if err != nil || r.Name() != name {
					t.Errorf("%s: %v", name.Key(), err)
					return
				}
				if n%10 == i%10 {
					readers.Forget(name)
				}
			}
		})
	}
	group.Wait()
	for _, name := range names {
		readers.Forget(name)
	}
	require.Zero(t, readers.Stats().Bytes)
}
