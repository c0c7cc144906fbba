package engine

import (
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// Whose usage counts depends on what hangs below a span, wherever the rows of
// its trace are. So schema.UsageCounted is not stored, and every query decides
// it on the whole trace; rows without a class of usage need no look.

// isCounted reports whether a field is schema.UsageCounted.
func isCounted(e traceql.FieldExpr) bool {
	a, ok := e.(*traceql.Attribute)
	return ok && a.Name == schema.UsageCounted && (a.Scope == traceql.ScopeSpan || a.Scope == traceql.ScopeNone)
}

// usageClass is the attribute that a span must have for schema.UsageCounted to
// have a value.
func usageClass() *traceql.Attribute {
	return &traceql.Attribute{Scope: traceql.ScopeSpan, Name: schema.UsageClass}
}

// ofClass is what single rows say of a condition that is true only where
// schema.UsageCounted has a value, nil if the condition is another.
func ofClass(e traceql.FieldExpr) traceql.FieldExpr {
	if b, ok := e.(*traceql.Binary); ok && (b.Op == traceql.OpEqual || b.Op == traceql.OpNotEqual) {
		_, left, right := literalLast(b)
		literal, ok := right.(*traceql.Literal)
		if !ok || b.Op == traceql.OpEqual && literal.Value.Type != traceql.TypeBool || b.Op == traceql.OpNotEqual && literal.Value.Type != traceql.TypeNil {
			return nil
		}
		e = left
	}
	if !isCounted(e) {
		return nil
	}
	return &traceql.Binary{Op: traceql.OpNotEqual, Left: usageClass(), Right: &traceql.Literal{Value: traceql.Static{Type: traceql.TypeNil}}}
}

// countedValue reads schema.UsageCounted.
func countedValue(f *frame) (schema.Value, bool) {
	if f.trace == nil {
		return schema.Value{}, false
	}
	class := f.trace.usage().class[f.row]
	if class == classNone {
		return schema.Value{}, false
	}
	return schema.Value{Kind: schema.KindBool, Bool: f.trace.usage().counted(f.row)}, true
}

// traceUsage is which spans of a trace report usage, and what is reported below
// them.
type traceUsage struct {
	tree  *tree
	class []usageClasses // of each span
	below []usageClasses // of each node: of spans under it
}

// usageClasses are bits, one for each class.
type usageClasses uint8

const (
	classNone usageClasses = 0
	classLLM  usageClasses = 1 << (iota - 1)
	classEmbedding
	classAggregate
)

func classOf(s *schema.Span) usageClasses {
	v, ok := lookupSpan(s, schema.UsageClass)
	if !ok || v.Kind != schema.KindString {
		return classNone
	}
	switch v.Str {
	case schema.UsageLLM:
		return classLLM
	case schema.UsageEmbedding:
		return classEmbedding
	case schema.UsageAggregate:
		return classAggregate
	}
	return classNone
}

// repeats are the classes that a span's usage does not count above.
func (c usageClasses) repeats() usageClasses {
	switch c {
	case classLLM:
		return classLLM | classAggregate
	case classEmbedding:
		return classEmbedding
	default:
		return classLLM | classEmbedding | classAggregate
	}
}

func (u *traceUsage) counted(span int) bool {
	return u.below[u.tree.node[span]]&u.class[span].repeats() == 0
}

// usage looks through the trace once. It serves one goroutine.
func (t *traceFacts) usage() *traceUsage {
	if t.ofUsage == nil {
		t.ofUsage = newTraceUsage(t.links(), t.spans)
	}
	return t.ofUsage
}

// newTraceUsage passes classes on from the spans to the nodes above them: each
// node once, after all that are below it.
func newTraceUsage(t *tree, spans []schema.Span) *traceUsage {
	u := &traceUsage{tree: t, class: make([]usageClasses, len(spans)), below: make([]usageClasses, len(t.up))}
	all := classNone
	for i := range spans {
		u.class[i] = classOf(&spans[i])
		all |= u.class[i]
		if p := t.parent[i]; p != noNode {
			u.below[p] |= u.class[i]
		}
	}
	if all == classNone {
		return u
	}
	waits := make([]int32, len(t.up)) // nodes right below that have not passed on
	for _, up := range t.up {
		if up != noNode {
			waits[up]++
		}
	}
	for n := range t.up {
		for at := int32(n); waits[at] == 0; { //nolint:gosec // a trace fits memory
			waits[at] = -1
			up := t.up[at]
			if up == noNode {
				break
			}
			u.below[up] |= u.below[at]
			waits[up]--
			at = up
		}
	}
	return u
}
