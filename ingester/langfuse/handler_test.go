package langfuse_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

func TestEnvelopes(t *testing.T) {
	w := newWorld(t, oneProject{})
	for _, body := range []string{``, `{`, `[]`, `{}`, `{"batch":null}`, `{"batch":{}}`, `"batch"`} {
		reply := w.do(http.MethodPost, "/api/public/ingestion", body)
		require.Equal(t, http.StatusBadRequest, reply.Code, body)
		require.Contains(t, reply.Body.String(), `"message":"Invalid request data"`)
		require.Contains(t, reply.Body.String(), `"errors":[`)
	}
	reply := w.do(http.MethodPost, "/api/public/ingestion", `{"batch":[]}`)
	require.Equal(t, http.StatusMultiStatus, reply.Code)
	require.JSONEq(t, `{"successes":[],"errors":[]}`, reply.Body.String())
	require.Equal(t, http.StatusNotFound, w.do(http.MethodGet, "/api/public/ingestion", "").Code)
	require.Equal(t, http.StatusNotFound, w.do(http.MethodPost, "/api/public/v2/datasets", "{}").Code)
}

// Only what nothing can be made of is an error: a batch that has one is sent again.
func TestEvents(t *testing.T) {
	w := newWorld(t, oneProject{})
	for _, tt := range []struct {
		name, event string
		wrong       bool
	}{
		{"a trace", `{"id":"1","type":"trace-create","timestamp":"2026-11-21T07:11:37Z","body":{"id":"t"}}`, false},
		{"without a time", `{"id":"1","type":"span-create","body":{"id":"s","traceId":"t"}}`, false},
		{"without ids in the body", `{"id":"1","type":"generation-create","body":{}}`, false},
		{"fields of other types", `{"id":1,"type":"span-update","timestamp":17,"body":{"id":{},"traceId":[1],"metadata":7,"level":true,"startTime":"x","tags":{},"usage":[]}}`, false},
		{"a type of the future", `{"id":"1","type":"dream-create","body":{"id":"d","traceId":"t"}}`, false},
		{"a legacy one", `{"id":"1","type":"observation-update","body":{"id":"o","traceId":"t","type":"GENERATION"}}`, false},
		{"unknown fields", `{"id":"1","type":"event-create","body":{"id":"e","traceId":"t","x":{"y":[{}]}},"z":1}`, false},
		{"a log", `{"id":"1","type":"sdk-log","body":{"log":"x"}}`, false},
		{"a log without a body", `{"id":"1","type":"sdk-log"}`, false},
		{"a run of a dataset", `{"id":"1","type":"dataset-run-item-create","body":{}}`, false},
		{"a score of such a run", `{"id":"1","type":"score-create","body":{"name":"x","value":1,"datasetRunId":"d"}}`, false},
		{"no id", `{"type":"trace-create","body":{"id":"t"}}`, true},
		{"no type", `{"id":"1","body":{"id":"t"}}`, true},
		{"no body", `{"id":"1","type":"trace-create"}`, true},
		{"a body that is none", `{"id":"1","type":"trace-create","body":"t"}`, true},
		{"a type that is none", `{"id":"1","type":"trace","body":{"id":"t"}}`, true},
		{"no object", `7`, true},
		{"nothing", `null`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			good := `{"id":"good","type":"trace-create","body":{"id":"good"}}`
			out := w.send(tt.event, good)
			if !tt.wrong {
				require.Empty(t, out.Errors)
				require.Equal(t, "good", out.Successes[1].ID)
				return
			}
			require.Len(t, out.Errors, 1)
			require.Equal(t, http.StatusBadRequest, out.Errors[0].Status)
			require.NotEmpty(t, out.Errors[0].Message)
			require.Equal(t, "good", out.Successes[0].ID)
			require.Equal(t, http.StatusCreated, out.Successes[0].Status)
		})
	}
}

