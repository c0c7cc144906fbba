package app_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/docs"
	"github.com/spanlake/spanlake/querier/mcp"
)

const (
	traceFast  = "000000000000000000000000000000f1"
	traceSlow  = "000000000000000000000000000000f2"
	traceLarge = "000000000000000000000000000000f3"
)

// withHeader adds headers to every request.
type withHeader struct {
	next   http.RoundTripper
	header http.Header
}

func (w withHeader) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	for name, values := range w.header {
		req.Header[name] = values
	}
	return w.next.RoundTrip(req)
}

// agent is a client of the official SDK.
type agent struct{ *sdk.ClientSession }

func (p *process) agent(t *testing.T, header http.Header) agent {
	t.Helper()
	transport := &sdk.StreamableClientTransport{
		Endpoint: "http://" + p.APIAddr().String() + mcp.Path, MaxRetries: -1,
		HTTPClient: &http.Client{Transport: withHeader{p.client.Transport, header}},
	}
	session, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), transport, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, session.Close()) })
	return agent{session}
}

// call calls a tool. The whole result is within the bound of the call.
func (a agent) call(t *testing.T, tool string, arguments map[string]any) *sdk.CallToolResult {
	t.Helper()
	result, err := a.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: arguments})
	require.NoError(t, err)
	body, err := json.Marshal(result)
	require.NoError(t, err)
	bound, ok := arguments["max_bytes"].(int)
	if !ok {
		bound = 16 << 10
	}
	require.LessOrEqual(t, len(body), bound, tool)
	require.Len(t, result.Content, 1)
	return result
}

func textOf(t *testing.T, result *sdk.CallToolResult) string {
	t.Helper()
	text, ok := result.Content[0].(*sdk.TextContent)
	require.True(t, ok)
	require.True(t, utf8.ValidString(text.Text))
	return text.Text
}

// read calls a tool that succeeds, and reads its answer.
func (a agent) read(t *testing.T, tool string, arguments map[string]any) (reply map[string]any) {
	t.Helper()
	result := a.call(t, tool, arguments)
	require.False(t, result.IsError, textOf(t, result))
	require.NoError(t, json.Unmarshal([]byte(textOf(t, result)), &reply))
	return reply
}

// refused calls a tool that fails, and returns why.
func (a agent) refused(t *testing.T, tool string, arguments map[string]any) string {
	t.Helper()
	result := a.call(t, tool, arguments)
	require.True(t, result.IsError, textOf(t, result))
	return textOf(t, result)
}

// readAll follows continuations, and returns the first reply with the whole list.
func (a agent) readAll(t *testing.T, tool, list string, arguments map[string]any) (all map[string]any, parts int) {
	t.Helper()
	for {
		reply := a.read(t, tool, arguments)
		parts++
		if all == nil {
			all = reply
		} else {
			all[list] = append(listOf(t, all, list), listOf(t, reply, list)...)
		}
		next, ok := reply["next"].(string)
		if !ok {
			require.EqualValues(t, len(listOf(t, all, list)), all["total_"+list])
			return all, parts
		}
		arguments["next"] = next
	}
}

// in is a value deep in a reply.
func in(t *testing.T, v any, path ...string) any {
	t.Helper()
	for _, name := range path {
		object, ok := v.(map[string]any)
		require.True(t, ok, "%s of %v", name, v)
		v = object[name]
	}
	return v
}

func listOf(t *testing.T, v any, path ...string) []any {
	t.Helper()
	list, ok := in(t, v, path...).([]any)
	require.True(t, ok, "%v of %v", path, v)
	return list
}

func attribute(key string, value any) *commonpb.KeyValue {
	v := &commonpb.AnyValue{}
	switch value := value.(type) {
	case string:
		v.Value = &commonpb.AnyValue_StringValue{StringValue: value}
	case int:
		v.Value = &commonpb.AnyValue_IntValue{IntValue: int64(value)}
	case float64:
		v.Value = &commonpb.AnyValue_DoubleValue{DoubleValue: value}
	}
	return &commonpb.KeyValue{Key: key, Value: v}
}

// made is a span of a service, in milliseconds since the start of its trace.
type made struct {
	id, parent  byte
	service     string
	name        string
	start, end  int
	failed      string
	attributes  []*commonpb.KeyValue
	events      []*tracepb.Span_Event
	idText, top []byte
}

