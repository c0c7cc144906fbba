package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

const checkoutID = "4bf92f3577b34da6a3ce929d0e0e4736"

func keyValue(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

// spanOf makes a span of the trace, times in milliseconds after begun.
func spanOf(id, parent byte, name string, begun time.Time, start, end int) *tracepb.Span {
	s := &tracepb.Span{
		TraceId: []byte("\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36"), SpanId: []byte{1, 0, 0, 0, 0, 0, 0, id},
		Name: name, Kind: tracepb.Span_SPAN_KIND_SERVER,
		StartTimeUnixNano: uint64(begun.Add(time.Duration(start) * time.Millisecond).UnixNano()),
		EndTimeUnixNano:   uint64(begun.Add(time.Duration(end) * time.Millisecond).UnixNano()),
	}
	if parent != 0 {
		s.ParentSpanId = []byte{1, 0, 0, 0, 0, 0, 0, parent}
	}
	return s
}

// checkout is a trace of two services with a failure and a lost parent.
func checkout(begun time.Time) *tracepb.TracesData {
	failed := spanOf(4, 2, "INSERT\x1b[31m orders", begun, 300, 900)
	failed.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "out of\nstock"}
	failed.Attributes = []*commonpb.KeyValue{keyValue("db.system", "postgres"), keyValue("secret.key", "x")}
	failed.Events = []*tracepb.Span_Event{{Name: "exception", Attributes: []*commonpb.KeyValue{keyValue("exception.type", "OutOfStock")}}}
	of := func(service string, spans ...*tracepb.Span) *tracepb.ResourceSpans {
		return &tracepb.ResourceSpans{
			Resource:   &resourcepb.Resource{Attributes: []*commonpb.KeyValue{keyValue("service.name", service)}},
			ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}},
		}
	}
	return &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{
		of("orders", failed, spanOf(3, 2, "SELECT stock", begun, 110, 200), spanOf(2, 1, "place", begun, 100, 1000)),
		of("gateway", spanOf(1, 0, "POST /checkout", begun, 0, 1200), spanOf(6, 1, "render", begun, 1050, 1150), spanOf(5, 9, "late", begun, 1100, 1100)),
	}}
}

