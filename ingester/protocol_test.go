package ingester_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grafana/dskit/flagext"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/objstore"
	bucketmem "github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/wal"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

// The tests of this file hold the rules of the log protocol (DESIGN, "exactly
// once without locks"), one by one: each fails when its rule is left out.

func everything() *vec.Filter { return &vec.Filter{Op: vec.OpTrue} }

func (w *world) state(p int) wal.State {
	w.t.Helper()
	state, err := w.log.Stream(p).State(w.t.Context())
	require.NoError(w.t, err)
	return state
}

// gate is a bucket whose puts can be held up or made to fail.
type gate struct {
	objstore.Bucket

	before func(key string) error
}

func (g *gate) Put(ctx context.Context, key string, body io.ReadSeeker, opts objstore.PutOptions) error {
	if err := g.before(key); err != nil {
		return err
	}
	return g.Bucket.Put(ctx, key, body, opts)
}

// Rule 1: batches are a function of the log, so two builders store the same
// objects, byte for byte, wherever each of them began and stopped.
func TestTwoBuildersStoreTheSameObjects(t *testing.T) {
	w := newWorld(t, logmem.Options{Partitions: 2})
	w.cfg.CutBytes = 2000
	first, second := bucketmem.New(), bucketmem.New()
	r := w.receiver()
	held := make(chan struct{})
	w.bucket = &gate{first, func(string) error { <-held; return nil }}
	one := w.builder()
	w.bucket = &gate{second, func(string) error { <-held; return nil }}
	two := w.builder()
	for n := range 200 {
		w.send(r, schema.ProjectID([]string{"a", "b"}[n%2]), n)
	}
	close(held)
	w.flush(one)
	w.flush(two)

	w.bucket = first
	a := w.objects("")
	w.bucket = second
	b := w.objects("")
	require.NotEmpty(t, a)
	// The builder that is behind may find its batches purged, stored by the
	// other. What both have is equal, and together they have everything.
	for key, data := range b {
		if other, ok := a[key]; ok {
			require.Equal(t, other, data, key)
		}
		a[key] = data
	}
	require.Greater(t, len(a), 8, "several batches")
	w.bucket = bucketmem.New()
	for key, data := range a {
		require.NoError(t, w.bucket.Put(t.Context(), key, strings.NewReader(data), objstore.PutOptions{}))
	}
	require.Len(t, w.seen(one, "a"), 100)
	require.Len(t, w.seen(one, "b"), 100)
}

// Rule 2: nothing is purged before all of the batch is stored.
func TestPurgeOnlyAfterStore(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	var broken atomic.Bool
	broken.Store(true)
	w.bucket = &gate{w.bucket, func(key string) error {
		if broken.Load() && strings.Contains(key, "/b/") {
			return errors.New("bucket is away")
		}
		return nil
	}}
	r, b := w.receiver(), w.builder()
	w.send(r, "a", 1, 2)
	w.send(r, "b", 3)
	w.flushInVain(b, func() bool { return b.count(t, "spanlake_builder_store_failures_total") > 1 })
	require.EqualValues(t, 1, w.state(0).First, "half of the batch is stored: nothing may be purged")
	require.Equal(t, []int{1, 2}, w.seen(b, "a"))
	require.Equal(t, []int{3}, w.seen(b, "b"))

	broken.Store(false)
	w.flush(b)
	state := w.state(0)
	require.True(t, state.FirstIsCut, "the cut stays")
	require.Equal(t, state.Last, state.First)
	require.Equal(t, state.First, state.Floor())
	require.Equal(t, []int{1, 2}, w.seen(b, "a"))
	require.Equal(t, []int{3}, w.seen(b, "b"))
}

// Rule 2: a builder that comes after a half-done purge skips the stored rest of
// the batch and finishes the purge.
func TestHalfPurgedBatchIsSkipped(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	stop := errors.New("killed before the purge")
	w.log.Mem(0).SetFaults(logmem.Faults{Before: func(method string) error {
		if method == "Purge" {
			return stop
		}
		return nil
	}})
	r := w.receiver()
	first := w.builder()
	for n := range 4 {
		w.send(r, "p", n)
	}
	w.flushInVain(first, func() bool { return len(w.objects(schema.BlocksPrefix)) == 1 })
	w.log.Mem(0).DropFirst(2)
	w.log.Mem(0).SetFaults(logmem.Faults{})

	second := w.builder()
	w.send(r, "p", 4)
	require.Equal(t, upTo(5), w.seen(second, "p"))
	require.True(t, w.state(0).FirstIsCut, "the purge was finished")
	require.Zero(t, second.count(t, "spanlake_builder_log_gaps_total"))
	w.flush(second)
	require.Equal(t, upTo(5), w.seen(second, "p"))
	require.Len(t, w.objects(schema.BlocksPrefix), 2)
}

