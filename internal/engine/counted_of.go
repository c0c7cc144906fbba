package engine

import "github.com/spanlake/spanlake/schema"

// Counted says of each span of a trace, which must be whole and folded, whether its
// usage counts: what schema.UsageCounted is to queries. It is false for spans without
// usage.
func Counted(spans []schema.Span) []bool {
	u := newTraceUsage(newTree(spans), spans)
	counted := make([]bool, len(spans))
	for i := range spans {
		counted[i] = u.class[i] != classNone && u.counted(i)
	}
	return counted
}