// What a project does not take is told of the events that it does not take.
func TestRejectedEvents(t *testing.T) {
	w := newWorld(t, oneProject{settings: project.Project{Retention: project.Retention(time.Hour), Limits: project.Limits{AttributeBytes: 100}}})
	at := func(ago time.Duration) string { return time.Now().Add(-ago).UTC().Format(time.RFC3339Nano) }
	event := func(id, kind string, ago time.Duration, body string) string {
		return fmt.Sprintf(`{"id":%q,"type":%q,"timestamp":%q,"body":{"id":%q,"traceId":"t"%s}}`, id, kind, at(ago), id, body)
	}
	out := w.send(
		event("new", "span-create", 0, fmt.Sprintf(`,"startTime":%q`, at(time.Minute))),
		event("old", "span-create", 0, fmt.Sprintf(`,"startTime":%q`, at(2*time.Hour))),
		event("timeless", "span-update", 0, ""),
		event("timeless and old", "span-update", 2*time.Hour, ""),
		event("large", "span-update", 0, fmt.Sprintf(`,"input":%q`, strings.Repeat("x", 200))),
	)
	var stored, refused []string
	for _, s := range out.Successes {
		stored = append(stored, s.ID)
	}
	for _, e := range out.Errors {
		refused = append(refused, e.ID)
		require.NotEmpty(t, e.Message)
	}
	require.Equal(t, []string{"new", "timeless"}, stored)
	require.Equal(t, []string{"old", "timeless and old", "large"}, refused)
}

// Who cannot store now says when to come back.
func TestOverload(t *testing.T) {
	limited := project.Project{Limits: project.Limits{IngestBytesPerSecond: 1}}
	w := newWorld(t, oneProject{settings: limited})
	w.send(`{"id":"1","type":"trace-create","body":{"id":"t"}}`)
	reply := w.do(http.MethodPost, "/api/public/ingestion", `{"batch":[{"id":"1","type":"trace-create","body":{"id":"t"}}]}`)
	require.Equal(t, http.StatusTooManyRequests, reply.Code)
	require.NotEmpty(t, reply.Header().Get("Retry-After"))

	w = newWorld(t, oneProject{err: errors.New("away")})
	for method, path := range map[string]string{http.MethodPost: "/api/public/ingestion", http.MethodGet: "/api/public/projects"} {
		reply = w.do(method, path, `{"batch":[{"id":"1","type":"trace-create","body":{"id":"t"}}]}`)
		require.Equal(t, http.StatusServiceUnavailable, reply.Code, path)
		require.NotEmpty(t, reply.Header().Get("Retry-After"))
	}
}

func TestProjects(t *testing.T) {
	for kept, want := range map[time.Duration]string{0: "null", time.Hour: "1", 30 * 24 * time.Hour: "30", 30*24*time.Hour + 1: "31"} {
		w := newWorld(t, oneProject{settings: project.Project{Retention: project.Retention(kept)}})
		reply := w.do(http.MethodGet, "/api/public/projects", "")
		require.Equal(t, http.StatusOK, reply.Code)
		require.Contains(t, reply.Body.String(), `"retentionDays":`+want+`}`)
	}
}

func attribute(t *testing.T, s *schema.Span, key string) schema.Value {
	t.Helper()
	v, _ := otlp.Lookup(s.Attributes, key)
	return v
}

// An observation whose trace is never told stands alone; told later, it is below it.
func TestRoots(t *testing.T) {
	w := newWorld(t, oneProject{})
	w.send(`{"id":"1","type":"span-create","timestamp":"2026-11-21T07:11:38Z","body":{"id":"s","traceId":"t","name":"child","startTime":"2026-11-21T07:11:37Z"}}`)
	spans := w.spans("t")
	require.Len(t, spans, 1)
	require.Zero(t, spans[0].ParentSpanID)
	incomplete, _ := otlp.Lookup(spans[0].Derived, "spanlake.incomplete")
	require.True(t, incomplete.Bool)
	w.send(`{"id":"2","type":"span-update","timestamp":"2026-11-21T09:11:38Z","body":{"id":"s","traceId":"t","endTime":"2026-11-21T09:11:37Z"}}`,
		`{"id":"3","type":"trace-create","timestamp":"2026-11-21T07:11:36Z","body":{"id":"t","name":"root","timestamp":"2026-11-21T07:11:36Z"}}`)
	spans = w.spans("t")
	require.Len(t, spans, 2)
	require.Equal(t, []string{"root", "child"}, []string{spans[0].Name, spans[1].Name})
	require.Equal(t, spans[0].SpanID, spans[1].ParentSpanID)
	require.Equal(t, spans[1].EndNanos, spans[0].EndNanos)
	require.Equal(t, int64(2*time.Hour), spans[1].DurationNanos())
	_, found := otlp.Lookup(spans[1].Derived, "spanlake.incomplete")
	require.False(t, found)
}