// sendTrace sends spans that began a minute ago.
func (p *process) sendTrace(t *testing.T, header http.Header, trace string, spans ...made) {
	t.Helper()
	begun := time.Now().Add(-time.Minute)
	traceID, err := hex.DecodeString(trace)
	require.NoError(t, err)
	data := &tracepb.TracesData{}
	for _, m := range spans {
		at := func(ms int) uint64 { return uint64(begun.Add(time.Duration(ms) * time.Millisecond).UnixNano()) } //nolint:gosec // now
		s := &tracepb.Span{
			TraceId: traceID, SpanId: []byte{0, 0, 0, 0, 0, 0, 0, m.id}, Name: m.name, StartTimeUnixNano: at(m.start), EndTimeUnixNano: at(m.end),
			Attributes: m.attributes, Events: m.events, Status: &tracepb.Status{},
		}
		if m.idText != nil {
			s.SpanId, s.ParentSpanId = m.idText, m.top
		}
		if m.parent != 0 {
			s.ParentSpanId = []byte{0, 0, 0, 0, 0, 0, 0, m.parent}
		}
		if m.failed != "" {
			s.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: m.failed}
		}
		data.ResourceSpans = append(data.ResourceSpans, &tracepb.ResourceSpans{
			Resource:   &resourcepb.Resource{Attributes: []*commonpb.KeyValue{attribute("service.name", m.service)}},
			ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{s}}},
		})
	}
	body, err := proto.Marshal(data)
	require.NoError(t, err)
	sent := http.Header{"Content-Type": {"application/x-protobuf"}}
	for name, values := range header {
		if name != "Content-Type" {
			sent[name] = values
		}
	}
	got := p.do(t, http.MethodPost, "http://"+p.OTLPHTTPAddr().String()+"/v1/traces", sent, body)
	require.Equal(t, http.StatusOK, got.code, string(got.body))
}

// checkout is a request of a shop whose payment takes so long. Beside it runs what
// nobody waits for the longest, and a mail is sent after all.
func checkout(payment int, extra ...made) []made {
	model := []*commonpb.KeyValue{
		attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.request.model", "gpt-4o"),
		attribute("gen_ai.usage.input_tokens", 100), attribute("gen_ai.usage.output_tokens", 20),
	}
	return append([]made{
		{id: 1, service: "shop", name: "checkout", start: 0, end: 40 + payment},
		{id: 2, parent: 1, service: "stock", name: "reserve", start: 5, end: 20},
		{id: 3, parent: 1, service: "payments", name: "charge", start: 20, end: 30 + payment},
		{id: 4, parent: 3, service: "payments", name: "SELECT account", start: 22, end: 22 + payment},
		{id: 5, parent: 1, service: "shop", name: "chat gpt-4o", start: 1, end: 4, attributes: model},
		{id: 6, parent: 1, service: "mail", name: "send mail", start: 35, end: 5000},
	}, extra...)
}

