package langsmith

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

func TestAttributes(t *testing.T) {
	for _, test := range []struct {
		name, run string
		want      map[string]any
	}{
		{"run types have kinds", `{"run_type":"chat_model"}`, map[string]any{"spanlake.kind": "llm", "langsmith.span.kind": "chat_model"}},
		{"parsers are chains", `{"run_type":"parser"}`, map[string]any{"spanlake.kind": "chain"}},
		{"another run type", `{"run_type":"dance"}`, map[string]any{"spanlake.kind": nil, "langsmith.span.kind": "dance"}},
		{"session before thread", `{"extra":{"metadata":{"thread_id":"t","session_id":"s"}}}`, map[string]any{
			"session.id": "s", "langsmith.metadata.thread_id": "t", "langsmith.metadata.session_id": nil, "metadata.thread_id": nil,
		}},
		{"thread, a number", `{"extra":{"metadata":{"thread_id":7,"session_id":null}}}`, map[string]any{"session.id": "7"}},
		{"conversation", `{"extra":{"metadata":{"conversation_id":"c"}}}`, map[string]any{"session.id": "c"}},
		{"metadata keeps types", `{"extra":{"metadata":{"i":7,"f":0.5,"b":true,"o":{"x":[1]},"n":null,"__proto__":{"p":1},"":"empty"}}}`, map[string]any{
			"metadata.i": 7, "metadata.f": 0.5, "metadata.b": true, "metadata.o": `{"x":[1]}`, "metadata.n": nil, "metadata.__proto__": `{"p":1}`, "metadata.": "empty",
		}},
		{"metadata that is none", `{"extra":{"metadata":[1]}}`, map[string]any{"session.id": nil, "metadata": `[1]`}},
		{"environment is left out", `{"extra":{"metadata":{"LANGSMITH_API_URL":"http://x","LANGCHAIN_PROJECT":"p","LANG":"C"}}}`, map[string]any{
			"metadata.LANGSMITH_API_URL": nil, "metadata.LANGCHAIN_PROJECT": nil, "metadata.LANG": "C",
		}},
		{"what is known has its name", `{"extra":{"metadata":{"ls_temperature":0.5,"ls_max_tokens":"100","ls_stop":["a","b"],"ls_provider":"openai","revision_id":"r"}}}`, map[string]any{
			"gen_ai.request.temperature": 0.5, "gen_ai.request.max_tokens": 100, "gen_ai.request.stop_sequences": []string{"a", "b"},
			"langsmith.metadata.ls_provider": "openai", "langsmith.metadata.revision_id": "r", "metadata.revision_id": nil,
		}},
		{"one stop sequence", `{"extra":{"metadata":{"ls_stop":"a"}}}`, map[string]any{"gen_ai.request.stop_sequences": []string{"a"}}},
		{"the model of the call", `{"run_type":"llm","extra":{"invocation_params":{"model_name":"m","temperature":1,"tools":[1],"messages":[]},"metadata":{"ls_model_name":"l"}},"outputs":{"model":"r"}}`, map[string]any{
			"gen_ai.request.model": "m", "gen_ai.response.model": "r", "llm.invocation_parameters": `{"temperature":1}`,
		}},
		{"the model by metadata", `{"run_type":"llm","extra":{"metadata":{"ls_model_name":"l","ls_invocation_params":{"a":1}}}}`, map[string]any{
			"gen_ai.request.model": "l", "gen_ai.response.model": nil, "llm.invocation_parameters": `{"a":1}`,
		}},
		{"a tool's model is none", `{"run_type":"tool","outputs":{"model":"T"}}`, map[string]any{"gen_ai.response.model": nil}},
		{"the model of LangChain", `{"run_type":"llm","outputs":{"generations":[[{"message":{"kwargs":{"response_metadata":{"model_name":"g"}}}}]]}}`, map[string]any{"gen_ai.response.model": "g"}},
		{"tags", `{"tags":["a","",7,"b"]}`, map[string]any{"spanlake.tags": []string{"a", "7", "b"}}},
		{"no tags", `{"tags":[]}`, map[string]any{"spanlake.tags": nil}},
		{"tags that are none", `{"tags":"a"}`, map[string]any{"spanlake.tags": nil}},
		{"inputs as they are", `{"inputs":{"a" : [1, {"b":null}]},"outputs":"text"}`, map[string]any{"input.value": `{"a":[1,{"b":null}]}`, "output.value": "text"}},
		{"nothing", `{"inputs":null,"outputs":null,"extra":null,"events":null,"error":null}`, map[string]any{"input.value": nil, "output.value": nil}},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := strings.Replace(test.run, "{", `{"id":"r","trace_id":"r",`, 1)
			s := one(t, run)
			for key, want := range test.want {
				require.Equal(t, want, attribute(s, key), key)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	const lc = `{"message":{"kwargs":{"usage_metadata":{"input_tokens":3,"output_tokens":4,"total_tokens":7,"input_token_details":{"cache_read":2}}}}}`
	for _, test := range []struct {
		name, outputs, metadata string
		in, out, total, cached  any
		cost                    any
	}{
		{"in outputs", `{"usage_metadata":{"input_tokens":1,"output_tokens":2,"total_tokens":3,"input_token_details":{"cache_read":1},"total_cost":0.25}}`, `{}`, 1, 2, 3, 1, 0.25},
		{"in metadata", `{}`, `{"usage_metadata":{"input_tokens":1,"output_tokens":2}}`, 1, 2, nil, nil, nil},
		{"in both, once", `{"usage_metadata":{"input_tokens":1}}`, `{"usage_metadata":{"input_tokens":1,"output_tokens":2}}`, 1, 2, nil, nil, nil},
		{"of OpenAI", `{"llm_output":{"token_usage":{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11,"prompt_tokens_details":{"cached_tokens":4}}}}`, `{}`, 5, 6, 11, 4, nil},
		{"of LangChain in JavaScript", `{"llmOutput":{"tokenUsage":{"promptTokens":5,"completionTokens":6,"totalTokens":11}}}`, `{}`, 5, 6, 11, nil, nil},
		{"of a message", `{"generations":[[` + lc + `]]}`, `{}`, 3, 4, 7, 2, nil},
		{"several answers to one prompt", `{"generations":[[` + lc + `,` + lc + `]]}`, `{}`, 3, 4, 7, 2, nil},
		{"several prompts", `{"generations":[[` + lc + `],[` + lc + `],[]]}`, `{}`, 6, 8, 14, 4, nil},
		{"details beside the sum", `{"llm_output":{"token_usage":{"prompt_tokens":3,"completion_tokens":4}},"generations":[[` + lc + `]]}`, `{}`, 3, 4, 7, 2, nil},
		{"in strings", `{"usage_metadata":{"input_tokens":"1","output_tokens":2.0,"total_cost":"0.5"}}`, `{}`, 1, 2, nil, nil, 0.5},
		{"what is no count is dropped", `{"usage_metadata":{"input_tokens":-1,"output_tokens":1.5,"total_tokens":"many","total_cost":-1}}`, `{}`, nil, nil, nil, nil, nil},
		{"null", `{"usage_metadata":null,"llm_output":null,"generations":null}`, `null`, nil, nil, nil, nil, nil},
		{"of other types", `{"usage_metadata":[],"llm_output":7,"generations":{"0":1}}`, `[]`, nil, nil, nil, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := one(t, `{"id":"r","run_type":"llm","outputs":`+test.outputs+`,"extra":{"metadata":`+test.metadata+`}}`)
			require.Equal(t, test.in, attribute(s, "gen_ai.usage.input_tokens"))
			require.Equal(t, test.out, attribute(s, "gen_ai.usage.output_tokens"))
			require.Equal(t, test.total, attribute(s, "gen_ai.usage.total_tokens"))
			require.Equal(t, test.cached, attribute(s, "gen_ai.usage.cache_read.input_tokens"))
			require.Equal(t, test.cost, attribute(s, "gen_ai.usage.cost"))
		})
	}
}

func TestTimes(t *testing.T) {
	const start = `"2026-11-21T07:11:47.010004Z"`
	for _, test := range []struct {
		name, end string
		took      int64
	}{
		{"later", `1795245107011`, 996_000},
		{"in the same millisecond", `1795245107010`, 0},
		{"a millisecond earlier", `"2026-11-21T07:11:47.009005Z"`, 0},
		{"more than that", `"2026-11-21T07:11:47.009004Z"`, -1_000_000},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.took, one(t, `{"id":"r","start_time":`+start+`,"end_time":`+test.end+`}`).DurationNanos())
		})
	}
	require.Zero(t, one(t, `{"id":"r","start_time":`+start+`}`).EndNanos)

	b, err := readRun([]byte(`{"outputs":{}}`), true, "r")
	require.NoError(t, err)
	update := rows(t, b)[0]
	require.EqualValues(t, noon.UnixNano(), update.FragmentNanos, "an update without an end is of when it arrived")
	require.Zero(t, update.StartNanos)
}