// Rule 2: a log that begins inside a batch that no block covers was damaged by
// someone else. What is left is saved, with an alarm.
func TestGapWithoutBlockRaisesAlarm(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r := w.receiver()
	for n := range 4 {
		w.send(r, "p", n)
	}
	w.log.Mem(0).DropFirst(2)
	b := w.builder()
	require.Equal(t, []int{2, 3}, w.seen(b, "p"))
	require.EqualValues(t, 1, b.count(t, "spanlake_builder_log_gaps_total"))
	w.flush(b)
	require.Equal(t, []int{2, 3}, w.seen(b, "p"))
}

// Rule 3: whatever interrupts reading, the log is read again from its first
// message, and what was in memory is void.
func TestReadingNeverResumes(t *testing.T) {
	w := newWorld(t, logmem.Options{Partitions: 2})
	r, b := w.receiver(), w.builder()
	for n := range 60 {
		w.send(r, "p", n)
		if n%7 == 0 {
			w.log.Mem(n % 2).Reset()
		}
		if n%20 == 10 {
			w.flush(b)
		}
		require.Equal(t, upTo(n+1), w.seen(b, "p"))
	}
	require.Positive(t, b.count(t, "spanlake_builder_resets_total"))
	w.flush(b)
	require.Equal(t, upTo(60), w.seen(b, "p"))
}

// Rule 2: the kept cut is the end of a stored batch, whose data it may carry.
func TestKeptCutIsNotBuiltAgain(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	w.cfg.CutBytes = flagext.Bytes(len(request(0))) + 1 // every second message is a cut
	r := w.receiver()
	b := w.builder()
	w.send(r, "p", 0)
	w.send(r, "p", 1)
	w.flush(b)
	w.stop(b)
	require.Len(t, w.objects(""), 1)
	again := w.builder()
	require.Equal(t, upTo(2), w.seen(again, "p"))
	w.send(r, "p", 2)
	w.flush(again)
	require.Equal(t, upTo(3), w.seen(again, "p"))
	require.Len(t, w.objects(""), 2)
}

// The log's very first message can be a whole batch. The floor stays below it
// until the next one is stored, so memory must not let it go.
func TestFirstMessageIsABatch(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	w.cfg.CutBytes, w.cfg.LiveBytes, w.cfg.LiveAge = 1, 1, time.Nanosecond
	r, b := w.receiver(), w.builder()
	for n := range 3 {
		w.send(r, "p", n)
		w.flush(b)
		require.Equal(t, upTo(n+1), w.seen(b, "p"))
		require.Equal(t, upTo(n+1), w.seen(w.builder(), "p"))
	}
}

// Rule 4 for live data: a closed batch that a listed block covers counts once.
func TestCoveredSegmentIsDropped(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	var stored atomic.Int32
	purging := make(chan struct{})
	released := make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	defer release()
	var once sync.Once
	w.log.Mem(0).SetFaults(logmem.Faults{Before: func(method string) error {
		if method == "Purge" {
			once.Do(func() { close(purging) })
			<-released
			stored.Add(1)
		}
		return nil
	}})
	r, b := w.receiver(), w.builder()
	w.send(r, "p", 0, 1)
	done := make(chan error, 1)
	go func() { done <- b.Flush(t.Context()) }()
	<-purging
	// The block is in the listing, the batch still in the log and in memory.
	require.Len(t, w.objects(schema.BlocksPrefix), 1)
	require.EqualValues(t, 0, w.state(0).Floor())
	require.Equal(t, []int{0, 1}, w.seen(b, "p"))
	release()
	require.NoError(t, <-done)
	require.Equal(t, []int{0, 1}, w.seen(b, "p"))
	require.EqualValues(t, 1, stored.Load())
}

// Rule 5 and 6: a stream that was lost gets a new epoch, whose positions begin
// anew and are never compared with the old ones.
func TestNewEpochKeepsOldBlocks(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r, b := w.receiver(), w.builder()
	w.send(r, "p", 0, 1)
	w.flush(b)
	w.log.Lose(0) // also the receiver goes on with the new one
	w.send(r, "p", 2)
	require.Equal(t, []int{0, 1, 2}, w.seen(b, "p"))
	w.flush(b)
	require.Equal(t, []int{0, 1, 2}, w.seen(b, "p"))
	var epochs []uint64
	for key := range w.objects(schema.BlocksPrefix) {
		name, err := schema.ParseBlockName(key)
		require.NoError(t, err)
		epochs = append(epochs, name.Epoch)
	}
	require.Len(t, epochs, 2)
	require.NotEqual(t, epochs[0], epochs[1])
}

