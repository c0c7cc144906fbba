package engine

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// rootMissing is shown as the root's service while the root has not arrived,
// or has none.
const rootMissing = "<root span not yet received>"

// traceFacts is what is known of a trace once all its rows are there.
type traceFacts struct {
	id                    schema.TraceID
	spans                 []schema.Span // folded, by start, span id, kind; at least one
	startNanos, endNanos  uint64        // first start of a span; last start or end, also of scores
	lastEnd               uint64        // of a span
	rootName, rootService string        // "" while the root is missing
	tree                  *tree         // nil until it is asked for
	ofUsage               *traceUsage
	scored                bool   // some spans are scores
	ofShape               *shape // nil until it is asked for
}

// links is the tree of the trace. It serves one goroutine.
func (t *traceFacts) links() *tree {
	if t.tree == nil {
		t.tree = newTree(t.spans)
	}
	return t.tree
}

// factsOf folds the rows of a trace and finds its extent and root. It changes
// spans. derive is that of their source, if some are pieces of spans.
func factsOf(id schema.TraceID, spans []schema.Span, derive Derive) *traceFacts {
	if len(spans) == 0 {
		return nil
	}
	// Sorted first, so that of equal rows the same one stays however the
	// sources are ordered.
	slices.SortStableFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	t := &traceFacts{id: id, spans: Fold(spans, derive)}
	t.startNanos = t.spans[0].StartNanos // of what has nothing but scores the first
	var root *schema.Span
	begun := false
	for i := range t.spans {
		s := &t.spans[i]
		t.endNanos = max(t.endNanos, s.StartNanos, s.EndNanos)
		if s.Fragment == schema.FragmentScore {
			t.scored = true
			continue
		}
		if t.lastEnd = max(t.lastEnd, s.EndNanos); !begun {
			t.startNanos, begun = s.StartNanos, true
		}
		if root == nil && s.ParentSpanID.IsZero() {
			root = s
		}
	}
	if root != nil {
		t.rootName, t.rootService = root.Name, root.Resource.ServiceName
	}
	return t
}

// durationNanos is the last end minus the first start, never negative.
func (t *traceFacts) durationNanos() int64 {
	if t.lastEnd < t.startNanos {
		return 0
	}
	return int64(min(t.lastEnd-t.startNanos, math.MaxInt64)) //nolint:gosec // bounded on this line
}

// overlaps reports whether the trace reaches into [start, end).
func (t *traceFacts) overlaps(start, end uint64) bool {
	return reaches(t.startNanos, t.endNanos, start, end)
}

// reaches reports whether [first, last] reaches into [start, end), where an end
// of 0 is none.
func reaches(first, last, start, end uint64) bool { return last >= start && (end == 0 || first < end) }

// place is where a trace stands in the answer: newest first, then by id.
type place struct {
	startNanos uint64
	id         schema.TraceID
}

// comparePlaces is negative when a stands before b.
func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(b.startNanos, a.startNanos), bytes.Compare(a.id[:], b.id[:]))
}
