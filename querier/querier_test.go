package querier_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grafana/dskit/flagext"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/objstore"
	bucketmem "github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/wal"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stored is a log whose messages are all in blocks: nothing is live. The
// joining of live data is tested where live data is made.
type stored struct{ log *logmem.Log }

func (s stored) Tail(ctx context.Context, _ schema.ProjectID, partition int, _ uint64) (catalog.Tail, error) {
	stream := s.log.Stream(partition)
	state, err := stream.State(ctx)
	return catalog.Tail{Epoch: stream.Epoch(), From: state.Last + 1}, err
}

// world is a querier over blocks that a test stores.
type world struct {
	t      testing.TB
	log    *logmem.Log
	bucket objstore.Bucket
	q      *querier.Querier
	server *httptest.Server
	reg    *prometheus.Registry
	blocks int

	settings *settings // of projects
	erasures *erasures
}

func newWorld(t *testing.T, wrap func(objstore.Bucket) objstore.Bucket) *world {
	t.Helper()
	return newWorldWithCache(t, wrap, 4<<10)
}

func newWorldWithCache(t *testing.T, wrap func(objstore.Bucket) objstore.Bucket, cacheBytes flagext.Bytes) *world {
	t.Helper()
	return newWorldWith(t, wrap, querier.Config{
		Timeout: time.Minute, MaxSearchRange: 168 * time.Hour, Concurrency: 4, CacheBytes: cacheBytes,
	})
}

func newWorldWith(t testing.TB, wrap func(objstore.Bucket) objstore.Bucket, cfg querier.Config) *world {
	t.Helper()
	w := &world{t: t, log: logmem.New(logmem.Options{}), bucket: bucketmem.New(), settings: new(settings), erasures: new(erasures)}
	t.Cleanup(w.log.Close)
	_, err := w.log.Stream(0).Publish(t.Context(), wal.CutMarker(), "") // the first message is never a kept cut
	require.NoError(t, err)
	read := w.bucket
	if wrap != nil {
		read = wrap(read)
	}
	logger, reg := slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	cfg = withJobs(cfg)
	require.NoError(t, cfg.Validate())
	q := querier.New(cfg, catalog.New(read, w.log, logger, reg), stored{w.log}, w.settings, w.erasures, read, 1,
		querier.BuildInfo{Version: "2.10.0+spanlake.test"}, logger, reg)
	w.q, w.reg = q, reg
	w.server = serve(t, q)
	return w
}

