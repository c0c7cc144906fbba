package querier

import (
	"fmt"
	"math"
	"net/url"
	"strconv"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// traceFilter leaves out spans of a trace. The zero value keeps all.
type traceFilter struct {
	plan *engine.Plan // nil: all spans match
	// below is how many levels below a span that matches are kept, above how
	// many above it.
	below, above int
}

// endless is the number of levels that stands for all.
const endless = -1

// parseTraceFilter reads q, one filter of spans, and which relatives of the
// spans that it finds are kept: the levels above them with keep_hierarchy, all
// unless ancestor_depth limits them, and match_depth levels below.
func parseTraceFilter(values url.Values) (f traceFilter, err error) {
	if f.below, err = depthParam(values, "match_depth", 0); err != nil {
		return f, err
	}
	if f.above, err = depthParam(values, "ancestor_depth", endless); err != nil {
		return f, err
	}
	keep := false
	if text := values.Get("keep_hierarchy"); text != "" {
		if keep, err = strconv.ParseBool(text); err != nil {
			return f, badRequest("invalid keep_hierarchy %q: want true or false", text)
		}
	}
	if !keep {
		f.above = 0
	}
	text := values.Get("q")
	if text == "" {
		return f, nil
	}
	query, err := traceql.Parse(text)
	if err != nil {
		return f, badRequest("invalid TraceQL query: %s", err)
	}
	if len(query.Pipeline) != 1 {
		return f, badRequest("q of a trace must be one filter such as { status = error }")
	}
	if _, ok := query.Pipeline[0].(*traceql.SpansetFilter); !ok {
		return f, badRequest("q of a trace must be one filter such as { status = error }")
	}
	if f.plan, err = engine.Compile(query); err != nil {
		return f, badRequest("invalid TraceQL query: %s", err)
	}
	if f.plan.NeedsTrace() {
		return f, badRequest("q of a trace must ask about single spans: %s depends on the whole trace", query)
	}
	return f, nil
}

func depthParam(values url.Values, name string, def int) (int, error) {
	text := values.Get(name)
	if text == "" {
		return def, nil
	}
	v, err := strconv.ParseInt(text, 10, 32)
	if err != nil || v < endless {
		return 0, badRequest("invalid %s %q: want a number from -1 to %d", name, text, math.MaxInt32)
	}
	return int(v), nil
}

// apply returns the spans of a trace that are kept, in their order, and what to
// say if some are not. It changes spans.
func (f *traceFilter) apply(spans []schema.Span) (kept []schema.Span, message string) {
	if f.plan == nil {
		return spans, ""
	}
	list := make([]relative, len(spans))
	for i := range spans {
		list[i] = relative{spans[i].SpanID, spans[i].ParentSpanID, f.plan.Match(&spans[i])}
	}
	wanted := f.wanted(list)
	kept = spans[:0]
	for i := range spans {
		if wanted[i] {
			kept = append(kept, spans[i])
		}
	}
	return kept, shownMessage(len(kept), len(list))
}

// shownMessage says that spans are missing if some are.
func shownMessage(shown, all int) string {
	if shown == all {
		return ""
	}
	return fmt.Sprintf("the trace is filtered: %d of %d spans are shown", shown, all)
}

// relative is a span as the filter sees it.
type relative struct {
	id, parent schema.SpanID
	matched    bool
}

// wanted says which of the spans are kept.
func (f *traceFilter) wanted(spans []relative) []bool {
	wanted := make([]bool, len(spans))
	var matched []int
	for i := range spans {
		if spans[i].matched {
			wanted[i] = true
			matched = append(matched, i)
		}
	}
	if f.above != 0 {
		keepLevels(wanted, matched, parentsOf(spans), f.above)
	}
	if f.below != 0 {
		keepLevels(wanted, matched, childrenOf(spans), f.below)
	}
	return wanted
}

// keepLevels marks what is within so many steps of the given spans. A span that
// was marked by another of them counts as far as it is near.
func keepLevels(wanted []bool, from []int, next func(i int) []int, levels int) {
	reached := make([]bool, len(wanted))
	for _, i := range from {
		reached[i] = true
	}
	for level := 0; len(from) > 0 && (levels == endless || level < levels); level++ {
		var further []int
		for _, i := range from {
			for _, j := range next(i) {
				if !reached[j] {
					reached[j], wanted[j] = true, true
					further = append(further, j)
				}
			}
		}
		from = further
	}
}

// parentsOf returns the spans that have the id of a span's parent.
func parentsOf(spans []relative) func(i int) []int {
	byID := make(map[schema.SpanID][]int, len(spans))
	for i := range spans {
		byID[spans[i].id] = append(byID[spans[i].id], i)
	}
	return func(i int) []int { return related(byID, spans[i].parent) }
}

// childrenOf returns the spans whose parent has a span's id.
func childrenOf(spans []relative) func(i int) []int {
	byParent := make(map[schema.SpanID][]int, len(spans))
	for i := range spans {
		byParent[spans[i].parent] = append(byParent[spans[i].parent], i)
	}
	return func(i int) []int { return related(byParent, spans[i].id) }
}

// related looks up an id. The empty one is nobody's.
func related(byID map[schema.SpanID][]int, id schema.SpanID) []int {
	if id.IsZero() {
		return nil
	}
	return byID[id]
}
