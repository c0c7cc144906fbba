package langfuse

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/jsonvalue"
)

// maxBuckets bounds the kinds of tokens of one call.
const maxBuckets = 64

// usageOf brings what was used and what it cost into the form of usageDetails and
// costDetails, as JSON: "" for what was not said. Details win over the older usage.
func usageOf(usage, usageDetails, costDetails jsonvalue.Value) (tokens, cost string) {
	counts := countsOf(usageDetails)
	if len(counts) == 0 {
		counts = fromUsage(usage)
	}
	prices := make(map[string]float64)
	for key, v := range jsonvalue.Members(costDetails) {
		if n, ok := jsonvalue.Number(v); ok && n >= 0 && len(prices) < maxBuckets && len(key) <= jsonvalue.MaxKeyBytes {
			prices[key] = n
		}
	}
	if len(prices) == 0 {
		legacy := jsonvalue.Pick(usage, "inputCost", "outputCost", "totalCost")
		for key, name := range map[string]string{"inputCost": "input", "outputCost": "output", "totalCost": "total"} {
			if n, ok := jsonvalue.Number(legacy[key]); ok && n >= 0 {
				prices[name] = n
			}
		}
	}
	return objectOf(counts), objectOf(prices)
}

// objectOf is a map as JSON, its keys in order, "" if it is empty.
func objectOf[V int64 | float64](m map[string]V) string {
	if len(m) == 0 {
		return ""
	}
	b, _ := json.Marshal(m) // maps of finite numbers always marshal
	return string(b)
}

// countsOf reads a map of counts. In the form of OpenAI, inclusive and with details in
// objects of their own, it is brought into that of Langfuse, in which each token is
// counted once.
func countsOf(v jsonvalue.Value) map[string]int64 {
	counts := make(map[string]int64)
	details := make(map[string]map[string]int64)
	for key, member := range jsonvalue.Members(v) {
		if strings.HasSuffix(key, "_details") && len(member) > 0 && member[0] == '{' {
			details[key] = countsOf(member)
		} else if n, ok := jsonvalue.Count(member); ok && len(counts) < maxBuckets && len(key) <= jsonvalue.MaxKeyBytes {
			counts[key] = n
		}
	}
	for _, form := range [...]struct{ counted, details, side string }{
		{"prompt_tokens", "prompt_tokens_details", "input"},
		{"input_tokens", "input_tokens_details", "input"},
		{"completion_tokens", "completion_tokens_details", "output"},
		{"output_tokens", "output_tokens_details", "output"},
	} {
		n, ok := counts[form.counted]
		if !ok {
			continue
		}
		delete(counts, form.counted)
		parts := details[form.details]
		for _, key := range slices.Sorted(maps.Keys(parts)) {
			counts[form.side+"_"+key] = parts[key]
			n -= parts[key]
		}
		counts[form.side] = max(n, 0)
	}
	if n, ok := counts["total_tokens"]; ok {
		counts["total"] = n
		delete(counts, "total_tokens")
	}
	return counts
}

// fromUsage reads the older form, of which there are two.
func fromUsage(v jsonvalue.Value) map[string]int64 {
	f := jsonvalue.Pick(v, "input", "output", "total", "unit", "promptTokens", "completionTokens", "totalTokens",
		"prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens")
	if _, ok := f["prompt_tokens"]; ok {
		return countsOf(v)
	}
	if _, ok := f["input_tokens"]; ok {
		return countsOf(v)
	}
	counts := make(map[string]int64)
	if unit := jsonvalue.Text(f["unit"]); unit != "" && unit != "TOKENS" {
		return counts // characters, images or seconds are no tokens
	}
	for name, member := range map[string]jsonvalue.Value{
		"input": f.First("input", "promptTokens"), "output": f.First("output", "completionTokens"), "total": f.First("total", "totalTokens"),
	} {
		if n, ok := jsonvalue.Count(member); ok {
			counts[name] = n
		}
	}
	return counts
}

func timeText(nanos uint64) string {
	return time.Unix(0, int64(nanos)).UTC().Format(time.RFC3339Nano) //nolint:gosec // jsonvalue.Nanos bounds it
}