// serve lets a querier answer on a port, as processes do.
func serve(t testing.TB, q *querier.Querier) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(q.Handler())
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// withJobs sets the defaults of what a test does not say about jobs.
func withJobs(cfg querier.Config) querier.Config {
	var defaults querier.Config
	defaults.RegisterFlagsWithPrefix("querier.", flag.NewFlagSet("", flag.PanicOnError))
	setDefault(&cfg.JobSpans, defaults.JobSpans)
	setDefault(&cfg.QueryJobs, defaults.QueryJobs)
	setDefault(&cfg.MaxJobs, defaults.MaxJobs)
	setDefault(&cfg.MaxWaitingJobs, defaults.MaxWaitingJobs)
	setDefault(&cfg.JobMemory, defaults.JobMemory)
	setDefault(&cfg.HedgeAfter, defaults.HedgeAfter)
	return cfg
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// store writes one block with the given spans of the default project.
func (w *world) store(spans ...[]byte) schema.BlockName {
	w.t.Helper()
	return w.storeRows(rowsOf(w, spans...))
}

// rowsOf are spans of one resource as rows in the order of blocks.
func rowsOf(w *world, spans ...[]byte) []schema.Span {
	w.t.Helper()
	var scope []byte
	for _, s := range spans {
		scope = field(scope, 2, s)
	}
	resource := field(nil, 1, appendKeyValue("service.name", "shop"))
	wire := field(nil, 1, field(field(nil, 1, resource), 2, scope))
	rows, err := otlp.NewDecoder().Decode(wire, uint64(w.blocks+1), nil)
	require.NoError(w.t, err)
	return rows
}

// storeRows writes one block with rows in the order of blocks.
func (w *world) storeRows(rows []schema.Span) schema.BlockName {
	w.t.Helper()
	return w.storeIn(schema.DefaultProject, rows)
}

// storeIn writes one block of a project.
func (w *world) storeIn(project schema.ProjectID, rows []schema.Span) schema.BlockName {
	w.t.Helper()
	w.blocks++
	object, err := block.Encode(project, rows)
	require.NoError(w.t, err)
	position, err := w.log.Stream(0).Publish(w.t.Context(), wal.CutMarker(), "")
	require.NoError(w.t, err)
	name := schema.BlockName{
		Project: project, Partitions: 1, Epoch: w.log.Stream(0).Epoch(), First: position, Last: position,
		LogNanos: uint64(time.Now().UnixNano()), MinStart: object.MinStart, MaxEnd: object.MaxEnd,
		Spans: uint64(object.Spans), TailBytes: uint64(object.TailBytes),
	}
	require.NoError(w.t, w.bucket.Put(w.t.Context(), name.Key(), bytes.NewReader(object.Data), objstore.PutOptions{}))
	require.NoError(w.t, w.log.Stream(0).Purge(w.t.Context(), position))
	return name
}

const (
	base    = 1_768_471_200 // 2026-01-15T10:00:00Z
	traceA  = "000000000000000000000000000000aa"
	traceB  = "000000000000000000000000000000bb"
	inRange = "start=1768471200&end=1768471300"
)

// span is an OTLP span of a trace, at a second after base.
func span(trace string, id byte, name string, second int) []byte {
	traceID, err := schema.ParseTraceID(trace)
	if err != nil {
		panic(err)
	}
	b := field(nil, 1, traceID[:])
	b = field(b, 2, []byte{id, 0, 0, 0, 0, 0, 0, 1})
	b = field(b, 5, name)
	start := uint64(base+second) * 1e9
	b = protowire.AppendFixed64(protowire.AppendTag(b, 7, protowire.Fixed64Type), start)
	b = protowire.AppendFixed64(protowire.AppendTag(b, 8, protowire.Fixed64Type), start+2e9)
	return append(b, otlp.AppendKeyValue(nil, 9, "user", schema.Value{Kind: schema.KindString, Str: "<ada>"})...)
}

func appendKeyValue(key, value string) []byte {
	kv := otlp.AppendKeyValue(nil, 1, key, schema.Value{Kind: schema.KindString, Str: value})
	_, _, n := protowire.ConsumeTag(kv)
	body, _ := protowire.ConsumeBytes(kv[n:])
	return body
}

func field[T string | []byte](dst []byte, num protowire.Number, b T) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, num, protowire.BytesType), []byte(b))
}

type answer struct {
	status      int
	contentType string
	body        string
}

func (w *world) get(path string, headers ...string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.server.URL+path, nil)
	require.NoError(w.t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := w.server.Client().Do(req)
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, resp.Body.Close()) }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	return answer{resp.StatusCode, resp.Header.Get("Content-Type"), string(body)}
}

func TestStatusEndpoints(t *testing.T) {
	w := newWorld(t, nil)
	require.Equal(t, answer{200, "text/plain; charset=utf-8", "echo\n"}, w.get("/api/echo"))
	info := w.get("/api/status/buildinfo")
	require.Equal(t, 200, info.status)
	var fields map[string]string
	require.NoError(t, json.Unmarshal([]byte(info.body), &fields))
	require.Equal(t, "2.10.0+spanlake.test", fields["version"])
	require.Len(t, fields, 6)
	require.Equal(t, 404, w.get("/api/metrics/summary").status)
}

