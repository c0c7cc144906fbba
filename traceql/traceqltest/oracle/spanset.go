package oracle

import (
	"errors"
	"slices"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// ErrSpansets is the error of an operator between spansets of which a side has
// more than one, since by() made them.
var ErrSpansets = errors.New("an operand has more than one spanset: coalesce() first")

// spanset is a group of spans of a trace, by their numbers in ascending order.
type spanset struct {
	attributes []schema.Attribute
	spans      []int
}

// with is the same group with other spans.
func (s spanset) with(spans []int) spanset { return spanset{s.attributes, spans} }

// noted is the same group with one more attribute, in the place of the one that
// says the same if a stage was there before.
func (s spanset) noted(key string, v schema.Value) spanset {
	s.attributes = slices.Clone(s.attributes)
	if i := slices.IndexFunc(s.attributes, func(a schema.Attribute) bool { return a.Key == key }); i >= 0 {
		s.attributes[i].Value = v
	} else {
		s.attributes = append(s.attributes, schema.Attribute{Key: key, Value: v})
	}
	return s
}

// operation joins what two expressions find in the same spanset.
func (t *trace) operation(op *traceql.SpansetOperation, in spanset) ([]spanset, error) {
	a, err := t.operand(op.Left, in)
	if err != nil {
		return nil, err
	}
	b, err := t.operand(op.Right, in)
	if err != nil {
		return nil, err
	}
	var spans []int
	switch op.Op {
	case traceql.SpansetAnd:
		if len(a) > 0 && len(b) > 0 {
			spans = slices.Concat(a, b)
		}
	case traceql.SpansetUnion:
		spans = slices.Concat(a, b)
	default:
		spans = t.related(op.Op, a, b)
	}
	if len(spans) == 0 {
		return nil, nil
	}
	slices.Sort(spans)
	return []spanset{in.with(slices.Compact(spans))}, nil
}

// operand is what one side of an operator finds.
func (t *trace) operand(e traceql.SpansetExpr, in spanset) ([]int, error) {
	out, err := t.stage(e, []spanset{in})
	switch {
	case err != nil || len(out) == 0:
		return nil, err
	case len(out) > 1:
		return nil, ErrSpansets
	}
	return out[0].spans, nil
}

// related gives the spans of b that are related to a span of a, or to none, or
// the related spans of both.
func (t *trace) related(op traceql.SpansetOp, a, b []int) (spans []int) {
	for _, y := range b {
		related := false
		for _, x := range a {
			if !t.is(op.Relation(), x, y) {
				continue
			}
			related = true
			if op.IsUnion() {
				spans = append(spans, x)
			}
		}
		if related != op.IsNegated() {
			spans = append(spans, y)
		}
	}
	return spans
}

// is reports whether y stands to x as the right side of an operator to its
// left one.
func (t *trace) is(relation traceql.SpansetOp, x, y int) bool {
	switch relation {
	case traceql.SpansetChild:
		return t.links[y] == t.ids[x]
	case traceql.SpansetParent:
		return t.links[x] == t.ids[y]
	case traceql.SpansetDescendant:
		return slices.Contains(t.above(y), t.ids[x])
	case traceql.SpansetAncestor:
		return slices.Contains(t.above(x), t.ids[y])
	case traceql.SpansetSibling:
		return x != y && t.links[x] == t.links[y] && !t.links[x].IsZero()
	default:
		return false
	}
}
