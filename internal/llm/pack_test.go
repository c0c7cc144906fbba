package llm_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// applied returns the attributes that a span keeps.
func applied(list ...schema.Attribute) (kept []schema.Attribute) {
	s := schema.Span{}
	for _, a := range list {
		s.Attributes = otlp.AppendAttribute(s.Attributes, a.Key, a.Value)
	}
	llm.New(price.Shipped()).Apply(&s)
	return otlp.SpanAttributes(&s)
}

func attr(key, value string) schema.Attribute { return schema.Attribute{Key: key, Value: str(value)} }

// TestPackCaptures compares the attributes that real SDKs' spans keep with what people
// have read.
func TestPackCaptures(t *testing.T) {
	for _, name := range []string{"openinference-js/01-oi-phoenix-otel-post-v1-traces", "openinference-js/08-oi-vercel-post-v1-traces", "traceloop-js/01-tl-core-post-v1-traces"} {
		t.Run(name, func(t *testing.T) {
			rows := rowsOf(t, captured(t, name))
			n := llm.New(price.Shipped())
			var got strings.Builder
			for i := range rows {
				before := rows[i]
				before.Derived = n.Derive(&before)
				require.Equal(t, n.Apply(&rows[i]) > len(before.Derived), len(before.Attributes) != len(rows[i].Attributes))
				require.Equal(t, before.Derived, n.Derive(&rows[i]), "what follows from the span is the same")
				require.Equal(t, llm.ContentOf(&before), llm.ContentOf(&rows[i]), "so is its content")
				fmt.Fprintln(&got, rows[i].Name)
				for key, v := range otlp.Attributes(rows[i].Attributes) {
					for _, list := range []string{"llm.", "gen_ai.", "retrieval.", "embedding.", "input.", "output."} {
						if strings.HasPrefix(key, list) {
							fmt.Fprintf(&got, "    %s = %s\n", key, shown(v))
						}
					}
					require.NotRegexp(t, `^(llm\.(input|output)_messages|llm\.tools|embedding\.embeddings|retrieval\.documents|gen_ai\.(prompt|completion))\.\d`, key)
				}
			}
			golden(t, filepath.Join("testdata", "packed", strings.ReplaceAll(name, "/", "-")+".txt"), got.String())
		})
	}
}

// TestOtherCapturesKeepTheirAttributes: without lists in parts nothing changes.
func TestOtherCapturesKeepTheirAttributes(t *testing.T) {
	captures, err := corpus.Captures()
	require.NoError(t, err)
	for _, c := range captures {
		if strings.HasPrefix(c.Name, "openinference") || c.Name == "traceloop-js/01-tl-core-post-v1-traces" {
			continue
		}
		rows := rowsOf(t, &c)
		n := llm.New(price.Shipped())
		for i := range rows {
			before := string(rows[i].Attributes)
			n.Apply(&rows[i])
			require.Equal(t, before, string(rows[i].Attributes), c.Name)
		}
	}
}

