package ingester_test

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grafana/dskit/flagext"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/vec"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
)

const (
	stops     = "spanlake_builder_stops_total"
	used      = "spanlake_builder_memory_bytes"
	applied   = "spanlake_builder_applied_spans_total"
	tailReads = "spanlake_tail_reads_total"
)

// outage is a bucket that takes no objects while away is set.
type outage struct {
	*gate

	away atomic.Bool
}

func (w *world) outage() *outage {
	o := new(outage)
	o.gate = &gate{w.bucket, func(string) error {
		if o.away.Load() {
			return errors.New("bucket is away")
		}
		return nil
	}}
	w.bucket = o
	w.t.Cleanup(func() { o.away.Store(false) }) // a builder that ends stores what it has
	return o
}

// spanMemory is more than one message of a small span takes in memory, with
// the first resource and scope of a batch, or a page for the rows after it.
const spanMemory = 12 << 10

// While nothing can be stored, memory stays within the budget and queries see
// everything: what memory has no place for they read in the log. When the
// bucket is back all of it becomes blocks, and queries stay exact on the way.
func TestBucketAway(t *testing.T) {
	const spans, budget = 300, 64 << 10
	w := newServerWorld(t, 2)
	w.cfg.CutBytes, w.cfg.BuildMemory = 4<<10, budget
	bucket := w.outage()
	bucket.away.Store(true)
	r, b := w.receiver(), w.builder()
	cat := w.catalog()
	for n := range spans {
		w.send(r, "p", n)
		if n%20 == 0 || n > spans-5 {
			require.Equal(t, upTo(n+1), w.seenThrough(cat, b, "p"))
			require.LessOrEqual(t, b.count(t, used), float64(budget+2*spanMemory))
		}
	}
	require.EqualValues(t, 2, b.count(t, stops), "both partitions have stopped")
	require.Less(t, b.count(t, applied), float64(spans))
	require.Positive(t, b.count(t, tailReads))

	late := w.builder() // reads all of the log anew, under the same budget
	require.Equal(t, upTo(spans), w.seen(late, "p"))
	late.Abort()
	w.stop(late.Builder)

	bucket.away.Store(false)
	var draining sync.WaitGroup
	draining.Go(func() { w.flush(b) })
	for range 20 {
		require.Equal(t, upTo(spans), w.seenThrough(cat, b, "p"))
	}
	draining.Wait()
	require.Equal(t, upTo(spans), w.seenThrough(cat, b, "p"))
	require.GreaterOrEqual(t, b.count(t, applied), float64(spans))
	for p := range 2 {
		state, err := w.server.Stream(p).State(t.Context())
		require.NoError(t, err)
		require.Equal(t, state.Last, state.Floor(), "nothing is left in the log")
	}
	require.Less(t, b.count(t, used), float64(budget))
}

// Up to the budget nothing stops, and queries do not touch the log.
func TestWithinTheBudget(t *testing.T) {
	w := newServerWorld(t, 2)
	w.cfg.CutBytes, w.cfg.BuildMemory = 4<<10, 10*spanMemory
	w.outage().away.Store(true)
	r, b := w.receiver(), w.builder()
	defer b.Abort()
	for n := range 10 {
		w.send(r, "p", n)
		b.awaitApplied(t, n+1)
		require.Equal(t, upTo(n+1), w.seen(b, "p"))
	}
	require.Zero(t, b.count(t, stops))
	require.Zero(t, b.count(t, tailReads))
}

// A batch that is larger than the budget is read to its end all the same, as
// is each of several that together are.
func TestBatchesAboveTheBudget(t *testing.T) {
	for _, partitions := range []int{1, 4} {
		w := newServerWorld(t, partitions)
		w.cfg.BuildMemory = 1
		r := w.receiver()
		for n := range 60 {
			w.send(r, "p", n)
		}
		b := w.builder()
		require.Equal(t, upTo(60), w.seen(b, "p"))
		w.flush(b)
		require.Equal(t, upTo(60), w.seen(b, "p"))
		require.Zero(t, b.count(t, used), "everything is stored, and let go")
		w.stop(b.Builder)
		w.stop(r)
	}
}

