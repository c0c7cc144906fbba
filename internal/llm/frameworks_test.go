package llm_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

func messages(role, text string) llm.Body {
	return llm.Body{Form: llm.FormMessages, Text: `[{"role":"` + role + `","parts":[{"type":"text","content":"` + text + `"}]}]`}
}

// TestFrameworks: attributes of frameworks that were not recorded, as their sources
// and documentation have them.
func TestFrameworks(t *testing.T) {
	count := func(n int64) schema.Value { return schema.Value{Kind: schema.KindInt, Int: n} }
	plain := func(s string) llm.Body { return llm.Body{Form: llm.FormText, Text: s} }
	object := func(s string) llm.Body { return llm.Body{Form: llm.FormJSON, Text: s} }
	for _, test := range []struct {
		name          string
		sent          []schema.Attribute
		want          map[string]schema.Value
		input, output llm.Body
	}{
		{
			"pydantic-ai, agent",
			[]schema.Attribute{
				attr("gen_ai.operation.name", "invoke_agent"),
				attr("pydantic_ai.all_messages", `[{"role":"user","parts":[{"type":"text","content":"hi"}]}]`), attr("final_result", "ho"),
			},
			map[string]schema.Value{"spanlake.kind": str("agent")},
			messages("user", "hi"), plain("ho"),
		},
		{
			"pydantic-ai, tool",
			[]schema.Attribute{attr("gen_ai.tool.name", "f"), attr("tool_arguments", `{"a":1}`), attr("tool_response", "done")},
			map[string]schema.Value{"spanlake.kind": str("tool")},
			object(`{"a":1}`), plain("done"),
		},
		{
			"Google ADK, call",
			[]schema.Attribute{
				attr("gen_ai.operation.name", "generate_content"), attr("gcp.vertex.agent.session_id", "s1"),
				attr("gcp.vertex.agent.llm_request", `{"model":"gemini-2.5-flash","config":{"temperature":1},"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`),
				attr("gcp.vertex.agent.llm_response", `{"content":{"parts":[{"text":"ho"}],"role":"model"}}`),
			},
			map[string]schema.Value{"spanlake.kind": str("llm"), "session.id": str("s1")},
			messages("user", "hi"), messages("assistant", "ho"),
		},
		{
			"Google ADK, tool",
			[]schema.Attribute{
				attr("gen_ai.tool.name", "echo"), attr("gcp.vertex.agent.tool_call_args", `{"m":"x"}`), attr("gcp.vertex.agent.tool_response", `{"reply":"x"}`),
				attr("gcp.vertex.agent.llm_request", "{}"),
			},
			map[string]schema.Value{"spanlake.kind": str("tool")},
			object(`{"m":"x"}`), object(`{"reply":"x"}`),
		},
		{
			"Genkit",
			[]schema.Attribute{
				attr("genkit:metadata:subtype", "model"), attr("genkit:name", "googleai/gemini-2.5-flash-lite"),
				attr("genkit:input", `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`),
				attr("genkit:output", `{"message":{"role":"model","content":[{"text":"ho"}]},"usage":{"inputTokens":42,"outputTokens":14,"thoughtsTokens":3,"totalTokens":59}}`),
			},
			map[string]schema.Value{
				"spanlake.kind": str("llm"), "gen_ai.request.model": str("googleai/gemini-2.5-flash-lite"), "gen_ai.usage.input_tokens": count(42),
				"gen_ai.usage.output_tokens": count(17), "gen_ai.usage.reasoning.output_tokens": count(3),
			},
			messages("user", "hi"), messages("assistant", "ho"),
		},
		{
			"Genkit, flow",
			[]schema.Attribute{attr("genkit:metadata:subtype", "flow"), attr("genkit:input", `"in"`), attr("genkit:output", `"out"`)},
			map[string]schema.Value{"spanlake.kind": str("chain")},
			plain("in"), plain("out"),
		},
		{
			"MLflow",
			[]schema.Attribute{
				attr("mlflow.spanType", `"CHAT_MODEL"`), attr("mlflow.llm.model", `"gpt-4o-mini"`), attr("mlflow.llm.provider", `"openai"`),
				attr("mlflow.chat.tokenUsage", `{"input_tokens":42,"output_tokens":17,"total_tokens":59}`), attr("mlflow.llm.cost", `{"total_cost":0.5}`),
				attr("mlflow.spanInputs", `{"messages":[{"role":"user","content":"hi"}]}`),
				attr("mlflow.spanOutputs", `{"choices":[{"message":{"role":"assistant","content":"ho"}}]}`),
			},
			map[string]schema.Value{
				"spanlake.kind": str("llm"), "gen_ai.request.model": str("gpt-4o-mini"), "gen_ai.provider.name": str("openai"),
				"gen_ai.usage.input_tokens": count(42), "gen_ai.usage.output_tokens": count(17), "spanlake.cost.source": str("provided"),
			},
			messages("user", "hi"), messages("assistant", "ho"),
		},
		{
			"MLflow, retriever",
			[]schema.Attribute{attr("mlflow.spanType", `"RETRIEVER"`), attr("mlflow.spanInputs", `"q"`), attr("mlflow.spanOutputs", `[{"page_content":"d"}]`)},
			map[string]schema.Value{"spanlake.kind": str("retriever")},
			plain("q"), object(`[{"page_content":"d"}]`),
		},
		{
			"Logfire",
			[]schema.Attribute{
				attr("gen_ai.operation.name", "chat"),
				attr("events", `[{"event.name":"gen_ai.user.message","role":"user","content":"hi"},{"event.name":"gen_ai.choice","index":0,"message":{"role":"assistant","content":"ho"}}]`),
			},
			map[string]schema.Value{"spanlake.kind": str("llm")},
			messages("user", "hi"), messages("assistant", "ho"),
		},
		{
			"Logfire, agent",
			[]schema.Attribute{
				attr("gen_ai.operation.name", "invoke_agent"), attr("all_messages_events", `[{"event.name":"gen_ai.user.message","role":"user","content":"hi"}]`), attr("prompt", "hi"),
			},
			map[string]schema.Value{"spanlake.kind": str("agent")},
			messages("user", "hi"),
			llm.Body{},
		},
		{
			"LiveKit, call",
			[]schema.Attribute{
				attr("gen_ai.operation.name", "chat"), attr("lk.chat_ctx", `{"items":[{"type":"message","role":"user","content":["hi"]}]}`), attr("lk.response.text", "ho"),
				{Key: "lk.response.ttft", Value: schema.Value{Kind: schema.KindDouble, Double: 0.25}},
			},
			map[string]schema.Value{"spanlake.kind": str("llm"), "gen_ai.response.time_to_first_chunk": {Kind: schema.KindDouble, Double: 0.25}},
			messages("user", "hi"), plain("ho"),
		},
		{
			"LiveKit, tool",
			[]schema.Attribute{
				attr("lk.function_tool.name", "f"), attr("lk.function_tool.id", "c1"), attr("lk.pii.function_tool.arguments", `{"a":1}`), attr("lk.pii.function_tool.output", "x"),
			},
			map[string]schema.Value{"spanlake.kind": str("tool"), "gen_ai.tool.name": str("f"), "gen_ai.tool.call.id": str("c1")},
			object(`{"a":1}`), plain("x"),
		},
		{
			"smolagents",
			[]schema.Attribute{attr("openinference.span.kind", "AGENT"), attr("input.value", "hi"), attr("output.value", "ho")},
			map[string]schema.Value{"spanlake.kind": str("agent")},
			plain("hi"), plain("ho"),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s schema.Span
			for _, a := range test.sent {
				s.Attributes = otlp.AppendAttribute(s.Attributes, a.Key, a.Value)
			}
			llm.New(price.Shipped()).Apply(&s)
			for key, want := range test.want {
				got, ok := otlp.Lookup(s.Derived, key)
				if !ok {
					got, _ = otlp.Lookup(s.Attributes, key)
				}
				require.Equal(t, want, got, key)
			}
			require.Equal(t, llm.Content{Input: test.input, Output: test.output}, llm.ContentOf(&s))
		})
	}
}
