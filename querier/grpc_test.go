package querier_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/querier/tempopb/tempopbtest"
	"github.com/spanlake/spanlake/schema"
)

const rangeJSON = `"start":1768471200,"end":1768471300`

// The same over gRPC as over HTTP, for every method, compressed or not.
func TestMethods(t *testing.T) {
	w := newWorld(t, nil)
	w.store(span(traceA, 1, "first", 0), span(traceB, 1, "other", 1))
	w.store(span(traceA, 2, "second", 5))
	c := w.caller()
	metricsQuery := url.QueryEscape("{} | count_over_time() by (name)")
	tests := []struct{ method, request, body, response, path string }{
		{
			"Search", "SearchRequest", `{"Query":"{ span.user != nil }","Limit":5,"SpansPerSpanSet":1,` + rangeJSON + `}`, "SearchResponse",
			"/api/search?limit=5&spss=1&q=" + url.QueryEscape("{ span.user != nil }") + "&" + inRange,
		},
		{
			"Search", "SearchRequest", `{"Tags":{"user":"<ada>","name":"first"},"MinDurationMs":5000,"MaxDurationMs":8000,` + rangeJSON + `}`, "SearchResponse",
			"/api/search?minDuration=5s&maxDuration=8s&tags=" + url.QueryEscape(`name=first user="<ada>"`) + "&" + inRange,
		},
		{"SearchTags", "SearchTagsRequest", `{"scope":"span",` + rangeJSON + `}`, "SearchTagsResponse", "/api/search/tags?scope=span&" + inRange},
		{"SearchTagsV2", "SearchTagsRequest", `{"query":"{ name = ","maxTagsPerScope":1,` + rangeJSON + `}`, "SearchTagsV2Response", "/api/v2/search/tags?limit=1&" + inRange},
		{"SearchTagValues", "SearchTagValuesRequest", `{"tagName":"name",` + rangeJSON + `}`, "SearchTagValuesResponse", "/api/search/tag/name/values?" + inRange},
		{
			"SearchTagValuesV2", "SearchTagValuesRequest", `{"tagName":"name","query":"{ name = \"first\" }",` + rangeJSON + `}`, "SearchTagValuesV2Response",
			"/api/v2/search/tag/name/values?q=" + url.QueryEscape(`{ name = "first" }`) + "&" + inRange,
		},
		{
			"MetricsQueryRange", "QueryRangeRequest", `{"query":"{} | count_over_time() by (name)","start":"1768471200000000000","end":"1768471300000000000","step":"10000000000","exemplars":2}`,
			"QueryRangeResponse", "/api/metrics/query_range?step=10s&exemplars=2&q=" + metricsQuery + "&" + inRange,
		},
		{
			"MetricsQueryInstant", "QueryInstantRequest", `{"query":"{} | count_over_time() by (name)","start":"1768471200000000000","end":"1768471300000000000"}`,
			"QueryInstantResponse", "/api/metrics/query?q=" + metricsQuery + "&" + inRange,
		},
	}
	for _, tc := range tests {
		t.Run(tc.method, func(t *testing.T) {
			a := w.get(tc.path)
			require.Equal(t, 200, a.status, a.body)
			want := c.api.JSON(t, tc.response, a.body)
			require.Equal(t, 1, count(t, want, "metrics", "completedJobs"))
			for _, options := range [][]grpc.CallOption{nil, {grpc.UseCompressor("gzip")}} {
				got, err := c.call(t.Context(), tc.method, tc.request, tc.body, tc.response, options...)
				require.NoError(t, err)
				require.Len(t, got, 1)
				require.True(t, proto.Equal(want, got[0]), "%s\n%s", want, got[0])
			}
			b := w.get(tc.path, "Accept", "application/protobuf")
			if strings.HasPrefix(tc.path, "/api/metrics/") {
				require.Equal(t, "application/json", b.contentType)
				return
			}
			require.Equal(t, "application/protobuf", b.contentType)
			require.True(t, proto.Equal(want, c.api.Protobuf(t, tc.response, []byte(b.body))))
		})
	}
}

// TestCodes has what TestChecklist's error matrix has not.
func TestCodes(t *testing.T) {
	c := newWorld(t, nil).caller()
	for _, tc := range []struct{ method, request, body, response, text string }{
		{"Search", "SearchRequest", `{"Tags":{"a b":"c"}}`, "SearchResponse", "is no key"},
		{"Search", "SearchRequest", `{"Query":"{ name = \"` + strings.Repeat("x", 128<<10) + `\" }"}`, "SearchResponse", "invalid TraceQL query"},
		{"MetricsQueryRange", "QueryRangeRequest", `{"query":"{} | rate()","step":"18446744073709551615"}`, "QueryRangeResponse", "step"},
	} {
		_, err := c.call(t.Context(), tc.method, tc.request, tc.body, tc.response)
		requireCode(t, codes.InvalidArgument, err)
		require.ErrorContains(t, err, tc.text)
	}
}

