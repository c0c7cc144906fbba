package engine

import "github.com/spanlake/spanlake/traceql"

// term is one link of a chain of && or ||.
type term struct {
	holds condition
	// isBool reports whether the link gives a boolean at all; nil if it
	// always does.
	isBool condition
}

// logic compiles a chain of one operator as one loop, since chains can have
// thousands of links.
func (c *compiler) logic(e *traceql.Binary, m mode) (condition, error) {
	var terms []term
	bare := false
	for _, link := range chain(e) {
		holds, err := c.condition(link, m)
		if err != nil {
			return nil, err
		}
		t := term{holds: holds}
		if link.Type() == traceql.TypeUnknown {
			bare = true
			if t.isBool = holds; m == modeExact || !c.partsOf(link).has(partTrace) { // else a bool if it is there
				if t.isBool, err = c.bare(link, isBoolean); err != nil {
					return nil, err
				}
			}
		}
		terms = append(terms, t)
	}
	switch {
	case e.Op == traceql.OpAnd:
		return allOf(terms), nil
	case bare:
		return someOfBare(terms), nil
	default:
		return someOf(terms), nil
	}
}

// chain lists the operands of a op b op c, which is (a op b) op c, in order.
func chain(e *traceql.Binary) []traceql.FieldExpr {
	length := 1
	var left traceql.FieldExpr = e
	for b, ok := e, true; ok && b.Op == e.Op; b, ok = left.(*traceql.Binary) {
		left = b.Left
		length++
	}
	links := make([]traceql.FieldExpr, length)
	links[0] = left
	left = e
	for i := length - 1; i > 0; i-- {
		b, _ := left.(*traceql.Binary)
		links[i], left = b.Right, b.Left
	}
	return links
}

// bare compiles a field or arithmetic that stands for itself: is tells whether
// one of its values will do.
func (c *compiler) bare(e traceql.FieldExpr, is test) (condition, error) {
	value, err := c.operand(e)
	return anyOf(loops(e), func(f *frame) bool {
		o := value(f)
		return o.holds(is)
	}), err
}

func isBoolean(v traceql.Static) bool { return v.Type == traceql.TypeBool }

func allOf(terms []term) condition {
	return func(f *frame) bool {
		for i := range terms {
			if !terms[i].holds(f) {
				return false
			}
		}
		return true
	}
}

func someOf(terms []term) condition {
	return func(f *frame) bool {
		for i := range terms {
			if terms[i].holds(f) {
				return true
			}
		}
		return false
	}
}

// someOfBare is someOf with bare links: one that is no boolean makes false of
// all links up to it.
func someOfBare(terms []term) condition {
	return func(f *frame) bool {
		holds := terms[0].holds(f)
		bools := terms[0].isBool == nil || terms[0].isBool(f)
		for _, t := range terms[1:] {
			bools = bools && (t.isBool == nil || t.isBool(f))
			holds = bools && (holds || t.holds(f))
			bools = true
		}
		return holds
	}
}
