package querier_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/querier/tempopb/tempopbtest"
	"github.com/spanlake/spanlake/schema"
)

// family is a trace of a root, its child, that one's child, and a stranger,
// with a resource that has nothing in it.
func family(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, nil)
	var scope []byte
	for i, name := range []string{"root", "child", "grandchild", "stranger"} {
		s := span(traceA, byte(i+1), name, i)
		if i == 1 || i == 2 {
			s = field(s, 4, []byte{byte(i), 0, 0, 0, 0, 0, 0, 1})
		}
		if i == 3 {
			s = field(s, 4, []byte{9, 9, 9, 9, 9, 9, 9, 9})
			s = field(s, 15, protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 2))
			event := otlp.AppendKeyValue(field(nil, 2, "first_token"), 3, "delay.ms", schema.Value{Kind: schema.KindInt, Int: 800})
			s = field(s, 11, event)
			id, err := schema.ParseTraceID(traceB)
			require.NoError(t, err)
			s = field(s, 13, field(field(nil, 1, id[:]), 2, []byte{1, 2, 3, 4, 5, 6, 7, 8}))
			for key, v := range map[string]schema.Value{
				"cost": {Kind: schema.KindDouble, Double: 0.0125}, "stream": {Kind: schema.KindBool, Bool: true},
				"list": {Kind: schema.KindArray, Array: []schema.Value{{Kind: schema.KindInt, Int: 1}, {}}},
				"map":  {Kind: schema.KindMap, Map: []schema.Attribute{{Key: "k", Value: schema.Value{Kind: schema.KindBytes, Str: "\x00"}}}},
			} {
				s = otlp.AppendKeyValue(s, 9, key, v)
			}
		}
		scope = field(scope, 2, s)
	}
	rows, err := otlp.NewDecoder().Decode(field(nil, 1, field(nil, 2, scope)), 1, nil)
	require.NoError(t, err)
	w.storeRows(rows)
	return w
}

// What a trace says is the same in every form, and what the data source does
// not expect to be absent is there.
func TestTraceForms(t *testing.T) {
	w := family(t)
	api := tempopbtest.Load(t)
	text := api.JSON(t, "TraceByIDResponse", w.get("/api/v2/traces/aa").body)
	binary := w.get("/api/v2/traces/aa", "Accept", "application/json;q=0.9, application/protobuf")
	require.Equal(t, "application/protobuf", binary.contentType)
	message := api.Protobuf(t, "TraceByIDResponse", []byte(binary.body))
	require.True(t, proto.Equal(text, message))
	resources := tempopbtest.Get(t, message, "trace", "resourceSpans").List()
	for i := range resources.Len() {
		r := resources.Get(i).Message()
		require.True(t, tempopbtest.Has(t, r, "resource"))
		scopes := tempopbtest.Get(t, r, "scope_spans").List()
		for j := range scopes.Len() {
			require.True(t, tempopbtest.Has(t, scopes.Get(j).Message(), "scope"))
			spans := tempopbtest.Get(t, scopes.Get(j).Message(), "spans").List()
			for k := range spans.Len() {
				require.True(t, tempopbtest.Has(t, spans.Get(k).Message(), "status"))
			}
		}
	}
	api.JSON(t, "TraceV1", w.get("/api/traces/aa").body)
	v1 := api.Protobuf(t, "Trace", []byte(w.get("/api/traces/aa", "Accept", "application/protobuf").body))
	require.True(t, proto.Equal(v1, tempopbtest.Get(t, message, "trace").Message().Interface()))
	none := api.Protobuf(t, "TraceByIDResponse", []byte(w.get("/api/v2/traces/cc", "Accept", "application/protobuf").body))
	require.True(t, tempopbtest.Has(t, none, "trace"))
	require.True(t, tempopbtest.Has(t, none, "metrics"))

	llm := w.get("/api/v2/traces/aa", "Accept", "application/vnd.grafana.llm")
	require.Equal(t, "application/vnd.grafana.llm+json", llm.contentType)
	require.True(t, json.Valid([]byte(llm.body)), llm.body)
	require.True(t, strings.HasPrefix(llm.body, `{"trace":{"traceId":"`+traceA+`","services":[{"serviceName":"","resource":{},"scopes":[{"name":"","version":"","spans":[`+
		`{"spanId":"0100000000000001","name":"root","kind":"SPAN_KIND_UNSPECIFIED","startTimeUnixNano":"1768471200000000000","endTimeUnixNano":"1768471202000000000","durationMs":2000,`+
		`"attributes":{"user":"<ada>"},"events":[],"links":[],"status":{"code":"STATUS_CODE_UNSET","message":""}}`), llm.body)
	for _, part := range []string{
		`"parentSpanId":"0100000000000001"`, `"cost":0.0125`, `"stream":true`, `"list":[1,null]`, `"map":{"k":"AA=="}`,
		`"events":[{"name":"first_token","timeUnixNano":"0","attributes":{"delay.ms":800}}]`,
		`"links":[{"traceId":"` + traceB + `","spanId":"0102030405060708","attributes":{}}]`,
		`"code":"STATUS_CODE_ERROR"`, `},"metrics":{},"status":"COMPLETE"}`,
	} {
		require.Contains(t, llm.body, part)
	}
	require.Equal(t, "application/json", w.get("/api/search?"+inRange, "Accept", "application/vnd.grafana.llm").contentType)
}

