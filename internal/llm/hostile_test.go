package llm_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

func derive(t testing.TB, fields []byte) (derived []byte) {
	t.Helper()
	s := schema.Span{Name: "s", Attributes: fields, Resource: &schema.Resource{}, Scope: &schema.Scope{}, StartNanos: 1e18}
	before := string(fields)
	derived = llm.New(price.Shipped()).Derive(&s)
	require.Equal(t, before, string(fields), "what was sent was changed")
	return derived
}

func str(s string) schema.Value { return schema.Value{Kind: schema.KindString, Str: s} }

// maxDerived is more than what follows from any span.
const maxDerived = 512 << 10

// TestHostile: what no SDK sends is data and nothing more.
func TestHostile(t *testing.T) {
	long := strings.Repeat("x", 10<<20)
	object := func(entries int) string {
		var b strings.Builder
		b.WriteString(`{"input":5`)
		for i := range entries {
			fmt.Fprintf(&b, `,"k%d":%d`, i, i)
		}
		return b.String() + "}"
	}
	million := schema.Value{Kind: schema.KindMap, Map: make([]schema.Attribute, 1_000_000)}
	for i := range million.Map {
		million.Map[i] = schema.Attribute{Key: "k", Value: schema.Value{Kind: schema.KindInt, Int: 1}}
	}
	deep := strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000)
	tests := []struct {
		name  string
		key   string
		value schema.Value
		want  string // of input tokens, "" for none
	}{
		{"a prototype", "langfuse.observation.metadata.__proto__", str("x"), ""},
		{"a prototype in JSON", "langfuse.observation.usage_details", str(`{"__proto__":{"input":1},"constructor":2,"input":3}`), "3"},
		{"a key of 10 MB", "langfuse.observation.metadata." + long, str("x"), ""},
		{"a marker of 10 MB", "gen_ai." + long, str("x"), ""},
		{"a value of 10 MB", "gen_ai.request.model", str(long), ""},
		{"a number of 10 MB", "gen_ai.usage.input_tokens", str("1" + strings.Repeat("0", 10<<20)), ""},
		{"JSON of 10 MB", "langfuse.observation.usage_details", str(object(1_000_000)), ""},
		{"JSON with some more members than are read", "langfuse.observation.usage_details", str(object(3000)), "5"},
		{"a map with a million entries", "langfuse.observation.usage_details", million, ""},
		{"a map with a million entries as metadata", "ai.telemetry.metadata.m", million, ""},
		{"deep JSON", "langfuse.observation.usage_details", str(deep), ""},
		{"JSON that is not", "langfuse.observation.usage_details", str(`{"input":`), ""},
		{"JSON with something behind", "langfuse.observation.usage_details", str(`{"input":1}}`), ""},
		{"a list where an object is wanted", "langfuse.observation.usage_details", str(`[1,2]`), ""},
		{"an index of a billion", "llm.input_messages.999999999.message.content", str("x"), ""},
		{"less than nothing", "gen_ai.usage.input_tokens", schema.Value{Kind: schema.KindInt, Int: -1}, ""},
		{"no number", "gen_ai.usage.input_tokens", schema.Value{Kind: schema.KindDouble, Double: math.NaN()}, ""},
		{"infinite", "gen_ai.usage.input_tokens", schema.Value{Kind: schema.KindDouble, Double: math.Inf(1)}, ""},
		{"half a token", "gen_ai.usage.input_tokens", schema.Value{Kind: schema.KindDouble, Double: 1.5}, ""},
		{"more tokens than there are", "gen_ai.usage.input_tokens", schema.Value{Kind: schema.KindInt, Int: math.MaxInt64}, ""},
		{"the most tokens", "gen_ai.usage.prompt_tokens", schema.Value{Kind: schema.KindInt, Int: 1 << 50}, strconv.Itoa(1 << 50)},
		{"one more", "gen_ai.usage.prompt_tokens", schema.Value{Kind: schema.KindInt, Int: 1<<50 + 1}, ""},
		{"text that is a number", "gen_ai.usage.prompt_tokens", str(" 42 "), "42"},
		{"a double that is whole", "gen_ai.usage.prompt_tokens", schema.Value{Kind: schema.KindDouble, Double: 42}, "42"},
		{"text that is not UTF-8", "langfuse.observation.model.name", str("\xff\xfe"), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			derived := derive(t, otlp.AppendKeyValue(nil, 9, test.key, test.value))
			require.Less(t, len(derived), maxDerived)
			v, ok := otlp.Lookup(derived, "gen_ai.usage.input_tokens")
			require.Equal(t, test.want != "", ok)
			if ok {
				require.Equal(t, test.want, strconv.FormatInt(v.Int, 10))
			}
			_, counted := otlp.Lookup(derived, schema.UsageClass)
			require.Equal(t, test.want != "", counted)
		})
	}
	t.Run("a million attributes", func(t *testing.T) {
		var fields []byte
		for i := range 1_000_000 {
			fields = otlp.AppendKeyValue(fields, 9, fmt.Sprint("langsmith.metadata.k", i), str("v"))
		}
		require.Less(t, len(derive(t, fields)), maxDerived)
	})
	t.Run("a key twice", func(t *testing.T) {
		fields := otlp.AppendKeyValue(nil, 9, "gen_ai.usage.prompt_tokens", schema.Value{Kind: schema.KindInt, Int: 1})
		fields = otlp.AppendKeyValue(fields, 9, "gen_ai.usage.prompt_tokens", schema.Value{Kind: schema.KindInt, Int: 2})
		v, ok := otlp.Lookup(derive(t, fields), "gen_ai.usage.input_tokens")
		require.True(t, ok)
		require.EqualValues(t, 1, v.Int)
	})
}

