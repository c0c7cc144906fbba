package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/corpus"
)

// TestCountedUsage sends what SDKs have sent, whole and in pieces with a flush
// between them, so that every trace is in several blocks and in memory, and adds
// up the usage that counts: what the model behind the recorded programs has
// said, once for each call.
func TestCountedUsage(t *testing.T) {
	const counted = `{ span.spanlake.usage.counted } | `
	const calls, tokens = counted + `count_over_time() by (span.spanlake.usage.class)`, counted + `sum_over_time(span.gen_ai.usage.`
	ai := map[string]float64{
		calls + " llm": 5, tokens + "input_tokens) by (span.spanlake.usage.class) llm": 210, tokens + "output_tokens)": 85,
		tokens + "input_tokens) by (span.spanlake.usage.class) embedding": 27,
	}
	tests := map[string]map[string]float64{
		"vercel-ai-v4/01-ai4-post-v1-traces":        ai,
		"vercel-ai-v6/01-ai6-post-v1-traces":        ai,
		"vercel-ai-v7/01-ai7-post-v1-traces":        ai,
		"vercel-ai-v7/03-ai7-legacy-post-v1-traces": ai,
		"langfuse-js-v4/06-lf4-core-post-otel-v1-traces": {
			calls + " llm": 2, tokens + "input_tokens) by (span.spanlake.usage.class) llm": 84, tokens + "output_tokens)": 34,
			counted + `sum_over_time(span.gen_ai.usage.cost) by (span.spanlake.cost.source) provided`: 2 * 1.41e-5,
		},
		"langfuse-js-v5/06-lf5-core-post-otel-v1-traces": {
			calls + " llm": 2, tokens + "input_tokens) by (span.spanlake.usage.class) llm": 84, tokens + "output_tokens)": 34,
			counted + `sum_over_time(span.gen_ai.usage.cost) by (span.spanlake.cost.source) provided`: 2 * 1.41e-5,
			`{ span.session.id = "sess-42" && span.spanlake.kind = "llm" } | count_over_time()`:       2,
		},
		"langsmith-js/25-ls-otel-post-otel-v1-traces": {
			calls + " llm": 1, tokens + "input_tokens)": 42, tokens + "output_tokens)": 17, counted + `sum_over_time(span.gen_ai.usage.cost)`: 1.53e-5,
		},
		"openinference-js/01-oi-phoenix-otel-post-v1-traces": {
			calls + " llm": 8, tokens + "cache_read.input_tokens)": 8 * 16,
			`{ span.gen_ai.request.stream = true && span.spanlake.usage.counted != nil } | count_over_time()`: 0, // has no counts
		},
		"traceloop-js/01-tl-core-post-v1-traces": {
			calls + " llm": 5, tokens + "input_tokens)": 2*42 + 4 + 2 + 5,
			`{ span.session.id = "sess-42" && span.user.id = "user-7" && span.spanlake.kind = "agent" } | count_over_time()`: 2,
		},
		"otel-js/02-otel-protobuf-post-v1-traces": {calls + " llm": 2, calls + " embedding": 1, tokens + "output_tokens)": 34},
	}
	captures, err := corpus.Captures()
	require.NoError(t, err)
	s := startServer(t, t.TempDir(), fromBlocks)
	for _, capture := range captures {
		want, ok := tests[capture.Name]
		if !ok {
			continue
		}
		plain := decompress(t, capture.Header["content-encoding"], capture.Body)
		data := decodeOTLP(t, capture.Protocol, plain)
		whole, pieces := "whole."+strings.ReplaceAll(capture.Name, "/", "."), "pieces."+strings.ReplaceAll(capture.Name, "/", ".")
		require.NoError(t, s.export(t.Context(), request{
			protocol: capture.Protocol, project: whole, header: capture.Header, encoding: capture.Header["content-encoding"], path: capture.Path, body: capture.Body,
		}))
		requireSums(t, s.client, whole, data, want)
		for i, piece := range slices.Backward(spanBySpan(data)) {
			body, err := proto.Marshal(piece)
			require.NoError(t, err)
			require.NoError(t, s.export(t.Context(), request{protocol: corpus.HTTPProtobuf, project: pieces, body: body}))
			if i%6 == 3 {
				require.NoError(t, s.flush(t.Context()))
			}
		}
		requireSums(t, s.client, pieces, data, want)
		require.NoError(t, s.flush(t.Context()))
		requireSums(t, s.client, pieces, data, want)
		requireSums(t, s.client, whole, data, want)
		delete(tests, capture.Name)
	}
	require.Empty(t, tests, "captures are missing")
}