func TestTraceLookup(t *testing.T) {
	w := newWorld(t, nil)
	w.store(span(traceA, 1, "first", 0), span(traceB, 1, "other", 1))
	w.store(span(traceA, 2, "second", 5))
	w.store(span(traceA, 1, "first", 0)) // delivered twice

	for _, id := range []string{"aa", "AA", "0aa", traceA} {
		a := w.get("/api/v2/traces/" + id)
		require.Equal(t, 200, a.status)
		require.Equal(t, "application/json", a.contentType)
		require.Equal(t, 1, strings.Count(a.body, `"first"`), a.body)
		require.Equal(t, 1, strings.Count(a.body, `"second"`))
		require.NotContains(t, a.body, `"other"`)
		require.True(t, strings.HasPrefix(a.body, `{"trace":{"resourceSpans":[`))
		require.True(t, strings.HasSuffix(a.body, `,"metrics":{}}`))
		require.True(t, json.Valid([]byte(a.body)))
	}
	require.True(t, strings.HasPrefix(w.get("/api/traces/aa").body, `{"batches":[`))

	v1 := w.get("/api/traces/aa", "Accept", "application/protobuf")
	require.Equal(t, "application/protobuf", v1.contentType)
	v2 := w.get("/api/v2/traces/aa", "Accept", "application/protobuf, application/json")
	require.Equal(t, "application/protobuf", v2.contentType)
	require.True(t, strings.HasPrefix(v2.body, string(field(nil, 1, v1.body))), "trace is field 1")
	rows, err := otlp.NewDecoder().Decode([]byte(v1.body), 1, nil)
	require.NoError(t, err)
	require.Len(t, rows, 2)
}

// A trace is what was sent unless somebody asks for what was derived of it too.
func TestTraceDerived(t *testing.T) {
	w := newWorld(t, nil)
	rows := rowsOf(w, span(traceA, 1, "first", 0), span(traceA, 2, "second", 0))
	value := func(s string) schema.Value { return schema.Value{Kind: schema.KindString, Str: s} }
	rows[0].Attributes = otlp.AppendKeyValue(otlp.AppendKeyValue(nil, 9, "both", value("sent")), 9, "one", value("sent"))
	rows[0].Derived = otlp.AppendKeyValue(otlp.AppendKeyValue(nil, 9, "both", value("derived")), 9, "two", value("derived"))
	w.storeRows(rows)
	attributesOf := func(path string) (list []string) {
		got := w.get(path, "Accept", "application/protobuf")
		require.Equal(t, 200, got.status, got.body)
		rows, err := otlp.NewDecoder().Decode([]byte(got.body), 1, nil)
		require.NoError(t, err)
		require.Len(t, rows, 2)
		for _, a := range otlp.SpanAttributes(&rows[0]) {
			list = append(list, a.Key+"="+a.Value.Str)
		}
		return list
	}
	require.Equal(t, []string{"both=sent", "one=sent"}, attributesOf("/api/traces/aa"))
	require.Equal(t, []string{"both=sent", "one=sent"}, attributesOf("/api/traces/aa?derived=false"))
	require.Equal(t, []string{"one=sent", "both=derived", "two=derived"}, attributesOf("/api/traces/aa?derived=true"))
	require.Contains(t, w.get("/api/v2/traces/aa?derived=1").body, `"two"`)
	require.NotContains(t, w.get("/api/v2/traces/aa").body, `"two"`)
	require.Contains(t, w.get("/api/v2/traces/aa?derived=1", "Accept", "application/vnd.grafana.llm").body, `"two"`)
	bad := w.get("/api/v2/traces/aa?derived=maybe")
	require.Equal(t, 400, bad.status)
	require.Contains(t, bad.body, "want true or false")
}

// Derived are the input and output of a span, too, whichever SDK it is from.
func TestTraceContent(t *testing.T) {
	w := newWorld(t, nil)
	rows := rowsOf(w, span(traceA, 1, "first", 0))
	value := func(s string) schema.Value { return schema.Value{Kind: schema.KindString, Str: s} }
	rows[0].Attributes = otlp.AppendAttribute(nil, "ai.prompt.messages", value(`[{"role":"user","content":"hi"}]`))
	rows[0].Attributes = otlp.AppendAttribute(rows[0].Attributes, "ai.response.text", value("ho"))
	rows[0].Derived = otlp.AppendAttribute(nil, "spanlake.kind", value("llm"))
	w.storeRows(rows)
	body := w.get("/api/v2/traces/aa?derived=true").body
	require.Contains(t, body, `{"key":"spanlake.input","value":{"stringValue":"[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"hi\"}]}]"}}`)
	require.Contains(t, body, `{"key":"spanlake.output","value":{"stringValue":"[{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"ho\"}]}]"}}`)
	require.NotContains(t, w.get("/api/v2/traces/aa").body, "spanlake.")
}

