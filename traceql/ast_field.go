package traceql

// FieldExpr is an expression over one span: *Binary, *Unary, *Literal,
// *Attribute or *Intrinsic.
type FieldExpr interface {
	// String is the expression as a query spells it.
	String() string
	// Type is the type of the expression's values, TypeUnknown when that
	// depends on an attribute.
	Type() Type
	// Pos is the byte offset in the query at which the expression stands.
	Pos() int
}

// Binary is Left Op Right. A test for nil has the literal nil on the right.
type Binary struct {
	Op          Operator
	Left, Right FieldExpr
	pos         int // of the operator
}

// Unary is !X (OpNot) or -X (OpSub).
type Unary struct {
	Op  Operator
	X   FieldExpr
	pos int
}

// Literal is a constant.
type Literal struct {
	Value Static
	pos   int
}

// Attribute is a key with the scope that it is looked up in. Name is the key
// as it is stored, without quotes.
type Attribute struct {
	Scope Scope
	Name  string
	pos   int
}

// Intrinsic is a field that every span, event, link or trace has.
type Intrinsic struct {
	ID  IntrinsicID
	pos int
}

// Pos is the place of the operator.
func (e *Binary) Pos() int { return e.pos }

// Pos is the place of the operator.
func (e *Unary) Pos() int { return e.pos }

// Pos is the place of the literal's first character.
func (e *Literal) Pos() int { return e.pos }

// Pos is the place of the attribute's first character.
func (e *Attribute) Pos() int { return e.pos }

// Pos is the place of the intrinsic's first character.
func (e *Intrinsic) Pos() int { return e.pos }

// Type is boolean for logic and comparisons, else that of the operands.
func (e *Binary) Type() Type {
	if !e.Op.IsArithmetic() {
		return TypeBool
	}
	if t := e.Left.Type(); t != TypeUnknown {
		return t
	}
	return e.Right.Type()
}

// Type is boolean for !, else that of the operand.
func (e *Unary) Type() Type {
	if e.Op == OpNot {
		return TypeBool
	}
	return e.X.Type()
}

// Type is that of the value.
func (e *Literal) Type() Type { return e.Value.Type }

// Type is TypeUnknown.
func (e *Attribute) Type() Type { return TypeUnknown }

// Type is that of the intrinsic.
func (e *Intrinsic) Type() Type { return e.ID.Type() }

func (e *Literal) isNil() bool { return e.Value.Type == TypeNil }

func isNil(e FieldExpr) bool {
	lit, ok := e.(*Literal)
	return ok && lit.isNil()
}