// The first and the last token of a stream stay, and every other event.
func TestEvents(t *testing.T) {
	s := one(t, `{"id":"r","start_time":"2026-11-21T07:11:47Z","events":[{"name":"start","time":"2026-11-21T07:11:47Z"},
		{"name":"new_token","time":"2026-11-21T07:11:47.5Z","kwargs":{"token":"a"}},{"name":"new_token","time":"2026-11-21T07:11:48Z"},
		{"name":"new_token","time":"2026-11-21T07:11:49Z"},7,{"time":null}]}`)
	var names []string
	for e := range otlp.Events(s) {
		names = append(names, e.Name)
	}
	require.Equal(t, []string{"start", "new_token", "", "", "new_token"}, names)
	require.InDelta(t, 0.5, attribute(s, "gen_ai.response.time_to_first_chunk"), 0)
	require.Nil(t, attribute(one(t, `{"id":"r","events":[{"name":"new_token","time":"2026-11-21T07:11:47.5Z"}]}`), "gen_ai.response.time_to_first_chunk"))
}

func TestResource(t *testing.T) {
	service := func(s *schema.Span) string { return s.Resource.ServiceName }
	require.Equal(t, "p", service(one(t, `{"id":"r","session_name":"p"}`)))
	require.Equal(t, "default", service(one(t, `{"id":"r"}`)))
	b, err := readRun([]byte(`{"extra":{"runtime":{"sdk":"x"}}}`), true, "r")
	require.NoError(t, err)
	update := rows(t, b)[0]
	require.Empty(t, update.Resource.Wire, "that of the run's beginning counts")

	s := one(t, `{"id":"r","extra":{"runtime":{"sdk":"langsmith-py","sdk_version":"0.4","runtime":"python","runtime_version":"3.12","platform":"Linux","n":null}}}`)
	got := make(map[string]string)
	for _, a := range otlp.ResourceAttributes(s.Resource) {
		got[a.Key] = a.Value.Str
	}
	require.Equal(t, map[string]string{
		"service.name": "default", "telemetry.sdk.name": "langsmith-py", "telemetry.sdk.version": "0.4",
		"process.runtime.name": "python", "process.runtime.version": "3.12", "langsmith.runtime.platform": "Linux",
	}, got)
	require.Equal(t, "langsmith", s.Scope.Name)
	require.Equal(t, "0.4", s.Scope.Version)
}

