package oracle

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// trace is all that was received of one trace, each span once.
type trace struct {
	id    schema.TraceID
	spans []schema.Span // by start, id, kind
	tree
	shape tree  // without scores
	at    []int // of each span in the shape, -1 for a score
}

// traces puts rows together: in no particular order, some of them twice, some
// of them fragments.
func traces(rows []schema.Span) []*trace {
	var list []*trace
	for _, row := range rows {
		i := slices.IndexFunc(list, func(t *trace) bool { return t.id == row.TraceID })
		if i < 0 {
			i = len(list)
			list = append(list, &trace{id: row.TraceID})
		}
		list[i].spans = append(list[i].spans, row)
	}
	for _, t := range list {
		t.spans = fold(t.spans)
		slices.SortFunc(t.spans, compareSpans)
		t.tree = newTree(t.spans)
		var shaped []schema.Span
		for _, s := range t.spans {
			if s.Fragment == schema.FragmentScore {
				t.at = append(t.at, -1)
			} else {
				t.at = append(t.at, len(shaped))
				shaped = append(shaped, s)
			}
		}
		t.shape = newTree(shaped)
	}
	return list
}

// compareSpans is the order of the spans of a trace.
func compareSpans(a, b schema.Span) int {
	return cmp.Or(
		cmp.Compare(a.StartNanos, b.StartNanos),
		bytes.Compare(a.SpanID[:], b.SpanID[:]),
		cmp.Compare(a.Kind, b.Kind),
	)
}

// startNanos is the start of the first span, of a score if there are no others.
func (t *trace) startNanos() uint64 {
	for _, s := range t.spans {
		if s.Fragment != schema.FragmentScore {
			return s.StartNanos
		}
	}
	return t.spans[0].StartNanos
}

// endNanos is the end of the last span that is not a score, 0 if none has ended.
func (t *trace) endNanos() (last uint64) {
	for _, s := range t.spans {
		if s.Fragment != schema.FragmentScore {
			last = max(last, s.EndNanos)
		}
	}
	return last
}

// durationNanos is the last end minus the first start, never negative.
func (t *trace) durationNanos() int64 {
	if t.endNanos() < t.startNanos() {
		return 0
	}
	return int64(min(t.endNanos()-t.startNanos(), math.MaxInt64)) //nolint:gosec // bounded on this line
}

// root is the first span that says it has no parent, and is no score, nil if none
// was received.
func (t *trace) root() *schema.Span {
	for i := range t.spans {
		if t.spans[i].ParentSpanID.IsZero() && t.spans[i].Fragment != schema.FragmentScore {
			return &t.spans[i]
		}
	}
	return nil
}