// Partitions that have read everything must not keep the others waiting for
// their memory: the largest ends its batch.
func TestIdlePartitionsGiveMemory(t *testing.T) {
	w := newWorld(t, logmem.Options{Partitions: 4})
	w.cfg.BuildMemory = 3 * spanMemory / 4
	r, b := w.receiver(), w.builder()
	for n := range 100 {
		w.send(r, "p", n)
	}
	b.awaitApplied(t, 100)
	require.Positive(t, b.count(t, "spanlake_builder_early_cuts_total"))
	require.Equal(t, upTo(100), w.seen(b, "p"))
}

// Stored batches make room before anything stops.
func TestStoredBatchesGoFirst(t *testing.T) {
	const budget = 5 * spanMemory
	w := newWorld(t, logmem.Options{})
	w.cfg.BuildMemory = budget
	r, b := w.receiver(), w.builder()
	for n := range 100 {
		w.send(r, "p", n)
		if n%4 == 3 {
			w.flush(b)
		}
		require.Less(t, b.count(t, used), float64(budget+spanMemory))
	}
	require.Positive(t, b.count(t, used), "the last ones stay")
	require.Zero(t, b.count(t, stops))
	require.Equal(t, upTo(100), w.seen(b, "p"))
}

// Whoever only answers queries has a budget too, and goes on when the blocks of
// what it holds were stored elsewhere.
func TestFollowerWithinABudget(t *testing.T) {
	w := newServerWorld(t, 2)
	w.cfg.CutAge, w.cfg.CutBytes, w.cfg.BuildMemory = 40*time.Millisecond, 1<<10, 4*spanMemory
	r, f := w.receiver(), w.follower()
	for n := range 100 {
		w.send(r, "p", n)
	}
	require.Equal(t, upTo(100), w.seen(f, "p"))
	require.Positive(t, f.count(t, stops))
	require.LessOrEqual(t, f.count(t, used), float64(5*spanMemory))
	w.flush(w.builder())
	require.Equal(t, upTo(100), w.seen(f, "p"))
	for n := range 4 {
		w.send(r, "p", 100+n)
	}
	require.Equal(t, upTo(104), w.seen(f, "p"))
}

// A builder that has stopped answers from blocks what another has stored of
// the log's rest, and each message once.
func TestStoppedBuilderBesideAnother(t *testing.T) {
	w := newServerWorld(t, 1)
	w.cfg.CutBytes, w.cfg.BuildMemory = 1<<10, spanMemory
	healthy := w.bucket
	w.outage().away.Store(true)
	r, stopped := w.receiver(), w.builder()
	defer stopped.Abort()
	for n := range 60 {
		w.send(r, "p", n)
	}
	require.Equal(t, upTo(60), w.seen(stopped, "p"))
	require.Positive(t, stopped.count(t, stops))

	w.bucket = healthy
	w.flush(w.builder())
	w.send(r, "p", 60)
	require.Equal(t, upTo(61), w.seen(stopped, "p"))
}

// Reading that has stopped begins anew when what it waits with has left the
// log, or the log was lost.
func TestStoppedReadingNotices(t *testing.T) {
	events := map[string]func(w *world, healthy func()){
		"stored by another": func(w *world, healthy func()) { healthy(); w.flush(w.builder()) },
		"lost stream":       func(w *world, _ func()) { w.log.Lose(0) },
	}
	for name, event := range events {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, logmem.Options{})
				w.cfg.CutBytes, w.cfg.BuildMemory = 1<<10, spanMemory
				healthy := w.bucket
				w.outage().away.Store(true)
				r, b := w.receiver(), w.builder()
				defer b.Abort()
				for n := range 60 {
					w.send(r, "p", n)
				}
				synctest.Wait()
				require.EqualValues(t, 1, b.count(t, stops))
				event(w, func() { w.bucket = healthy })
				time.Sleep(time.Minute) // of the bubble: several looks at the log
				synctest.Wait()
				require.EqualValues(t, 1, b.count(t, "spanlake_builder_resets_total"))
				require.Zero(t, b.count(t, used))
			})
		})
	}
}

