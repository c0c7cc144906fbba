package traceql

// tokenKind is the class of a token.
type tokenKind uint8

const (
	tokenEOF       tokenKind = iota
	tokenPunct               // braces, parentheses, comma; text says which
	tokenOperator            // op and spanset say which, text for others
	tokenWord                // a keyword, stage name, unscoped intrinsic or stray word
	tokenIntrinsic           // a scoped intrinsic such as span:id
	tokenAttribute           // scope and text
	tokenLiteral             // value: string, int, float or duration
)

// token is one lexical unit. pos and end are byte offsets in the query.
type token struct {
	kind     tokenKind
	pos, end int
	text     string // operator, word, or the attribute's name without quotes
	op       Operator
	spanset  SpansetOp
	scope    Scope
	value    Static
}

func (t token) is(kind tokenKind, text string) bool { return t.kind == kind && t.text == text }

func (t token) isPunct(text string) bool { return t.is(tokenPunct, text) }

func (t token) isOperator(text string) bool { return t.is(tokenOperator, text) }

// operatorTokens are the operators as tokens. Of those that begin alike the
// longer ones stand first.
var operatorTokens = [...]struct {
	text    string
	op      Operator  // between field expressions or numbers
	spanset SpansetOp // between spansets
}{
	{"!>>", OpNone, SpansetNotDescendant},
	{"!<<", OpNone, SpansetNotAncestor},
	{"&>>", OpNone, SpansetUnionDescendant},
	{"&<<", OpNone, SpansetUnionAncestor},
	{"&&", OpAnd, SpansetAnd},
	{"||", OpOr, SpansetUnion},
	{"!=", OpNotEqual, SpansetNone},
	{"!~", OpNotRegex, SpansetNotSibling},
	{"=~", OpRegex, SpansetNone},
	{"<=", OpLessEqual, SpansetNone},
	{">=", OpGreaterEqual, SpansetNone},
	{">>", OpNone, SpansetDescendant},
	{"<<", OpNone, SpansetAncestor},
	{"!>", OpNone, SpansetNotChild},
	{"!<", OpNone, SpansetNotParent},
	{"&>", OpNone, SpansetUnionChild},
	{"&<", OpNone, SpansetUnionParent},
	{"&~", OpNone, SpansetUnionSibling},
	{"=", OpEqual, SpansetNone},
	{"<", OpLess, SpansetParent},
	{">", OpGreater, SpansetChild},
	{"~", OpNone, SpansetSibling},
	{"+", OpAdd, SpansetNone},
	{"-", OpSub, SpansetNone},
	{"*", OpMul, SpansetNone},
	{"/", OpDiv, SpansetNone},
	{"%", OpMod, SpansetNone},
	{"^", OpPower, SpansetNone},
	{"!", OpNone, SpansetNone},
	{"|", OpNone, SpansetNone},
	{"&", OpNone, SpansetNone},
}

// prec is how tightly the operator of a token binds, whatever it joins, 0 if
// it joins nothing.
func (t token) prec() int {
	if t.spanset != SpansetNone {
		return t.spanset.prec()
	}
	return t.op.prec()
}

// joinsSpansets reports whether the token is an operator between spansets.
func (t token) joinsSpansets() bool { return t.spanset != SpansetNone }