func TestPack(t *testing.T) {
	marker := attr("openinference.span.kind", "LLM")
	long := strings.Repeat("x", 1100)
	for _, test := range []struct {
		name string
		sent []schema.Attribute
		want []schema.Attribute
	}{
		{
			"in the place of the first part, and in the order of places",
			[]schema.Attribute{attr("a", "1"), attr("llm.input_messages.10.message.role", "c"), attr("b", "2"), attr("llm.input_messages.2.message.role", "b"), attr("llm.input_messages.0.message.role", "a")},
			[]schema.Attribute{attr("a", "1"), attr("llm.input_messages", `[{"message":{"role":"a"}},{"message":{"role":"b"}},{"message":{"role":"c"}}]`), attr("b", "2")},
		},
		{
			"types stay",
			[]schema.Attribute{
				{Key: "retrieval.documents.0.document.score", Value: schema.Value{Kind: schema.KindDouble, Double: 1}},
				{Key: "retrieval.documents.0.document.id", Value: schema.Value{Kind: schema.KindInt, Int: 9007199254740993}},
				{Key: "retrieval.documents.0.document.ok", Value: schema.Value{Kind: schema.KindBool, Bool: true}},
				{Key: "retrieval.documents.0.document.list", Value: schema.Value{Kind: schema.KindArray, Array: []schema.Value{str("x"), {}}}},
			},
			[]schema.Attribute{attr("retrieval.documents", `[{"document":{"score":1.0,"id":9007199254740993,"ok":true,"list":["x",null]}}]`)},
		},
		{
			"what JSON cannot say stays beside it",
			[]schema.Attribute{
				attr("llm.tools.0.tool.name", "a"),
				{Key: "llm.tools.0.tool.raw", Value: schema.Value{Kind: schema.KindBytes, Str: "\x00"}},
				attr("llm.tools.1.tool.name", "\xff"),
				attr("llm.tools.1.\xff", "x"),
			},
			[]schema.Attribute{
				attr("llm.tools", `[{"tool":{"name":"a"}}]`),
				{Key: "llm.tools.0.tool.raw", Value: schema.Value{Kind: schema.KindBytes, Str: "\x00"}},
				attr("llm.tools.1.tool.name", "\xff"),
				attr("llm.tools.1.\xff", "x"),
			},
		},
		{
			"vectors are not kept",
			[]schema.Attribute{
				attr("embedding.embeddings.0.embedding.text", "a"),
				{Key: "embedding.embeddings.0.embedding.vector", Value: schema.Value{Kind: schema.KindArray, Array: []schema.Value{{Kind: schema.KindDouble, Double: 0.5}}}},
				attr("embedding.embeddings.1.embedding.vector.0", "0.5"), attr("embedding.embeddings.1.embedding.vectors", "kept"),
			},
			[]schema.Attribute{attr("embedding.embeddings", `[{"embedding":{"text":"a"}},{"embedding":{"vectors":"kept"}}]`)},
		},
		{
			"a list that is there as a whole leaves the parts alone",
			[]schema.Attribute{attr("gen_ai.prompt", "whole"), attr("gen_ai.prompt.0.content", "part"), attr("gen_ai.completion.0.content", "x")},
			[]schema.Attribute{attr("gen_ai.prompt", "whole"), attr("gen_ai.prompt.0.content", "part"), attr("gen_ai.completion", `[{"content":"x"}]`)},
		},
		{
			"parts that contradict one another stay",
			[]schema.Attribute{attr("llm.input_messages.0.message", "text"), attr("llm.input_messages.0.message.role", "user"), attr("llm.input_messages.0.message", "twice"), attr("llm.input_messages.1.a.b", "1"), attr("llm.input_messages.1.a", "2")},
			[]schema.Attribute{attr("llm.input_messages", `[{"message":"text"},{"a":{"b":"1"}}]`), attr("llm.input_messages.0.message.role", "user"), attr("llm.input_messages.0.message", "twice"), attr("llm.input_messages.1.a", "2")},
		},
		{
			"what has no place, or one too far away, stays",
			[]schema.Attribute{
				attr("llm.input_messages.x", "a"), attr("llm.input_messages.999999999.x", "b"), attr("llm.input_messages.10000.x", "c"), attr("llm.input_messages.-1.x", "d"),
				attr("llm.input_messages.01.x", "e"), attr("llm.input_messages.0", "f"), attr("llm.input_messages.0.", "g"), attr("llm.input_messages.1.x"+long, "i"),
				attr("llm.input_messages.9999.x", "j"), attr("llm.input_messages.0."+strings.Repeat("a.", 30)+"b", "k"),
			},
			[]schema.Attribute{
				attr("llm.input_messages.x", "a"), attr("llm.input_messages.999999999.x", "b"), attr("llm.input_messages.10000.x", "c"), attr("llm.input_messages.-1.x", "d"),
				attr("llm.input_messages.01.x", "e"), attr("llm.input_messages.0", "f"), attr("llm.input_messages.0.", "g"), attr("llm.input_messages.1.x"+long, "i"),
				attr("llm.input_messages", `[{"x":"j"}]`), attr("llm.input_messages.0."+strings.Repeat("a.", 30)+"b", "k"),
			},
		},
		{
			"names that are no places make an object",
			[]schema.Attribute{attr("llm.tools.0..a", "e"), attr("llm.tools.0.tool.0", "a"), attr("llm.tools.0.tool.x", "b"), attr("llm.tools.0.__proto__.a", "c")},
			[]schema.Attribute{attr("llm.tools", `[{"":{"a":"e"},"tool":{"0":"a","x":"b"},"__proto__":{"a":"c"}}]`)},
		},
		{
			"a request that repeats the messages goes",
			[]schema.Attribute{
				attr("input.value", `{"model":"m","temperature":0,"messages":[{"role":"user","content":"hi"}]}`), attr("input.mime_type", "application/json"), attr("llm.model_name", "m"),
				attr("llm.invocation_parameters", `{"temperature": 0}`), attr("llm.input_messages.0.message.role", "user"), attr("llm.input_messages.0.message.content", "hi"),
			},
			[]schema.Attribute{attr("llm.model_name", "m"), attr("llm.invocation_parameters", `{"temperature": 0}`), attr("llm.input_messages", `[{"message":{"role":"user","content":"hi"}}]`)},
		},
		{
			"one that says more stays",
			[]schema.Attribute{
				attr("input.value", `{"seed":1,"messages":[{"role":"user","content":"hi"}]}`), attr("llm.input_messages.0.message.role", "user"), attr("llm.input_messages.0.message.content", "hi"),
			},
			[]schema.Attribute{attr("input.value", `{"seed":1,"messages":[{"role":"user","content":"hi"}]}`), attr("llm.input_messages", `[{"message":{"role":"user","content":"hi"}}]`)},
		},
		{
			"so does one that says something else",
			[]schema.Attribute{attr("input.value", `[{"role":"user","content":"ho"}]`), attr("llm.input_messages.0.message.role", "user"), attr("llm.input_messages.0.message.content", "hi")},
			[]schema.Attribute{attr("input.value", `[{"role":"user","content":"ho"}]`), attr("llm.input_messages", `[{"message":{"role":"user","content":"hi"}}]`)},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, append(test.want, marker), applied(append(test.sent, marker)...))
		})
	}
	t.Run("of a span that is not about models nothing is changed", func(t *testing.T) {
		sent := []schema.Attribute{attr("retrieval.documents.0.x", "1")}
		require.Equal(t, sent, applied(sent...))
	})
	t.Run("a piece of a span keeps its parts", func(t *testing.T) {
		s := schema.Span{Fragment: schema.FragmentUpdate, Attributes: otlp.AppendAttribute(nil, "llm.input_messages.0.x", str("a"))}
		before := string(s.Attributes)
		llm.New(price.Shipped()).Apply(&s)
		require.Equal(t, before, string(s.Attributes))
	})
}