func TestQuery(t *testing.T) {
	otlpHTTP, _, api := startApp(t)
	w, err := newTraceWriter(otlpHTTP, identity{})
	require.NoError(t, err)
	defer w.close()
	begun := time.Now().Add(-10 * time.Minute).Truncate(time.Second)
	require.NoError(t, w.write(t.Context(), checkout(begun)))

	ask := func(args ...string) (int, string, string) {
		return call(t, append([]string{"query"}, append(args, "-api.endpoint", api)...)...)
	}
	code, stdout, stderr := ask("trace", checkoutID)
	require.Equal(t, exitOK, code, stderr)
	require.Equal(t, strings.Join([]string{
		"trace " + checkoutID,
		begun.UTC().Format("2006-01-02T15:04:05.000Z") + ", 1.2s, 6 spans in 2 services, 1 error",
		"",
		"SPAN                      SERVICE  KIND    START   DURATION  STATUS               ATTRIBUTES",
		"POST /checkout            gateway  server  +0s     1.2s      unset",
		"├─ place                  orders   server  +100ms  900ms     unset",
		"│  ├─ SELECT stock        orders   server  +110ms  90ms      unset",
		"│  └─ INSERT\uFFFD[31m orders  orders   server  +300ms  600ms     error: out of stock  db.system=postgres exception.type=OutOfStock",
		"└─ render                 gateway  server  +1.05s  100ms     unset",
		"late (parent missing)     gateway  server  +1.1s   0s        unset",
		"",
	}, "\n"), stdout)

	_, stdout, _ = ask("trace", "-all", strings.ToUpper(checkoutID), "-since", "1h")
	require.Contains(t, stdout, "db.system=postgres secret.key=x event:exception exception.type=OutOfStock")
	code, stdout, stderr = ask("trace", checkoutID, "-output=json")
	require.Equal(t, exitOK, code, stderr)
	require.True(t, json.Valid([]byte(stdout)))
	require.Contains(t, stdout, `"POST /checkout"`)

	code, stdout, stderr = ask("search", `{ resource.service.name = "orders" && duration > 100ms }`)
	require.Equal(t, exitOK, code, stderr)
	require.Regexp(t, `^TRACE ID +START +DURATION +MATCHED +SERVICE +NAME\n`+checkoutID+` +\S+Z +1.2s +2 +gateway +POST /checkout\n$`, stdout)
	code, stdout, _ = ask("search", "{ }", "-limit", "1", "-output", "json")
	require.Equal(t, exitOK, code)
	require.Contains(t, stdout, `"traceID":"`+checkoutID+`"`)
	code, _, _ = ask("search", "{ }", "-start", begun.Format(time.RFC3339))
	require.Equal(t, exitOK, code)

	code, stdout, stderr = ask("metrics", "{ } | count_over_time() by (resource.service.name)", "-step", "1m")
	require.Equal(t, exitOK, code, stderr)
	require.Regexp(t, `^LAST +LEAST +MOST +GRAPH +SERIES\n`+
		`0 +0 +3 +▁+█▁+  resource.service.name=gateway\n0 +0 +3 +▁+█▁+  resource.service.name=orders\n$`, stdout)
	code, stdout, _ = ask("metrics", "{ } | max_over_time(duration) by (resource.service.name)", "-instant")
	require.Equal(t, exitOK, code)
	require.Equal(t, "VALUE  SERIES\n1.2    resource.service.name=gateway\n0.9    resource.service.name=orders\n", stdout)
	code, stdout, _ = ask("metrics", "{ } | rate()", "-output", "json", "-start", begun.Format(time.RFC3339))
	require.Equal(t, exitOK, code)
	require.Contains(t, stdout, `"timestampMs"`)

	for _, tc := range []struct {
		name   string
		args   []string
		stderr string
	}{
		{"no series", []string{"metrics", `{ name = "x" } | rate() by (name)`}, "no series in this time range"},
		{"no metrics query", []string{"metrics", `{ }`}, "status 400: not a metrics query"},
		{"no such trace", []string{"trace", "abc"}, "there is no trace 00000000000000000000000000000abc"},
		{"another project", []string{"trace", checkoutID, "-project=other"}, "there is no trace"},
		{"nothing matches", []string{"search", `{ name = "x" }`}, "no trace matches"},
		{"nothing that recent", []string{"search", `{ }`, "-since", "1m"}, "no trace matches"},
		{"nothing at that time", []string{"search", `{ }`, "-start=1", "-end", "2"}, "no trace matches"},
		{"a bad query", []string{"search", `{ name == "x" }`}, "status 400: invalid TraceQL query: line 1, col"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, stdout, stderr := ask(tc.args...)
			require.Equal(t, exitFailed, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, tc.stderr)
		})
	}

	// Lists of tags see what is live. The path of a tag is not cleaned on its
	// way through the whole process.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]string{
		"/api/v2/search/tags?scope=event&since=1h":                      `{"scopes":[{"name":"event","tags":["exception.type"]}]`,
		"/api/v2/search/tag/resource.service.name/values?since=1h":      `[{"type":"string","value":"gateway"},{"type":"string","value":"orders"}]`,
		"/api/search?since=1h&tags=db.system%3Dpostgres":                checkoutID,
		"/api/v2/search/tag/span.http://x/../y/values?since=1h&tag=a.b": `{"tagValues":[]`,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api+path, http.NoBody)
		require.NoError(t, err)
		status, _, body, err := do(client, req)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status, string(body))
		require.Contains(t, string(body), want)
	}
}

