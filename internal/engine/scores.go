package engine

import (
	"strings"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// A score is a row of the trace that it is about, but no span of it: not in its
// shape, which are the number of its spans, the services, root, duration, numbers of
// children and nested sets, and found only by filters that name what tells scores
// apart. Every trace with one has rows that are fragments, so it is put together
// whole before anything is said of it, and sources need not know.

// kindOfSpan is the attribute that says what a span is, of scores that they are some.
const kindOfSpan = "spanlake.kind"

// namesScores reports whether a condition is about scores too, as spans of the
// trace: it names the kind, or what only scores have.
func namesScores(e traceql.FieldExpr) bool {
	found := false
	eachField(e, func(field traceql.FieldExpr) {
		a, ok := field.(*traceql.Attribute)
		if !ok || a.Scope != traceql.ScopeSpan && a.Scope != traceql.ScopeNone {
			return
		}
		found = found || a.Name == kindOfSpan ||
			strings.HasPrefix(a.Name, "gen_ai.evaluation.") || strings.HasPrefix(a.Name, "spanlake.score.")
	})
	return found
}

// withoutScores is a condition that no score fulfils, unless it is about them.
func withoutScores(e traceql.FieldExpr, holds condition) condition {
	if namesScores(e) {
		return holds
	}
	return func(f *frame) bool { return f.span.Fragment != schema.FragmentScore && holds(f) }
}

// shape is the tree of the trace without scores, and the place of each span in it.
type shape struct {
	tree  *tree
	place []int32 // negative for a score; nil: as in the trace
}

// shaped looks through the trace once. It serves one goroutine.
func (t *traceFacts) shaped() *shape {
	switch {
	case t.ofShape != nil:
	case !t.scored:
		t.ofShape = &shape{tree: t.links()}
	default:
		s := &shape{place: make([]int32, len(t.spans))}
		var spans []schema.Span
		for i := range t.spans {
			if s.place[i] = -1; t.spans[i].Fragment != schema.FragmentScore {
				s.place[i] = int32(len(spans)) //nolint:gosec // a trace fits memory
				spans = append(spans, t.spans[i])
			}
		}
		s.tree = newTree(spans)
		t.ofShape = s
	}
	return t.ofShape
}

// placeOf is false for a score.
func (s *shape) placeOf(span int) (int, bool) {
	if s.place == nil {
		return span, true
	}
	return int(s.place[span]), s.place[span] >= 0
}

// childCount is the number of spans that name the span as their parent, 0 for a
// score.
func (t *traceFacts) childCount(span int) int64 {
	at, ok := t.shaped().placeOf(span)
	if !ok {
		return 0
	}
	return t.shaped().tree.childCount(at)
}

// numbersOf is the place of a span in the nested-set model, 0 for a score.
func (t *traceFacts) numbersOf(span int) numbers {
	at, ok := t.shaped().placeOf(span)
	if !ok {
		return numbers{}
	}
	return t.shaped().tree.numbersOf(at)
}
