package langsmith

import (
	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/schema"
)

// usageRule is one number of a call's usage: its canonical name, and where it may
// stand in what SDKs call usage metadata, and in the raw usage of providers.
type usageRule struct {
	key   string
	money bool
	from  [][]string
}

func usageRules() []usageRule {
	return []usageRule{
		{"gen_ai.usage.input_tokens", false, [][]string{{"input_tokens"}, {"prompt_tokens"}, {"promptTokens"}}},
		{"gen_ai.usage.output_tokens", false, [][]string{{"output_tokens"}, {"completion_tokens"}, {"completionTokens"}}},
		{"gen_ai.usage.total_tokens", false, [][]string{{"total_tokens"}, {"totalTokens"}}},
		{"gen_ai.usage.cache_read.input_tokens", false, [][]string{{"input_token_details", "cache_read"}, {"prompt_tokens_details", "cached_tokens"}}},
		{"gen_ai.usage.cache_creation.input_tokens", false, [][]string{{"input_token_details", "cache_creation"}}},
		{"gen_ai.usage.cache_creation.5m.input_tokens", false, [][]string{{"input_token_details", "ephemeral_5m_input_tokens"}}},
		{"gen_ai.usage.cache_creation.1h.input_tokens", false, [][]string{{"input_token_details", "ephemeral_1h_input_tokens"}}},
		{"gen_ai.usage.reasoning.output_tokens", false, [][]string{{"output_token_details", "reasoning"}, {"completion_tokens_details", "reasoning_tokens"}}},
		{"gen_ai.usage.audio.input_tokens", false, [][]string{{"input_token_details", "audio"}, {"prompt_tokens_details", "audio_tokens"}}},
		{"gen_ai.usage.audio.output_tokens", false, [][]string{{"output_token_details", "audio"}, {"completion_tokens_details", "audio_tokens"}}},
		{"gen_ai.usage.cost", true, [][]string{{"total_cost"}}},
		{"gen_ai.usage.cost.input", true, [][]string{{"input_cost"}}},
		{"gen_ai.usage.cost.output", true, [][]string{{"output_cost"}}},
	}
}

// maxPrompts bounds those of a batch.
const maxPrompts = 1000

// usages are what a run says of its usage, the best first. Each is one object, or
// one for each prompt of a batch, which add up.
func usages(outputs jsonvalue.Object, metadata jsonvalue.Value) [][]jsonvalue.Value {
	raw := jsonvalue.At(outputs["llm_output"], "token_usage")
	if raw == nil {
		raw = jsonvalue.At(outputs["llmOutput"], "tokenUsage")
	}
	all := [][]jsonvalue.Value{{outputs["usage_metadata"]}, {jsonvalue.At(metadata, "usage_metadata")}, {raw}}
	var batch []jsonvalue.Value
	for prompt := range jsonvalue.Elements(outputs["generations"]) {
		// All answers to one prompt repeat the usage of the call.
		if len(batch) == maxPrompts {
			break
		}
		batch = append(batch, jsonvalue.At(jsonvalue.Head(prompt), "message", "kwargs", "usage_metadata"))
	}
	return append(all, batch)
}

// usage writes the numbers of tokens, and what they cost where the client says so.
func (a *attributes) usage(outputs jsonvalue.Object, metadata jsonvalue.Value) {
	sources := usages(outputs, metadata)
	for _, rule := range usageRules() {
		for _, source := range sources {
			if v, ok := rule.read(source); ok {
				a.add(rule.key, v)
				break
			}
		}
	}
}

// read adds up what the objects of a source have.
func (r *usageRule) read(source []jsonvalue.Value) (v schema.Value, found bool) {
	v.Kind = schema.KindInt
	if r.money {
		v.Kind = schema.KindDouble
	}
	for _, object := range source {
		for _, path := range r.from {
			from := jsonvalue.At(object, path...)
			tokens, isCount := jsonvalue.Count(from)
			dollars, isNumber := jsonvalue.Number(from)
			switch {
			case r.money && isNumber && dollars >= 0:
				v.Double += dollars
			case !r.money && isCount:
				v.Int += tokens
			default:
				continue
			}
			found = true
			break
		}
	}
	return v, found
}
