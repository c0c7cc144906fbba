package compactor_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/otlp"
	settings "github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/wal"
	walmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

func TestMain(m *testing.M) {
	if err := warmUp(); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// warmUp compresses and decompresses outside of any bubble, where the states of
// zstd that all blocks share must be made.
func warmUp() error {
	var pages otlp.Pages
	for request := range corpus.Workload(1, 200, corpus.MixLLM) {
		if _, err := pages.Decode(otlp.NewDecoder(), request, 1); err != nil {
			return err
		}
	}
	o, err := block.Encode(project, pages...)
	if err != nil {
		return err
	}
	key := schema.BlockName{Project: project, Partitions: 1, First: 1, Last: 1, Spans: uint64(o.Spans), TailBytes: uint64(o.TailBytes)}.Key()
	bucket := mem.New()
	if err := bucket.Put(context.Background(), key, bytes.NewReader(o.Data), objstore.PutOptions{}); err != nil {
		return err
	}
	r, err := block.Open(context.Background(), bucket, key)
	if err == nil {
		_, err = block.Merge(context.Background(), io.Discard, []*block.Reader{r}, block.MergeOptions{})
	}
	return err
}

const project = schema.ProjectID("shop")

// world is a bucket and a log of one partition, in a synctest bubble.
type world struct {
	t       *testing.T
	log     *walmem.Log
	bucket  *mem.Bucket
	rows    int
	batches int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t: t, log: walmem.New(walmem.Options{}), bucket: mem.New()}
}

// batch publishes a message that is a cut, stores its spans as a block and purges
// what was before it.
func (w *world) batch(spans int) {
	w.t.Helper()
	ctx := w.t.Context()
	stream := w.log.Stream(0)
	position, err := stream.Publish(ctx, wal.AppendPayload(nil, nil, true), "")
	require.NoError(w.t, err)
	w.batches++
	var pages otlp.Pages
	for request := range corpus.Workload(uint64(w.batches), spans, corpus.MixMicro) {
		_, err := pages.Decode(otlp.NewDecoder(), request, position)
		require.NoError(w.t, err)
	}
	w.rows += pages.Rows()
	w.store(position, pages...)
}

// batchOf is batch of some rows, which get its position.
func (w *world) batchOf(rows ...schema.Span) {
	w.t.Helper()
	position, err := w.log.Stream(0).Publish(w.t.Context(), wal.AppendPayload(nil, nil, true), "")
	require.NoError(w.t, err)
	for i := range rows {
		rows[i].Position = position
	}
	w.store(position, rows)
}

func (w *world) store(position uint64, pages ...[]schema.Span) {
	w.t.Helper()
	ctx, stream := w.t.Context(), w.log.Stream(0)
	o, err := block.Encode(project, pages...)
	require.NoError(w.t, err)
	name := schema.BlockName{
		Project: project, Partitions: 1, Epoch: stream.Epoch(), First: position, Last: position, LogNanos: uint64(time.Now().UnixNano()),
		MinStart: o.MinStart, MaxEnd: o.MaxEnd, Spans: uint64(o.Spans), TailBytes: uint64(o.TailBytes),
	}
	require.NoError(w.t, w.bucket.Put(ctx, name.Key(), bytes.NewReader(o.Data), objstore.PutOptions{}))
	require.NoError(w.t, stream.Purge(ctx, position))
}

// hour fills the hour from one o'clock on with twenty batches.
func (w *world) hour(spans int) {
	w.t.Helper()
	for i := range 20 {
		at(1, 3*i)
		w.batch(spans)
	}
}

func config() compactor.Config {
	var cfg compactor.Config
	cfg.RegisterFlagsWithPrefix("compactor.", flag.NewFlagSet("", flag.ContinueOnError))
	return cfg
}