// Rule 6: a cached view of the old epoch says nothing about the new one, whose
// positions begin below its floors.
func TestCachedViewOfAnOldEpoch(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r, b := w.receiver(), w.builder()
	cat := w.catalog()
	for n := range 5 {
		w.send(r, "p", n)
	}
	w.flush(b)
	require.Equal(t, upTo(5), w.seenThrough(cat, b, "p"))
	w.log.Lose(0)
	w.stop(r)
	r = w.receiver()
	w.send(r, "p", 5)
	require.Equal(t, upTo(6), w.seenThrough(cat, b, "p"))
}

// listHook is a bucket in which something happens at the end of a listing: of a
// day's blocks, or of days if there are none.
type listHook struct {
	objstore.Bucket

	after func()
}

func (h *listHook) List(ctx context.Context, opts objstore.ListOptions) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		found := false
		for object, err := range h.Bucket.List(ctx, opts) {
			found = true
			if !yield(object, err) {
				return
			}
		}
		if h.after != nil && (!opts.Delimiter || !found) {
			h.after()
		}
	}
}

// Floors are read before the listing. A batch that is stored, purged and
// forgotten when the listing has passed is above them, so the query lists
// again. With the order reversed it would be in neither.
func TestBatchStoredBehindTheListing(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	w.cfg.LiveBytes, w.cfg.LiveAge = 1, time.Nanosecond
	r, b := w.receiver(), w.builder()
	w.send(r, "p", 0)
	listings := 0
	w.bucket = &listHook{w.bucket, func() {
		if listings++; listings < 3 {
			w.flush(b)
			w.send(r, "p", listings)
		}
	}}
	require.Equal(t, upTo(3), w.seenThrough(w.catalog(), b, "p"))
	require.Equal(t, 3, listings)
}

// Blocks are sorted whatever the order in which spans arrive.
func TestSpansOutOfOrder(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r, b := w.receiver(), w.builder()
	w.send(r, "p", 3, 1)
	w.send(r, "p", 2, 0)
	w.flush(b)
	require.Equal(t, upTo(4), w.seen(b, "p"))
}

// Rule 6: the highest position that blocks cover is what the log's end is
// compared with.
func TestHighestCoveredPosition(t *testing.T) {
	w := newWorld(t, logmem.Options{Partitions: 2})
	r, b := w.receiver(), w.builder()
	for n := range 20 {
		w.send(r, "p", n)
	}
	w.flush(b)
	for p := range 2 {
		epochs := []uint64{w.log.Stream(0).Epoch(), w.log.Stream(1).Epoch()}
		highest, err := catalog.Highest(t.Context(), w.bucket, epochs, time.Time{})
		require.NoError(t, err)
		require.Equal(t, w.state(p).Last, highest[p])
		epochs[p]++
		highest, err = catalog.Highest(t.Context(), w.bucket, epochs, time.Time{})
		require.NoError(t, err)
		require.Zero(t, highest[p])
		require.Equal(t, w.state(1-p).Last, highest[1-p])
	}
}

// Rule 7: that another builder was faster is no failure.
func TestStoringAgainIsHarmless(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r := w.receiver()
	w.send(r, "p", 0, 1, 2)
	one, two := w.builder(), w.builder()
	w.flush(one)
	before := w.objects("")
	w.flush(two)
	require.Equal(t, before, w.objects(""))
	require.Equal(t, upTo(3), w.seen(one, "p"))
	require.Equal(t, upTo(3), w.seen(two, "p"))
}

// The first listing of a view must come after its floors: a batch that is
// stored while a query begins is seen, once.
func TestQueriesDuringCuts(t *testing.T) {
	w := newWorld(t, logmem.Options{Partitions: 2})
	w.cfg.LiveBytes, w.cfg.LiveAge = 1, time.Nanosecond // forget at once what is stored
	r, b := w.receiver(), w.builder()
	cat := w.catalog()
	ctx, cancel := context.WithCancel(t.Context())
	var flushing sync.WaitGroup
	flushing.Go(func() {
		for ctx.Err() == nil {
			_ = b.Flush(ctx)
		}
	})
	for n := range 100 {
		w.send(r, "p", n)
		require.Equal(t, upTo(n+1), w.seenThrough(cat, b, "p"))
	}
	cancel()
	flushing.Wait()
}

// A builder that only answers queries stores nothing and sees everything.
func TestFollower(t *testing.T) {
	w := newWorld(t, logmem.Options{Partitions: 2})
	w.cfg.CutAge = 40 * time.Millisecond // also the follower's tick
	r, f := w.receiver(), w.follower()
	for n := range 10 {
		w.send(r, "p", n)
		require.Equal(t, upTo(n+1), w.seen(f, "p"))
	}
	require.Empty(t, w.objects(""))
	b := w.builder()
	w.flush(b)
	w.send(r, "p", 10)
	require.Equal(t, upTo(11), w.seen(f, "p"))
}

