package compactor_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/internal/objstore"
)

// asleep is a bucket whose process sleeps once it has read so many objects.
type asleep struct {
	objstore.Bucket

	reads *int
	sleep func()
}

func (a asleep) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	data, object, err := a.Bucket.Get(ctx, key, opts)
	if *a.reads--; *a.reads == 0 {
		a.sleep()
	}
	return data, object, err
}

// TestEraseWhileAMergeSleeps: an erasure begins and ends after the inputs of a merge
// were read. The output, which holds its rows, must not be stored.
func TestEraseWhileAMergeSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hour(20)
		w.idle()
		at(2, 2)
		ids, inputs := w.some(5), 20
		bucket := asleep{w.bucket, &inputs, func() {
			r, other := w.erase(ids), w.compactor(nil)
			for range 4 {
				time.Sleep(31 * time.Minute)
				w.cycle(other)
			}
			require.NotNil(t, w.receipt(r))
			require.Empty(t, w.holding(ids))
		}}
		c := compactor.New(config(), w.log, bucket, nil, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		s := w.cycle(c)
		require.Zero(t, inputs)
		require.Equal(t, 1, s.Void)
		require.Zero(t, s.Merges)
		require.Empty(t, w.holding(ids))
	})
}