// An agent is told that something is slow, and finds out what.
func TestAgentFindsTheSlowCall(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	p.sendTrace(t, nil, traceFast, checkout(10)...)
	p.sendTrace(t, nil, traceSlow, checkout(900, made{id: 7, parent: 3, service: "payments", name: "retry", start: 25, end: 27, failed: "card \"declined\""})...)
	a := p.agent(t, nil)

	tools, err := a.ListTools(t.Context(), nil)
	require.NoError(t, err)
	listed := []string{}
	for _, tool := range tools.Tools {
		listed = append(listed, tool.Name)
		require.True(t, tool.Annotations.ReadOnlyHint, tool.Name)
		require.NotEmpty(t, tool.Description)
	}
	require.ElementsMatch(t, []string{
		"traceql-search", "get-trace", "get-span", "get-attribute-names", "get-attribute-values", "traceql-metrics-instant", "traceql-metrics-range", "trace-diff", "docs-traceql",
	}, listed)

	require.Contains(t, listOf(t, a.read(t, "get-attribute-names", map[string]any{"scope": "resource"}), "names"), "resource.service.name")
	services := a.read(t, "get-attribute-values", map[string]any{"name": "resource.service.name", "query": `{ name = "SELECT account" }`})
	require.Equal(t, []any{map[string]any{"type": "string", "value": "payments"}}, listOf(t, services, "values"))
	instant := a.read(t, "traceql-metrics-instant", map[string]any{"query": "{ } | count_over_time() by (resource.service.name)"})
	counts := map[any]any{}
	for _, s := range listOf(t, instant, "series") {
		counts[in(t, s, "labels", "resource.service.name")] = in(t, s, "value")
	}
	require.Equal(t, map[any]any{"shop": 4.0, "stock": 2.0, "payments": 5.0, "mail": 2.0}, counts)

	found := a.read(t, "traceql-search", map[string]any{"query": `{ resource.service.name = "payments" && duration > 500ms }`, "since": "10m"})
	list := listOf(t, found, "traces")
	require.Len(t, list, 1)
	require.Equal(t, traceSlow, in(t, list[0], "trace_id"))
	require.Equal(t, "checkout", in(t, list[0], "root"))
	require.EqualValues(t, 7, in(t, list[0], "spans"))
	require.EqualValues(t, 2, in(t, list[0], "matched_spans"))

	seen := a.read(t, "get-trace", map[string]any{"trace_id": traceSlow})
	require.EqualValues(t, 1, in(t, seen, "errors"))
	require.Equal(t, `card "declined"`, in(t, listOf(t, seen, "failed_spans")[0], "message"))
	require.EqualValues(t, 100, in(t, seen, "llm", "input_tokens"))
	require.Positive(t, in(t, seen, "llm", "cost_usd"))
	require.EqualValues(t, 940, in(t, seen, "critical_path", "duration_ms"))
	most := listOf(t, seen, "critical_path", "most_time_in")
	require.Equal(t, "SELECT account", in(t, most[0], "name"))
	require.EqualValues(t, 900, in(t, most[0], "ms"))
	sum, depths := 0.0, map[any]any{}
	for _, line := range listOf(t, seen, "spans") {
		if ms, ok := in(t, line, "critical_ms").(float64); ok {
			sum += ms
		}
		depths[in(t, line, "name")] = in(t, line, "depth")
		require.Equal(t, in(t, line, "name") == "send mail", in(t, line, "async") == true)
	}
	require.InDelta(t, 940, sum, 0.01, "the path is the time of the root")
	require.Equal(t, map[any]any{"checkout": 0.0, "reserve": 1.0, "charge": 1.0, "SELECT account": 2.0, "chat gpt-4o": 1.0, "send mail": 1.0, "retry": 2.0}, depths)

	diff := a.read(t, "trace-diff", map[string]any{"trace_a": traceFast, "trace_b": traceSlow})
	require.EqualValues(t, 3, in(t, diff, "same_groups"), "what takes as long in both")
	differ := listOf(t, diff, "differences")
	require.Len(t, differ, 4)
	require.Equal(t, "checkout > charge > SELECT account", in(t, differ[0], "path"))
	require.EqualValues(t, 890, in(t, differ[0], "delta_self_ms"))
	require.Equal(t, []any{"time"}, in(t, differ[0], "differs"))
	retry := differ[slices.IndexFunc(differ, func(d any) bool { return strings.HasSuffix(fmt.Sprint(in(t, d, "path")), "> retry") })]
	require.Equal(t, []any{"only in b", "errors"}, in(t, retry, "differs"))
	same := a.read(t, "trace-diff", map[string]any{"trace_a": traceFast, "trace_b": traceFast, "min_delta": "0s"})
	require.Empty(t, listOf(t, same, "differences"))
	coarse := a.read(t, "trace-diff", map[string]any{"trace_a": traceFast, "trace_b": traceSlow, "min_delta": "1h"})
	require.Len(t, listOf(t, coarse, "differences"), 1, "what one of them does not have")
}

// Over time, a series has all of its samples, in parts.
func TestAgentReadsSeries(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	p.sendTrace(t, nil, traceFast, checkout(10)...)
	a := p.agent(t, nil)
	all, parts := a.readAll(t, "traceql-metrics-range", "series", map[string]any{
		"query": "{ } | count_over_time() by (name)", "step": "1s", "since": "30m", "max_bytes": 8192,
	})
	require.Greater(t, parts, 2)
	require.EqualValues(t, 1, all["step_seconds"])
	sums, samples := map[any]float64{}, map[any]int{}
	for _, s := range listOf(t, all, "series") {
		name := in(t, s, "labels", "name")
		for _, v := range listOf(t, s, "values") {
			samples[name]++
			if n, ok := v.(float64); ok {
				sums[name] += n
			}
		}
	}
	require.Len(t, sums, 6)
	for name, n := range sums {
		require.EqualValues(t, 1, n, name)
		require.EqualValues(t, all["samples_each"], samples[name])
	}
}

