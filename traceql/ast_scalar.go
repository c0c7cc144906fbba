package traceql

// ScalarFilter keeps the spansets for which the comparison holds. After the
// checks Left is an *Aggregate and Right a *ScalarLiteral.
type ScalarFilter struct {
	Op          Operator // = != < <= > >=
	Left, Right ScalarExpr
	pos         int // of the operator
}

func (*ScalarFilter) stage() {}

// Pos is the place of the operator.
func (s *ScalarFilter) Pos() int { return s.pos }

// ScalarExpr is a number for a spanset: *Aggregate, *ScalarLiteral, or what
// the checks refuse, *ScalarBinary and *ScalarPipeline.
type ScalarExpr interface {
	// String is the expression as a query spells it.
	String() string
	// Type is the type of the number, TypeUnknown when that depends on an
	// attribute.
	Type() Type
	// Pos is the byte offset in the query at which the expression stands.
	Pos() int
	scalarExpr()
}

// Aggregate is a function of the spans of a spanset. Spans for which Expr has
// no number do not count; if none has one, there is no value.
type Aggregate struct {
	Op   AggregateOp
	Expr FieldExpr // nil for AggregateCount
	pos  int
}

// ScalarLiteral is a constant int, float or duration.
type ScalarLiteral struct {
	Value Static
	pos   int
}

// ScalarBinary is Left Op Right with an arithmetic operator.
type ScalarBinary struct {
	Op          Operator
	Left, Right ScalarExpr
	pos         int // of the operator
}

// ScalarPipeline is the aggregate of what a pipeline of its own gives.
type ScalarPipeline struct {
	Pipeline  Pipeline
	Aggregate *Aggregate
	pos       int
}

func (*Aggregate) scalarExpr()      {}
func (*ScalarLiteral) scalarExpr()  {}
func (*ScalarBinary) scalarExpr()   {}
func (*ScalarPipeline) scalarExpr() {}

// Pos is the place of the function's name.
func (e *Aggregate) Pos() int { return e.pos }

// Pos is the place of the literal's first character.
func (e *ScalarLiteral) Pos() int { return e.pos }

// Pos is the place of the operator.
func (e *ScalarBinary) Pos() int { return e.pos }

// Pos is the place of the opening parenthesis.
func (e *ScalarPipeline) Pos() int { return e.pos }

// Type is int for a count, else that of the values; an average of ints is a
// float.
func (e *Aggregate) Type() Type {
	if e.Op == AggregateCount {
		return TypeInt
	}
	if t := e.Expr.Type(); e.Op != AggregateAvg || t != TypeInt {
		return t
	}
	return TypeFloat
}

// Type is that of the value.
func (e *ScalarLiteral) Type() Type { return e.Value.Type }

// Type is that of the left operand, or of the right one if that is unknown.
func (e *ScalarBinary) Type() Type {
	if t := e.Left.Type(); t != TypeUnknown {
		return t
	}
	return e.Right.Type()
}

// Type is that of the aggregate.
func (e *ScalarPipeline) Type() Type { return e.Aggregate.Type() }

// AggregateOp names an aggregate of a spanset.
type AggregateOp uint8

// The aggregates.
const (
	AggregateNone  AggregateOp = iota
	AggregateCount             // count(): the number of spans
	AggregateMin               // min(expr)
	AggregateMax               // max(expr)
	AggregateSum               // sum(expr)
	AggregateAvg               // avg(expr)
)

var aggregateTable = [...]string{
	AggregateNone:  "",
	AggregateCount: "count",
	AggregateMin:   "min",
	AggregateMax:   "max",
	AggregateSum:   "sum",
	AggregateAvg:   "avg",
}

// String is the function's name.
func (op AggregateOp) String() string { return aggregateTable[op] }

func lookupAggregate(word string) AggregateOp {
	for op, name := range aggregateTable {
		if name == word && AggregateOp(op) != AggregateNone { //nolint:gosec // an index of a short table
			return AggregateOp(op) //nolint:gosec // an index of a short table
		}
	}
	return AggregateNone
}