// TestPackBounds: as much as the bound is put together, and no more.
func TestPackBounds(t *testing.T) {
	var sent []schema.Attribute
	for i := range 12_000 {
		sent = append(sent, attr(fmt.Sprintf("llm.tools.%d.x", i%9_000), "v"), attr(fmt.Sprintf("llm.tools.0.%d", i), "v"))
	}
	kept := applied(sent...)
	require.Equal(t, "llm.tools", kept[0].Key)
	var list []map[string]any
	require.NoError(t, json.Unmarshal([]byte(kept[0].Value.Str), &list))
	leaves := 0
	for _, e := range list {
		leaves += len(e)
	}
	require.Equal(t, len(sent), leaves+len(kept)-1, "nothing is lost")
	require.InDelta(t, 10_000, leaves+len(list), 10)
}

// FuzzPack: whatever is sent, what follows from a span and its content stay, no
// value is lost, and the place in a key makes nothing large.
func FuzzPack(f *testing.F) {
	f.Add("llm.input_messages.0.message.role", "user", "llm.input_messages.0.message.content", "hi", "llm.input_messages.1.message.role", "x")
	f.Add("gen_ai.completion.0.finish_reason", "stop", "gen_ai.completion", "[{}]", "gen_ai.completion.0.content", "")
	f.Add("llm.tools.999999999.x", "", "llm.tools.0.a", "1", "llm.tools.0.a.b", "2")
	f.Add("input.value", `{"messages":[{"role":"user","content":"hi"}]}`, "llm.input_messages.0.message.role", "user", "llm.input_messages.0.message.content", "hi")
	f.Add("gen_ai.prompt.0.1.2", "\xff", "gen_ai.prompt.0.1", "", "gen_ai.prompt.0.", "")
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2, k3, v3 string) {
		s := schema.Span{Attributes: otlp.AppendAttribute(nil, "openinference.span.kind", str("LLM"))}
		for _, a := range [...]schema.Attribute{attr(k1, v1), attr(k2, v2), attr(k3, v3)} {
			s.Attributes = otlp.AppendAttribute(s.Attributes, a.Key, a.Value)
		}
		n := llm.New(price.Shipped())
		before := s
		before.Derived = n.Derive(&before)
		n.Apply(&s)
		require.LessOrEqual(t, len(s.Attributes), 8*len(before.Attributes)+100)
		require.Equal(t, before.Derived, n.Derive(&s))
		content := llm.ContentOf(&before)
		require.Equal(t, content, llm.ContentOf(&s))
		checkBody(t, content.Input)
		after := s
		n.Apply(&after)
		require.Equal(t, s.Attributes, after.Attributes, "it is done once")
	})
}
