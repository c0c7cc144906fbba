package querier_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/querier/tempopb/tempopbtest"
	"github.com/spanlake/spanlake/schema"
)

// countedReads is a bucket that does something before one of its reads of objects.
type countedReads struct {
	objstore.Bucket

	mu    sync.Mutex
	reads int
	at    int // which read, from 1
	then  func()
}

func (c *countedReads) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	c.mu.Lock()
	if c.reads++; c.reads == c.at {
		c.then()
	}
	c.mu.Unlock()
	return c.Bucket.Get(ctx, key, opts)
}

// movingTrace is a world with a trace of 90 spans in three blocks, which are read twice
// to send it, and what merges them into one.
func movingTrace(t *testing.T) (w *world, bucket *countedReads, blocks []schema.BlockName, merge func()) {
	t.Helper()
	bucket = &countedReads{}
	w = newWorldWith(t, func(b objstore.Bucket) objstore.Bucket { bucket.Bucket = b; return bucket },
		querier.Config{Timeout: time.Minute, Concurrency: 1, CacheBytes: 1 << 20})
	w.q.SetTraceInMemory(2000)
	var all []schema.Span
	for b := range 3 {
		var spans [][]byte
		for i := range 30 {
			s := span(traceA, byte(30*b+i+1), fmt.Sprintf("span %d.", 30*b+i), 3*i+b)
			spans = append(spans, otlp.AppendKeyValue(s, 9, "text", schema.Value{Kind: schema.KindString, Str: strings.Repeat("x", 500)}))
		}
		rows := rowsOf(w, spans...)
		all = append(all, rows...)
		blocks = append(blocks, w.storeRows(rows))
	}
	slices.SortStableFunc(all, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	object, err := block.Encode(schema.DefaultProject, all)
	require.NoError(t, err)
	merged := blocks[0]
	merged.Last, merged.Level, merged.Spans, merged.TailBytes = blocks[2].Last, 1, uint64(len(all)), uint64(object.TailBytes)
	merged.MinStart, merged.MaxEnd = object.MinStart, object.MaxEnd
	return w, bucket, blocks, func() {
		require.NoError(t, w.bucket.Put(t.Context(), merged.Key(), bytes.NewReader(object.Data), objstore.PutOptions{}))
		for _, name := range blocks {
			require.NoError(t, w.bucket.Delete(t.Context(), name.Key()))
		}
	}
}

// Blocks that are merged away under a trace that is being sent are read again from what
// they have become, whenever that happens: each span is sent once.
func TestTraceIsMovedWhileItIsSent(t *testing.T) {
	w, bucket, _, _ := movingTrace(t)
	want := namesIn(t, w.get("/api/v2/traces/aa").body)
	require.Len(t, want, 90)
	resumed := 0
	for at := 1; at <= bucket.reads; at++ {
		for _, path := range []string{"/api/v2/traces/aa", "/api/traces/aa"} {
			w, again, _, merge := movingTrace(t)
			again.at, again.then = at, merge
			a := w.get(path)
			require.Equal(t, 200, a.status, a.body)
			require.Equal(t, want, namesIn(t, a.body), "read %d of %d", at, bucket.reads)
			require.NotContains(t, a.body, "PARTIAL")
			resumed += int(w.metric("spanlake_querier_retries_total"))
		}
	}
	require.Greater(t, resumed, bucket.reads/2)
	w, again, _, merge := movingTrace(t)
	again.at, again.then = bucket.reads, merge
	require.Contains(t, w.get("/api/v2/traces/aa", "Accept", "application/vnd.grafana.llm").body, "span ")
}

// atFirst is a client that does something when it gets the beginning of an answer.
type atFirst struct {
	*httptest.ResponseRecorder

	once sync.Once
	then func()
}

func (a *atFirst) Write(b []byte) (int, error) {
	a.once.Do(a.then)
	return a.ResponseRecorder.Write(b)
}

// Messages of the log that are stored and purged while a trace is sent from there are
// read in their block.
func TestTraceIsStoredWhileItIsSent(t *testing.T) {
	c := emptyCluster(t)
	rows := longSpans(100) // several pages of the log
	for i := range rows {
		c.publishRows(rows[i : i+1])
	}
	q := c.querier(whole())
	q.SetTraceInMemory(1 << 20)
	client := &atFirst{ResponseRecorder: httptest.NewRecorder(), then: func() { c.storeParts(rows, clusterPartitions) }}
	q.Handler().ServeHTTP(client, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v2/traces/aa", nil))
	require.Equal(t, 200, client.Code)
	names := namesIn(t, client.Body.String())
	require.Len(t, names, 100)
	require.Len(t, slices.Compact(names), 100, "each once")
	require.NotContains(t, client.Body.String(), "PARTIAL")
	require.Positive(t, q.counter("spanlake_querier_blocks_opened_total"))
}

// What is deleted for good while a trace is sent is missing, and the answer says so if
// it can.
func TestTraceIsDeletedWhileItIsSent(t *testing.T) {
	w, bucket, _, _ := movingTrace(t)
	require.Equal(t, 200, w.get("/api/v2/traces/aa").status)
	w, last, blocks, _ := movingTrace(t)
	last.at, last.then = bucket.reads, func() {
		for _, name := range blocks {
			require.NoError(t, w.bucket.Delete(t.Context(), name.Key()))
		}
	}
	a := w.get("/api/v2/traces/aa")
	require.Equal(t, 200, a.status)
	shown := len(namesIn(t, a.body))
	require.Less(t, shown, 90)
	require.Positive(t, shown)
	m := tempopbtest.Load(t).JSON(t, "TraceByIDResponse", a.body)
	require.EqualValues(t, 1, tempopbtest.Get(t, m, "status").Enum())
	require.Equal(t, fmt.Sprintf("%d of 90 spans were deleted while they were sent", 90-shown), tempopbtest.Get(t, m, "message").String())
}

// unlisted is a bucket that has lost an object without knowing.
type unlisted struct {
	objstore.Bucket

	lost atomic.Pointer[string]
}

func (u *unlisted) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	if lost := u.lost.Load(); lost != nil && *lost == key {
		return nil, objstore.Object{}, fmt.Errorf("read %s: %w", key, objstore.ErrNotExist)
	}
	return u.Bucket.Get(ctx, key, opts)
}

// A block that is listed and never there ends the answer: with what to know where there
// is room for it, else by breaking off.
func TestTraceIsLostWhileItIsSent(t *testing.T) {
	w, bucket, _, _ := movingTrace(t)
	require.Equal(t, 200, w.get("/api/v2/traces/aa").status)
	reads := bucket.reads
	for path, room := range map[string]bool{"/api/v2/traces/aa": true, "/api/traces/aa": false} {
		w, last, blocks, _ := movingTrace(t)
		lost := &unlisted{Bucket: last.Bucket}
		last.Bucket = lost
		last.at, last.then = reads, func() {
			key := blocks[2].Key()
			lost.lost.Store(&key)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+path, nil)
		require.NoError(t, err)
		resp, err := w.server.Client().Do(req)
		if !room && err != nil { // nothing was on its way yet
			require.ErrorIs(t, err, io.EOF)
			continue
		}
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 200, resp.StatusCode)
		if !room {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			continue
		}
		require.NotEmpty(t, namesIn(t, string(body)))
		require.NoError(t, err)
		m := tempopbtest.Load(t).JSON(t, "TraceByIDResponse", string(body))
		require.EqualValues(t, 1, tempopbtest.Get(t, m, "status").Enum())
		require.Contains(t, tempopbtest.Get(t, m, "message").String(), "the rest of the trace is gone")
	}
}
