package traceql

import (
	"fmt"
	"unicode/utf8"
)

// MaxQueryBytes is the longest query that Parse takes.
const MaxQueryBytes = 128 << 10

// maxNesting bounds the nesting of what an expression means, and maxRecursion
// that of its text: printing a tree may add a pair of parentheses or two per
// level, and the result must still be read.
const (
	maxNesting   = 256
	maxRecursion = 4 * maxNesting
)

// Parse reads and checks a query. Every error is an *Error and wraps
// ErrSyntax, ErrType or ErrUnsupported.
func Parse(query string) (*Query, error) {
	if err := checkText(query); err != nil {
		return nil, err
	}
	p := &parser{lex: lexer{src: query}}
	q, err := p.query()
	if err != nil {
		return nil, err
	}
	return q, check(query, q)
}

// checkText refuses what is too long or not text.
func checkText(query string) error {
	if len(query) > MaxQueryBytes {
		return errorAt(query, 0, ErrSyntax,
			fmt.Sprintf("the query has %d bytes, the limit is %d", len(query), MaxQueryBytes), "")
	}
	for i, r := range query {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(query[i:]); size == 1 {
				return errorAt(query, i, ErrSyntax, "the query is not valid UTF-8", "")
			}
		}
	}
	return nil
}

// parser reads one query with one token of lookahead.
type parser struct {
	lex    lexer
	before token // the token consumed last
	tok    token // the token to look at
	depth  int
}

func (p *parser) advance() (err error) {
	p.before = p.tok
	p.tok, err = p.lex.next()
	return err
}

// fail reports that the current token is not what is expected here.
func (p *parser) fail(expected string) error {
	return p.failWith(ErrSyntax, fmt.Sprintf("unexpected %s, expected %s", p.describe(), expected),
		hintForToken(p.before, p.tok, p.lex.src[p.tok.pos:]))
}

func (p *parser) failWith(kind error, message, hint string) error {
	return errorAt(p.lex.src, p.tok.pos, kind, message, hint)
}

func (p *parser) unsupported(what string) error {
	return p.failWith(ErrUnsupported, what+" not supported yet", "a query is one span filter { ... }")
}

// describe names the current token as it stands in the query.
func (p *parser) describe() string {
	if p.tok.kind == tokenEOF {
		return "end of the query"
	}
	return "'" + clip(p.lex.src[p.tok.pos:p.tok.end]) + "'"
}

func (p *parser) expectPunct(text string) error {
	if !p.tok.isPunct(text) {
		return p.fail(fmt.Sprintf("'%s'", text))
	}
	return p.advance()
}

// query = filter { hints }.
func (p *parser) query() (*Query, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.refuseStart(); err != nil {
		return nil, err
	}
	filter, err := p.filter()
	if err != nil {
		return nil, err
	}
	q := &Query{Pipeline: Pipeline{filter}}
	for p.tok.is(tokenWord, "with") {
		if q.Hints, err = p.hints(); err != nil {
			return nil, err
		}
	}
	if p.tok.kind == tokenOperator && joinsSpansets(p.tok.text) {
		return nil, p.unsupported(p.describe() + " is")
	}
	if p.tok.kind != tokenEOF {
		return nil, p.fail("the end of the query")
	}
	return q, nil
}

// refuseStart explains beginnings other than that of a span filter.
func (p *parser) refuseStart() error {
	switch {
	case p.tok.isPunct("{"):
		return nil
	case p.tok.kind == tokenEOF:
		return p.failWith(ErrSyntax, "the query is empty", "{ } finds everything")
	case p.tok.isPunct("("):
		return p.unsupported("parentheses around span filters are")
	case p.tok.kind == tokenWord && startsStage(p.tok.text):
		return p.unsupported(p.describe() + " is")
	case p.tok.kind == tokenLiteral && p.tok.value.Type.IsNumeric():
		return p.unsupported("calculating with results is")
	case p.tok.kind == tokenAttribute || p.tok.kind == tokenIntrinsic || lookupIntrinsic(p.tok.text) != IntrinsicNone:
		return p.failWith(ErrSyntax, fmt.Sprintf("unexpected %s, expected '{'", p.describe()),
			"put conditions in braces: { "+clip(p.lex.src[p.tok.pos:p.tok.end])+" ... }")
	}
	if p.tok.kind == tokenWord && p.tok.text != "with" {
		return p.failWith(ErrSyntax, fmt.Sprintf("unexpected %s, expected '{'", p.describe()), "put conditions in braces: { ... }")
	}
	return p.fail("'{'")
}

// filter = "{" [ expr ] "}".
func (p *parser) filter() (*SpansetFilter, error) {
	open := p.tok.pos
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.isPunct("}") {
		return &SpansetFilter{Expr: &Literal{Value: NewBool(true), pos: open}, pos: open}, p.advance()
	}
	expr, err := p.expr(precLogic)
	if err != nil {
		return nil, err
	}
	if err := p.refuseNil(expr); err != nil {
		return nil, err
	}
	if !p.tok.isPunct("}") {
		return nil, p.fail("an operator or '}'")
	}
	return &SpansetFilter{Expr: expr, pos: open}, p.advance()
}

// hints = "with" "(" hint { "," hint } ")"; hint = WORD "=" literal.
func (p *parser) hints() ([]Hint, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expectPunct("("); err != nil {
		return nil, err
	}
	var hints []Hint
	for {
		h, err := p.hint()
		if err != nil {
			return nil, err
		}
		hints = append(hints, h)
		if !p.tok.isPunct(",") {
			return hints, p.expectPunct(")")
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
}

func (p *parser) hint() (Hint, error) {
	if p.tok.kind != tokenWord {
		return Hint{}, p.fail("the name of a hint")
	}
	h := Hint{Name: p.tok.text}
	if err := p.advance(); err != nil {
		return Hint{}, err
	}
	if !p.tok.isOperator("=") {
		return Hint{}, p.fail("'='")
	}
	if err := p.advance(); err != nil {
		return Hint{}, err
	}
	value, ok := p.literal()
	if !ok || value.Type == TypeNil {
		return Hint{}, p.fail("a literal")
	}
	h.Value = value
	return h, p.advance()
}

// literal returns the value of the current token if it is one.
func (p *parser) literal() (Static, bool) {
	switch p.tok.kind {
	case tokenLiteral:
		return p.tok.value, true
	case tokenWord:
		return keywordValue(p.tok.text)
	default:
		return Static{}, false
	}
}