func TestScores(t *testing.T) {
	w := newWorld(t, oneProject{})
	w.send(`{"id":"0","type":"trace-create","body":{"id":"t","timestamp":"2026-11-21T07:11:36Z"}}`)
	for i, tt := range []struct {
		name, fields string
		value        float64
		label, typed string
	}{
		{"a number", `"value":0.5`, 0.5, "", "NUMERIC"},
		{"a number in a text", `"value":"0.5","dataType":"NUMERIC"`, 0.5, "", "NUMERIC"},
		{"a text", `"value":"good"`, -1, "good", "CATEGORICAL"},
		{"a category that is a number", `"value":"5","dataType":"CATEGORICAL"`, -1, "5", "CATEGORICAL"},
		{"true", `"value":1,"dataType":"BOOLEAN"`, 1, "", "BOOLEAN"},
		{"true as such", `"value":true,"dataType":"BOOLEAN"`, 1, "", "BOOLEAN"},
		{"false as such", `"value":false,"dataType":"BOOLEAN"`, 0, "", "BOOLEAN"},
		{"a correction", `"value":"better","dataType":"CORRECTION"`, -1, "better", "CORRECTION"},
		{"nothing", `"comment":"x"`, -1, "", "NUMERIC"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := fmt.Sprintf("score-%d", i)
			w.send(fmt.Sprintf(`{"id":"e%d","type":"score-create","timestamp":"2026-12-21T07:11:37Z","body":{"id":%q,"name":"n","traceId":"t",%s}}`, i, id, tt.fields))
			spans := w.spans("t")
			found := false
			for i := range spans {
				s := &spans[i]
				if attribute(t, s, "spanlake.score.id").Str != id {
					continue
				}
				found = true
				require.Equal(t, spans[0].SpanID, s.ParentSpanID, "below the trace")
				require.Equal(t, "score", attribute(t, s, "spanlake.kind").Str)
				require.Equal(t, tt.label, attribute(t, s, "gen_ai.evaluation.score.label").Str)
				require.Equal(t, tt.typed, attribute(t, s, "spanlake.score.data_type").Str)
				value := attribute(t, s, "gen_ai.evaluation.score.value")
				if require.Equal(t, tt.value >= 0, value.Kind == schema.KindDouble); tt.value >= 0 {
					require.InDelta(t, tt.value, value.Double, 0)
				}
			}
			require.True(t, found)
			require.Zero(t, spans[0].DurationNanos(), "the trace took no longer for it")
		})
	}
	// The same score again, later and with another value, replaces it.
	before := len(w.spans("t"))
	w.send(`{"id":"e","type":"score-create","timestamp":"2026-12-22T07:11:37Z","body":{"id":"score-0","name":"n","traceId":"t","value":0.9}}`)
	spans := w.spans("t")
	require.Len(t, spans, before)
	require.InDelta(t, 0.9, attribute(t, &spans[len(spans)-1], "gen_ai.evaluation.score.value").Double, 0)

	w.send(`{"id":"s","type":"score-create","body":{"id":"of-session","name":"n","sessionId":"sess","value":1}}`)
	spans = w.spans("session:sess")
	require.Len(t, spans, 1)
	require.Equal(t, "sess", attribute(t, &spans[0], "session.id").Str)
}