func (w *world) compactor(retention compactor.Retention) *compactor.Compactor {
	return compactor.New(config(), w.log, w.bucket, retention, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
}

func (w *world) cycle(c *compactor.Compactor) compactor.Summary {
	w.t.Helper()
	s, err := c.Cycle(w.t.Context(), compactor.Run{})
	require.NoError(w.t, err)
	return s
}

func (w *world) keys() (keys []string) {
	w.t.Helper()
	for o, err := range w.bucket.List(w.t.Context(), objstore.ListOptions{}) {
		require.NoError(w.t, err)
		keys = append(keys, o.Key)
	}
	return keys
}

// visible are the rows of the visible blocks.
func (w *world) visible() (blocks, rows int) {
	w.t.Helper()
	var names []schema.BlockName
	for _, key := range w.keys() {
		n, err := schema.ParseBlockName(key)
		require.NoError(w.t, err)
		names = append(names, n)
	}
	names = schema.Visible(names)
	for _, n := range names {
		r, err := block.Open(w.t.Context(), w.bucket, n.Key())
		require.NoError(w.t, err)
		require.NoError(w.t, r.Verify(w.t.Context(), nil))
		require.NoError(w.t, r.VerifyRows(w.t.Context(), nil))
		for spans, err := range r.Scan(w.t.Context(), &vec.Filter{Op: vec.OpTrue}, vec.Columns{Bare: true}) {
			require.NoError(w.t, err)
			rows += len(spans)
		}
	}
	return len(names), rows
}

// at sleeps until the bubble's clock shows a time of its first day, 2000-01-01.
func at(hour, minute int) {
	time.Sleep(time.Until(time.Date(2000, 1, 1, hour, minute, 0, 0, time.UTC)))
}

// hours keeps every project as long.
type hours int

func (h hours) Retention(context.Context, schema.ProjectID) (time.Duration, error) {
	return time.Duration(h) * time.Hour, nil
}

func (hours) Prices(schema.ProjectID) *price.Table { return price.Shipped() }

func (hours) Reprice(schema.ProjectID) *settings.Reprice { return nil }

func (h hours) Rules(context.Context, schema.ProjectID) (settings.Rules, error) {
	return settings.Rules{}, nil
}

func TestMergeThenDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.compactor(nil)
		w.hour(50)
		at(1, 59)
		require.Equal(t, compactor.Summary{Projects: 1}, w.cycle(c), "the hour is not over")
		at(2, 2)
		s := w.cycle(c)
		require.Equal(t, 1, s.Merges)
		require.Equal(t, 20, s.Inputs)
		require.Equal(t, w.rows, s.Spans)
		require.Less(t, s.Written, s.Read)
		blocks, rows := w.visible()
		require.Equal(t, 1, blocks)
		require.Equal(t, w.rows, rows)
		require.Len(t, w.keys(), 21)

		at(2, 31)
		require.Zero(t, w.cycle(c).Covered)
		at(2, 32)
		require.Equal(t, compactor.Summary{Projects: 1, Covered: 20}, w.cycle(c))
		require.Len(t, w.keys(), 1)
		_, rows = w.visible()
		require.Equal(t, w.rows, rows)
	})
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.compactor(hours(8))
		at(1, 0)
		w.batch(20)
		at(9, 59)
		require.Zero(t, w.cycle(c).Expired)
		at(10, 0)
		require.Equal(t, 1, w.cycle(c).Expired)
		require.Empty(t, w.keys())
	})
}

// raised keeps every project for eight hours, and for ever once it was asked so often.
type raised struct{ after, asked int }

func (r *raised) Retention(context.Context, schema.ProjectID) (time.Duration, error) {
	if r.asked++; r.asked > r.after {
		return 0, nil
	}
	return 8 * time.Hour, nil
}

func (*raised) Prices(schema.ProjectID) *price.Table { return price.Shipped() }

func (*raised) Reprice(schema.ProjectID) *settings.Reprice { return nil }

func (r *raised) Rules(context.Context, schema.ProjectID) (settings.Rules, error) {
	return settings.Rules{}, nil
}

// TestRaisedRetentionSavesBlocks: it was raised between the listing and a deletion.
func TestRaisedRetentionSavesBlocks(t *testing.T) {
	for asked, deleted := range map[int]int{0: 0, 1: 0, 2: 1, 3: 2} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			at(1, 0)
			w.batch(20)
			w.batch(20)
			at(10, 0)
			c := w.compactor(&raised{after: asked})
			require.Equal(t, deleted, w.cycle(c).Expired)
			require.Len(t, w.keys(), 2-deleted)
		})
	}
}

// gone is a bucket from which an object vanishes when it is read.
type gone struct {
	objstore.Bucket

	reads atomic.Int32
}

func (g *gone) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	if g.reads.Add(1) == 5 {
		return nil, objstore.Object{}, fmt.Errorf("get %s: %w", key, objstore.ErrNotExist)
	}
	return g.Bucket.Get(ctx, key, opts)
}

func TestMergeIsVoidWithoutAnInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hour(10)
		at(2, 2)
		c := compactor.New(config(), w.log, &gone{Bucket: w.bucket}, nil, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		s := w.cycle(c)
		require.Equal(t, 1, s.Void)
		require.Zero(t, s.Merges)
		require.Len(t, w.keys(), 20)
		require.Equal(t, 1, w.cycle(c).Merges, "the next look has a new listing")
	})
}

// slow is a bucket of which a listing takes as long as covered blocks stay.
type slow struct{ objstore.Bucket }

func (s slow) List(ctx context.Context, opts objstore.ListOptions) iter.Seq2[objstore.Object, error] {
	if !opts.Delimiter {
		time.Sleep(30 * time.Minute)
	}
	return s.Bucket.List(ctx, opts)
}

func TestSlowListingIsThrownAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		at(1, 0)
		w.batch(10)
		c := compactor.New(config(), w.log, slow{w.bucket}, hours(8), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		at(20, 0)
		_, err := c.Cycle(t.Context(), compactor.Run{})
		require.ErrorContains(t, err, "raise -compactor.delete-after")
		require.Len(t, w.keys(), 1)
	})
}

// lazy is a bucket that takes its time for storing and deleting.
type lazy struct{ objstore.Bucket }

func (l lazy) Put(ctx context.Context, key string, body io.ReadSeeker, opts objstore.PutOptions) error {
	time.Sleep(10 * time.Second)
	return l.Bucket.Put(ctx, key, body, opts)
}

func (l lazy) Delete(ctx context.Context, key string) error {
	time.Sleep(time.Second)
	return l.Bucket.Delete(ctx, key)
}

// TestUntil: when the time is over the merge or deletion at hand is finished, nothing
// is begun, and the next run does the rest.
func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hour(10)
		for i := range 20 {
			at(2, 3*i)
			w.batch(10)
		}
		at(3, 2)
		c := compactor.New(config(), w.log, lazy{w.bucket}, nil, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		run := func(within time.Duration) compactor.Summary {
			t.Helper()
			s, err := c.UntilDone(t.Context(), compactor.Run{Until: time.Now().Add(within)})
			require.NoError(t, err)
			return s
		}
		require.Equal(t, compactor.Summary{Projects: 1, Unfinished: true}, run(0))
		s := run(5 * time.Second)
		require.Equal(t, 1, s.Merges)
		require.True(t, s.Unfinished)
		s = run(time.Minute)
		require.Equal(t, 1, s.Merges)
		require.False(t, s.Unfinished)

		at(4, 0)
		require.Equal(t, compactor.Summary{Projects: 1, Covered: 3, Unfinished: true}, run(3*time.Second))
		require.Equal(t, compactor.Summary{Projects: 1, Covered: 37}, run(time.Minute))
		blocks, rows := w.visible()
		require.Equal(t, 2, blocks)
		require.Equal(t, w.rows, rows)
	})
}

func TestLeaseOfAnotherWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hour(10)
		at(2, 2)
		held, err := w.log.Lease(t.Context(), "compactor.p0of1.shop", "someone", time.Minute)
		require.NoError(t, err)
		require.True(t, held)
		c := w.compactor(nil)
		require.Equal(t, compactor.Summary{Projects: 1, Void: 1}, w.cycle(c))
		at(2, 3)
		require.Equal(t, 1, w.cycle(c).Merges)
	})
}

// TestService runs a Compactor until it has merged.
func TestService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hour(10)
		c := w.compactor(nil)
		require.NoError(t, c.StartAsync(t.Context()))
		at(2, 4)
		synctest.Wait()
		blocks, _ := w.visible()
		require.Equal(t, 1, blocks)
		c.StopAsync()
		require.NoError(t, c.AwaitTerminated(t.Context()))
	})
}

func TestConfig(t *testing.T) {
	good := config()
	require.NoError(t, good.Validate())
	for name, spoil := range map[string]func(*compactor.Config){
		"compactor.interval":     func(c *compactor.Config) { c.Interval = 0 },
		"compactor.max-bytes":    func(c *compactor.Config) { c.MaxBytes = 0 },
		"compactor.min-inputs":   func(c *compactor.Config) { c.MinInputs = 1 },
		"compactor.max-inputs":   func(c *compactor.Config) { c.MaxInputs = c.MinInputs - 1 },
		"compactor.grace":        func(c *compactor.Config) { c.Grace = -1 },
		"compactor.delete-after": func(c *compactor.Config) { c.DeleteAfter = 0 },
	} {
		bad := config()
		spoil(&bad)
		require.ErrorContains(t, bad.Validate(), name)
	}
}
