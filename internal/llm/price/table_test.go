package price_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/llm/price"
)

func TestShipped(t *testing.T) {
	table := price.Shipped()
	require.Equal(t, "2026-08", table.Version())
	entries, own := table.Entries()
	require.Len(t, entries, 295)
	require.Zero(t, own)
	for i := range entries {
		e := &entries[i]
		found := table.Find(e.Provider, e.Model)
		require.NotNil(t, found, e.Model)
		require.Equal(t, e.Provider, found.Provider, e.Model)
	}
}

func TestFind(t *testing.T) {
	for _, test := range []struct{ name, provider, model, want string }{
		{"as it is", "openai", "gpt-4o-mini", "gpt-4o-mini"},
		{"a date that the table has", "openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"},
		{"a date that it does not have", "openai", "gpt-4o-2031-01-31", "gpt-4o"},
		{"large letters and spaces", "", " GPT-4o-Mini ", "gpt-4o-mini"},
		{"azure sells openai's", "azure.ai.openai", "gpt-4o", "gpt-4o"},
		{"a vendor's path", "", "openai/gpt-4o", "gpt-4o"},
		{"two paths", "", "openrouter/openai/gpt-4o:free", "gpt-4o"},
		{"gemini's path", "gcp.gemini", "models/gemini-2.5-flash", "gemini-2.5-flash"},
		{"vertex' path", "gcp.vertex_ai", "projects/p/locations/l/publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash"},
		{"bedrock", "aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929"},
		{"vertex' date", "", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5"},
		{"a path that is part of the name", "groq", "openai/gpt-oss-120b", "openai/gpt-oss-120b"},
		{"the provider decides", "together_ai", "openai/gpt-oss-120b", "openai/gpt-oss-120b"},
		{"an unknown model", "openai", "gpt-9000", ""},
		{"a part of a name", "openai", "xgpt-4o", ""},
		{"none", "openai", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := price.Shipped().Find(test.provider, test.model)
			if test.want == "" {
				require.Nil(t, e)
				return
			}
			require.NotNil(t, e, "names: %q", price.Names(test.model))
			require.True(t, strings.HasPrefix(e.Model, test.want), e.Model)
			if test.provider == "groq" || test.provider == "together_ai" {
				require.Equal(t, test.provider, e.Provider)
			}
		})
	}
}

func rate(dollarsPerMillion float64) *float64 {
	r := dollarsPerMillion / 1e6
	return &r
}

func TestOf(t *testing.T) {
	all := price.Rates{
		Input: rate(2), Output: rate(8), CachedInput: rate(0.5), CacheWrite: rate(3), CacheWrite1h: rate(4),
		InputAudio: rate(40), OutputAudio: rate(80), Reasoning: rate(10),
	}
	plain := price.Rates{Input: rate(2), Output: rate(8)}
	tiers := []price.Tier{
		{When: price.When{InputTokensAbove: 1000, ServiceTier: []string{"flex"}}, Rates: price.Rates{Input: rate(1.5)}},
		{When: price.When{ServiceTier: []string{"flex"}}, Rates: price.Rates{Input: rate(1), Output: rate(4)}},
		{When: price.When{InputTokensAbove: 1000}, Rates: price.Rates{Input: rate(4)}},
		{When: price.When{Speed: []string{"fast"}}, Rates: price.Rates{Output: rate(48)}},
	}
	for _, test := range []struct {
		name    string
		entry   price.Entry
		call    price.Call
		in, out float64 // millionths of a dollar
		none    bool
	}{
		{"plain", price.Entry{Rates: all}, price.Call{Input: 100, Output: 10}, 200, 80, false},
		{"cached", price.Entry{Rates: all}, price.Call{Input: 100, CacheRead: 60}, 40*2 + 60*0.5, 0, false},
		{"cached, without a rate", price.Entry{Rates: plain}, price.Call{Input: 100, CacheRead: 60}, 200, 0, false},
		{"cache written, an hour's part of it", price.Entry{Rates: all}, price.Call{Input: 100, CacheWrite: 50, CacheWrite1h: 20}, 50*2 + 30*3 + 20*4, 0, false},
		{"cache written, without rates", price.Entry{Rates: plain}, price.Call{Input: 100, CacheWrite: 50, CacheWrite1h: 20}, 200, 0, false},
		{"audio", price.Entry{Rates: all}, price.Call{Input: 100, AudioInput: 30, Output: 20, AudioOutput: 5}, 70*2 + 30*40, 15*8 + 5*80, false},
		{"reasoning", price.Entry{Rates: all}, price.Call{Output: 20, Reasoning: 15}, 0, 5*8 + 15*10, false},
		{"reasoning, without a rate", price.Entry{Rates: plain}, price.Call{Output: 20, Reasoning: 15}, 0, 160, false},
		{"parts that are more than the whole", price.Entry{Rates: plain}, price.Call{Input: 10, CacheRead: 60}, 120, 0, false},
		{"at a tier's bound", price.Entry{Rates: plain, Tiers: tiers}, price.Call{Input: 1000, Output: 1}, 2000, 8, false},
		{"above it", price.Entry{Rates: plain, Tiers: tiers}, price.Call{Input: 1001, Output: 1}, 4004, 8, false},
		{"a service's tier", price.Entry{Rates: plain, Tiers: tiers}, price.Call{Input: 10, Output: 1, ServiceTier: "flex"}, 10, 4, false},
		{"both, the first counts", price.Entry{Rates: plain, Tiers: tiers}, price.Call{Input: 2000, ServiceTier: "flex"}, 3000, 0, false},
		{"speed", price.Entry{Rates: plain, Tiers: tiers}, price.Call{Output: 1, Speed: "fast"}, 0, 48, false},
		{"no rate for what was used", price.Entry{Rates: price.Rates{Input: rate(2)}}, price.Call{Input: 1, Output: 1}, 0, 0, true},
		{"no rate for what was not", price.Entry{Rates: price.Rates{Input: rate(2)}}, price.Call{Input: 1}, 2, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, ok := test.entry.Of(&test.call)
			require.Equal(t, !test.none, ok)
			require.InDelta(t, test.in/1e6, c.Input, 1e-12)
			require.InDelta(t, test.out/1e6, c.Output, 1e-12)
			require.InDelta(t, (test.in+test.out)/1e6, c.Total, 1e-12)
		})
	}
}