func TestTraceNotFound(t *testing.T) {
	w := newWorld(t, nil)
	w.store(span(traceA, 1, "first", 0))
	require.Equal(t, answer{404, "", ""}, w.get("/api/traces/cc"))
	require.Equal(t, answer{200, "application/json", `{"trace":{},"metrics":{}}`}, w.get("/api/v2/traces/cc"))
	require.Equal(t, answer{200, "application/protobuf", "\x0a\x00\x12\x00"}, w.get("/api/v2/traces/cc", "Accept", "application/protobuf"))
	require.Equal(t, 404, w.get("/api/traces/aa", "X-Scope-OrgID", "other").status)
}

func TestTraceTimeRange(t *testing.T) {
	w := newWorld(t, nil)
	w.store(span(traceA, 1, "first", 0))
	tests := map[string]int{
		"?start=1768471100&end=1768471300": 200,
		"?start=1768471202":                200, // the span ends then
		"?start=1768471203":                404,
		"?end=1768471200":                  404,
		"?start=1&end=2":                   404,
	}
	for query, want := range tests {
		require.Equal(t, want, w.get("/api/traces/aa"+query).status, query)
	}
}

func TestErrors(t *testing.T) {
	w := newWorld(t, nil)
	w.store(span(traceA, 1, "first", 0))
	long := strings.Repeat("a", 33)
	tests := []struct{ path, text string }{
		{"/api/traces/zz", "hexadecimal"},
		{"/api/v2/traces/" + long, "33"},
		{"/api/traces/aa?start=5&end=5", "end (5) must be greater than start (5)"},
		{"/api/traces/aa?start=x", "start"},
		{"/api/search?q=" + url.QueryEscape("{ foo = 1 }"), "invalid TraceQL query: line 1, col"},
		{"/api/search?q=" + url.QueryEscape("{ 2 }"), "invalid TraceQL query"},
		{"/api/search?limit=0", "limit"},
		{"/api/search?limit=262145", "limit"},
		{"/api/search?limit=x", "limit"},
		{"/api/search?spss=101", "spss"},
		{"/api/search?start=5", "together"},
		{"/api/search?end=5", "together"},
		{"/api/search?start=5&end=5", "end (5) must be greater than start (5)"},
		{"/api/search?start=-1&end=5", "start"},
		{"/api/search?start=0&end=604801", "168h"},
		{"/api/search?start=0&end=9223372036854775807", "168h"},
		{"/api/search?since=x", "since"},
		{"/api/search?since=169h", "168h"},
		{"/api/search?tags=a%3Db&q=%7B%7D", "tags and q"},
		{"/api/search?minDuration=1s&q=%7B%7D", "minDuration and q"},
		{"/api/search?tags=a%3D1+b%3D2+a%3D3", `"a" stands twice`},
		{"/api/search?tags=a", "key=value"},
		{"/api/search?tags=a%3D%22b", "does not end"},
		{"/api/search?minDuration=x", "minDuration"},
		{"/api/search?maxDuration=-1s", "maxDuration"},
		{"/api/search?minDuration=2s&maxDuration=1s", "maxDuration (1s) must not be less than minDuration (2s)"},
		{"/api/search/tags?scope=foo", "invalid scope: foo"},
		{"/api/v2/search/tags?scope=foo", "invalid scope: foo"},
		{"/api/v2/search/tags?start=5&end=5", "end (5) must be greater than start (5)"},
		{"/api/v2/search/tags?scope=intrinsic&start=5", "together"},
		{"/api/v2/search/tags?start=0&end=604801", "168h"},
		{"/api/v2/search/tags?limit=x", "limit"},
		{"/api/v2/search/tags?limit=-1", "limit"},
		{"/api/v2/search/tags?since=x", "since"},
		{"/api/v2/search/tags?maxStaleValues=x", "maxStaleValues"},
		{"/api/v2/search/tag/service.name/values", "resource.service.name"},
		{"/api/v2/search/tag/foo.x/values", "invalid tag name"},
		{"/api/v2/search/tag//values", "invalid tag name"},
		{"/api/v2/search/tag/span.a%20b/values", "invalid tag name"},
		{"/api/v2/search/tag/status/values?end=5", "together"},
		{"/api/search/tag//values", "invalid tag name"},
		{"/api/search/tag/a/values?limit=x", "limit"},
	}
	for _, tc := range tests {
		t.Run(tc.path, func(t *testing.T) {
			a := w.get(tc.path)
			require.Equal(t, 400, a.status, a.body)
			require.Contains(t, a.body, tc.text)
			require.Equal(t, "text/plain; charset=utf-8", a.contentType)
		})
	}
	require.Equal(t, 400, w.get("/api/search", "X-Scope-OrgID", "a/b").status)
	for _, path := range []string{
		"/api/search?limit=262144", "/api/search?spss=100", "/api/search?spss=0", "/api/search?start=0&end=604800", "/api/search?since=168h",
	} {
		require.Equal(t, 200, w.get(path).status, path)
	}
}

