package e2e_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// queries starts environments of the query function.
func (w *cloud) queries(count int, env ...string) *pool {
	w.t.Helper()
	return newPool(w.t, count, func(env ...string) *lambda { return w.function("query", env...) }, env...)
}

// TestQueryFunction asks the real binary, frozen between all of its invocations, for
// what the ingest function has acknowledged: while it is in the log and nobody else
// reads it, and when it is in blocks of which the function has not heard.
func TestQueryFunction(t *testing.T) {
	w := newCloud(t)
	relay := newRelay(t, strings.TrimPrefix(w.nats.url, "nats://"))
	endpoint := w.recorder("query").Endpoint
	bucketRelay := newRelay(t, strings.TrimPrefix(endpoint, "http://"))
	bucket := strings.ReplaceAll(w.recorder("query").URL(w.name+"/"+bucketPrefix), url.QueryEscape(endpoint), url.QueryEscape("http://"+bucketRelay.addr()))
	p := w.queries(1, "SPANLAKE_NATS_URL=nats://"+relay.addr(), "SPANLAKE_BUCKET="+bucket, "SPANLAKE_FUNCTION_RESPONSE=stream")
	query := p.front()
	got, err := query.get(t.Context(), "shop", "/api/search")
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, got.status, "there is no log yet: %s", got.body)
	require.Equal(t, "1", got.header.Get("Retry-After"))

	ingest, flush := w.function("ingest"), w.function("flush")
	for range 3 {
		w.send(ingest, 5)
		requireCount(t, query, w.start, w.sent) // in the log
	}
	w.run(flush, "flush")
	requireCount(t, query, w.start, w.sent) // in blocks
	forgetBucket := func() {
		bucketRelay.forget()
		<-time.After(3 * time.Second) // frozen
	}
	for _, away := range []func(){func() {}, w.nats.terminate, w.nats.kill, relay.forget, forgetBucket} {
		w.send(ingest, 3)
		requireCount(t, query, w.start, w.sent)
		w.send(ingest, 3)
		w.run(flush, "flush")
		w.send(ingest, 3)
		away()
		select {
		case <-w.nats.process.exited:
			w.nats.run()
		default:
		}
		begun := time.Now()
		requireCount(t, query, w.start, w.sent)
		t.Log("the first answer took", time.Since(begun).Round(time.Millisecond))
	}
	requireNotFound(t, query, "/")
	requireNotFound(t, query, "/ready")
	requireNotFound(t, query, "/api/unknown")
	requireCalls(t, w.recorder("query").Calls(), "s3:GetObject blocks", "s3:GetObject projects", "s3:ListBucket blocks", "s3:ListBucket projects", "s3:ListBucket erasures")

	// It goes on after events that are none of its own.
	l := <-p.idle
	l.thaw()
	for _, other := range []string{`{}`, `{"task":"compact"}`, `{"task":"job"}`, `[]`} {
		require.Contains(t, string(l.invoke([]byte(other))), "errorMessage")
	}
	l.freeze()
	p.idle <- l
	requireCount(t, query, w.start, w.sent)
}