// TestBounds: what is longer, or more, than is copied stays where it was sent.
func TestBounds(t *testing.T) {
	const key = "langfuse.observation.metadata."
	for _, test := range []struct {
		name       string
		key, value string
		want       bool
	}{
		{"the longest value", "k", strings.Repeat("v", 1024), true},
		{"a longer one", "k", strings.Repeat("v", 1025), false},
		{"the longest key", strings.Repeat("k", 1024), "v", true},
		{"a longer one", strings.Repeat("k", 1025), "v", false},
		{"an environment variable", "LANGSMITH_ENDPOINT", "v", false},
		{"no value", "k", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, ok := otlp.Lookup(derive(t, otlp.AppendKeyValue(nil, 9, key+test.key, str(test.value))), "metadata."+test.key)
			require.Equal(t, test.want, ok)
			if ok {
				require.Equal(t, test.value, v.Str)
			}
		})
	}
	count := func(n int) (found int) {
		var fields []byte
		for i := range n {
			fields = otlp.AppendKeyValue(fields, 9, fmt.Sprint(key, i), str("v"))
		}
		for k := range otlp.Attributes(derive(t, fields)) {
			if strings.HasPrefix(k, "metadata.") {
				found++
			}
		}
		return found
	}
	require.Equal(t, 64, count(64))
	require.Equal(t, 64, count(65))
}

// TestPlainSpans: nothing follows from spans that are not about models, though
// they have keys that would say something beside others.
func TestPlainSpans(t *testing.T) {
	for _, key := range []string{
		"session.id", "user.id", "metadata", "model", "input.value", "prompt.id", "tool.name", "http.route", "a", "", "ai", "llm",
		"deployment.environment.name", "embedding.model_name",
	} {
		require.Nil(t, derive(t, otlp.AppendKeyValue(nil, 9, key, str("x"))), key)
	}
	for request := range corpus.Workload(1, 1000, corpus.MixMicro) {
		rows, err := otlp.NewDecoder().Decode(request, 1, nil)
		require.NoError(t, err)
		n := llm.New(price.Shipped())
		for i := range rows {
			require.Nil(t, n.Derive(&rows[i]))
		}
	}
}

