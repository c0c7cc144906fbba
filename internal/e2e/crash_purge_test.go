package e2e_test

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/internal/wal/embedded"
	"github.com/spanlake/spanlake/schema"
)

// withLog opens the log while its server does not run.
func (w *crashWorld) withLog(f func(*wal.Log)) {
	w.t.Helper()
	server, err := embedded.Start(embedded.Options{Dir: w.natsDir, MaxStoreBytes: 1 << 40})
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, server.Shutdown()) }()
	log, err := wal.Open(w.t.Context(), wal.Options{
		Dial: server.Dial, ServerSyncAlways: true,
		Covered: func(ctx context.Context, epochs []uint64, from time.Time) ([]uint64, error) {
			return catalog.Highest(ctx, w.bucket, epochs, from)
		},
	})
	require.NoError(w.t, err)
	defer log.Close()
	f(log)
}

// halfPurge does what a crash in the middle of a purge leaves behind, wherever
// the last server died between storing a batch and purging it: some messages of
// the batch are gone, its cut is not.
func (w *crashWorld) halfPurge() (purged int) {
	w.t.Helper()
	blocks := w.blocks()
	w.withLog(func(log *wal.Log) {
		for p := range log.Partitions() {
			stream := log.Stream(p)
			state, err := stream.State(w.t.Context())
			require.NoError(w.t, err)
			last, found := endOfStored(blocks, p, stream.Epoch(), state)
			if !found {
				continue
			}
			// Of the batch's messages all but the cut can go while it stays.
			rest := last - state.Floor() - 1
			until := state.Floor() + 2 + w.random.Uint64N(rest)
			require.NoError(w.t, stream.Purge(w.t.Context(), until))
			purged++
		}
	})
	return purged
}

// endOfStored returns the position of the cut of a partition's first batch, if
// it is still in the log, has more than one message, and both projects have
// their block of it, so that nothing of it is left to be stored.
func endOfStored(blocks []schema.BlockName, partition int, epoch uint64, state wal.State) (last uint64, found bool) {
	first := state.Floor() + 1
	projects := 0
	for _, b := range blocks {
		if b.ContainsPosition(partition, b.Partitions, epoch, first) && b.Last > first && b.Last <= state.Last {
			last = b.Last
			projects++
		}
	}
	return last, projects == 2
}