// TestQueryFunctionForgets: what was revoked, or is to be gone, while the function
// was frozen is refused and hidden at once.
func TestQueryFunctionForgets(t *testing.T) {
	const refresh = 10 * time.Millisecond
	w := newCloud(t)
	registry := project.NewRegistry(w.bucket)
	require.NoError(t, registry.Create(t.Context(), "shop", project.Settings{}))
	key, secret, err := registry.AddKey(t.Context(), "shop", "grafana", []project.Scope{project.ScopeQuery})
	require.NoError(t, err)
	_, writer, err := registry.AddKey(t.Context(), "shop", "exporter", []project.Scope{project.ScopeIngest})
	require.NoError(t, err)
	ingest, flush := w.function("ingest"), w.function("flush")
	query := w.queries(1, "SPANLAKE_AUTH_MODE=keys", "SPANLAKE_AUTH_INSECURE=false", "SPANLAKE_PROJECTS_REFRESH_INTERVAL="+refresh.String()).front()
	get := func(id schema.TraceID, secret string) answer {
		got, err := query.get(t.Context(), "", "/api/traces/"+id.String(), "Authorization", "Bearer "+secret)
		require.NoError(t, err)
		return got
	}
	var ids []schema.TraceID
	for range 3 {
		id := schema.TraceID(randomID(w.random, 16))
		ids = append(ids, id)
		w.export(ingest, compress(t, "gzip", marshal(t, exportOf(randomSpan(w.random, id[:], time.Now())))))
	}
	require.Equal(t, http.StatusOK, get(ids[0], secret).status)
	require.Equal(t, http.StatusForbidden, get(ids[0], writer).status)
	require.Equal(t, http.StatusUnauthorized, get(ids[0], "").status)

	store := erasure.NewStore(w.bucket)
	erase := func(id schema.TraceID) {
		require.NoError(t, store.Accept(t.Context(), &erasure.Request{
			ID: erasure.NewID(time.Now()), Project: "shop", AcceptedAt: time.Now().UTC(), Marks: w.marks(), Traces: []schema.TraceID{id},
		}))
	}
	erase(ids[0])
	requireHidden := func(id schema.TraceID) {
		t.Helper()
		<-time.After(erasure.WatchInterval) // it is frozen for as long as a look counts that it had just before
		require.Equal(t, http.StatusNotFound, get(id, secret).status)
	}
	requireHidden(ids[0]) // in the log
	w.run(flush, "flush")
	require.Equal(t, http.StatusNotFound, get(ids[0], secret).status, "in a block")
	require.Equal(t, http.StatusOK, get(ids[1], secret).status)
	erase(ids[1])
	requireHidden(ids[1])
	require.Equal(t, http.StatusOK, get(ids[2], secret).status)

	require.NoError(t, registry.RevokeKey(t.Context(), "shop", key.ID))
	<-time.After(refresh) // for so long the look counts that the last request has had
	require.Equal(t, http.StatusUnauthorized, get(ids[2], secret).status)
}

// marks are the ends of the log.
func (w *cloud) marks() (marks []erasure.Mark) {
	w.t.Helper()
	log, err := wal.Open(w.t.Context(), wal.Options{URL: w.nats.url})
	require.NoError(w.t, err)
	defer log.Close()
	for p := range log.Partitions() {
		state, err := log.Stream(p).State(w.t.Context())
		require.NoError(w.t, err)
		marks = append(marks, erasure.Mark{Epoch: log.Stream(p).Epoch(), Position: state.Last})
	}
	return marks
}

// TestQueryFunctionConformance asks queries of the suite of functions that stream and
// that do not, from the log and from blocks, and with every query done in parts by
// further invocations.
func TestQueryFunctionConformance(t *testing.T) {
	w := newCloud(t)
	ingest, flush := w.function("ingest"), w.function("flush")
	bodies, err := corpus.Dataset()
	require.NoError(t, err)
	half := len(bodies) / 2
	send := func(bodies [][]byte) {
		for _, body := range bodies {
			got := ingest.post(exportPath, compress(t, "gzip", body), "content-type", "application/x-protobuf", "content-encoding", "gzip")
			require.Equal(t, http.StatusOK, got.StatusCode, got.Body)
		}
	}
	send(bodies[:half])
	w.run(flush, "flush")
	send(bodies[half:])
	t.Run("half in the log, buffered", func(t *testing.T) { requireSomeConformance(t, w.queries(1).front()) })
	w.run(flush, "flush")
	p := w.queries(3, "SPANLAKE_FUNCTION_RESPONSE=stream", "SPANLAKE_FUNCTION_FAN_OUT=2", "SPANLAKE_QUERIER_JOB_SPANS=1500", "SPANLAKE_QUERIER_QUERY_JOBS=2")
	t.Run("in blocks, streamed, in parts", func(t *testing.T) { requireSomeConformance(t, p.front()) })
	require.Positive(t, p.tasks.Load())
	require.Zero(t, p.crashed.Load())
	t.Logf("%d parts by others, %d times there was no environment", p.tasks.Load(), p.throttled.Load())
}

