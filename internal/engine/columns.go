package engine

import "github.com/spanlake/spanlake/traceql"

// Columns says which parts of the rows a plan reads besides those that every
// row has: ids, times, name, kind, status, the resource's service name, and
// name and version of the scope.
type Columns struct {
	Resource   bool // Resource.Wire
	Scope      bool // Scope.Wire
	Attributes bool // Span.Attributes
	Events     bool // Span.Events
	Links      bool // Span.Links
}

// with is the union of both.
func (c Columns) with(d Columns) Columns {
	return Columns{
		Resource:   c.Resource || d.Resource,
		Scope:      c.Scope || d.Scope,
		Attributes: c.Attributes || d.Attributes,
		Events:     c.Events || d.Events,
		Links:      c.Links || d.Links,
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

func (p parts) columns() Columns {
	return Columns{
		Resource:   p.has(partResource),
		Scope:      p.has(partScope),
		Attributes: p.has(partSpan),
		Events:     p.has(partEvent),
		Links:      p.has(partLink),
	}
}

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

// partsOfField is what a field depends on; a literal depends on nothing.
func partsOfField(e traceql.FieldExpr) parts {
	switch e := e.(type) {
	case *traceql.Attribute:
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
