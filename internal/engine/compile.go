package engine

import (
	"fmt"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/traceql"
)

// condition judges the frame's span.
type condition func(*frame) bool

// mode says how a condition answers while the trace is not known.
type mode uint8

const (
	modeExact mode = iota // it is known
	modeMay               // true if the condition can be true
	modeMust              // true if the condition is true for certain
)

func (m mode) negated() mode {
	switch m {
	case modeMay:
		return modeMust
	case modeMust:
		return modeMay
	case modeExact:
	}
	return modeExact
}

// maxSlots is the number of bits in resourceState.
const maxSlots = 64

// compiler turns expressions into closures.
type compiler struct {
	slots      int  // of resourceState, used so far
	inResource bool // inside of a condition that has a slot
	loose      bool // a filter is true for more rows than its condition
	known      map[*traceql.Binary]parts
	compiled   map[traceql.FieldExpr]condition // in modeExact
}

func newCompiler() *compiler {
	return &compiler{known: make(map[*traceql.Binary]parts), compiled: make(map[traceql.FieldExpr]condition)}
}

// exact compiles a whole filter, once.
func (c *compiler) exact(e traceql.FieldExpr) (condition, error) {
	holds, ok := c.compiled[e]
	if ok {
		return holds, nil
	}
	holds, err := c.condition(e, modeExact)
	c.compiled[e] = holds
	return holds, err
}

func (c *compiler) condition(e traceql.FieldExpr, m mode) (condition, error) {
	if !c.inResource && c.partsOf(e) == partResource && c.slots < maxSlots {
		return c.resourceCondition(e, m)
	}
	switch e := e.(type) {
	case *traceql.Literal:
		always := e.Value.IsTrue()
		return func(*frame) bool { return always }, nil
	case *traceql.Unary:
		if e.Op == traceql.OpNot {
			inner, err := c.condition(e.X, m.negated())
			return func(f *frame) bool { return !inner(f) }, err
		}
	case *traceql.Binary:
		if e.Op.IsLogic() {
			return c.logic(e, m)
		}
	}
	if m != modeExact && c.partsOf(e).has(partTrace) {
		if of := ofClass(e); of != nil && m == modeMay {
			return c.condition(of, m)
		}
		return func(*frame) bool { return m == modeMay }, nil
	}
	if b, ok := e.(*traceql.Binary); ok && !b.Op.IsArithmetic() {
		return c.comparison(b)
	}
	return c.bare(e, traceql.Static.IsTrue)
}

// resourceCondition decides e once per resource.
func (c *compiler) resourceCondition(e traceql.FieldExpr, m mode) (condition, error) {
	c.inResource = true
	inner, err := c.condition(e, m)
	c.inResource = false
	bit := uint64(1) << c.slots
	c.slots++
	return func(f *frame) bool {
		r := f.resource()
		if r.known&bit == 0 {
			r.known |= bit
			if inner(f) {
				r.holds |= bit
			}
		}
		return r.holds&bit != 0
	}, err
}

// comparison compiles = != < <= > >= =~ !~.
func (c *compiler) comparison(e *traceql.Binary) (condition, error) {
	op, left, right := literalLast(e)
	value, err := c.operand(left)
	if err != nil {
		return nil, err
	}
	literal, ok := right.(*traceql.Literal)
	if !ok {
		return c.comparisonOfFields(op, left, value, right)
	}
	if literal.Value.Type == traceql.TypeNil {
		present := anyOf(loops(left), func(f *frame) bool { return value(f).state != stateAbsent })
		if op == traceql.OpNotEqual {
			return present, nil
		}
		return func(f *frame) bool { return !present(f) }, nil
	}
	if fast := idCondition(op, left, literal.Value); fast != nil {
		return fast, nil
	}
	with, err := comparisonWith(op, left, literal.Value)
	if err != nil {
		return nil, err
	}
	return anyOf(loops(left), func(f *frame) bool {
		o := value(f)
		return o.fulfils(with)
	}), nil
}

func (c *compiler) comparisonOfFields(
	op traceql.Operator, left traceql.FieldExpr, value evaluator, right traceql.FieldExpr,
) (condition, error) {
	other, err := c.operand(right)
	return anyOf(loops(left)|loops(right), func(f *frame) bool {
		a, b := value(f), other(f)
		return compareOperands(op, &a, &b)
	}), err
}

// anyOf tries a condition on every event and link that it depends on.
func anyOf(over parts, inner condition) condition {
	if over.has(partLink) {
		perEvent := inner
		inner = func(f *frame) bool {
			defer func(outer *otlp.Link) { f.link = outer }(f.link)
			links := f.allLinks()
			for i := range links {
				f.link = &links[i]
				if perEvent(f) {
					return true
				}
			}
			return false
		}
	}
	if !over.has(partEvent) {
		return inner
	}
	return func(f *frame) bool {
		defer func(outer *otlp.Event) { f.event = outer }(f.event)
		events := f.allEvents()
		for i := range events {
			f.event = &events[i]
			if inner(f) {
				return true
			}
		}
		return false
	}
}

// reader compiles an expression of which one value matters. Of events or links
// that is the one of the last that has it.
func (c *compiler) reader(e traceql.FieldExpr) (evaluator, error) {
	value, err := c.operand(e)
	over := loops(e)
	if over == 0 {
		return value, err
	}
	last := ofLast(over, func(f *frame) (operand, bool) {
		o := value(f)
		return o, o.state != stateAbsent
	})
	return func(f *frame) operand {
		o, _ := last(f)
		return o
	}, err
}

// operand compiles an expression whose value matters, not only its truth.
func (c *compiler) operand(e traceql.FieldExpr) (evaluator, error) {
	switch e := e.(type) {
	case *traceql.Literal:
		o := scalar(e.Value)
		return func(*frame) operand { return o }, nil
	case *traceql.Attribute:
		return attributeField(e)
	case *traceql.Intrinsic:
		return intrinsicField(e.ID)
	case *traceql.Unary:
		if e.Op == traceql.OpSub {
			return c.negation(e)
		}
	case *traceql.Binary:
		if e.Op.IsArithmetic() {
			return c.arithmetic(e)
		}
	default:
		return nil, fmt.Errorf("%w: %s", traceql.ErrUnsupported, e)
	}
	// With the trace unknown a comparison of it never gets here: the one
	// around it was given up before.
	holds, err := c.condition(e, modeExact)
	return func(f *frame) operand { return scalar(traceql.NewBool(holds(f))) }, err
}

func (c *compiler) negation(e *traceql.Unary) (evaluator, error) {
	x, err := c.operand(e.X)
	return func(f *frame) operand {
		o := x(f)
		if o.state != stateScalar {
			return operand{}
		}
		if v, ok := traceql.Negate(o.value); ok {
			return scalar(v)
		}
		return operand{}
	}, err
}

func (c *compiler) arithmetic(e *traceql.Binary) (evaluator, error) {
	left, err := c.operand(e.Left)
	if err != nil {
		return nil, err
	}
	right, err := c.operand(e.Right)
	return func(f *frame) operand {
		a := left(f)
		if a.state != stateScalar {
			return operand{}
		}
		b := right(f)
		if b.state != stateScalar {
			return operand{}
		}
		if v, ok := e.Op.Apply(a.value, b.value); ok {
			return scalar(v)
		}
		return operand{}
	}, err
}
