package querier_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grafana/dskit/flagext"
	"github.com/stretchr/testify/require"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/querier/tempopb/tempopbtest"
	"github.com/spanlake/spanlake/schema"
)

// scattered stores a trace of about n spans in several blocks, with spans that
// came twice, or twice and more complete, some of them in pieces, of several
// resources, with parents among them and some that fail.
func scattered(w *world, n int, seed uint64) {
	w.t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3))
	var all [][]byte
	for i := range n {
		s := span(traceA, byte(i), fmt.Sprintf("span %d", i), rng.IntN(50))
		copy(s[20:22], []byte{byte(i >> 8), 1}) // of its id
		if i > 0 {
			parent := rng.IntN(i)
			s = field(s, 4, []byte{byte(parent), byte(parent >> 8), 1, 0, 0, 0, 0, 1})
		}
		if rng.IntN(8) == 0 {
			s = field(s, 15, protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 2))
		}
		all = append(all, s)
	}
	for range 5 {
		var rows []schema.Span
		for i := range all {
			if rng.IntN(3) > 0 {
				continue
			}
			s := all[i]
			if rng.IntN(4) == 0 {
				s = otlp.AppendKeyValue(slices.Clone(s), 9, "more", schema.Value{Kind: schema.KindString, Str: strings.Repeat("x", rng.IntN(99))})
			}
			row := rowsOf(w, s)[0]
			if i%11 == 0 {
				row.Fragment, row.FragmentNanos = schema.Fragment(1+rng.IntN(int(schema.MaxFragment))), rng.Uint64()
			}
			rows = append(rows, row)
		}
		slices.SortStableFunc(rows, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
		w.storeRows(rows)
	}
}

// spansOf are the spans of a trace, by their bytes and sorted, each with its
// resource and scope: how they are grouped does not matter.
func spansOf(t *testing.T, traces []byte) (list []string) {
	t.Helper()
	var data tracev1.TracesData
	require.NoError(t, proto.Unmarshal(traces, &data))
	for _, r := range data.GetResourceSpans() {
		require.NotNil(t, r.GetResource())
		for _, s := range r.GetScopeSpans() {
			require.NotNil(t, s.GetScope())
			for _, span := range s.GetSpans() {
				require.NotNil(t, span.GetStatus())
				list = append(list, protojson.Format(&tracev1.ResourceSpans{
					Resource: r.GetResource(), ScopeSpans: []*tracev1.ScopeSpans{{Scope: s.GetScope(), Spans: []*tracev1.Span{span}}},
				}))
			}
		}
	}
	slices.Sort(list)
	return list
}

// A trace that is written as it is read has the same spans in every form, and
// says the same of what is missing, as one that is put together in memory.
func TestLargeTraceIsTheSame(t *testing.T) {
	api := tempopbtest.Load(t)
	for seed := range uint64(4) {
		w := newWorldWithCache(t, nil, 1<<20)
		scattered(w, 200, seed)
		q := url.QueryEscape("{ status = error }")
		paths := []string{
			"/api/traces/aa", "/api/v2/traces/aa", "/api/v2/traces/aa?q=" + q, "/api/v2/traces/aa?keep_hierarchy=true&q=" + q,
			"/api/v2/traces/aa?match_depth=1&q=" + q, "/api/v2/traces/aa?q=" + url.QueryEscape("{ false }"),
			"/api/v2/traces/cc", "/api/v2/traces/aa?start=1&end=2",
		}
		read := func(path string) (list []string, message string) {
			a := w.get(path, "Accept", "application/protobuf")
			require.Equal(t, 200, a.status, a.body)
			b := w.get(path)
			if strings.HasPrefix(path, "/api/traces/") {
				list = spansOf(t, []byte(a.body))
				wire, err := proto.Marshal(api.JSON(t, "TraceV1", b.body))
				require.NoError(t, err)
				require.Equal(t, list, spansOf(t, wire))
				return list, ""
			}
			m := api.Protobuf(t, "TraceByIDResponse", []byte(a.body))
			require.True(t, tempopbtest.Has(t, m, "trace"))
			text := api.JSON(t, "TraceByIDResponse", b.body)
			for _, m := range []proto.Message{m, text} {
				r := m.ProtoReflect()
				wire, err := proto.Marshal(tempopbtest.Get(t, r, "trace").Message().Interface())
				require.NoError(t, err)
				spans, said := spansOf(t, wire), tempopbtest.Get(t, r, "message").String()
				if list == nil {
					list, message = spans, said
				}
				require.Equal(t, list, spans)
				require.Equal(t, message, said)
				require.Equal(t, said != "", tempopbtest.Get(t, r, "status").Enum() == 1)
			}
			return list, message
		}
		for _, path := range paths {
			w.q.SetTraceInMemory(1 << 20)
			want, said := read(path)
			w.q.SetTraceInMemory(20_000) // below the size of all, above that of what is in pieces
			got, saidNow := read(path)
			require.Equal(t, want, got, path)
			require.Equal(t, said, saidNow)
		}
	}
}