// What is accounted for is what memory holds, whatever the spans are like.
func TestMemoryIsAccountedFor(t *testing.T) {
	kinds := map[string]func(n int) (body []byte, spans int){
		"small spans": func(n int) ([]byte, int) { return request(upTo(1000 - n%7)...), 1000 - n%7 },
		"large spans": func(n int) ([]byte, int) {
			s := appendField(span(n, "large"), 99, bytes.Repeat([]byte{byte(n)}, 100<<10))
			return appendField(nil, 1, appendField(nil, 2, appendField(nil, 2, s))), 1
		},
		"a resource each": func(n int) (body []byte, spans int) {
			for i := range 300 {
				attribute := appendField(appendField(nil, 1, []byte("id")), 2, appendField(nil, 1, []byte(strings.Repeat("x", n+i))))
				resource := appendField(nil, 1, appendField(nil, 1, attribute))
				body = append(body, appendField(nil, 1, append(resource, appendField(nil, 2, appendField(nil, 2, span(i, "s")))...))...)
			}
			return body, 300
		},
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, logmem.Options{})
			w.outage().away.Store(true)
			r := w.receiver()
			published := 0
			for n := range 100 {
				body, spans := kind(n)
				_, err := r.Receive(t.Context(), "p", body)
				require.NoError(t, err)
				published += spans
			}
			w.stop(r)
			before := heap()
			b := w.builder()
			defer b.Abort()
			b.awaitApplied(t, published)
			held, accounted := heap()-before, b.count(t, used)
			require.Greater(t, accounted, 5e6, "enough to measure")
			require.InDelta(t, 1, held/accounted, 0.5, "%.0f bytes held, %.0f accounted for", held, accounted)
		})
	}
}

// awaitApplied waits until so many spans were read.
func (b builder) awaitApplied(t *testing.T, spans int) {
	t.Helper()
	require.Eventually(t, func() bool { return b.count(t, applied) == float64(spans) }, patience, time.Millisecond)
}

// heap is what is in use after everything else was collected.
func heap() float64 {
	var m runtime.MemStats
	for range 2 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// The whole process stays small while a log far larger than the budget waits:
// reading, querying and holding together.
func TestHeapWhileTheLogWaits(t *testing.T) {
	t.Run("as configured", func(t *testing.T) { testHeap(t, 8<<20, 8<<20) })
	t.Run("by default", func(t *testing.T) {
		encoding := min(max(runtime.GOMAXPROCS(0)/2, 1), 2)
		testHeap(t, 0, 3*(2+encoding)<<20+1) // batches of a megabyte
	})
}

func testHeap(t *testing.T, set flagext.Bytes, budget int) {
	t.Helper()
	w := newServerWorld(t, 2)
	w.cfg.CutBytes, w.cfg.LiveBytes, w.cfg.BuildMemory = 1<<20, 1, set
	w.outage().away.Store(true)
	r := w.receiver()
	body := request(upTo(4000)...)
	for range 60 {
		_, err := r.Receive(t.Context(), "p", body)
		require.NoError(t, err)
	}
	before := heap()
	b := w.builder()
	defer b.Abort()
	rows := 0
	for range 2 {
		joined, err := w.catalog().Join(t.Context(), b, "p", []int{0, 1}, nil)
		require.NoError(t, err)
		for _, s := range joined.Segments {
			for chunk, err := range s.Scan(t.Context(), everything(), vec.AllColumns()) {
				require.NoError(t, err)
				rows += len(chunk)
			}
		}
	}
	require.Equal(t, 2*60*4000, rows)
	require.InDelta(t, budget, b.count(t, "spanlake_builder_memory_limit_bytes"), 0)
	require.Positive(t, b.count(t, stops))
	require.Less(t, b.count(t, used), float64(2*budget))
	require.Less(t, heap()-before, float64(4*budget), "all rows together take ten times the budget")
}

func TestBuildMemoryHoldsABatch(t *testing.T) {
	cfg := config()
	for _, right := range []flagext.Bytes{0, cfg.CutBytes} {
		cfg.BuildMemory = right
		require.NoError(t, cfg.Validate())
	}
	cfg.BuildMemory--
	require.ErrorContains(t, cfg.Validate(), "ingester.build-memory")
}