func TestUsage(t *testing.T) {
	w := newWorld(t, oneProject{})
	for i, tt := range []struct{ name, fields, usage, cost string }{
		{"nothing", `"usage":{}`, "", ""},
		{"older", `"usage":{"input":42,"output":17,"total":59,"unit":"TOKENS"}`, `{"input":42,"output":17,"total":59}`, ""},
		{"oldest", `"usage":{"promptTokens":42,"completionTokens":"17","totalTokens":59}`, `{"input":42,"output":17,"total":59}`, ""},
		{"no tokens", `"usage":{"input":42,"unit":"CHARACTERS"}`, "", ""},
		{"older with costs", `"usage":{"inputCost":1,"outputCost":2.5,"totalCost":3.5}`, "", `{"input":1,"output":2.5,"total":3.5}`},
		{"details win", `"usage":{"input":1},"usageDetails":{"input":2,"x":3},"costDetails":{"total":0.5}`, `{"input":2,"x":3}`, `{"total":0.5}`},
		{"empty details do not", `"usage":{"input":1},"usageDetails":{}`, `{"input":1}`, ""},
		{
			"as OpenAI has it", `"usageDetails":{"prompt_tokens":42,"completion_tokens":17,"total_tokens":59,
			"prompt_tokens_details":{"cached_tokens":16},"completion_tokens_details":{"reasoning_tokens":5}}`,
			`{"input":26,"input_cached_tokens":16,"output":12,"output_reasoning_tokens":5,"total":59}`, "",
		},
		{"its newer form in usage", `"usage":{"input_tokens":42,"output_tokens":17,"input_tokens_details":{"cached_tokens":50}}`, `{"input":0,"input_cached_tokens":50,"output":17}`, ""},
		{"what is no count", `"usageDetails":{"input":-1,"output":1.5,"a":"x","b":null,"c":{},"d":3.0}`, `{"d":3}`, ""},
		{"what is no price", `"costDetails":{"input":-1,"output":"0.25","a":"NaN"}`, "", `{"output":0.25}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := fmt.Sprintf("trace-%d", i)
			w.send(fmt.Sprintf(`{"id":%q,"type":"generation-create","body":{"id":"g","traceId":%q,%s}}`, id, id, tt.fields))
			spans := w.spans(id)
			require.Len(t, spans, 1)
			require.Equal(t, tt.usage, attribute(t, &spans[0], "langfuse.observation.usage_details").Str)
			require.Equal(t, tt.cost, attribute(t, &spans[0], "langfuse.observation.cost_details").Str)
		})
	}
}

// What is hostile is data and nothing more.
func TestHostileObjects(t *testing.T) {
	w := newWorld(t, oneProject{})
	var many strings.Builder
	for i := range 300_000 {
		fmt.Fprintf(&many, `,"k%d":%d`, i, i)
	}
	deep := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	long := strings.Repeat("k", 10<<20)
	for name, metadata := range map[string]string{
		"proto": `{"__proto__":{"x":1},"constructor":"y","":"z","a.b":1}`,
		"many":  `{"first":1` + many.String() + `}`,
		"deep":  `{"first":` + deep + `}`,
		"long":  `{"first":1,"` + long + `":1}`,
		"list":  `[1,2]`,
	} {
		out := w.send(fmt.Sprintf(`{"id":"1","type":"span-create","body":{"id":"s","traceId":%q,"metadata":%s,"modelParameters":%s,"usageDetails":%s,"costDetails":%s}}`,
			name, metadata, metadata, metadata, metadata))
		require.Empty(t, out.Errors, name)
		spans := w.spans(name)
		require.Len(t, spans, 1, name)
		require.LessOrEqual(t, len(otlp.SpanAttributes(&spans[0])), 1000, name)
	}
	proto := w.spans("proto")
	require.JSONEq(t, `{"x":1}`, attribute(t, &proto[0], "metadata.__proto__").Str)
	require.Equal(t, "y", attribute(t, &proto[0], "metadata.constructor").Str)
	many1 := w.spans("many")
	require.EqualValues(t, 1, attribute(t, &many1[0], "metadata.first").Int)
	require.Contains(t, attribute(t, &many1[0], "metadata").Str, `"k299999":299999`)
	list := w.spans("list")
	require.Equal(t, "[1,2]", attribute(t, &list[0], "metadata").Str)
}