// TestCaptured is the example of the specification, exactly.
func TestCaptured(t *testing.T) {
	e := price.Shipped().Find("openai", "gpt-4o-mini-2024-07-18")
	require.NotNil(t, e)
	c, ok := e.Of(&price.Call{Input: 42, CacheRead: 16, Output: 17})
	require.True(t, ok)
	require.Equal(t, price.Cost{Input: 5.1e-6, Output: 1.02e-5, Total: 1.53e-5}, c)
}

func TestWith(t *testing.T) {
	own := []price.Entry{
		{Model: "gpt-4o", Rates: price.Rates{Input: rate(1), Output: rate(1)}},
		{Model: "ours", Provider: "house", Pattern: "^ours-[0-9]+$", Rates: price.Rates{Input: rate(7)}},
		{Model: "broken", Pattern: "(", Rates: price.Rates{Input: rate(7)}},
	}
	table := price.Shipped().With(own)
	require.Regexp(t, `^2026-08\+[0-9a-f]{8}$`, table.Version())
	require.Equal(t, table.Version(), price.Shipped().With(own[:2]).Version(), "of what is used")
	require.NotEqual(t, table.Version(), price.Shipped().With(own[:1]).Version())
	entries, count := table.Entries()
	require.Equal(t, 2, count)
	require.Len(t, entries, 297)
	require.Equal(t, rate(1), table.Find("openai", "gpt-4o").Input, "before the provider's own")
	require.Equal(t, "ours", table.Find("", "OURS-12").Model)
	require.Nil(t, table.Find("", "ours-x"))
	require.Equal(t, "gpt-4o-mini", table.Find("", "gpt-4o-mini").Model)
	require.NotEqual(t, rate(1), price.Shipped().Find("openai", "gpt-4o").Input, "the shipped table stays")
	require.Same(t, price.Shipped(), price.Shipped().With(nil))
	require.ErrorContains(t, price.Validate(own), "price of broken: pattern")
	require.NoError(t, price.Validate(own[:2]))
}

func TestValidate(t *testing.T) {
	many := make([]price.Entry, 201)
	for i := range many {
		many[i] = price.Entry{Model: fmt.Sprint("m", i), Rates: price.Rates{Input: rate(1)}}
	}
	require.NoError(t, price.Validate(many[:200]))
	for _, test := range []struct {
		name, json, want string
	}{
		{"no model", `[{"input":1}]`, "has no model"},
		{"no rate", `[{"model":"m","reasoning":1}]`, "want input, output or both"},
		{"less than nothing", `[{"model":"m","input":-1}]`, "want 0 to 1000"},
		{"the price of a million", `[{"model":"m","input":1,"output":1001}]`, "want 0 to 1000"},
		{"a tier's", `[{"model":"m","input":1,"tiers":[{"input":1001}]}]`, "want 0 to 1000"},
		{"another unit", `[{"model":"m","unit":"second","input":1}]`, "want token"},
		{"a long pattern", `[{"model":"m","input":1,"pattern":"` + strings.Repeat("a", 501) + `"}]`, "want 500 at most"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var own []price.Entry
			require.NoError(t, json.Unmarshal([]byte(test.json), &own))
			require.ErrorContains(t, price.Validate(own), test.want)
		})
	}
	require.ErrorContains(t, price.Validate(many), "want 200 at most")
	var fine []price.Entry
	require.NoError(t, json.Unmarshal([]byte(`[{"model":"m","input":0,"output":1000,"unit":"token","pattern":"`+strings.Repeat("a", 500)+`"}]`), &fine))
	require.NoError(t, price.Validate(fine))
}
