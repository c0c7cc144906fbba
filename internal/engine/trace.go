package engine

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
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
	startNanos, endNanos  uint64        // first start; last start or end
	lastEnd               uint64
	rootName, rootService string // "" while the root is missing
}

// assemble gathers the rows of a trace from every source of its partition. It
// returns nil when there is none, as when the trace has just expired.
func assemble(ctx context.Context, id schema.TraceID, sources []Source) (*traceFacts, error) {
	var spans []schema.Span
	for _, s := range sources {
		part, err := s.Trace(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("read trace %s: %w", id, err)
		}
		spans = append(spans, part...)
	}
	return factsOf(id, spans), nil
}

// factsOf folds the rows of a trace and finds its extent and root. It changes
// spans.
func factsOf(id schema.TraceID, spans []schema.Span) *traceFacts {
	if len(spans) == 0 {
		return nil
	}
	// Sorted first, so that of equal rows the same one stays however the
	// sources are ordered.
	slices.SortStableFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	t := &traceFacts{id: id, spans: schema.Fold(spans)}
	t.startNanos = t.spans[0].StartNanos
	var root *schema.Span
	for i := range t.spans {
		s := &t.spans[i]
		t.lastEnd = max(t.lastEnd, s.EndNanos)
		t.endNanos = max(t.endNanos, s.StartNanos, s.EndNanos)
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
	return t.endNanos >= start && (end == 0 || t.startNanos < end)
}

// match returns the indices of the spans that the plan finds.
func (p *Plan) match(t *traceFacts) []int {
	f := p.frame()
	defer p.release(f)
	f.trace = t
	var matched []int
	for i := range t.spans {
		f.setSpan(&t.spans[i])
		if p.exact(f) {
			matched = append(matched, i)
		}
	}
	return matched
}

// place is where a trace stands in the answer: newest first, then by id.
type place struct {
	startNanos uint64
	id         schema.TraceID
}

// comparePlaces is negative when a stands before b.
func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(b.startNanos, a.startNanos), bytes.Compare(a.id[:], b.id[:]))
}