func TestProjectsTogether(t *testing.T) {
	w := newWorld(t, nil)
	rows := func(trace string, id byte, name string) []schema.Span {
		return rowsOf(w, span(trace, id, name, int(id)))
	}
	w.storeIn("a", rows(traceA, 1, "of a"))
	w.storeIn("b", rows(traceA, 1, "of a")) // the same span once more
	w.storeIn("b", rows(traceA, 2, "of b"))
	w.storeIn("b", rows(traceB, 3, "of b"))
	c := w.caller()
	body := `{"Query":"{} | select(name)",` + rangeJSON + `}`
	for projects, want := range map[string][]string{
		"a": {traceA}, "b": {traceB, traceA}, "a|b": {traceB, traceA}, "b|a|b": {traceB, traceA}, "a|unknown": {traceA}, "unknown": nil,
	} {
		got, err := c.call(withProjects(t.Context(), projects), "Search", "SearchRequest", body, "SearchResponse")
		require.NoError(t, err)
		require.Equal(t, want, traceIDs(t, got...), projects)
		for _, path := range []string{"/api/search?q=%7B%7D%20%7C%20select(name)&" + inRange} {
			a := w.get(path, "X-Scope-OrgID", projects)
			require.True(t, proto.Equal(c.api.JSON(t, "SearchResponse", a.body), got[0]), projects)
		}
	}
	both := []string{"X-Scope-OrgID", "a|b"}
	trace := w.get("/api/v2/traces/aa", both...)
	require.Equal(t, 1, strings.Count(trace.body, `"of a"`), "the span that both have is there once")
	require.Equal(t, 1, strings.Count(trace.body, `"of b"`))
	require.Equal(t, 404, w.get("/api/traces/bb", "X-Scope-OrgID", "a").status)
	require.Equal(t, 200, w.get("/api/traces/bb", both...).status)
	counted := w.get("/api/metrics/query?q="+url.QueryEscape("{} | count_over_time()")+"&"+inRange, both...)
	require.Contains(t, counted.body, `"value":3`)
	require.Contains(t, w.get("/api/v2/search/tags?"+inRange, both...).body, `"user"`)
	values := w.get("/api/v2/search/tag/name/values?"+inRange, both...)
	require.Contains(t, values.body, "of a")
	require.Contains(t, values.body, "of b")
	for _, bad := range []string{"|", "a|", "|a", "a||b", "a|B", "a|b/c", strings.Repeat("a|", 100) + "a"} {
		require.Equal(t, 400, w.get("/api/search", "X-Scope-OrgID", bad).status, bad)
	}
}

// manyTraces are traces of one span each, a millisecond apart, in the order of
// blocks; the span's name has some length.
func manyTraces(first, n, nameBytes int) []schema.Span {
	rows := make([]schema.Span, n)
	resource, scope := &schema.Resource{ServiceName: "shop"}, &schema.Scope{}
	for i := range rows {
		s := &rows[i]
		binary.BigEndian.PutUint64(s.TraceID[8:], uint64(first+i+1))
		s.SpanID = schema.SpanID{1}
		s.StartNanos = base*1e9 + uint64(first+i)*1e6
		s.EndNanos = s.StartNanos + 1e6
		s.Name = fmt.Sprintf("%0*d", nameBytes, (first+i)%1000)
		s.Resource, s.Scope, s.Position = resource, scope, 1
	}
	return rows
}

const allTraces = `{"Query":"{} | select(name)","Limit":100000,` + rangeJSON + `}`

// A result of a hundred thousand traces goes to a client that takes messages of
// 4 MiB, as the data source does.
func TestHugeResult(t *testing.T) {
	w := newWorld(t, nil)
	const n = 100_000
	for first := 0; first < n; first += n / 4 {
		w.storeRows(manyTraces(first, n/4, 20))
	}
	c := w.caller()
	messages, err := c.call(t.Context(), "Search", "SearchRequest", allTraces, "SearchResponse")
	require.NoError(t, err)
	require.Greater(t, len(messages), 4, "it is more than one client takes at once")
	require.Len(t, traceIDs(t, messages...), n)
}

// blocked is a bucket that holds back some reads until it is released: those of
// some objects but for the first ones, of which one opens a block. Whether it has rows of a
// trace that was found elsewhere must be known at once.
type blocked struct {
	objstore.Bucket

	mu       sync.Mutex
	held     map[string]bool // keys
	free     int             // reads of an object that are not held back
	read     map[string]int
	arrived  chan struct{} // takes one for each read that is held back
	released chan struct{}
	canceled chan struct{} // takes one for each that was given up
}

func newBlocked() *blocked {
	return &blocked{
		held: make(map[string]bool), free: 1, read: make(map[string]int), arrived: make(chan struct{}, 100), released: make(chan struct{}), canceled: make(chan struct{}, 100),
	}
}