// A trace up to the limit is whole; beyond it the first spans are shown, with
// what to do, and the form that has no room for that is an error.
func TestTraceSizeIsLimited(t *testing.T) {
	rows := func(w *world) (rows []schema.Span, size int64) {
		for i := range 100 {
			s := otlp.AppendKeyValue(span(traceA, byte(i+1), fmt.Sprintf("span %d.", i), i), 9, "text", schema.Value{Kind: schema.KindString, Str: strings.Repeat("x", 1000)})
			rows = append(rows, rowsOf(w, s)...)
			size += int64(otlp.SizeHint(&rows[i]))
		}
		return rows, size
	}
	_, size := rows(newWorld(t, nil))
	for _, inMemory := range []int64{1, 1 << 20} {
		for limit, whole := range map[int64]bool{size: true, 0: true, size - 1: false, size / 2: false, 1: false} {
			w := newWorldWith(t, nil, querier.Config{
				Timeout: time.Minute, Concurrency: 4, CacheBytes: 1 << 20, MaxTraceBytes: flagext.Bytes(limit), //nolint:gosec // not negative
			})
			w.q.SetTraceInMemory(inMemory)
			all, _ := rows(w)
			w.storeRows(all[50:])
			w.storeRows(all[:50])
			v1, v2 := w.get("/api/traces/aa"), w.get("/api/v2/traces/aa")
			require.Equal(t, 200, v2.status)
			m := tempopbtest.Load(t).JSON(t, "TraceByIDResponse", v2.body)
			shown := strings.Count(v2.body, `"name":"span`)
			if whole {
				require.Equal(t, 200, v1.status)
				require.Equal(t, 100, shown)
				require.Zero(t, tempopbtest.Get(t, m, "status").Enum())
				continue
			}
			require.Equal(t, 422, v1.status)
			require.Equal(t, "text/plain; charset=utf-8", v1.contentType)
			message := tempopbtest.Get(t, m, "message").String()
			require.EqualValues(t, 1, tempopbtest.Get(t, m, "status").Enum())
			for _, said := range []string{v1.body, message} {
				require.Contains(t, said, fmt.Sprintf("the first %d of 100 spans", shown))
				require.Contains(t, said, "querier.max-trace-bytes")
			}
			require.Equal(t, int(100*limit/size), shown)
			for i := range shown {
				require.Contains(t, v2.body, fmt.Sprintf(`"name":"span %d."`, i), "the first ones")
			}
			few := w.get("/api/v2/traces/aa?q=" + url.QueryEscape(`{ name = "span 77." }`))
			require.Equal(t, limit > 1, strings.Contains(few.body, `"span 77."`), "what a filter leaves counts")
		}
	}
}

// The form for language models shows as much as fits memory.
func TestLargeTraceForLanguageModels(t *testing.T) {
	w := newWorldWithCache(t, nil, 1<<20)
	w.store(span(traceA, 1, "one", 0), span(traceA, 2, "two", 1), span(traceA, 3, "three", 2))
	accept := []string{"Accept", "application/vnd.grafana.llm"}
	require.Contains(t, w.get("/api/v2/traces/aa", accept...).body, `"status":"COMPLETE"`)
	w.q.SetTraceInMemory(200)
	a := w.get("/api/v2/traces/aa", accept...)
	require.Equal(t, 200, a.status)
	require.Contains(t, a.body, `"name":"one"`)
	require.NotContains(t, a.body, `"name":"three"`)
	require.Contains(t, a.body, `"status":"PARTIAL","message":"the trace is too large for this form`)
}

// failing is a bucket whose reads fail after some.
type failing struct {
	objstore.Bucket

	left atomic.Int64 // blocks are read in several places at once
}

var errBucket = errors.New("the bucket is away")

func (f *failing) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	if f.left.Add(-1) < 0 {
		return nil, objstore.Object{}, errBucket
	}
	return f.Bucket.Get(ctx, key, opts)
}