// A batch that is small becomes a block when it is old.
func TestCutByAge(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	w.cfg.CutAge = 40 * time.Millisecond
	r, b := w.receiver(), w.builder()
	w.send(r, "p", 0)
	require.Eventually(t, func() bool { return len(w.objects(schema.BlocksPrefix)) == 1 }, 10*time.Second, 5*time.Millisecond)
	require.Equal(t, []int{0}, w.seen(b, "p"))
}

// A message that is a cut holds the data before it, too.
func TestCutByBytesTravelsOnData(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	w.cfg.CutBytes = 1
	r, b := w.receiver(), w.builder()
	w.send(r, "p", 0)
	w.send(r, "p", 1)
	require.Eventually(t, func() bool { return w.state(0).First == 2 }, 10*time.Second, time.Millisecond)
	require.EqualValues(t, 2, w.state(0).Last, "no marker was needed")
	require.Equal(t, upTo(2), w.seen(b, "p"))
	require.Len(t, w.objects(schema.BlocksPrefix), 2)
}

// A clean end leaves nothing in the log.
func TestStoppingFlushes(t *testing.T) {
	w := newWorld(t, logmem.Options{Partitions: 2})
	r, b := w.receiver(), w.builder()
	for n := range 20 {
		w.send(r, "p", n)
	}
	w.stop(b)
	for p := range 2 {
		require.Equal(t, w.state(p).Last, w.state(p).Floor())
	}
	require.Equal(t, upTo(20), w.seen(w.builder(), "p"))
}

// What no builder can decode is kept raw and blocks nothing.
func TestUndecodableMessages(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r := w.receiver()
	stream := w.log.Stream(0)
	w.send(r, "p", 0)
	_, err := stream.Publish(t.Context(), []byte("garbage"), "")
	require.NoError(t, err)
	_, err = stream.Publish(t.Context(), wal.AppendPayload(nil, []wal.Entry{
		{Project: "p", Wire: request(1)}, {Project: "p", Wire: []byte("\xff\xff")}, {Project: "p", Wire: request(2)},
	}, false), "")
	require.NoError(t, err)
	w.send(r, "p", 3)

	b := w.builder()
	require.Equal(t, upTo(4), w.seen(b, "p"))
	w.flush(b)
	require.Equal(t, upTo(4), w.seen(b, "p"))
	kept := w.objects(ingester.UndecodablePrefix)
	require.Len(t, kept, 2)
	require.ElementsMatch(t, []string{"garbage", "\xff\xff"}, []string{
		kept[ingester.UndecodablePrefix+"p0of1/1-2"], kept[ingester.UndecodablePrefix+"p0of1/1-3-1"],
	})
	require.EqualValues(t, 2, b.count(t, "spanlake_builder_undecodable_messages_total"))
}

// Projects share the log and nothing else.
func TestProjectsAreApart(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r, b := w.receiver(), w.builder()
	w.send(r, "a", 1)
	w.send(r, "b", 2)
	check := func() {
		require.Equal(t, []int{1}, w.seen(b, "a"))
		require.Equal(t, []int{2}, w.seen(b, "b"))
		require.Empty(t, w.seen(b, "c"))
	}
	check()
	w.flush(b)
	check()
}

// An idle log keeps no spans: the cut that a purge leaves may carry some, until a
// marker takes its place.
func TestIdleLogIsEmptied(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	w.cfg.CutBytes, w.cfg.CutAge = 1, 40*time.Millisecond
	r, b := w.receiver(), w.builder()
	w.send(r, "p", 0)
	w.send(r, "p", 1)
	first := func() (payload []byte) {
		state := w.state(0)
		err := w.log.Stream(0).ReadRange(t.Context(), state.First, state.First, func(m wal.Message) error {
			payload = m.Payload
			return nil
		})
		if !errors.Is(err, wal.ErrReset) { // purged since
			require.NoError(t, err)
		}
		return payload
	}
	require.Eventually(t, func() bool { return wal.IsCutMarker(first()) }, 10*time.Second, 5*time.Millisecond)
	require.EqualValues(t, 3, w.state(0).Last, "one marker is enough")
	require.Equal(t, upTo(2), w.seen(b, "p"))
	w.stop(b)

	// Likewise where somebody else has left it.
	w.cfg.CutAge = time.Hour
	b = w.builder()
	w.send(r, "p", 2)
	require.Eventually(t, func() bool { return w.state(0).First == 4 }, 10*time.Second, time.Millisecond)
	require.False(t, wal.IsCutMarker(first()))
	w.stop(b)
	w.cfg.CutAge = 40 * time.Millisecond
	b = w.builder()
	require.Eventually(t, func() bool { return wal.IsCutMarker(first()) }, 10*time.Second, 5*time.Millisecond)
	require.Equal(t, upTo(3), w.seen(b, "p"))
}
