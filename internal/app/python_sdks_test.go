package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// The requests of this file are made by hand after the public documentation and source
// of SDKs that were not recorded. make sdk and internal/e2e/sdk/python run real ones.

// sumOf adds up a field over counted spans of the last hour, -1 if there are none.
func (p *process) sumOf(t *testing.T, header http.Header, field string) float64 {
	t.Helper()
	now := time.Now()
	query := url.Values{
		"q":     {"{ span.spanlake.usage.counted } | sum_over_time(span." + field + ")"},
		"start": {strconv.FormatInt(now.Add(-time.Hour).Unix(), 10)}, "end": {strconv.FormatInt(now.Add(time.Minute).Unix(), 10)},
	}
	got := p.do(t, http.MethodGet, "http://"+p.APIAddr().String()+"/api/metrics/query?"+query.Encode(), header.Clone(), nil)
	require.Equal(t, http.StatusOK, got.code, string(got.body))
	var reply struct {
		Series []struct{ Value float64 }
	}
	require.NoError(t, json.Unmarshal(got.body, &reply))
	if len(reply.Series) == 0 {
		return -1
	}
	return reply.Series[0].Value
}

// LiteLLM's langfuse callback uses Langfuse's SDK for Python 2, with ids of its own
// making, usage twice, inclusive of what was cached, and the cost.
func TestLiteLLMCallback(t *testing.T) {
	g := startGuarded(t, "keys")
	now := time.Now().UTC()
	at := func(d time.Duration) string { return now.Add(d).Format("2006-01-02T15:04:05.000000Z07:00") }
	const trace, generation = "litellm-7f2c", "time-16-03-12-123456_chatcmpl-AbC"
	body := fmt.Sprintf(`{"batch":[
		{"id":"e1","type":"trace-create","timestamp":%[1]q,"body":{"id":%[3]q,"timestamp":%[1]q,"name":"litellm-completion","sessionId":"s-1","userId":"u-1",
			"input":{"messages":[{"role":"user","content":"hi"}]},"output":{"role":"assistant","content":"hello"},"tags":["User-Agent: curl"],"environment":"default"}},
		{"id":"e2","type":"generation-create","timestamp":%[2]q,"body":{"traceId":%[3]q,"id":%[4]q,"name":"litellm-acompletion","startTime":%[1]q,"endTime":%[2]q,"completionStartTime":%[2]q,
			"model":"gpt-4o","modelParameters":{"temperature":0.1,"stream":true},"level":"DEFAULT",
			"input":{"messages":[{"role":"user","content":"hi"}]},"output":{"role":"assistant","content":"hello"},
			"usage":{"input":1000,"output":50,"unit":"TOKENS","totalCost":0.0021},
			"usageDetails":{"input":1000,"output":50,"total":1050,"cache_creation_input_tokens":0,"cache_read_input_tokens":800},
			"metadata":{"litellm_response_cost":0.0021,"cache_hit":false,"hidden_params":{"model_id":null}}}}],
		"metadata":{"batch_size":2,"sdk_name":"python","sdk_version":"2.59.7","sdk_integration":"litellm","public_key":"pk"}}`,
		at(-2*time.Second), at(-time.Second), trace, generation)
	for range 2 { // it sends again what it is not sure of
		got := g.do(t, http.MethodPost, "http://"+g.OTLPHTTPAddr().String()+"/api/public/ingestion", g.headers("a ingest", ""), []byte(body))
		require.Equal(t, http.StatusMultiStatus, got.code)
		require.JSONEq(t, `{"successes":[{"id":"e1","status":201},{"id":"e2","status":201}],"errors":[]}`, string(got.body))
	}
	header := g.headers("a query", "")
	for field, want := range map[string]float64{
		"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 50, "gen_ai.usage.total_tokens": 1050,
		"gen_ai.usage.cache_read.input_tokens": 800, "gen_ai.usage.cost": 0.0021,
	} {
		require.InDelta(t, want, g.sumOf(t, header, field), 1e-12, field)
	}
	read := g.do(t, http.MethodGet, "http://"+g.OTLPHTTPAddr().String()+"/api/public/traces/"+trace, header, nil)
	require.Equal(t, http.StatusOK, read.code, string(read.body))
	var reply struct {
		ID, SessionID, UserID string
		TotalCost             float64
		Observations          []struct{ ID, Model string }
	}
	require.NoError(t, json.Unmarshal(read.body, &reply))
	require.Equal(t, trace, reply.ID)
	require.Equal(t, "s-1", reply.SessionID)
	require.Equal(t, "u-1", reply.UserID)
	require.InDelta(t, 0.0021, reply.TotalCost, 1e-12)
	require.Len(t, reply.Observations, 1)
	require.Equal(t, generation, reply.Observations[0].ID)
	require.Equal(t, "gpt-4o", reply.Observations[0].Model)
}

