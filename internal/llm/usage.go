package llm

import (
	"strings"

	"github.com/spanlake/spanlake/schema"
)

// What token counts are of.
const (
	countInput = iota // all of a prompt, with what is counted besides
	countOutput
	countTotal
	countCacheRead // of the input
	countCacheWrite
	countCacheWrite5m // of the cache writes
	countCacheWrite1h
	countReasoning // of the output
	countAudioInput
	countAudioOutput
	numCounts
)

// usage are token counts, noCount where there is none.
type usage [numCounts]int64

const noCount = -1

func noUsage() (u usage) {
	for i := range u {
		u[i] = noCount
	}
	return u
}

// of is a count, 0 if there is none.
func (u *usage) of(i int) int64 { return max(u[i], 0) }

// langfuseUsage reports whether the span has usage_details.
func (n *Normalizer) langfuseUsage() bool { return len(n.details) > 0 }

// usage is what the span says it used, with inputs that include what was cached
// and outputs that include reasoning.
func (n *Normalizer) usage(kind string) usage {
	u := noUsage()
	for i := range n.layout.usage {
		if v, ok := n.first(&n.layout.usage[i], kind); ok {
			u[i] = v.Int
		}
	}
	if n.langfuseUsage() {
		n.ofDetails(&u)
		return u
	}
	sent := u[countTotal]
	u.includeParts(n.uncached())
	if u[countTotal] < u.of(countInput)+u.of(countOutput) || sent == noCount {
		u.sumUp()
	}
	return u
}

// uncached is what AI SDK 6 says of the input that no cache was used for.
func (n *Normalizer) uncached() int64 {
	if c, ok := countOf(n.value(srcUncachedInput)); ok {
		return c
	}
	return noCount
}

// sumUp makes the total what input and output are.
func (u *usage) sumUp() {
	if u[countInput] != noCount || u[countOutput] != noCount {
		u[countTotal] = u.of(countInput) + u.of(countOutput)
	}
}

// includeParts adds to input and output what was counted besides them, where the
// numbers prove that it was: a part cannot be more than the whole, and the total
// tells of what it is the sum. Some report Anthropic's counts so, which are
// without what was cached, or Gemini's, which are without thoughts.
func (u *usage) includeParts(uncached int64) {
	cached, reasoning := u.of(countCacheRead)+u.of(countCacheWrite), u.of(countReasoning)
	in, out := u.of(countInput), u.of(countOutput)
	addIn := u[countInput] != noCount && (cached > in || uncached == in && cached > 0)
	addOut := u[countOutput] != noCount && reasoning > out
	if rest := u[countTotal] - in - out; u[countTotal] != noCount && rest > 0 {
		switch rest {
		case cached:
			addIn = addIn || u[countInput] != noCount
		case reasoning:
			addOut = addOut || u[countOutput] != noCount
		case cached + reasoning:
			addIn, addOut = addIn || u[countInput] != noCount, addOut || u[countOutput] != noCount
		}
	}
	if addIn {
		u[countInput] += cached
	}
	if addOut {
		u[countOutput] += reasoning
	}
}

// bucket is what a key of usage_details counts; part is numCounts for parts that
// nobody else has.
type bucket struct{ whole, part int }

// bucketOf is the bucket of a key, in Langfuse's spelling or that of providers.
func bucketOf(key string) (bucket, bool) {
	switch key {
	case "input", "prompt_tokens", "input_tokens", "promptTokens", "inputTokens":
		return bucket{countInput, countInput}, true
	case "output", "completion_tokens", "output_tokens", "completionTokens", "outputTokens":
		return bucket{countOutput, countOutput}, true
	case "total", "total_tokens", "totalTokens":
		return bucket{countTotal, countTotal}, true
	}
	for _, details := range [...][2]string{
		{"prompt_tokens_details.", "input_"},
		{"input_tokens_details.", "input_"},
		{"input_token_details.", "input_"},
		{"completion_tokens_details.", "output_"},
		{"output_tokens_details.", "output_"},
		{"output_token_details.", "output_"},
		{"cache_", "input_cache_"},
	} {
		if rest, ok := strings.CutPrefix(key, details[0]); ok {
			key = details[1] + rest
			break
		}
	}
	if rest, ok := strings.CutPrefix(key, "input_"); ok {
		return bucket{countInput, inputPart(rest)}, true
	}
	if rest, ok := strings.CutPrefix(key, "output_"); ok {
		return bucket{countOutput, outputPart(rest)}, true
	}
	return bucket{}, false
}

