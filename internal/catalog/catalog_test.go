package catalog_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/objstore"
	bucketmem "github.com/spanlake/spanlake/internal/objstore/mem"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

// The protocol that joins blocks with live data is tested in package ingester,
// where live data is made. Here is what a listing is made of.

// quiet is live data without anything, from a position on.
type quiet struct{ from uint64 }

func (q quiet) Tail(context.Context, schema.ProjectID, int, uint64) (catalog.Tail, error) {
	return catalog.Tail{Epoch: 1, From: q.from}, nil
}

func store(t *testing.T, bucket objstore.Bucket, n schema.BlockName) {
	t.Helper()
	require.NoError(t, bucket.Put(t.Context(), n.Key(), bytes.NewReader(nil), objstore.PutOptions{}))
}

func TestBlocksOfPartitions(t *testing.T) {
	bucket := bucketmem.New()
	log := logmem.New(logmem.Options{Partitions: 4})
	defer log.Close()
	block := func(partition, partitions int) schema.BlockName {
		return schema.BlockName{Project: "p", Partition: partition, Partitions: partitions, Epoch: 1, First: 1, Last: 1}
	}
	// Blocks of logs with other numbers of partitions stay valid.
	for _, b := range []schema.BlockName{block(0, 1), block(1, 2), block(1, 4), block(2, 4), block(5, 8), block(6, 8)} {
		store(t, bucket, b)
	}
	other := block(1, 4)
	other.Project = "q"
	store(t, bucket, other)

	c := catalog.New(bucket, log, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	joined, err := c.Join(t.Context(), quiet{from: 1}, "p", []int{1}, nil)
	require.NoError(t, err)
	require.ElementsMatch(t, []schema.BlockName{block(0, 1), block(1, 2), block(1, 4), block(5, 8)}, joined.Blocks)
	joined, err = c.Join(t.Context(), quiet{from: 1}, "p", []int{0, 1, 2, 3}, nil)
	require.NoError(t, err)
	require.Len(t, joined.Blocks, 6)
}

func TestForeignObjectsAreSkipped(t *testing.T) {
	bucket := bucketmem.New()
	log := logmem.New(logmem.Options{})
	defer log.Close()
	require.NoError(t, bucket.Put(t.Context(), "blocks/p/notes.txt", bytes.NewReader(nil), objstore.PutOptions{}))
	reg := prometheus.NewRegistry()
	c := catalog.New(bucket, log, slog.New(slog.DiscardHandler), reg)
	view, err := c.View(t.Context(), "p")
	require.NoError(t, err)
	require.Empty(t, view.Blocks())
	families, err := reg.Gather()
	require.NoError(t, err)
	counted := map[string]float64{}
	for _, f := range families {
		counted[f.GetName()] = f.GetMetric()[0].GetCounter().GetValue()
	}
	require.EqualValues(t, 1, counted["spanlake_catalog_skipped_objects_total"])
}

func TestViewsAreShared(t *testing.T) {
	log := logmem.New(logmem.Options{})
	defer log.Close()
	c := catalog.New(bucketmem.New(), log, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	first, err := c.View(t.Context(), "p")
	require.NoError(t, err)
	again, err := c.View(t.Context(), "p")
	require.NoError(t, err)
	require.Same(t, first, again)
	newer, err := c.Newer(t.Context(), "p", first)
	require.NoError(t, err)
	require.NotSame(t, first, newer)
	shared, err := c.Newer(t.Context(), "p", first)
	require.NoError(t, err)
	require.Same(t, newer, shared, "somebody has listed since")
}

// Queries for any number of projects leave a bounded number of views behind.
func TestManyProjects(t *testing.T) {
	log := logmem.New(logmem.Options{})
	defer log.Close()
	c := catalog.New(bucketmem.New(), log, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	for i := range 5000 {
		_, err := c.View(t.Context(), schema.ProjectID(fmt.Sprintf("p%d", i)))
		require.NoError(t, err)
	}
	require.LessOrEqual(t, c.Projects(), 4096)
}

func TestLogThatNeverSettles(t *testing.T) {
	log := logmem.New(logmem.Options{})
	defer log.Close()
	c := catalog.New(bucketmem.New(), log, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	_, err := c.Join(t.Context(), quiet{from: 7}, "p", []int{0}, nil)
	require.ErrorIs(t, err, catalog.ErrUnsettled)
}

// A view that is too old is made anew, whoever asks for it.
func TestViewsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := logmem.New(logmem.Options{})
		defer log.Close()
		c := catalog.New(bucketmem.New(), log, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		c.Expire(time.Minute)
		first, err := c.View(t.Context(), "p")
		require.NoError(t, err)
		time.Sleep(time.Minute - time.Second)
		again, err := c.View(t.Context(), "p")
		require.NoError(t, err)
		require.Same(t, first, again)
		time.Sleep(time.Second)
		next, err := c.View(t.Context(), "p")
		require.NoError(t, err)
		require.NotSame(t, first, next)
	})
}

// A view that somebody still holds and the catalog has forgotten is made anew.
func TestForgottenView(t *testing.T) {
	log := logmem.New(logmem.Options{})
	defer log.Close()
	c := catalog.New(bucketmem.New(), log, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	old, err := c.View(t.Context(), "held")
	require.NoError(t, err)
	for i := range 5000 {
		_, err := c.View(t.Context(), schema.ProjectID(fmt.Sprintf("p%d", i)))
		require.NoError(t, err)
	}
	newer, err := c.Newer(t.Context(), "held", old)
	require.NoError(t, err)
	require.NotNil(t, newer)
	require.NotSame(t, old, newer)
}

// What is replaced in a day that is over is seen, too, when the view is too old: the
// replaced block may still be in memory, so that nobody misses it.
func TestClosedDaysExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket, log := bucketmem.New(), logmem.New(logmem.Options{})
		defer log.Close()
		c := catalog.New(bucket, log, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		c.Expire(time.Hour)
		before := schema.BlockName{Project: "p", Partitions: 1, Epoch: 1, First: 1, Last: 1, LogNanos: uint64(time.Now().AddDate(0, 0, -9).UnixNano())}
		store(t, bucket, before)
		view, err := c.View(t.Context(), "p")
		require.NoError(t, err)
		require.Equal(t, []schema.BlockName{before}, view.Blocks())
		after := before
		after.Generation = 1
		store(t, bucket, after)
		time.Sleep(time.Hour - time.Second)
		view, err = c.View(t.Context(), "p")
		require.NoError(t, err)
		require.Equal(t, []schema.BlockName{before}, view.Blocks())
		time.Sleep(time.Second)
		view, err = c.View(t.Context(), "p")
		require.NoError(t, err)
		require.Equal(t, []schema.BlockName{after}, view.Blocks())
	})
}
