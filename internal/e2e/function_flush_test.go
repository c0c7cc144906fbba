package e2e_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
	"github.com/spanlake/spanlake/schema"
)

// TestFlushFunction: what the ingest function has acknowledged becomes blocks by
// invocations of the flush function, whatever happens to either between them.
func TestFlushFunction(t *testing.T) {
	w := newCloud(t)
	relay := newRelay(t, w.nats.url[len("nats://"):])
	through := "SPANLAKE_NATS_URL=nats://" + relay.addr()
	ingest, flush := w.function("ingest"), w.function("flush", through)
	w.send(ingest, 5)
	querier := w.service("querier")
	requireCount(t, querier, w.start, w.sent) // in the log

	for _, other := range []string{`{"task":"compact"}`, `{}`, `[]`, `{"version":"2.0","rawPath":"/v1/traces"}`} {
		require.Contains(t, w.decode(flush.invoke([]byte(other))).ErrorMessage, `have the schedule send {"task":"flush"}`)
	}
	r := w.run(flush, "flush")
	require.Equal(t, 4, r.Partitions)
	require.GreaterOrEqual(t, r.Spans, w.sent) // some came twice
	require.Positive(t, r.Blocks)
	require.Positive(t, r.Bytes)
	requireCount(t, querier, w.start, w.sent) // in blocks
	w.requireSpent(flush)

	for _, away := range []func(){func() {}, w.nats.terminate, w.nats.kill, relay.forget} {
		w.send(ingest, 3)
		flush.freeze()
		away()
		select {
		case <-w.nats.process.exited:
			w.nats.run()
		default:
		}
		flush.thaw()
		require.Positive(t, w.run(flush, "flush").Spans)
		requireCount(t, querier, w.start, w.sent)
		w.requireSpent(flush)
	}

	// Beside an ingester it finds little, and does no harm.
	ingester := w.service("ingester", "-ingester.cut-age=100ms")
	for range 5 {
		w.send(ingest, 3)
		w.run(flush, "flush")
		requireCount(t, querier, w.start, w.sent)
	}
	require.NoError(t, ingester.flush(t.Context()))
	requireCount(t, querier, w.start, w.sent)

	// Several at once.
	flushes := []*lambda{flush, w.function("flush"), w.function("flush")}
	for range 5 {
		w.send(ingest, 8)
		var work sync.WaitGroup
		for _, l := range flushes {
			work.Go(func() { l.invoke(scheduled("flush")) })
		}
		work.Wait()
		requireCount(t, querier, w.start, w.sent)
		w.requireSpent(flush)
	}
	names, err := blockNames(t.Context(), w.bucket)
	require.NoError(t, err)
	require.Len(t, schema.Visible(names), len(names), "no position is in two blocks")

	requireCalls(t, w.recorders["ingest"].Calls(), "s3:ListBucket projects", "s3:GetObject projects", "s3:ListBucket blocks")
	requireCalls(t, w.recorders["flush"].Calls(), "s3:ListBucket projects", "s3:ListBucket blocks", "s3:PutObject blocks", "s3:ListBucket claims")
}

// TestFlushFunctionRefuses: it says that the log is away, or that it has no time,
// and works when that is over.
func TestFlushFunctionRefuses(t *testing.T) {
	w := newCloud(t)
	w.nats.kill()
	flush := w.function("flush")
	flush.timeout = 67 * time.Second // of which 7 s are for work
	r := w.decode(flush.invoke(scheduled("flush")))
	require.Contains(t, r.ErrorMessage, "log is unavailable")
	flush.timeout = time.Minute
	r = w.decode(flush.invoke(scheduled("flush")))
	require.Contains(t, r.ErrorMessage, "give the function a timeout of 2m0s or more")
	w.nats.run()
	flush.timeout = taskTimeout
	w.requireSpent(flush)
}

// killer stands before the bucket and kills a process at one of its requests.
type killer struct {
	endpoint string

	left    atomic.Int64 // requests until then
	after   atomic.Bool  // it has been answered by the bucket, but not to the process
	process atomic.Pointer[process]
}