// exported sends one span over OTLP in protobuf, as SDKs for Python do.
func (g *guarded) exported(t *testing.T, path, scope string, attributes map[string]any) {
	t.Helper()
	value := func(v any) *commonpb.AnyValue {
		switch v := v.(type) {
		case string:
			return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: v}}
		case int:
			return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: int64(v)}}
		default:
			return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: v.(float64)}}
		}
	}
	start := uint64(time.Now().Add(-time.Minute).UnixNano()) //nolint:gosec // after 1970
	span := &tracepb.Span{
		TraceId: []byte("0123456789abcdef"), SpanId: []byte("01234567"), Name: "call", Kind: tracepb.Span_SPAN_KIND_CLIENT,
		StartTimeUnixNano: start, EndTimeUnixNano: start + 1e9,
	}
	for k, v := range attributes {
		span.Attributes = append(span.Attributes, &commonpb.KeyValue{Key: k, Value: value(v)})
	}
	resource := &resourcepb.Resource{Attributes: []*commonpb.KeyValue{{Key: "service.name", Value: value("agent")}}}
	body, err := proto.Marshal(&collectorpb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource: resource, ScopeSpans: []*tracepb.ScopeSpans{{Scope: &commonpb.InstrumentationScope{Name: scope}, Spans: []*tracepb.Span{span}}},
	}}})
	require.NoError(t, err)
	header := g.headers("a ingest", "")
	header.Set("Content-Type", "application/x-protobuf")
	got := g.do(t, http.MethodPost, "http://"+g.OTLPHTTPAddr().String()+path, header, body)
	require.Equal(t, http.StatusOK, got.code, string(got.body))
}

// Langfuse's SDK for Python 3 and later sends OTLP; usage counts apart what was cached.
func TestLangfusePython(t *testing.T) {
	g := startGuarded(t, "keys")
	g.exported(t, "/api/public/otel/v1/traces", "langfuse-sdk", map[string]any{
		"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o-mini-2024-07-18",
		"langfuse.observation.usage_details": `{"input": 26, "input_cached_tokens": 16, "output": 12, "output_reasoning_tokens": 5}`,
		"langfuse.observation.input":         `[{"role": "user", "content": "weather?"}]`, "langfuse.observation.output": "sunny",
		"user.id": "u-1", "session.id": "s-1", "langfuse.environment": "prod", "langfuse.trace.name": "chat",
	})
	header := g.headers("a query", "")
	for field, want := range map[string]float64{
		"gen_ai.usage.input_tokens": 42, "gen_ai.usage.output_tokens": 17, "gen_ai.usage.cache_read.input_tokens": 16,
		"gen_ai.usage.reasoning.output_tokens": 5, "gen_ai.usage.cost": 1.53e-5,
	} {
		require.InDelta(t, want, g.sumOf(t, header, field), 1e-12, field)
	}
	tree := printTree(g.trace(t, header, "30313233343536373839616263646566"), false)
	require.Contains(t, tree, `langfuse.observation.output="sunny"`)
}

// LiteLLM's OpenTelemetry exporter names things as the conventions do, and says what
// the call cost and for whom it was in names of its own.
func TestLiteLLMOpenTelemetry(t *testing.T) {
	g := startGuarded(t, "keys")
	g.exported(t, "/v1/traces", "litellm", map[string]any{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
		"gen_ai.usage.input_tokens": 42, "gen_ai.usage.output_tokens": 17, "litellm.cost.total": 0.0042,
		"litellm.call_id": "c-1", "litellm.end_user.id": "u-9", "litellm.metadata.team": "blue",
	})
	header := g.headers("a query", "")
	require.InDelta(t, 42, g.sumOf(t, header, "gen_ai.usage.input_tokens"), 0)
	require.InDelta(t, 17, g.sumOf(t, header, "gen_ai.usage.output_tokens"), 0)
	require.InDelta(t, 0.0042, g.sumOf(t, header, "gen_ai.usage.cost"), 1e-12, "what LiteLLM says counts")
	query := url.Values{"q": {`{ span.user.id = "u-9" && span.metadata.team = "blue" && span.spanlake.cost.source = "provided" }`}}
	found := g.do(t, http.MethodGet, "http://"+g.APIAddr().String()+"/api/search?"+query.Encode(), header, nil)
	require.Contains(t, string(found.body), `"rootServiceName":"agent"`, string(found.body))
}