// What is hostile elsewhere is data here.
func TestHostileRuns(t *testing.T) {
	key := strings.Repeat("k", 10<<20)
	sent := `{"` + key + `":1,"__proto__":{"a":1},"constructor":"c"}`
	s := one(t, `{"id":"r","extra":{"metadata":`+sent+`}}`)
	require.Equal(t, sent, attribute(s, "metadata"))
	require.Equal(t, `{"a":1}`, attribute(s, "metadata.__proto__"))

	var many strings.Builder
	for n := range 1_000_000 {
		fmt.Fprintf(&many, `,"%d":1`, n)
	}
	s = one(t, `{"id":"r","extra":{"metadata":{"session_id":"s"`+many.String()+`}}}`)
	require.Equal(t, "s", attribute(s, "session.id"))
	require.Equal(t, 1, attribute(s, "metadata.0"))
	require.Len(t, attribute(s, "metadata"), len(many.String())+len(`{"session_id":"s"}`))

	deep := strings.Repeat(`[`, 5000) + strings.Repeat(`]`, 5000)
	require.Equal(t, deep, attribute(one(t, `{"id":"r","inputs":`+deep+`}`), "input.value"))
	_, err := readRun([]byte(strings.Repeat(`{"extra":`, 100_000)), false, "")
	require.Error(t, err)
	require.Equal(t, "r", attribute(one(t, `{"id":"a","id":"r"}`), "langsmith.run.id"))
	require.Equal(t, "[1]", attribute(one(t, `{"id":"r","extra":{"metadata":[1]}}`), "metadata"), "no object")
}

