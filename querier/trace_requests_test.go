package querier_test

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// ranged counts range reads by key.
type ranged struct {
	objstore.Bucket

	mu    sync.Mutex
	reads map[string]int
}

func (r *ranged) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	r.mu.Lock()
	r.reads[key]++
	r.mu.Unlock()
	return r.Bucket.Get(ctx, key, opts)
}

// take returns how many blocks were read, and how often in all, since then.
func (r *ranged) take() (blocks, reads int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.reads {
		blocks++
		reads += n
	}
	r.reads = make(map[string]int)
	return blocks, reads
}

// A trace is looked up over thirty closed days, each a block for each of four
// partitions: one read of the filter for each day of the trace's partition, and
// what its rows take in the one block that has them. Filters stay in memory.
func TestTraceLookupRequests(t *testing.T) {
	const monthDays, partitions = 30, 4
	counted := &ranged{reads: make(map[string]int)}
	w := newWorldWithCache(t, func(b objstore.Bucket) objstore.Bucket { counted.Bucket = b; return counted }, 64<<20)
	var wanted, absent schema.TraceID
	for day := range monthDays {
		parts := make([][]schema.Span, partitions)
		for request := range corpus.Workload(uint64(day+1), 400, corpus.MixMicro) {
			rows, err := otlp.NewDecoder().Decode(request, uint64(day+1), nil)
			require.NoError(t, err)
			for _, row := range rows {
				p := row.TraceID.Partition(partitions)
				parts[p] = append(parts[p], row)
			}
		}
		for p, rows := range parts {
			slices.SortFunc(rows, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
			object, err := block.Encode(schema.DefaultProject, rows)
			require.NoError(t, err)
			name := schema.BlockName{
				Project: schema.DefaultProject, Partition: p, Partitions: partitions, Epoch: 1, First: uint64(day + 1), Last: uint64(day + 1), Level: 3,
				LogNanos: uint64(time.Date(2026, 1, day+1, 0, 0, 0, 0, time.UTC).UnixNano()), MinStart: object.MinStart, MaxEnd: object.MaxEnd,
				Spans: uint64(object.Spans), TailBytes: uint64(object.TailBytes),
			}
			require.NoError(t, w.bucket.Put(t.Context(), name.Key(), bytes.NewReader(object.Data), objstore.PutOptions{}))
		}
		if day == 11 {
			wanted = parts[2][0].TraceID
		}
	}
	absent = wanted
	for absent[15]++; absent.Partition(partitions) != wanted.Partition(partitions); absent[15]++ {
	}

	w.storeIn("other", nil) // all of the log is in blocks
	require.Equal(t, 404, w.get("/api/traces/"+absent.String()).status)
	blocks, reads := counted.take()
	require.Equal(t, monthDays, blocks, "the partition's blocks")
	require.Equal(t, monthDays, reads, "one for each")
	require.Equal(t, 200, w.get("/api/traces/"+wanted.String()).status)
	blocks, reads = counted.take()
	require.Equal(t, 1, blocks, "the filters are in memory")

	require.LessOrEqual(t, reads, 4, "of its rows: 32 and a few in all")
	require.Equal(t, 404, w.get("/api/traces/"+absent.String()).status)
	blocks, _ = counted.take()
	require.Zero(t, blocks)
}