// A large trace, long contents and the documents come in parts, each within its bound.
func TestAgentPages(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	content := strings.Repeat("\"größer\" <b>\n", 5000)
	spans := []made{{id: 1, service: "shop", name: "batch", start: 0, end: 3000, attributes: []*commonpb.KeyValue{attribute("input.value", content), attribute("n", 7)}}}
	for i := range 1500 {
		spans = append(spans, made{idText: []byte{1, 0, 0, 0, 0, 0, byte(i >> 8), byte(i)}, top: []byte{0, 0, 0, 0, 0, 0, 0, 1}, service: "shop", name: fmt.Sprint("item \"", i), start: i, end: i + 1})
	}
	p.sendTrace(t, nil, traceLarge, spans...)
	a := p.agent(t, nil)
	for _, bound := range []int{8 << 10, 16 << 10, 256 << 10} {
		all, parts := a.readAll(t, "get-trace", "spans", map[string]any{"trace_id": traceLarge, "max_bytes": bound})
		require.Equal(t, bound == 256<<10, parts < 5, "%d bytes: %d parts", bound, parts)
		seen := map[any]bool{}
		for _, line := range listOf(t, all, "spans") {
			seen[in(t, line, "span_id")] = true
		}
		require.Len(t, seen, 1501)
	}
	fields := a.read(t, "get-span", map[string]any{"trace_id": traceLarge, "span_id": "0000000000000001"})
	shown := ""
	for _, f := range listOf(t, fields, "fields") {
		if in(t, f, "key") == "input.value" && in(t, f, "scope") == "span" {
			shown = fmt.Sprint(in(t, f, "value"))
		}
	}
	require.Contains(t, shown, "more bytes)")
	whole, parts := a.readAll(t, "get-span", "text", map[string]any{"trace_id": traceLarge, "span_id": "0000000000000001", "attribute": "input.value"})
	require.Greater(t, parts, 3)
	require.EqualValues(t, len(content), whole["bytes"])
	joined := ""
	for _, part := range listOf(t, whole, "text") {
		joined += fmt.Sprint(part)
	}
	require.Equal(t, content, joined)

	lines, _ := a.readAll(t, "docs-traceql", "lines", map[string]any{"max_bytes": 8192})
	text := ""
	for i, line := range listOf(t, lines, "lines") {
		if i > 0 {
			text += "\n"
		}
		text += fmt.Sprint(line)
	}
	require.Equal(t, docs.TraceQL, text)

	// A token is good for its call, and for whatever process answers.
	first := a.read(t, "get-trace", map[string]any{"trace_id": traceLarge})
	other := p.agent(t, nil)
	require.NotEmpty(t, listOf(t, other.read(t, "get-trace", map[string]any{"trace_id": traceLarge, "next": first["next"]}), "spans"))
	require.Contains(t, a.refused(t, "get-trace", map[string]any{"trace_id": traceSlow, "next": first["next"]}), "other arguments")
	require.Contains(t, a.refused(t, "get-trace", map[string]any{"trace_id": traceLarge, "next": "nonsense"}), "send the one of the reply before")
}