func newKiller(t *testing.T, endpoint string) *killer {
	t.Helper()
	k := new(killer)
	forward := s3test.Forward(t, endpoint)
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fatal := k.left.Add(-1) == 0
		if fatal && !k.after.Load() {
			k.process.Load().kill()
			panic(http.ErrAbortHandler)
		}
		if fatal {
			w = httptest.NewRecorder()
		}
		forward.ServeHTTP(w, r)
		if fatal {
			k.process.Load().kill()
			panic(http.ErrAbortHandler)
		}
	}))
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	front.Start()
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	k.endpoint = front.URL
	return k
}

// TestFlushFunctionKilled: it is killed before and after each of its requests to the
// bucket, and at random. Nothing is lost, and nothing is there twice.
func TestFlushFunctionKilled(t *testing.T) {
	w := newCloud(t)
	ingest := w.function("ingest", "SPANLAKE_INGESTER_CUT_BYTES=2KiB") // several batches
	w.send(ingest, 1)
	querier := w.service("querier")
	k := newKiller(t, w.place.gateway.Endpoint)
	url := (&s3test.Server{Endpoint: k.endpoint}).URL(w.name + "/" + bucketPrefix)
	kills := 0
	run := func() (survived bool) {
		t.Helper()
		flush := w.function("flush", "SPANLAKE_BUCKET="+url)
		k.process.Store(flush.process)
		var body []byte
		i, ended := flush.offer(scheduled("flush")) // it lists the bucket before it asks for events
		if !ended {
			body, ended = flush.outcome(i)
		}
		if ended {
			kills++
		} else {
			require.Empty(t, w.decode(body).ErrorMessage)
			flush.process.kill()
		}
		requireCount(t, querier, w.start, w.sent)
		return !ended
	}
	for _, after := range []bool{false, true} {
		k.after.Store(after)
		for point := int64(1); ; point++ {
			w.send(ingest, 4)
			k.left.Store(point)
			if run() {
				break
			}
		}
	}
	k.left.Store(0)
	for range 10 { // at any time: also while it reads the log, or purges it
		w.send(ingest, 4)
		flush := w.function("flush")
		i := flush.begin(scheduled("flush"))
		<-time.After(time.Duration(w.random.IntN(30)) * time.Millisecond)
		flush.process.kill()
		if _, ended := flush.outcome(i); ended {
			kills++
		}
		requireCount(t, querier, w.start, w.sent)
	}
	require.True(t, run())
	flush := w.function("flush")
	w.requireSpent(flush)
	t.Logf("killed %d times, %d spans", kills, w.sent)
	require.Greater(t, kills, 20)
	names, err := blockNames(t.Context(), w.bucket)
	require.NoError(t, err)
	require.Len(t, schema.Visible(names), len(names), "no position is in two blocks")
}

// TestFlushFunctionMemory: with much in the log the function stays within what it
// has, and makes blocks of the usual size.
func TestFlushFunctionMemory(t *testing.T) {
	const (
		memory   = 128 // MiB
		requests = 12
		traces   = 5000 // of each
	)
	w := newCloud(t)
	ingest := w.function("ingest", "SPANLAKE_INGESTER_CUT_BYTES=4MiB", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=1024")
	for range requests {
		w.send(ingest, traces)
	}
	flush := w.function("flush", "SPANLAKE_INGESTER_CUT_BYTES=4MiB", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE="+strconv.Itoa(memory))
	r := w.run(flush, "flush")
	require.GreaterOrEqual(t, r.Spans, w.sent)
	require.Greater(t, r.Blocks, 4*2, "several from each partition")
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", flush.process.cmd.Process.Pid))
	require.NoError(t, err)
	_, peak, found := strings.Cut(string(status), "VmHWM:")
	require.True(t, found)
	var kib int
	_, err = fmt.Sscan(peak, &kib)
	require.NoError(t, err)
	t.Logf("%d spans in %d blocks with %d MiB", r.Spans, r.Blocks, kib>>10)
	require.Less(t, kib>>10, memory)
	requireCount(t, w.service("querier"), w.start, w.sent)
}
