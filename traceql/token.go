package traceql

// tokenKind is the class of a token.
type tokenKind uint8

const (
	tokenEOF       tokenKind = iota
	tokenPunct               // braces, parentheses, comma; text says which
	tokenOperator            // text says which
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
	scope    Scope
	value    Static
}

func (t token) is(kind tokenKind, text string) bool { return t.kind == kind && t.text == text }

func (t token) isPunct(text string) bool { return t.is(tokenPunct, text) }

func (t token) isOperator(text string) bool { return t.is(tokenOperator, text) }

// operatorTokens are tried in order, so longer ones stand first. Those that
// join spansets are read here too, so that the parser can name them.
var operatorTokens = [...]string{
	"!>>", "!<<", "&>>", "&<<",
	"&&", "||", "!=", "!~", "=~", "<=", ">=", ">>", "<<", "!>", "!<", "&>", "&<", "&~",
	"=", "<", ">", "!", "~", "+", "-", "*", "/", "%", "^", "|", "&",
}

// fieldOperators maps a token's text to the operator that it is between field
// expressions.
func fieldOperator(text string) Operator {
	for op, entry := range operatorTable {
		if entry.text == text && Operator(op) != OpNone && Operator(op) != OpNot { //nolint:gosec // an index of a short table
			return Operator(op) //nolint:gosec // an index of a short table
		}
	}
	return OpNone
}

// joinsSpansets reports whether an operator joins spansets or stages.
func joinsSpansets(text string) bool {
	switch text {
	case "|", "&&", "||", ">", "<", ">>", "<<", "~",
		"!>", "!<", "!>>", "!<<", "!~", "&>", "&<", "&>>", "&<<", "&~":
		return true
	default:
		return false
	}
}