func TestTraceFilter(t *testing.T) {
	w := family(t)
	tests := []struct{ params, want string }{
		{"", "root child grandchild stranger"},
		{"q={}", "root child grandchild stranger"},
		{"q={status=error}", "stranger"},
		{`q={name="grandchild"}`, "grandchild"},
		{`q={name="grandchild"}&keep_hierarchy=true`, "root child grandchild"},
		{`q={name="grandchild"}&keep_hierarchy=true&ancestor_depth=1`, "child grandchild"},
		{`q={name="grandchild"}&ancestor_depth=1`, "grandchild"},
		{`q={name="root"}&match_depth=1`, "root child"},
		{`q={name="root"}&match_depth=-1`, "root child grandchild"},
		{`q={name="child"}&match_depth=-1&keep_hierarchy=1`, "root child grandchild"},
		{`q={name="nobody"}`, ""},
	}
	for _, tc := range tests {
		t.Run(tc.params, func(t *testing.T) {
			values, err := url.ParseQuery(tc.params)
			require.NoError(t, err)
			a := w.get("/api/v2/traces/aa?" + values.Encode())
			require.Equal(t, 200, a.status, a.body)
			m := tempopbtest.Load(t).JSON(t, "TraceByIDResponse", a.body)
			var names []string
			for _, name := range []string{"root", "child", "grandchild", "stranger"} {
				if strings.Contains(a.body, `"name":"`+name+`"`) {
					names = append(names, name)
				}
			}
			require.Equal(t, tc.want, strings.Join(names, " "))
			require.Equal(t, len(names) < 4, tempopbtest.Get(t, m, "status").Enum() == 1, "it says that spans are missing")
			require.Equal(t, len(names) < 4, tempopbtest.Get(t, m, "message").String() != "")
			require.True(t, tempopbtest.Has(t, m, "trace"))
		})
	}
	for _, bad := range []string{
		"q={", "q={} >> {}", "q={} | rate()", "q={} | count() > 1", "q={traceDuration>1s}", "q={nestedSetParent<0}",
		"q={}&keep_hierarchy=perhaps", "q={}&match_depth=-2", "match_depth=x", "ancestor_depth=-2",
	} {
		values, err := url.ParseQuery(bad)
		require.NoError(t, err)
		a := w.get("/api/v2/traces/aa?" + values.Encode())
		require.Equal(t, 400, a.status, "%s: %s", bad, a.body)
	}
}

func TestCompression(t *testing.T) {
	w := family(t)
	plain := w.get("/api/v2/traces/aa").body
	for encoding, open := range map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"zstd": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r, zstd.WithDecoderConcurrency(1)) },
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/api/v2/traces/aa", nil)
		require.NoError(t, err)
		req.Header.Set("Accept-Encoding", encoding)
		resp, err := w.server.Client().Do(req)
		require.NoError(t, err)
		require.Equal(t, encoding, resp.Header.Get("Content-Encoding"))
		require.Contains(t, resp.Header.Values("Vary"), "Accept-Encoding")
		r, err := open(resp.Body)
		require.NoError(t, err)
		body, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, plain, string(body))
	}
}

// A search in slices of time finds what one of all blocks at once does, which it
// is when so many are read at once: traces with parts before, after and in other
// slices, and as many as asked for.
func TestSlicesChangeNothing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	byBlock := make(map[int][][]byte)
	for i := range 300 {
		second := rnd.IntN(1000)
		for part := range 1 + rnd.IntN(3) {
			if rnd.IntN(5) == 0 {
				second = rnd.IntN(1000)
			}
			trace := fmt.Sprintf("%032x", i+1)
			name := []string{"a", "b", "c"}[rnd.IntN(3)]
			byBlock[second/20] = append(byBlock[second/20], span(trace, byte(part+1), name, second))
		}
	}
	many := newWorldWithCache(t, nil, 16<<20)
	one := newWorldWith(t, nil, querier.Config{Timeout: time.Minute, MaxSearchRange: 168 * time.Hour, Concurrency: 1000, CacheBytes: 16 << 20})
	for _, i := range slices.Sorted(maps.Keys(byBlock)) {
		many.store(byBlock[i]...)
		one.store(byBlock[i]...)
	}
	api := tempopbtest.Load(t)
	sliced := false
	for _, query := range []string{"{}", `{ name = "a" }`, `{ name = "a" } && { name = "b" }`, `{ name = "c" } | by(span.user)`, `{ name = "nobody" }`} {
		for _, limit := range []int{1, 7, 40, 500} {
			for _, within := range []string{"start=1768471200&end=1768473000", "start=1768471500&end=1768471800"} {
				path := fmt.Sprintf("/api/search?limit=%d&%s&q=%s", limit, within, url.QueryEscape(query))
				got, want := api.JSON(t, "SearchResponse", many.get(path).body), api.JSON(t, "SearchResponse", one.get(path).body)
				sliced = sliced || count(t, got, "metrics", "totalJobs") > 1
				require.Equal(t, 1, count(t, want, "metrics", "totalJobs"))
				for _, m := range []proto.Message{got, want} {
					m.ProtoReflect().Clear(m.ProtoReflect().Descriptor().Fields().ByName("metrics"))
				}
				require.Equal(t, traceIDs(t, want), traceIDs(t, got), path)
				require.True(t, proto.Equal(want, got), path)
			}
		}
	}
	require.True(t, sliced)
}

// A client that goes away stops the work.
func TestClientGone(t *testing.T) {
	w, b := olderHeld(t)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.server.URL+"/api/search?limit=1000&q=%7B%7D%7Cselect(name)&"+inRange, nil)
	require.NoError(t, err)
	failed := make(chan error, 1)
	go func() {
		resp, err := w.server.Client().Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		failed <- err
	}()
	<-b.arrived
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	<-b.canceled
}