// TestPricesOfAProject: what is set for a project counts for its spans that come
// in from then on, for nobody else's, and a cost that a client gives counts more.
func TestPricesOfAProject(t *testing.T) {
	s := startServer(t, t.TempDir(), fromBlocks)
	got, err := s.do(t.Context(), http.MethodPost, "http://"+s.api+"/api/projects", http.Header{"Content-Type": {acceptJSON}},
		[]byte(`{"name":"ours","prices":[{"model":"m","pattern":"^house-","input":1e-3,"output":2e-3}]}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.status, string(got.body))
	got, err = s.do(t.Context(), http.MethodPatch, "http://"+s.api+"/api/projects/ours", http.Header{"Content-Type": {acceptJSON}}, []byte(`{"prices":[{"model":"m"}]}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, got.status, string(got.body))
	require.Contains(t, string(got.body), "price of m: want input, output or both")

	const call = `{"resourceSpans":[{"scopeSpans":[{"spans":[
		{"traceId":"a0000000000000000000000000000009","spanId":"b000000000000009","name":"chat","startTimeUnixNano":"1790000000000000000","attributes":[
			{"key":"gen_ai.request.model","value":{"stringValue":"house-1"}},{"key":"gen_ai.usage.input_tokens","value":{"intValue":3}},{"key":"gen_ai.usage.output_tokens","value":{"intValue":2}}]},
		{"traceId":"a0000000000000000000000000000009","spanId":"b00000000000000a","name":"chat","startTimeUnixNano":"1790000000000000000","attributes":[
			{"key":"gen_ai.request.model","value":{"stringValue":"house-1"}},{"key":"gen_ai.usage.input_tokens","value":{"intValue":3}},{"key":"llm.cost.total","value":{"doubleValue":0.5}}]}]}]}]}`
	data := decodeOTLP(t, corpus.HTTPJSON, []byte(call))
	const cost = `{ span.spanlake.usage.counted } | sum_over_time(span.gen_ai.usage.cost) by (span.spanlake.cost.source)`
	for project, computed := range map[string]float64{"ours": 0.007, "others": 0} {
		require.NoError(t, s.export(t.Context(), request{protocol: corpus.HTTPJSON, project: project, body: []byte(call)}))
		want := map[string]float64{cost + " computed": computed, cost + " provided": 0.5}
		requireSums(t, s.client, project, data, want)
		require.NoError(t, s.flush(t.Context()))
		requireSums(t, s.client, project, data, want)
	}
}

// spanBySpan are messages of one span each.
func spanBySpan(data *tracepb.TracesData) (list []*tracepb.TracesData) {
	for _, r := range data.GetResourceSpans() {
		for _, sc := range r.GetScopeSpans() {
			for _, span := range sc.GetSpans() {
				list = append(list, &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
					Resource: r.GetResource(), SchemaUrl: r.GetSchemaUrl(),
					ScopeSpans: []*tracepb.ScopeSpans{{Scope: sc.GetScope(), SchemaUrl: sc.GetSchemaUrl(), Spans: []*tracepb.Span{span}}},
				}}})
			}
		}
	}
	return list
}

// requireSums asks metrics queries: a query, and behind a space the value of its
// only label if it has several series. No series is 0.
func requireSums(t *testing.T, c *client, project string, data *tracepb.TracesData, want map[string]float64) {
	t.Helper()
	first, last := uint64(1<<63), uint64(0)
	for _, one := range spanBySpan(data) {
		span := one.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()[0]
		first, last = min(first, span.GetStartTimeUnixNano()), max(last, span.GetStartTimeUnixNano())
	}
	for text, value := range want {
		query, label := text, ""
		if i := strings.LastIndexByte(text, ' '); strings.IndexByte(text[i:], ')') < 0 {
			query, label = text[:i], text[i+1:]
		}
		params := url.Values{
			"q": {query}, "start": {strconv.FormatUint(first/1e9-60, 10)}, "end": {strconv.FormatUint(last/1e9+60, 10)},
		}
		got, err := c.get(t.Context(), project, "/api/metrics/query?"+params.Encode())
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, got.status, string(got.body))
		var reply struct {
			Series []struct {
				Labels []struct{ Value struct{ StringValue string } }
				Value  float64
			}
		}
		require.NoError(t, json.Unmarshal(got.body, &reply))
		have := 0.0
		for _, series := range reply.Series {
			if label == "" || len(series.Labels) > 0 && series.Labels[0].Value.StringValue == label {
				have += series.Value
			}
		}
		require.InDelta(t, value, have, 1e-9*max(1, value), "%s: %s\n%s", project, text, got.body)
	}
}