func inputPart(name string) int {
	switch name {
	case "cached_tokens", "cached", "cache_read", "cache_read_input_tokens", "cache_read_tokens":
		return countCacheRead
	case "cache_creation_5m", "cache_creation_ephemeral_5m_input_tokens":
		return countCacheWrite5m
	case "cache_creation_1h", "cache_creation_ephemeral_1h_input_tokens":
		return countCacheWrite1h
	case "audio_tokens", "audio":
		return countAudioInput
	}
	if strings.HasPrefix(name, "cache_creation") || strings.HasPrefix(name, "cache_write") {
		return countCacheWrite
	}
	return numCounts
}

func outputPart(name string) int {
	switch name {
	case "reasoning_tokens", "reasoning":
		return countReasoning
	case "audio_tokens", "audio":
		return countAudioOutput
	}
	return numCounts
}

// ofDetails reads Langfuse's usage_details. Its buckets are disjoint, so that
// input is without what was cached, but users also give it what a provider has
// said, where input is everything: the total decides, or the spelling.
func (n *Normalizer) ofDetails(u *usage) {
	d := noUsage()
	var parts [2]int64 // besides input and besides output
	raw := false
	for _, m := range n.details {
		b, ok := bucketOf(m.key)
		if !ok {
			continue
		}
		switch b.part {
		case countInput, countOutput, countTotal:
			raw = raw || m.key == "prompt_tokens" || m.key == "completion_tokens" || m.key == "input_tokens" && n.openAIShape()
			d[b.part] = m.count
			continue
		case numCounts:
		case countCacheWrite5m, countCacheWrite1h:
			d[countCacheWrite] = d.of(countCacheWrite) + m.count
			d[b.part] = d.of(b.part) + m.count
		default:
			d[b.part] = d.of(b.part) + m.count
		}
		parts[b.whole-countInput] += m.count
	}
	addIn, addOut := disjoint(&d, parts, raw)
	if addIn && (d[countInput] != noCount || parts[0] > 0) {
		d[countInput] = d.of(countInput) + parts[0]
	}
	if addOut && (d[countOutput] != noCount || parts[1] > 0) {
		d[countOutput] = d.of(countOutput) + parts[1]
	}
	if d[countTotal] == noCount {
		d.sumUp()
	}
	for i := range d {
		if d[i] != noCount {
			u[i] = d[i]
		}
	}
}

// openAIShape reports whether details are nested, as OpenAI has them.
func (n *Normalizer) openAIShape() bool {
	for _, m := range n.details {
		if strings.HasPrefix(m.key, "input_tokens_details.") || strings.HasPrefix(m.key, "output_tokens_details.") {
			return true
		}
	}
	return false
}

// disjoint decides whether the parts of input and of output are to be added to
// them: so that the sum is the total, if there is a way. raw says that the
// counts are spelled as a provider does whose counts include their parts.
func disjoint(d *usage, parts [2]int64, raw bool) (input, output bool) {
	in, out := d.of(countInput), d.of(countOutput)
	if in < parts[0] && raw || out < parts[1] && raw {
		raw = false // what is more than the whole is no part of it
	}
	if d[countTotal] == noCount || raw {
		return !raw, !raw
	}
	for _, way := range [...][2]bool{{true, true}, {false, false}, {true, false}, {false, true}} {
		sum := in + out
		for i, add := range way {
			if add {
				sum += parts[i]
			}
		}
		if sum == d[countTotal] {
			return way[0], way[1]
		}
	}
	if in+out+parts[0]+parts[1] <= d[countTotal] {
		return true, true
	}
	return in < parts[0], out < parts[1]
}

// usageAndCost derives token counts, the class of the usage, and cost.
func (n *Normalizer) usageAndCost(kind string) {
	u := n.usage(kind)
	for i, c := range u {
		if c != noCount {
			n.emit(n.layout.keys[n.layout.usage[i].to], schema.Value{Kind: schema.KindInt, Int: c})
		}
	}
	spent := n.cost(kind, &u)
	if spent || u.of(countInput)+u.of(countOutput)+u.of(countTotal) > 0 {
		n.emit(schema.UsageClass, text(n.usageClass(kind)))
	}
}