func TestLongLists(t *testing.T) {
	list := func(n int, element string) string {
		return `[` + strings.TrimSuffix(strings.Repeat(element+`,`, n), ",") + `]`
	}
	for extra := range 2 {
		s := one(t, `{"id":"r","tags":`+list(maxElements+extra, `"a"`)+`,"extra":{"metadata":{"ls_stop":`+list(maxElements+extra, `"s"`)+`}},"events":`+list(maxEvents+extra, `{"name":"e"}`)+`}`)
		require.Len(t, attribute(s, "spanlake.tags"), maxElements)
		require.Len(t, attribute(s, "gen_ai.request.stop_sequences"), maxElements)
		events := 0
		for range otlp.Events(s) {
			events++
		}
		require.Equal(t, maxEvents, events)
		require.Equal(t, extra, len(s.Rest)/2, "they are counted in the span")

		prompt := `[{"message":{"kwargs":{"usage_metadata":{"input_tokens":1}}}}]`
		s = one(t, `{"id":"r","outputs":{"generations":`+list(maxPrompts+extra, prompt)+`}}`)
		require.Equal(t, maxPrompts, attribute(s, "gen_ai.usage.input_tokens"))
	}
}

func TestFeedback(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       map[string]any
	}{
		{"a number and a label", `{"run_id":"r","id":"f","key":"k","score":1,"value":"up","comment":"good","feedback_source":{"type":"api"}}`, map[string]any{
			"gen_ai.evaluation.name": "k", "gen_ai.evaluation.score.value": 1.0, "gen_ai.evaluation.score.label": "up", "gen_ai.evaluation.explanation": "good",
			"spanlake.score.id": "f", "spanlake.score.source": "api", "spanlake.score.data_type": "NUMERIC", "spanlake.kind": "score",
		}},
		{"yes", `{"run_id":"r","score":true}`, map[string]any{"gen_ai.evaluation.score.value": 1.0, "spanlake.score.data_type": "BOOLEAN"}},
		{"no", `{"run_id":"r","score":false}`, map[string]any{"gen_ai.evaluation.score.value": 0.0, "spanlake.score.data_type": "BOOLEAN"}},
		{"the value is the number", `{"run_id":"r","score":null,"value":0.5}`, map[string]any{"gen_ai.evaluation.score.value": 0.5, "gen_ai.evaluation.score.label": nil}},
		{"a label alone", `{"run_id":"r","value":"bad"}`, map[string]any{
			"gen_ai.evaluation.score.value": nil, "gen_ai.evaluation.score.label": "bad", "spanlake.score.data_type": "CATEGORICAL",
		}},
		{"a structure", `{"run_id":"r","value":{"a":1}}`, map[string]any{"gen_ai.evaluation.score.label": `{"a":1}`}},
		{"a judge and its correction", `{"run_id":"r","correction":{"a":"b"},"feedback_source":{"type":"model","metadata":{"model":"judge"}}}`, map[string]any{
			"spanlake.score.source": "model", "metadata.model": "judge", "langsmith.feedback.correction": `{"a":"b"}`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, ok := parseFeedback([]byte(test.body))
			require.True(t, ok)
			s := f.span(t.Context(), nothing(), noon)
			requireStorable(t, []schema.Span{s})
			for key, want := range test.want {
				require.Equal(t, want, attribute(&s, key), key)
			}
			require.Equal(t, ingester.SpanIDOf("r"), s.ParentSpanID)
			require.Equal(t, ingester.TraceIDOf("r"), s.TraceID, "without its trace a run is taken for the root")
			require.Equal(t, schema.FragmentScore, s.Fragment)
			require.EqualValues(t, noon.UnixNano(), s.StartNanos)
		})
	}
	same := func(a, b string) bool {
		fa, _ := parseFeedback([]byte(a))
		fb, _ := parseFeedback([]byte(b))
		return fa.span(t.Context(), nothing(), noon).SpanID == fb.span(t.Context(), nothing(), noon).SpanID
	}
	require.True(t, same(`{"id":"f","run_id":"r","score":1}`, `{"id":"f","run_id":"r","score":2}`), "it replaces")
	require.False(t, same(`{"id":"f","run_id":"r"}`, `{"id":"g","run_id":"r"}`))
	require.True(t, same(`{"run_id":"r","key":"k"}`, `{"run_id":"r","key":"k"}`))
	require.False(t, same(`{"run_id":"r","key":"k"}`, `{"run_id":"r","key":"l"}`))
	for _, body := range []string{`{`, `[]`, `null`, `{}`, `{"key":"k","session_id":"p"}`} {
		_, ok := parseFeedback([]byte(body))
		require.False(t, ok, body)
	}
	f, _ := parseFeedback([]byte(`{"run_id":"r","trace_id":"t","created_at":"2026-11-21T07:11:47Z"}`))
	s := f.span(t.Context(), nothing(), noon)
	require.Equal(t, ingester.TraceIDOf("t"), s.TraceID)
	require.EqualValues(t, 1795245107e9, s.StartNanos)
}
