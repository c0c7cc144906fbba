package traceql

// SpansetExpr gives one spanset of a trace's spans: *SpansetFilter,
// *SpansetOperation or *SpansetPipeline.
type SpansetExpr interface {
	Stage
	spansetExpr()
}

// SpansetFilter keeps the spans for which Expr is true. The empty filter has
// the literal true.
type SpansetFilter struct {
	Expr FieldExpr
	pos  int
}

// SpansetOperation joins what two expressions find in the same trace.
type SpansetOperation struct {
	Op          SpansetOp
	Left, Right SpansetExpr
	pos         int // of the operator
}

// SpansetPipeline is a pipeline in parentheses as an operand.
type SpansetPipeline struct {
	Pipeline Pipeline
	pos      int
}

func (*SpansetFilter) stage()    {}
func (*SpansetOperation) stage() {}
func (*SpansetPipeline) stage()  {}

func (*SpansetFilter) spansetExpr()    {}
func (*SpansetOperation) spansetExpr() {}
func (*SpansetPipeline) spansetExpr()  {}

// Pos is the place of the opening brace.
func (s *SpansetFilter) Pos() int { return s.pos }

// Pos is the place of the operator.
func (s *SpansetOperation) Pos() int { return s.pos }

// Pos is the place of the opening parenthesis.
func (s *SpansetPipeline) Pos() int { return s.pos }

// SpansetOp joins spansets. With A on its left and B on its right, the
// relations give the spans of B that stand in the relation to a span of A:
// A > B gives the children in B of the spans of A.
type SpansetOp uint8

// The operators on spansets.
const (
	SpansetNone       SpansetOp = iota
	SpansetAnd                  // &&: the spans of both, if neither is empty
	SpansetUnion                // ||: the spans of both
	SpansetChild                // >: direct children of a span of A
	SpansetParent               // <: direct parents
	SpansetDescendant           // >>
	SpansetAncestor             // <<
	SpansetSibling              // ~: spans with the same parent, a span is no sibling of itself

	SpansetNotChild      // !>: children of no span of A, all of B if A is empty
	SpansetNotParent     // !<
	SpansetNotDescendant // !>>
	SpansetNotAncestor   // !<<
	SpansetNotSibling    // !~

	SpansetUnionChild      // &>: what > gives, and the spans of A that they are children of
	SpansetUnionParent     // &<
	SpansetUnionDescendant // &>>
	SpansetUnionAncestor   // &<<
	SpansetUnionSibling    // &~
)

var spansetOpTable = [...]string{
	SpansetNone:            "",
	SpansetAnd:             "&&",
	SpansetUnion:           "||",
	SpansetChild:           ">",
	SpansetParent:          "<",
	SpansetDescendant:      ">>",
	SpansetAncestor:        "<<",
	SpansetSibling:         "~",
	SpansetNotChild:        "!>",
	SpansetNotParent:       "!<",
	SpansetNotDescendant:   "!>>",
	SpansetNotAncestor:     "!<<",
	SpansetNotSibling:      "!~",
	SpansetUnionChild:      "&>",
	SpansetUnionParent:     "&<",
	SpansetUnionDescendant: "&>>",
	SpansetUnionAncestor:   "&<<",
	SpansetUnionSibling:    "&~",
}

// String is the operator as a query spells it.
func (op SpansetOp) String() string { return spansetOpTable[op] }

// IsStructural reports whether op asks for places in the tree of the trace.
func (op SpansetOp) IsStructural() bool { return op >= SpansetChild }

// IsNegated reports whether op asks for spans that are not in the relation.
func (op SpansetOp) IsNegated() bool { return op >= SpansetNotChild && op <= SpansetNotSibling }

// IsUnion reports whether op gives the related spans of both sides.
func (op SpansetOp) IsUnion() bool { return op >= SpansetUnionChild }

// Relation is the plain relation of a negated or union operator, SpansetChild
// of SpansetNotChild; other operators are their own.
func (op SpansetOp) Relation() SpansetOp {
	switch {
	case op.IsUnion():
		return op - SpansetUnionChild + SpansetChild
	case op.IsNegated():
		return op - SpansetNotChild + SpansetChild
	default:
		return op
	}
}

// operandPrec is how tightly operands must bind to stand without parentheses.
func (op SpansetOp) operandPrec() (left, right int) { return op.prec(), op.prec() + 1 }

func (op SpansetOp) prec() int {
	if op == SpansetAnd || op == SpansetUnion {
		return precLogic
	}
	return precCompare
}
