package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// pieced is a call of a model as Langfuse's SDKs may send it: the model when it
// begins, what it used when it ends, and what somebody thinks of it.
func pieced(at time.Time) []string {
	stamp := func(after time.Duration) string { return at.Add(after).UTC().Format("2006-01-02T15:04:05.000Z") }
	event := func(kind string, after time.Duration, body string) string {
		return fmt.Sprintf(`{"batch":[{"id":"e-%s","type":%q,"timestamp":%q,"body":%s}]}`, kind, kind, stamp(after), body)
	}
	return []string{
		event("trace-create", 0, `{"id":"t-1","name":"turn","sessionId":"s-1","timestamp":"`+stamp(0)+`"}`),
		event("generation-create", 0, `{"id":"g-1","traceId":"t-1","name":"call","startTime":"`+stamp(0)+`","model":"gpt-4o-mini-2024-07-18"}`),
		event("generation-update", 2*time.Second, `{"id":"g-1","traceId":"t-1","endTime":"`+stamp(2*time.Second)+`","completionStartTime":"`+stamp(500*time.Millisecond)+`",
			"usageDetails":{"input":26,"input_cached_tokens":16,"output":17}}`),
		event("score-create", 3*time.Second, `{"id":"s-1","traceId":"t-1","observationId":"g-1","name":"helpful","value":0.9}`),
	}
}

// TestCostOfPieces: a span whose model and usage come in different requests costs
// what `spanlake prices test gpt-4o-mini -input-tokens 42 -cached-tokens 16
// -output-tokens 17` says, whatever comes first and wherever it lies, and counts once.
// Its score is no span unless a filter asks for scores.
func TestCostOfPieces(t *testing.T) {
	const cost = 1.53e-5
	s := startServer(t, t.TempDir(), fromBlocks, noCutByAge)
	at := time.Now().Add(-time.Minute).Truncate(time.Second)
	sent := &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{
		{StartTimeUnixNano: uint64(at.UnixNano())}, //nolint:gosec // of this century
	}}}}}}
	sums := map[string]float64{
		`{ span.spanlake.usage.counted } | sum_over_time(span.gen_ai.usage.cost) by (span.spanlake.cost.source) computed`: cost,
		`{ span.gen_ai.usage.cost > 0 } | count_over_time()`:                                                              1,
		`{ span.gen_ai.response.time_to_first_chunk = 0.5 } | count_over_time()`:                                          1,
		`{ span.spanlake.usage.class = "llm" } | sum_over_time(span.gen_ai.usage.input_tokens)`:                           42,
		`{ } | count_over_time()`:                                          2,
		`{ span.spanlake.kind = "score" } | count_over_time()`:             1,
		`{ span.gen_ai.evaluation.score.value > 0.5 } | count_over_time()`: 1,
	}
	events := pieced(at)
	for i, order := range permutations(len(events)) {
		project := fmt.Sprintf("order-%d", i)
		for n, event := range order {
			got, err := s.do(t.Context(), http.MethodPost, "http://"+s.endpoints.http+"/api/public/ingestion",
				http.Header{"Content-Type": {acceptJSON}, "X-Scope-OrgID": {project}}, []byte(events[event]))
			require.NoError(t, err)
			require.Equal(t, http.StatusMultiStatus, got.status, string(got.body))
			if n == i%4 || i%5 == 0 {
				require.NoError(t, s.flush(t.Context()))
			}
		}
		requireSums(t, s.client, project, sent, sums)
	}
	require.NoError(t, s.flush(t.Context()))
	requireSums(t, s.client, "order-1", sent, sums)

	get := func(path string, params url.Values) string {
		params.Set("start", strconv.FormatInt(at.Unix()-60, 10))
		params.Set("end", strconv.FormatInt(at.Unix()+60, 10))
		got, err := s.get(t.Context(), "order-1", path+"?"+params.Encode())
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, got.status, string(got.body))
		return string(got.body)
	}
	var found struct {
		Traces []struct {
			TraceID, RootTraceName string
			DurationMs             int
			SpanSet                struct{ Matched int }
			ServiceStats           map[string]struct{ SpanCount int }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(get("/api/search", url.Values{"q": {`{ }`}})), &found))
	require.Len(t, found.Traces, 1)
	trace := found.Traces[0]
	require.Equal(t, "turn", trace.RootTraceName)
	require.Equal(t, 2000, trace.DurationMs)
	require.Equal(t, 2, trace.SpanSet.Matched)
	require.Len(t, trace.ServiceStats, 1, "the score has no service")
	for _, stats := range trace.ServiceStats {
		require.Equal(t, 2, stats.SpanCount)
	}
	values := get("/api/v2/search/tag/span.gen_ai.usage.cost/values", url.Values{})
	require.Contains(t, values, "1.53e-05")
	require.Contains(t, get("/api/v2/search/tags", url.Values{"scope": {"span"}}), `"gen_ai.usage.cost"`)
	require.Contains(t, get("/api/v2/search/tag/span.gen_ai.request.model/values", url.Values{"q": {`{ span.gen_ai.usage.cost > 0 }`}}), "gpt-4o-mini-2024-07-18")
	require.NotContains(t, get("/api/v2/traces/"+trace.TraceID, url.Values{}), `"gen_ai.usage.cost"`)
	require.Equal(t, 1, strings.Count(get("/api/v2/traces/"+trace.TraceID, url.Values{"derived": {"true"}}), `"gen_ai.usage.cost"`))
}

// permutations are all orders of n things.
func permutations(n int) (all [][]int) {
	if n == 0 {
		return [][]int{nil}
	}
	for _, rest := range permutations(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(rest), at, n-1))
		}
	}
	return all
}