// TestQueryFunctionStreams: an answer that is larger than Lambda takes at once is
// streamed, or refused with what to do.
func TestQueryFunctionStreams(t *testing.T) {
	w := newCloud(t)
	ingest, flush := w.function("ingest"), w.function("flush")
	const spans, textBytes = 3000, 4900
	id := randomID(w.random, 16)
	for range spans / 500 {
		var list []*tracepb.Span
		for range 500 {
			s := randomSpan(w.random, id, w.start)
			s.Attributes[1].Value.Value = &commonpb.AnyValue_StringValue{StringValue: hex.EncodeToString(randomID(w.random, textBytes/2))}
			list = append(list, s)
		}
		body := compress(t, "gzip", marshal(t, exportOf(list...)))
		got := ingest.post(exportPath, body, "content-type", "application/x-protobuf", "content-encoding", "gzip")
		require.Equal(t, http.StatusOK, got.StatusCode, got.Body)
	}
	stream, whole := w.queries(1, "SPANLAKE_FUNCTION_RESPONSE=stream").front(), w.queries(1).front()
	path := fmt.Sprintf("/api/v2/traces/%x", id)
	for _, place := range []string{"in the log", "in blocks"} {
		bytes, found := readHuge(t, "http://"+stream.api+path, acceptProtobuf)
		require.Equal(t, spans, found, place)
		require.Greater(t, bytes, int64(spans*textBytes), place)
		got, err := whole.get(t.Context(), "", path)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnprocessableEntity, got.status, place)
		require.Contains(t, string(got.body), "Function URL that streams", place)
		w.run(flush, "flush")
	}
	got, err := whole.get(t.Context(), "shop", "/api/search?limit=1")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.status, "it goes on")
}

// TestQueryFunctionFanOut: parts of a query are done by further invocations, here when
// there is none to be had or they come to an end, and by nobody who asks over HTTP.
func TestQueryFunctionFanOut(t *testing.T) {
	w := newCloud(t)
	ingest, flush := w.function("ingest"), w.function("flush")
	for range 4 {
		w.send(ingest, 25)
		w.run(flush, "flush")
	}
	w.send(ingest, 5) // which is in the log
	split := []string{"SPANLAKE_FUNCTION_FAN_OUT=2", "SPANLAKE_QUERIER_JOB_SPANS=20", "SPANLAKE_QUERIER_QUERY_JOBS=4"}
	t.Run("as many as there are", func(t *testing.T) {
		p := w.queries(5, split...)
		requireCount(t, p.front(), w.start, w.sent)
		require.Greater(t, p.tasks.Load(), int64(4))
		require.Zero(t, p.throttled.Load()+p.crashed.Load())
	})
	t.Run("one that is not there", func(t *testing.T) {
		p := w.queries(1, split...)
		requireCount(t, p.front(), w.start, w.sent)
		require.Zero(t, p.tasks.Load())
		require.Positive(t, p.throttled.Load())
	})
	t.Run("one that was killed", func(t *testing.T) {
		p := w.queries(3, split...)
		asked, killed := <-p.idle, <-p.idle
		killed.process.kill()
		p.idle <- asked
		p.idle <- killed
		requireCount(t, p.front(), w.start, w.sent)
		require.Positive(t, p.crashed.Load())
	})
	t.Run("few parts", func(t *testing.T) {
		p := w.queries(2, "SPANLAKE_FUNCTION_FAN_OUT=1000", "SPANLAKE_QUERIER_JOB_SPANS=20")
		requireCount(t, p.front(), w.start, w.sent)
		require.Zero(t, p.tasks.Load()+p.throttled.Load())
	})
	t.Run("over HTTP", func(t *testing.T) {
		p := w.queries(1, split...)
		c, forged := p.front(), `{"task":"job","job":"AQI="}`
		for _, path := range []string{"/", "/api/search", "/2015-03-31/functions/query/invocations"} {
			got, err := c.do(t.Context(), http.MethodPost, "http://"+c.api+path+"?task=job", http.Header{"Task": {"job"}, headerProject: {"shop"}}, []byte(forged))
			require.NoError(t, err)
			require.NotContains(t, string(got.body), `"reply"`)
			require.Equal(t, path == "/api/search", got.status == http.StatusOK, "%d", got.status)
		}
		status, err := p.plain(t.Context(), forged)
		require.NoError(t, err)
		require.Equal(t, http.StatusForbidden, status)
		require.Zero(t, p.tasks.Load())
	})
	t.Run("that gives out none", func(t *testing.T) {
		p := w.queries(1)
		l := <-p.idle
		l.thaw()
		require.Contains(t, string(l.invoke([]byte(`{"task":"job","job":"AQI="}`))), "SPANLAKE_FUNCTION_FAN_OUT is 0")
	})
}