// TestPieces: what an adapter says counts, and a piece of a span does not say what
// it does not know.
func TestPieces(t *testing.T) {
	kindOf := func(fragment schema.Fragment, attributes ...string) string {
		fields := otlp.AppendKeyValue(nil, 9, "langfuse.observation.id", str("x"))
		for i := 0; i < len(attributes); i += 2 {
			fields = otlp.AppendKeyValue(fields, 9, attributes[i], str(attributes[i+1]))
		}
		s := schema.Span{Attributes: fields, Fragment: fragment, Resource: &schema.Resource{}, Scope: &schema.Scope{}}
		v, _ := otlp.Lookup(llm.New(price.Shipped()).Derive(&s), "spanlake.kind")
		return v.Str
	}
	require.Equal(t, "span", kindOf(schema.FragmentNone))
	require.Empty(t, kindOf(schema.FragmentUpdate))
	require.Equal(t, "llm", kindOf(schema.FragmentUpdate, "langfuse.observation.model.name", "m", "gen_ai.request.model", "m"))
	require.Equal(t, "tool", kindOf(schema.FragmentCreate, "langfuse.observation.type", "tool"))
	require.Empty(t, kindOf(schema.FragmentTrace, "spanlake.kind", "trace", "langfuse.observation.type", "tool"), "it was sent")
}

// TestPure: the same attributes follow from a row whatever came before it.
func TestPure(t *testing.T) {
	captures, err := corpus.Captures()
	require.NoError(t, err)
	used := llm.New(price.Shipped())
	for _, c := range captures {
		rows := rowsOf(t, &c)
		for i := len(rows) - 1; i >= 0; i-- {
			fresh := llm.New(price.Shipped()).Derive(&rows[i])
			require.Equal(t, fresh, used.Derive(&rows[i]), "%s", rows[i].Name)
			rows[i].Derived = fresh
			require.Equal(t, fresh, used.Derive(&rows[i]), "derived again")
		}
	}
}

func FuzzDerive(f *testing.F) {
	captures, err := corpus.Captures()
	require.NoError(f, err)
	for _, c := range captures[:8] {
		rows := rowsOf(f, &c)
		for i := range rows {
			f.Add(rows[i].Attributes, rows[i].Events)
		}
	}
	for _, value := range []string{`{"input":1,"a":{"b":[1,{"c":"}\""}]}}`, `[1,"a,b"]`, ` {} `} {
		f.Add(otlp.AppendKeyValue(nil, 9, "langfuse.observation.usage_details", str(value)), []byte(nil))
		f.Add(otlp.AppendKeyValue(otlp.AppendKeyValue(nil, 9, "gen_ai.x", str("")), 9, "metadata", str(value)), []byte(nil))
	}
	n := llm.New(price.Shipped())
	f.Fuzz(func(t *testing.T, attributes, events []byte) {
		s := schema.Span{Name: "n", Attributes: attributes, Events: events, Resource: &schema.Resource{}, Scope: &schema.Scope{}}
		derived := n.Derive(&s)
		require.Less(t, len(derived), maxDerived)
		seen := make(map[string]bool)
		for kv := otlp.SpanKeyValues(derived); kv.Next(); {
			require.True(t, kv.Canonical, "%q", kv.Key)
			require.False(t, seen[string(kv.Key)], "%q is there twice", kv.Key)
			seen[string(kv.Key)] = true
		}
		if v, ok := otlp.Lookup(derived, "gen_ai.usage.cost"); ok {
			require.False(t, math.IsNaN(v.Double) || math.IsInf(v.Double, 0) || v.Double < 0, v.Double)
		}
		for _, key := range countKeys() {
			if v, ok := otlp.Lookup(derived, key); ok {
				require.GreaterOrEqual(t, v.Int, int64(0))
			}
		}
		require.Equal(t, derived, n.Derive(&s))
	})
}

// FuzzJSON compares what is read of JSON texts with what Go's own reader says.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":"x\"y","c":[1,{"d":2}],"e":null,"f":1e3}`, `{}`, ` { "a" : true } `, `{"a\u0062":"\ud83d"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var want map[string]json.RawMessage
		err := json.Unmarshal([]byte(s), &want)
		have, ok := llm.Members(s)
		if err != nil || want == nil {
			require.Empty(t, have)
			return
		}
		require.True(t, ok)
		require.Len(t, have, len(want))
		for key, value := range want {
			require.Equal(t, string(value), have[key], "%q", key)
		}
	})
}
