package llm_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// vector is the spans of a trace as a convention has them, and what the provider
// bills for it.
type vector struct {
	Convention, Case, Provider string
	Spans                      []struct {
		Name, ID, Parent string
		Attributes       map[string]any
	}
	Want map[string]int64
}

func vectors(t *testing.T) (list []vector) {
	t.Helper()
	data, err := os.ReadFile("testdata/tokens.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &list))
	return list
}

// rows are a vector's spans. IDs are names unless they have one of their own.
func (v *vector) rows(t *testing.T) []schema.Span {
	t.Helper()
	id := func(name string) (id schema.SpanID) {
		copy(id[:], name)
		return id
	}
	rows := make([]schema.Span, len(v.Spans))
	for i, s := range v.Spans {
		if s.ID == "" {
			s.ID = s.Name
		}
		rows[i] = schema.Span{
			TraceID: schema.TraceID{1}, SpanID: id(s.ID), ParentSpanID: id(s.Parent), Name: s.Name,
			Resource: &schema.Resource{}, Scope: &schema.Scope{}, Attributes: attributes(t, s.Attributes),
		}
	}
	return rows
}

// attributes are a fragment with attributes in the order of their keys.
func attributes(t testing.TB, of map[string]any) (fields []byte) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(of)) {
		var v schema.Value
		switch value := of[key].(type) {
		case string:
			v = schema.Value{Kind: schema.KindString, Str: value}
		case float64:
			if v = (schema.Value{Kind: schema.KindDouble, Double: value}); value == float64(int64(value)) {
				v = schema.Value{Kind: schema.KindInt, Int: int64(value)}
			}
		case bool:
			v = schema.Value{Kind: schema.KindBool, Bool: value}
		case []any:
			v.Kind = schema.KindArray
			for _, e := range value {
				v.Array = append(v.Array, schema.Value{Kind: schema.KindString, Str: e.(string)})
			}
		default:
			require.Fail(t, "a test's attribute of another kind", "%T", value)
		}
		fields = otlp.AppendKeyValue(fields, 9, key, v)
	}
	return fields
}

// attribute is what queries see: what was derived, else what was sent.
func attribute(s *schema.Span, key string) (schema.Value, bool) {
	if v, ok := otlp.Lookup(s.Derived, key); ok {
		return v, true
	}
	return otlp.Lookup(s.Attributes, key)
}

// counts reports whether the usage of a span counts, the plain way.
func counts(rows []schema.Span, i int) bool {
	class, ok := attribute(&rows[i], schema.UsageClass)
	if !ok {
		return false
	}
	byID := make(map[schema.SpanID]*schema.Span)
	for i := range rows {
		byID[rows[i].SpanID] = &rows[i]
	}
	for j := range rows {
		below, ok := attribute(&rows[j], schema.UsageClass)
		if !ok || j == i {
			continue
		}
		for up := byID[rows[j].ParentSpanID]; up != nil; up = byID[up.ParentSpanID] {
			if up == &rows[i] && schema.UsageRepeats(class.Str, below.Str) {
				return false
			}
		}
	}
	return true
}

// countKeys are the attributes by the names that vectors have for them.
func countKeys() map[string]string {
	return map[string]string{
		"input": "gen_ai.usage.input_tokens", "output": "gen_ai.usage.output_tokens",
		"cache_read": "gen_ai.usage.cache_read.input_tokens", "cache_creation": "gen_ai.usage.cache_creation.input_tokens",
		"reasoning":   "gen_ai.usage.reasoning.output_tokens",
		"audio_input": "gen_ai.usage.audio.input_tokens", "audio_output": "gen_ai.usage.audio.output_tokens",
	}
}

// TestTokens adds up the usage that counts and compares it with the bill.
func TestTokens(t *testing.T) {
	conventions := make(map[string]bool)
	for _, v := range vectors(t) {
		conventions[v.Convention] = true
		t.Run(v.Convention+"/"+v.Case, func(t *testing.T) {
			rows := v.rows(t)
			n := llm.New(price.Shipped())
			for i := range rows {
				rows[i].Derived = n.Derive(&rows[i])
			}
			for name, key := range countKeys() {
				sum := int64(0)
				for i := range rows {
					if value, ok := attribute(&rows[i], key); ok && counts(rows, i) {
						require.Equal(t, schema.KindInt, value.Kind, key)
						sum += value.Int
					}
				}
				require.Equal(t, v.Want[name], sum, "%s\n%s", name, tree(rows))
			}
		})
	}
	require.GreaterOrEqual(t, len(conventions), 12)
}

// TestVercelCaptures: what the AI SDK's versions say of one program that calls
// models five times and embeds three texts.
func TestVercelCaptures(t *testing.T) {
	for _, name := range []string{
		"vercel-ai-v4/01-ai4-post-v1-traces", "vercel-ai-v6/01-ai6-post-v1-traces",
		"vercel-ai-v7/01-ai7-post-v1-traces", "vercel-ai-v7/03-ai7-legacy-post-v1-traces",
	} {
		t.Run(name, func(t *testing.T) {
			rows := rowsOf(t, captured(t, name))
			n := llm.New(price.Shipped())
			for i := range rows {
				rows[i].Derived = n.Derive(&rows[i])
			}
			calls, input, output, embedded := 0, int64(0), int64(0), int64(0)
			for i := range rows {
				if !counts(rows, i) {
					continue
				}
				in, _ := attribute(&rows[i], "gen_ai.usage.input_tokens")
				if class, _ := attribute(&rows[i], schema.UsageClass); class.Str == schema.UsageEmbedding {
					embedded += in.Int
					continue
				}
				out, _ := attribute(&rows[i], "gen_ai.usage.output_tokens")
				calls, input, output = calls+1, input+in.Int, output+out.Int
			}
			require.Equal(t, []int64{5, 210, 85, 27}, []int64{int64(calls), input, output, embedded})
		})
	}
}