func TestSearch(t *testing.T) {
	w := newWorld(t, nil)
	w.store(span(traceA, 1, "first", 0), span(traceB, 1, "other", 1))
	w.store(span(traceA, 2, "second", 5))
	w.store(span(traceA, 1, "first", 0))

	a := w.get("/api/search?" + inRange + "&q=" + url.QueryEscape(`{ span.user = "<ada>" && name != "other" }`))
	require.Equal(t, 200, a.status, a.body)
	require.JSONEq(t, `{"traces":[{
		"traceID":"000000000000000000000000000000aa","rootServiceName":"shop","rootTraceName":"first",
		"startTimeUnixNano":"1768471200000000000","durationMs":7000,
		"spanSet":{"matched":2,"spans":[
			{"spanID":"0100000000000001","name":"first","startTimeUnixNano":"1768471200000000000","durationNanos":"2000000000","attributes":[{"key":"user","value":{"stringValue":"<ada>"}}]},
			{"spanID":"0200000000000001","name":"second","startTimeUnixNano":"1768471205000000000","durationNanos":"2000000000","attributes":[{"key":"user","value":{"stringValue":"<ada>"}}]}]},
		"spanSets":[{"matched":2,"spans":[
			{"spanID":"0100000000000001","name":"first","startTimeUnixNano":"1768471200000000000","durationNanos":"2000000000","attributes":[{"key":"user","value":{"stringValue":"<ada>"}}]},
			{"spanID":"0200000000000001","name":"second","startTimeUnixNano":"1768471205000000000","durationNanos":"2000000000","attributes":[{"key":"user","value":{"stringValue":"<ada>"}}]}]}],
		"serviceStats":{"shop":{"spanCount":2}}}],
		"metrics":{"totalBlocks":3,"completedJobs":1,"totalJobs":1,"inspectedSpans":"4"}}`, a.body)

	none := w.get("/api/search?" + inRange + "&q=" + url.QueryEscape(`{ name = "nothing" }`))
	require.Contains(t, none.body, `"traces":[]`)

	all := w.get("/api/search?" + inRange)
	require.NotContains(t, all.body, "spanSet", "without a query there are no spans")
	require.Less(t, strings.Index(all.body, "bb"), strings.Index(all.body, "aa"), "newest first")
	limited := w.get("/api/search?limit=1&" + inRange)
	require.NotContains(t, limited.body, "00aa")
	require.Contains(t, limited.body, "00bb")
	require.Contains(t, w.get("/api/search?start=1&end=2").body, `"traces":[]`)
}

// A part of the trace outside the time range still counts.
func TestSearchFindsPartsOutsideTheRange(t *testing.T) {
	w := newWorld(t, nil)
	w.store(span(traceA, 1, "early", 0))
	w.store(span(traceA, 2, "late", 3600))
	a := w.get(fmt.Sprintf("/api/search?start=%d&end=%d&q=%s", base+3000, base+4000, url.QueryEscape(`{ name = "late" }`)))
	require.Contains(t, a.body, `"startTimeUnixNano":"1768471200000000000"`, a.body)
	require.Contains(t, a.body, `"spanCount":2`)
}