// An answer that fails after its beginning was sent does not look like a whole
// one, compressed or not.
func TestLargeTraceBreaksOff(t *testing.T) {
	const enough = 1 << 30
	bucket := new(failing)
	bucket.left.Store(enough)
	w := newWorldWith(t, func(b objstore.Bucket) objstore.Bucket { bucket.Bucket = b; return bucket },
		querier.Config{Timeout: time.Minute, Concurrency: 1, CacheBytes: 1 << 20}) // one read after the other
	for block := range 3 {
		var spans [][]byte
		for i := range 30 {
			s := span(traceA, byte(30*block+i), "a", i)
			noise := make([]byte, 20_000)
			for k := range noise {
				noise[k] = byte('0' + rand.N(64)) //nolint:gosec // a test
			}
			spans = append(spans, otlp.AppendKeyValue(s, 9, "text", schema.Value{Kind: schema.KindString, Str: string(noise)}))
		}
		w.store(spans...)
	}
	w.q.SetTraceInMemory(100 << 10)
	require.Equal(t, 200, w.get("/api/v2/traces/aa").status)
	reads := enough - bucket.left.Load()
	for _, encoding := range []string{"", "gzip"} {
		bucket.left.Store(enough)
		require.Equal(t, 200, w.get("/api/v2/traces/aa").status)
		again := enough - bucket.left.Load()
		require.Less(t, again, reads, "blocks stay open")
		bucket.left.Store(again - 1) // the last read fails
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/api/v2/traces/aa", nil)
		require.NoError(t, err)
		req.Header.Set("Accept-Encoding", encoding)
		resp, err := w.server.Client().Do(req)
		require.NoError(t, err)
		require.Equal(t, 200, resp.StatusCode)
		_, err = io.Copy(io.Discard, resp.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.NoError(t, resp.Body.Close())
	}
}

// A trace of which much is in the log, and no builder has it in memory, is read in
// pages once it is larger than what may be put together in memory; up to that it is
// read once.
func TestLargeTraceInTheLog(t *testing.T) {
	c := emptyCluster(t)
	const messages = 40
	var size int64
	for _, row := range longSpans(messages) {
		c.publishRows([]schema.Span{row})
		rows, err := otlp.NewDecoder().Decode(otlp.AppendTraces(nil, []schema.Span{row}), 1, nil)
		require.NoError(t, err)
		size += int64(otlp.SizeHint(&rows[0]))
	}
	for _, old := range []bool{false, true} {
		if old { // some of it has expired
			c.projects = keptSince{time.Unix(base+4, 5e8)}
			size -= size / messages * 4 // which end before
		}
		q := c.querier(whole())
		read := func(inMemory int64) (string, float64) {
			q.SetTraceInMemory(inMemory)
			before := q.counter("spanlake_tail_read_messages_total")
			a := q.get(t.Context(), "/api/v2/traces/aa")
			require.Equal(t, 200, a.status, a.body)
			return a.body, q.counter("spanlake_tail_read_messages_total") - before
		}
		want, once := read(size)
		require.EqualValues(t, messages, once)
		got, more := read(size - 1)
		require.Greater(t, more, once, "it is read again to be sent")
		require.Equal(t, namesIn(t, want), namesIn(t, got))
		require.Len(t, namesIn(t, want), map[bool]int{false: messages, true: messages - 4}[old])
	}
}

// longSpans are spans of a trace, of 100 kB each.
func longSpans(count int) []schema.Span {
	rows := make([]schema.Span, count)
	for n := range rows {
		rows[n] = schema.Span{
			TraceID: schema.TraceID{15: 0xaa}, SpanID: schema.SpanID{1, byte(n)}, Name: fmt.Sprintf("span %d.", n), StartNanos: uint64(base+n) * 1e9,
			EndNanos: uint64(base+n+1) * 1e9, Resource: &schema.Resource{}, Scope: &schema.Scope{},
			Attributes: otlp.AppendKeyValue(nil, 9, "text", schema.Value{Kind: schema.KindString, Str: strings.Repeat("x", 100_000)}),
		}
	}
	return rows
}

// namesIn are the names of spans in a reply, sorted.
func namesIn(t *testing.T, body string) (names []string) {
	t.Helper()
	for part := range strings.SplitSeq(body, `"name":"span `) {
		if n, _, ok := strings.Cut(part, `."`); ok && len(n) < 4 {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}