// A mistake is answered with what to do about it.
func TestAgentIsTold(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	p.sendTrace(t, nil, traceFast, checkout(10)...)
	a := p.agent(t, nil)
	long := strings.Repeat("x", 100_000)
	for _, tt := range []struct {
		tool      string
		arguments map[string]any
		want      string
	}{
		{"traceql-search", map[string]any{"query": "{ duration > }"}, "invalid TraceQL query: "},
		{"traceql-search", map[string]any{"query": "{ duration > }"}, "docs-traceql"},
		{"traceql-search", map[string]any{"query": " "}, "query is empty"},
		{"traceql-search", map[string]any{}, "query"},
		{"traceql-search", map[string]any{"query": "{ " + long}, "invalid TraceQL query"},
		{"traceql-search", map[string]any{"query": "{ }", "since": "soon"}, "want a duration"},
		{"traceql-search", map[string]any{"query": "{ }", "start": "1"}, "given together"},
		{"traceql-search", map[string]any{"query": "{ }", "start": "x", "end": "y"}, "want Unix seconds or RFC 3339"},
		{"traceql-search", map[string]any{"query": "{ }", "since": "1h", "start": "1"}, "can not be used with"},
		{"traceql-search", map[string]any{"query": "{ }", "limit": 1001}, "want 1 to 1000"},
		{"traceql-search", map[string]any{"query": "{ }", "max_bytes": 100_000_000}, "want 8192 to 262144"},
		{"traceql-search", map[string]any{"query": "{ }", long: 1}, "unexpected additional properties"},
		{"traceql-metrics-instant", map[string]any{"query": "{ }"}, "| rate()"},
		{"traceql-metrics-range", map[string]any{"query": "{ } | rate()", "step": "often"}, "invalid step"},
		{"get-attribute-names", map[string]any{"scope": "galaxy"}, "invalid scope"},
		{"get-attribute-names", map[string]any{"query": "{ a"}, "invalid TraceQL"},
		{"get-attribute-values", map[string]any{"name": "span.a", "query": "{ a"}, "invalid TraceQL"},
		{"get-trace", map[string]any{"trace_id": "what"}, "32 hexadecimal digits"},
		{"get-trace", map[string]any{"trace_id": "77"}, "find ids with traceql-search"},
		{"get-span", map[string]any{"trace_id": traceFast, "span_id": "x"}, "16 hexadecimal digits"},
		{"get-span", map[string]any{"trace_id": traceFast, "span_id": "00000000000000aa"}, "get-trace lists them"},
		{"get-span", map[string]any{"trace_id": traceFast, "span_id": "0000000000000001", "attribute": "x"}, "has no attribute"},
		{"trace-diff", map[string]any{"trace_a": traceFast, "trace_b": "77"}, "trace_b: "},
		{"trace-diff", map[string]any{"trace_a": traceFast, "trace_b": traceFast, "min_delta": "-1s"}, "want a duration"},
	} {
		require.Contains(t, a.refused(t, tt.tool, tt.arguments), tt.want, "%s %.200v", tt.tool, tt.arguments)
	}
	require.Empty(t, listOf(t, a.read(t, "traceql-search", map[string]any{"query": `{ name = "nobody" }`}), "traces"))
	require.Len(t, listOf(t, a.read(t, "traceql-search", map[string]any{"query": "{ }", "limit": 1000}), "traces"), 1)
}

// A key decides what an agent sees, and which agents there are.
func TestAgentKeys(t *testing.T) {
	g := startGuarded(t, "keys")
	header := func(key string) http.Header { return http.Header{"Authorization": {"Bearer " + g.secrets[key]}} }
	g.sendTrace(t, header("a ingest"), traceFast, checkout(10)...)
	mine, theirs := g.agent(t, header("a query")), g.agent(t, header("b query"))
	require.Len(t, listOf(t, mine.read(t, "traceql-search", map[string]any{"query": "{ }"}), "traces"), 1)
	require.Len(t, listOf(t, mine.read(t, "get-trace", map[string]any{"trace_id": traceFast}), "spans"), 6)

	require.Empty(t, listOf(t, theirs.read(t, "traceql-search", map[string]any{"query": "{ }"}), "traces"))
	require.Empty(t, listOf(t, theirs.read(t, "get-attribute-values", map[string]any{"name": "resource.service.name"}), "values"))
	require.Contains(t, theirs.refused(t, "get-trace", map[string]any{"trace_id": traceFast}), "no trace")
	require.Contains(t, theirs.refused(t, "get-span", map[string]any{"trace_id": traceFast, "span_id": "0000000000000001"}), "no trace")
	require.Contains(t, theirs.refused(t, "trace-diff", map[string]any{"trace_a": traceFast, "trace_b": traceFast}), "no trace")

	every := header("all query")
	every.Set("X-Scope-OrgID", "a")
	require.Len(t, listOf(t, g.agent(t, every).read(t, "traceql-search", map[string]any{"query": "{ }"}), "traces"), 1)
	every.Set("X-Scope-OrgID", "a|b")
	require.Contains(t, g.agent(t, every).refused(t, "traceql-search", map[string]any{"query": "{ }"}), "must name one project")
	for _, key := range []string{"none", "revoked", "a ingest", "a admin"} {
		transport := &sdk.StreamableClientTransport{
			Endpoint: "http://" + g.APIAddr().String() + mcp.Path, MaxRetries: -1,
			HTTPClient: &http.Client{Transport: withHeader{g.client.Transport, header(key)}},
		}
		_, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(context.WithoutCancel(t.Context()), transport, nil)
		require.Error(t, err, key)
	}
}
