package compactor_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// listed notes the prefixes that are listed.
type listed struct {
	objstore.Bucket

	prefixes []string
}

func (l *listed) List(ctx context.Context, opts objstore.ListOptions) iter.Seq2[objstore.Object, error] {
	l.prefixes = append(l.prefixes, opts.Prefix)
	return l.Bucket.List(ctx, opts)
}

// days takes the days whose blocks were listed since then.
func (l *listed) days() (days []string) {
	for _, prefix := range l.prefixes {
		if day, ok := strings.CutPrefix(prefix, "blocks/shop/2000-"); ok {
			days = append(days, strings.TrimSuffix(day, "/"))
		}
	}
	l.prefixes = nil
	return days
}

// Days in which there is nothing to do are listed once an hour; what time brings
// about is done without that.
func TestClosedDaysAreListedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bucket := &listed{Bucket: w.bucket}
		retention := hours(0)
		c := compactor.New(config(), w.log, bucket, &retention, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		var all []string
		for day := range 6 { // each is one block, all that there is to merge
			n := schema.BlockName{
				Project: project, Partitions: 1, Epoch: w.log.Stream(0).Epoch(), First: uint64(day + 1), Last: uint64(day + 1), Level: 3,
				LogNanos: uint64(time.Now().UnixNano()),
			}
			require.NoError(t, w.bucket.Put(t.Context(), n.Key(), bytes.NewReader(nil), objstore.PutOptions{}))
			all = append(all, fmt.Sprintf("01-%02d", day+1))
			time.Sleep(24 * time.Hour)
		}
		open := all[5:] // of the seventh there is no block
		cycle := func() (s compactor.Summary, days []string) {
			t.Helper()
			s = w.cycle(c)
			return s, bucket.days()
		}
		_, days := cycle()
		require.Equal(t, all, days)
		for range 5 {
			time.Sleep(10 * time.Minute)
			_, days = cycle()
			require.Equal(t, open, days)
		}
		time.Sleep(10 * time.Minute)
		_, days = cycle()
		require.Equal(t, all, days, "an hour has passed")

		retention = 24 * 4 // the first two days expire: they, and those beside them, are looked at anew
		s, days := cycle()
		require.Equal(t, 2, s.Expired)
		require.Equal(t, []string{"01-06", "01-01", "01-02", "01-03"}, days)
		s, days = cycle()
		require.Zero(t, s.Expired)
		require.Equal(t, open, days)

		// Somebody else was faster with the third.
		require.NoError(t, w.bucket.Delete(t.Context(), w.keys()[0]))
		retention = 24 * 3
		s, days = cycle()
		require.Zero(t, s.Expired)
		require.Equal(t, open, days, "the folder is gone")
		require.Len(t, w.keys(), 3)
	})
}

// A batch that was in the log for long keeps its day open.
func TestDayWithBatchesInTheLogStaysOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		bucket := &listed{Bucket: w.bucket}
		c := compactor.New(config(), w.log, bucket, nil, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		w.batch(1)
		w.batch(1)
		_, err := w.log.Stream(0).Publish(t.Context(), []byte{}, "")
		require.NoError(t, err)
		time.Sleep(72 * time.Hour)
		for range 2 {
			w.cycle(c)
			require.Contains(t, bucket.days(), "01-01")
		}
	})
}
