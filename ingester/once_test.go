package ingester_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/wal"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

// once has a builder of its own store what is in the log until a time.
func (w *world) once(until time.Time, sweep bool) (ingester.Stored, error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	return ingester.NewBuilder(w.cfg, w.theLog(), w.bucket, llm.ShippedTables, slog.New(slog.DiscardHandler), nil).Once(ctx, until, sweep)
}

// requireSpent: nothing is in the log but a marker in each partition.
func (w *world) requireSpent() {
	w.t.Helper()
	for p := range w.theLog().Partitions() {
		stream := w.theLog().Stream(p)
		state, err := stream.State(w.t.Context())
		require.NoError(w.t, err)
		require.Equal(w.t, state.First, state.Last)
		require.NoError(w.t, stream.ReadRange(w.t.Context(), state.First, state.Last, func(m wal.Message) error {
			require.True(w.t, wal.IsCutMarker(m.Payload))
			return nil
		}))
	}
}

// TestOnce: all that was acknowledged is in blocks afterwards, of bounded batches,
// and nothing of it in the log. What finds nothing does nothing.
func TestOnce(t *testing.T) {
	w := newServerWorld(t, 2)
	w.cfg.CutBytes = 2000
	r := w.receiver()
	for n := range 200 {
		w.send(r, schema.ProjectID([]string{"a", "b"}[n%2]), n)
	}
	stored, err := w.once(time.Now().Add(patience), true)
	require.NoError(t, err)
	require.Equal(t, 200, stored.Spans)
	require.Greater(t, stored.Blocks, 8, "several batches")
	require.Len(t, w.objects("blocks/"), stored.Blocks)
	require.Positive(t, stored.Bytes)
	w.requireSpent()

	stored, err = w.once(time.Now().Add(patience), false)
	require.NoError(t, err)
	require.Zero(t, stored)
	w.requireSpent()
	f := w.follower()
	require.Len(t, w.seen(f, "a"), 100)
	require.Len(t, w.seen(f, "b"), 100)
}

// TestOnceStopsInTime: no batch is begun after the time, the one at hand is
// finished, and the rest is for the next one.
func TestOnceStopsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, logmem.Options{})
		w.cfg.CutBytes = 500
		w.bucket = &gate{w.bucket, func(string) error {
			time.Sleep(10 * time.Second)
			return nil
		}}
		r := w.receiver()
		const spans = 40
		for n := range spans {
			w.send(r, "p", n)
		}
		begun := time.Now()
		stored, err := w.once(begun.Add(15*time.Second), true)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 20*time.Second, time.Since(begun))
		require.Equal(t, 2, stored.Blocks)
		require.Len(t, w.objects("blocks/"), 2)
		require.Equal(t, w.state(0).First, w.state(0).Floor(), "a cut is kept")
		rest, err := w.once(time.Now().Add(time.Hour), false)
		require.NoError(t, err)
		require.Equal(t, spans, stored.Spans+rest.Spans)
		w.requireSpent()
		require.Equal(t, upTo(spans), w.seen(w.follower(), "p"))
	})
}

// TestOnceSaysWhy: who waited in vain hears what was wrong.
func TestOnceSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, logmem.Options{Partitions: 2})
		bucket := w.outage()
		bucket.away.Store(true)
		w.send(w.receiver(), "p", upTo(20)...)
		stored, err := w.once(time.Now().Add(5*time.Second), false)
		require.ErrorContains(t, err, "flush partition")
		require.ErrorContains(t, err, "bucket is away")
		require.Zero(t, stored)
		bucket.away.Store(false)
		_, err = w.once(time.Now().Add(5*time.Second), false)
		require.NoError(t, err)
		w.requireSpent()
	})
}

// TestOnceSweeps: claims that nobody needs any more go, when that is asked for.
func TestOnceSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, logmem.Options{MaxPayload: 1 << 10})
		result, err := w.receiver().Receive(t.Context(), "p", largeRequest(noise(4<<10)))
		require.NoError(t, err)
		require.Zero(t, result.Rejected)
		require.Len(t, w.objects(schema.ClaimsPrefix), 1)
		for _, sweep := range []bool{true, false} { // one that is new stays
			_, err = w.once(time.Now().Add(time.Minute), sweep)
			require.NoError(t, err)
			require.Len(t, w.objects(schema.ClaimsPrefix), 1)
		}
		time.Sleep(2 * time.Hour)
		_, err = w.once(time.Now().Add(time.Minute), false)
		require.NoError(t, err)
		require.Len(t, w.objects(schema.ClaimsPrefix), 1)
		_, err = w.once(time.Now().Add(time.Minute), true)
		require.NoError(t, err)
		require.Empty(t, w.objects(schema.ClaimsPrefix))
	})
}
