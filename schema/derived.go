package schema

// Attributes of spans that use models, by which it is decided whose usage counts
// when the usage of a trace is added up: SDKs report the usage of a call again on
// the spans around it.
const (
	// UsageClass is a derived attribute of the spans that report usage or cost,
	// one of the classes below.
	UsageClass = "spanlake.usage.class"
	// UsageCounted is a boolean that only queries see: it depends on the whole
	// trace, and no row has it. It is true for spans that have a UsageClass and
	// whose usage no span below them reports again, false for the others that
	// have one, and absent without.
	UsageCounted = "spanlake.usage.counted"
)

// The classes of usage.
const (
	// UsageLLM and UsageEmbedding are of calls of models. They do not count if
	// a span below has usage of their class, or of what an aggregate stands for.
	UsageLLM       = "llm"
	UsageEmbedding = "embedding"
	// UsageAggregate is of spans around calls. It does not count if any span
	// below has usage.
	UsageAggregate = "aggregate"
)

// UsageRepeats reports whether usage of class above is what a span of class below,
// among those under it, reports again.
func UsageRepeats(above, below string) bool {
	switch above {
	case UsageLLM:
		return below == UsageLLM || below == UsageAggregate
	case UsageEmbedding:
		return below == UsageEmbedding
	case UsageAggregate:
		return below == UsageLLM || below == UsageEmbedding || below == UsageAggregate
	}
	return false
}
