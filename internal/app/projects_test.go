package app

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/internal/wal/mem"
)

// TestStoredUpTo: a name is free once the log is past its deletion, in every
// partition.
func TestStoredUpTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := mem.New(mem.Options{Partitions: 2})
		defer log.Close()
		publish := func(p int, payload []byte) uint64 {
			position, err := log.Stream(p).Publish(t.Context(), payload, "")
			require.NoError(t, err)
			return position
		}
		stored := func(at time.Time) bool {
			ok, err := storedUpTo(t.Context(), log, at)
			require.NoError(t, err)
			return ok
		}
		deleted := time.Now()
		require.False(t, stored(deleted), "it may still come")
		time.Sleep(time.Second)
		require.True(t, stored(deleted), "nothing ever came")
		publish(0, wal.CutMarker())
		publish(1, wal.CutMarker())
		require.True(t, stored(deleted), "what is there came later")

		time.Sleep(time.Second)
		deleted = time.Now()
		time.Sleep(time.Second)
		require.False(t, stored(deleted), "it is not stored yet")
		for p := range 2 {
			cut := publish(p, wal.CutMarker())
			require.NoError(t, log.Stream(p).Purge(t.Context(), cut))
			require.Equal(t, p == 1, stored(deleted), "partition 1 has to follow")
		}
	})
}
