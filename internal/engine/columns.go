package engine

import (
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/traceql"
)

// union selects what either selects.
func union(a, b vec.Columns) vec.Columns {
	c := vec.Columns{
		Resource:   a.Resource || b.Resource,
		Scope:      a.Scope || b.Scope,
		Attributes: a.Attributes || b.Attributes,
		Events:     a.Events || b.Events,
		Links:      a.Links || b.Links,
		Rest:       a.Rest || b.Rest,
	}
	if !c.Attributes {
		c.Keys = slices.Concat(a.Keys, b.Keys)
		slices.Sort(c.Keys)
		c.Keys = slices.Compact(c.Keys)
	}
	return c
}

// columnsOf is what expressions read.
func columnsOf(list ...traceql.FieldExpr) vec.Columns {
	var used parts
	var columns vec.Columns
	for _, e := range list {
		eachField(e, func(field traceql.FieldExpr) {
			used |= partsOfField(field)
			if isCounted(field) {
				field = usageClass()
			}
			if a, ok := field.(*traceql.Attribute); ok && partsOfField(a).has(partSpan) {
				columns.Keys = append(columns.Keys, a.Name)
			}
		})
	}
	columns.Resource = used.has(partResource)
	columns.Scope = used.has(partScope)
	columns.Events = used.has(partEvent)
	columns.Links = used.has(partLink)
	return union(columns, vec.Columns{})
}

// eachField calls f with the fields and literals of e, from left to right.
func eachField(e traceql.FieldExpr, f func(traceql.FieldExpr)) {
	switch e := e.(type) {
	case *traceql.Binary:
		eachField(e.Left, f)
		eachField(e.Right, f)
	case *traceql.Unary:
		eachField(e.X, f)
	default:
		f(e)
	}
}

// parts are the things that an expression depends on.
type parts uint8

const (
	partRow      parts = 1 << iota // what every row has
	partSpan                       // attributes of the span
	partResource                   // attributes of the resource
	partScope                      // attributes of the scope
	partEvent                      // the event that the comparison is tried on
	partLink                       // likewise
	partTrace                      // the whole trace
)

func (p parts) has(q parts) bool { return p&q != 0 }

// partsOf is what e depends on, operands of operands included. It remembers
// its answers, since every level of a long chain asks about all below it.
func (c *compiler) partsOf(e traceql.FieldExpr) parts {
	switch e := e.(type) {
	case *traceql.Binary:
		p, ok := c.known[e]
		if !ok {
			p = c.partsOf(e.Left) | c.partsOf(e.Right)
			c.known[e] = p
		}
		return p
	case *traceql.Unary:
		return c.partsOf(e.X)
	default:
		return partsOfField(e)
	}
}

// partsOfAll is what any of the expressions depends on.
func (c *compiler) partsOfAll(list []traceql.FieldExpr) parts {
	var p parts
	for _, e := range list {
		p |= c.partsOf(e)
	}
	return p
}

// partsOfField is what a field depends on; a literal depends on nothing.
func partsOfField(e traceql.FieldExpr) parts {
	switch e := e.(type) {
	case *traceql.Attribute:
		if isCounted(e) {
			return partSpan | partTrace
		}
		return partsOfScope(e.Scope)
	case *traceql.Intrinsic:
		return partsOfIntrinsic(e.ID)
	default:
		return 0
	}
}

func partsOfScope(s traceql.Scope) parts {
	switch s {
	case traceql.ScopeSpan:
		return partSpan
	case traceql.ScopeResource:
		return partResource
	case traceql.ScopeEvent:
		return partEvent
	case traceql.ScopeLink:
		return partLink
	case traceql.ScopeInstrumentation:
		return partScope
	case traceql.ScopeNone, traceql.ScopeParent, traceql.ScopeParentSpan, traceql.ScopeParentResource:
	}
	return partSpan | partResource
}

func partsOfIntrinsic(id traceql.IntrinsicID) parts {
	switch id {
	case traceql.IntrinsicEventName, traceql.IntrinsicEventTimeSinceStart:
		return partEvent
	case traceql.IntrinsicLinkTraceID, traceql.IntrinsicLinkSpanID:
		return partLink
	default:
		if id.OfTrace() {
			return partTrace
		}
		return partRow
	}
}

// loops is which of events and links a comparison must be tried on. Those in
// comparisons below it are the affair of these.
func loops(e traceql.FieldExpr) parts {
	switch e := e.(type) {
	case *traceql.Binary:
		if e.Op.IsArithmetic() {
			return loops(e.Left) | loops(e.Right)
		}
		return 0
	case *traceql.Unary:
		if e.Op == traceql.OpSub {
			return loops(e.X)
		}
		return 0
	default:
		return partsOfField(e) & (partEvent | partLink)
	}
}