func (b *blocked) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	b.mu.Lock()
	held := b.held[key] && b.read[key] >= b.free
	b.read[key]++
	b.mu.Unlock()
	select {
	case <-b.released:
		held = false
	default:
	}
	if held {
		b.arrived <- struct{}{}
		select {
		case <-b.released:
		case <-ctx.Done():
			b.canceled <- struct{}{}
			return nil, objstore.Object{}, ctx.Err()
		}
	}
	return b.Bucket.Get(ctx, key, opts)
}

// olderHeld is a world of many blocks in the order of time, the older half of
// which cannot be read yet.
func olderHeld(t *testing.T) (*world, *blocked) {
	t.Helper()
	b := newBlocked()
	w := newWorldWith(t, func(inner objstore.Bucket) objstore.Bucket { b.Bucket = inner; return b }, querier.Config{
		Timeout: time.Minute, MaxSearchRange: 168 * time.Hour, Concurrency: 4, CacheBytes: 1 << 20, JobSpans: 1000,
	})
	for i := range 40 {
		name := w.storeRows(manyTraces(i*10, 10, 10))
		b.held[name.Key()] = i < 20
	}
	return w, b
}

func TestNewestTracesComeFirst(t *testing.T) {
	w, b := olderHeld(t)
	c := w.caller()
	stream := c.open(t.Context(), "Search", "SearchRequest", `{"Query":"{} | select(name)","Limit":1000,`+rangeJSON+`}`)
	early, err := c.receive(stream, "SearchResponse")
	require.NoError(t, err)
	first := traceIDs(t, early)
	require.NotEmpty(t, first)
	done, total := count(t, early, "metrics", "completedJobs"), count(t, early, "metrics", "totalJobs")
	require.Positive(t, done)
	require.Less(t, done, total, "there is more to come")
	<-b.arrived // the search is waiting for older blocks
	close(b.released)
	var last []string
	for {
		m, err := c.receive(stream, "SearchResponse")
		require.NoError(t, err)
		if m == nil {
			break
		}
		last = traceIDs(t, m)
		done, total = count(t, m, "metrics", "completedJobs"), count(t, m, "metrics", "totalJobs")
	}
	require.Len(t, last, 400, "the last message is the whole answer")
	require.Equal(t, last[:len(first)], first, "what was sent first is newest and does not change")
	require.Equal(t, total, done)
	require.True(t, slices.IsSortedFunc(last, func(a, b string) int { return strings.Compare(b, a) }))
}

// A search that has enough reads nothing of older blocks but their filters.
func TestEnoughIsEnough(t *testing.T) {
	w, _ := olderHeld(t)
	a := w.get("/api/search?limit=50&q=%7B%7D&" + inRange)
	require.Equal(t, 200, a.status, a.body)
	require.Len(t, traceIDs(t, tempopbtest.Load(t).JSON(t, "SearchResponse", a.body)), 50)
}

func TestCancelStopsWork(t *testing.T) {
	w, b := olderHeld(t)
	c := w.caller()
	ctx, cancel := context.WithCancel(t.Context())
	stream := c.open(ctx, "Search", "SearchRequest", `{"Query":"{} | select(name)","Limit":1000,`+rangeJSON+`}`)
	<-b.arrived
	cancel()
	<-b.canceled // the read was given up
	for {
		if _, err := c.receive(stream, "SearchResponse"); err != nil {
			requireCode(t, codes.Canceled, err)
			return
		}
	}
}

// A client that does not read holds one call, whose search is done meanwhile,
// and no other.
func TestSlowReader(t *testing.T) {
	w := newWorld(t, nil)
	w.storeRows(manyTraces(0, 50_000, 100))
	slow, quick := w.caller(), w.caller()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body := strings.Replace(allTraces, "100000", "50000", 1)
	stream := slow.open(ctx, "Search", "SearchRequest", body)
	first, err := slow.receive(stream, "SearchResponse")
	require.NoError(t, err)
	for range 3 {
		got, err := quick.call(t.Context(), "Search", "SearchRequest", `{"Query":"{}","Limit":1,`+rangeJSON+`}`, "SearchResponse")
		require.NoError(t, err)
		require.Len(t, traceIDs(t, got...), 1)
	}
	ids := traceIDs(t, first)
	for {
		m, err := slow.receive(stream, "SearchResponse")
		require.NoError(t, err)
		if m == nil {
			break
		}
		ids = append(ids, traceIDs(t, m)...)
	}
	slices.Sort(ids)
	require.Len(t, slices.Compact(ids), 50_000, "in the end it has everything")

	// One that goes away while it is slow: the call ends.
	stream = slow.open(ctx, "Search", "SearchRequest", body)
	_, err = slow.receive(stream, "SearchResponse")
	require.NoError(t, err)
	cancel()
	for err == nil {
		_, err = slow.receive(stream, "SearchResponse")
	}
	requireCode(t, codes.Canceled, err)
}