// A trace is found by a span in a block outside of the range, as it is when all
// its spans are in one block, up to the margin.
func TestSearchFindsByPartsOutsideTheRange(t *testing.T) {
	for margin, want := range map[time.Duration]string{0: `"traces":[]`, time.Hour: `"spanCount":2`} {
		w := newWorldWith(t, nil, querier.Config{
			Timeout: time.Minute, SearchMargin: margin, Concurrency: 4, CacheBytes: 4 << 10,
			MaxMetricsSteps: 1, MaxMetricsSeries: 1, MaxMetricsGroups: 1, MaxMetricsBytes: 1,
		})
		w.store(span(traceA, 1, "early", 0), span(traceB, 1, "early", 0))
		w.store(span(traceA, 2, "late", 3600))
		for range 2 { // what is where is remembered
			a := w.get(fmt.Sprintf("/api/search?start=%d&end=%d&q=%s", base+3000, base+4000, url.QueryEscape(`{ name = "early" }`)))
			require.Contains(t, a.body, want, margin)
			require.NotContains(t, a.body, "bb\"", "a trace that is not in the range")
		}
	}
}

// vanishing is a bucket in which a block is merged away while a query reads.
type vanishing struct {
	objstore.Bucket

	once  sync.Once
	onGet func()
}

func (v *vanishing) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	v.once.Do(v.onGet)
	return v.Bucket.Get(ctx, key, opts)
}

func TestBlockMergedAwayUnderAQuery(t *testing.T) {
	v := &vanishing{}
	w := newWorld(t, func(b objstore.Bucket) objstore.Bucket { v.Bucket = b; return v })
	one := w.store(span(traceA, 1, "first", 0))
	two := w.store(span(traceA, 2, "second", 5))
	v.onGet = func() {
		// A merge: one block that covers both, then the inputs go.
		data, _, err := w.bucket.Get(t.Context(), one.Key(), objstore.GetOptions{})
		require.NoError(t, err)
		merged := one
		merged.Last, merged.Level = two.Last, 1
		require.NoError(t, w.bucket.Put(t.Context(), merged.Key(), bytes.NewReader(data), objstore.PutOptions{}))
		require.NoError(t, w.bucket.Delete(t.Context(), one.Key()))
		require.NoError(t, w.bucket.Delete(t.Context(), two.Key()))
	}
	a := w.get("/api/v2/traces/aa")
	require.Equal(t, 200, a.status, a.body)
	require.Contains(t, a.body, `"first"`)
}

func TestDamagedBlockIsAnError(t *testing.T) {
	w := newWorld(t, nil)
	name := w.store(span(traceA, 1, "first", 0))
	data, _, err := w.bucket.Get(t.Context(), name.Key(), objstore.GetOptions{})
	require.NoError(t, err)
	for i := range data[:len(data)-int(name.TailBytes)] {
		data[i] ^= 0x55
	}
	require.NoError(t, w.bucket.Put(t.Context(), name.Key(), bytes.NewReader(data), objstore.PutOptions{}))
	a := w.get("/api/v2/traces/aa")
	require.Equal(t, 500, a.status)
	require.Contains(t, a.body, name.Key(), "the error names the object")
}

// More blocks than stay open are still all read.
func TestMoreBlocksThanStayOpen(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 7 {
		w.store(span(traceA, byte(i+1), "part", i))
	}
	for range 3 {
		require.Equal(t, 7, strings.Count(w.get("/api/traces/aa").body, `"part"`))
	}
	require.Greater(t, w.metric("spanlake_querier_blocks_opened_total"), 7.0)
	require.LessOrEqual(t, w.metric("spanlake_querier_cached_bytes"), 4096.0)
}

func TestBlocksStayOpen(t *testing.T) {
	w := newWorldWithCache(t, nil, 1<<20)
	w.store(span(traceA, 1, "part", 0))
	for range 3 {
		require.Equal(t, 200, w.get("/api/traces/aa").status)
	}
	require.InDelta(t, 1, w.metric("spanlake_querier_blocks_opened_total"), 0)
	require.GreaterOrEqual(t, w.metric("spanlake_querier_blocks_cached_total"), 2.0)
	require.Greater(t, w.metric("spanlake_querier_cached_bytes"), 100.0)
}

// metric is the value of a counter or gauge.
func (w *world) metric(name string) float64 {
	w.t.Helper()
	families, err := w.reg.Gather()
	require.NoError(w.t, err)
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	require.Fail(w.t, "no such metric", name)
	return 0
}