func TestQueryUsage(t *testing.T) {
	for _, tc := range []struct {
		name, stderr string
		args         []string
	}{
		{"nothing", "say trace, search or metrics", nil},
		{"something else", `unknown query "tags"`, []string{"tags"}},
		{"no id", "trace needs one trace id", []string{"trace"}},
		{"an empty query", "search needs one TraceQL query", []string{"search", " "}},
		{"a query without quotes", "search needs one TraceQL query", []string{"search", "{", "}"}},
		{"a bad id", "hexadecimal", []string{"trace", "xyz"}},
		{"output", "want text or json", []string{"search", "{}", "-output=xml"}},
		{"since", "since", []string{"search", "{}", "-since=-1s"}},
		{"since and start", "either since or start", []string{"search", "{}", "-since=1s", "-start=5"}},
		{"end alone", "end needs start", []string{"search", "{}", "-end=5"}},
		{"end before start", "end must be after start", []string{"search", "{}", "-start=5", "-end=5"}},
		{"a bad time", "Unix seconds", []string{"search", "{}", "-start=yesterday"}},
		{"limit", "limit must be at least 1", []string{"search", "{}", "-limit=0"}},
		{"a step", "step must not be negative", []string{"metrics", "{} | rate()", "-step=-1s"}},
		{"a step of an instant", "either instant or step", []string{"metrics", "{} | rate()", "-step=1s", "-instant"}},
		{"no query", "metrics needs one TraceQL metrics query", []string{"metrics"}},
		{"a flag of the other", "-limit", []string{"trace", "abc", "-limit=1"}},
		{"where to ask", "api.endpoint", []string{"trace", "abc", "-api.endpoint=grpc://x"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, stdout, stderr := call(t, append([]string{"query"}, tc.args...)...)
			require.Equal(t, exitUsage, code, stderr)
			require.Empty(t, stdout)
			require.Contains(t, stderr, tc.stderr)
		})
	}
	for _, args := range [][]string{{"help", "query"}, {"query", "-h"}, {"query", "search", "-h"}} {
		code, stdout, _ := call(t, args...)
		require.Equal(t, exitOK, code)
		require.Contains(t, stdout, "-since duration")
		require.Contains(t, stdout, "-limit int  (default 20)")
		require.Contains(t, stdout, "  -all\n")
		require.Contains(t, stdout, "  -instant\n")
		require.Contains(t, stdout, "-step duration")
	}
}

// What answers need not be spanlake, or be there at all.
func TestQueryFails(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	for _, args := range [][]string{{"search", "{}"}, {"trace", "abc"}, {"metrics", "{} | rate()"}} {
		code, _, stderr := call(t, append([]string{"query"}, append(args, "-api.endpoint", server.URL)...)...)
		require.Equal(t, exitFailed, code)
		require.Contains(t, stderr, "reply")
	}
	server.Close()
	code, _, stderr := call(t, "query", "search", "{}", "-api.endpoint", server.URL)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "connect")
}

// Every span is drawn once, whatever its parents say.
func TestTreeOfOddTraces(t *testing.T) {
	names := func(spans ...*tracepb.Span) string {
		var all []string
		for _, s := range newSpanTree(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}}}).spans {
			text := s.branch + s.Name
			if s.orphan {
				text += "?"
			}
			all = append(all, text)
		}
		return strings.Join(all, "|")
	}
	at := time.Unix(1000, 0)
	require.Empty(t, names())
	require.Equal(t, "a?|└─ b", names(spanOf(1, 2, "a", at, 0, 1), spanOf(2, 1, "b", at, 1, 2)), "a circle")
	require.Equal(t, "a?", names(spanOf(1, 1, "a", at, 0, 1)), "its own parent")
	require.Equal(t, "client|└─ below|server", names(spanOf(1, 0, "client", at, 0, 9), spanOf(1, 0, "server", at, 1, 8), spanOf(2, 1, "below", at, 2, 3)), "a shared id")
	require.Equal(t, "a|b", names(spanOf(2, 0, "b", at, 1, 1), spanOf(1, 0, "a", at, 0, 1)), "two roots")

	var chain []*tracepb.Span
	for i := range 200 {
		chain = append(chain, spanOf(byte(i+1), byte(i), "s", at, i, 400-i))
	}
	drawn := strings.Split(names(chain...), "|")
	require.Len(t, drawn, 200)
	require.Less(t, len([]rune(drawn[199])), 3*maxDrawnDepth+10)
}

func TestSparkline(t *testing.T) {
	for want, points := range map[string][]float64{
		"": nil, "▁": {0}, "█": {3}, "▁█": {0, 5}, "▄█▁": {0, 1, -1}, "██": {2, 2},
	} {
		require.Equal(t, want, sparkline(points))
	}
	many := make([]float64, 400)
	many[399] = 1
	require.Equal(t, strings.Repeat("▁", 39)+"█", sparkline(many), "a peak is not lost")
}
