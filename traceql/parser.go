package traceql

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxQueryBytes is the longest query that Parse takes.
const MaxQueryBytes = 128 << 10

// maxNesting bounds the nesting of what an expression means, and maxRecursion
// that of its text: printing a tree may add a pair of parentheses or two per
// level, and the result must still be read, with an expression as deep as may
// be in a filter as deep as may be. maxStages bounds the stages of a pipeline.
const (
	maxNesting   = 256
	maxRecursion = 8 * maxNesting
	maxStages    = 256
)

// Parse reads and checks a query. Every error is an *Error and wraps
// ErrSyntax or ErrType.
func Parse(query string) (*Query, error) {
	if err := checkText(query); err != nil {
		return nil, err
	}
	p := &parser{lex: lexer{src: query}}
	q, err := p.query()
	if err != nil {
		return nil, err
	}
	if err := check(query, q); err != nil {
		return nil, err
	}
	return q, nil
}

// checkText refuses what is too long or not text.
func checkText(query string) error {
	if len(query) > MaxQueryBytes {
		return errorAt(query, 0, ErrSyntax,
			fmt.Sprintf("the query has %d bytes, the limit is %d", len(query), MaxQueryBytes), "")
	}
	if utf8.ValidString(query) {
		return nil
	}
	valid := 0
	for valid < len(query) {
		r, size := utf8.DecodeRuneInString(query[valid:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		valid += size
	}
	return errorAt(query, valid, ErrSyntax, "the query is not valid UTF-8", "")
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
	return p.failHint(expected, adviceForToken(p.before, p.tok, p.lex.src))
}

// failHint is fail with a hint of the caller's.
func (p *parser) failHint(expected, hint string) error {
	return p.failWith(ErrSyntax, "unexpected "+p.describe()+", expected "+expected, hint)
}

func (p *parser) failWith(kind error, message, hint string) error {
	return errorAt(p.lex.src, p.tok.pos, kind, message, hint)
}

// failAt reports a mistake at an earlier place.
func (p *parser) failAt(pos int, message, hint string) error {
	return errorAt(p.lex.src, pos, ErrSyntax, message, hint)
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
		return p.fail("'" + text + "'")
	}
	return p.advance()
}

// expectOpen reads the parenthesis behind the name of a function.
func (p *parser) expectOpen(name string) error {
	if !p.tok.isPunct("(") {
		return p.failHint("'('", name+" is a function: write "+exampleOf(name))
	}
	return p.advance()
}

// descend counts a level of recursion, which ascend ends.
func (p *parser) descend() error {
	if p.depth++; p.depth > maxRecursion {
		return p.failWith(ErrSyntax, "the expression is nested too deeply", "")
	}
	return nil
}

func (p *parser) ascend() { p.depth-- }

// query = sequence [ second stages ] { hints }.
func (p *parser) query() (*Query, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokenEOF {
		return nil, p.failWith(ErrSyntax, "the query is empty", "{ } finds everything")
	}
	s, err := p.sequence()
	if err != nil {
		return nil, err
	}
	q := &Query{}
	switch {
	case s.metrics != nil:
		if q.Metrics, err = p.withSecondStages(s.metrics); err != nil {
			return nil, err
		}
	case s.scalar != nil:
		return nil, p.refuseScalar(s.scalar)
	default:
		q.Pipeline = s.pipeline()
	}
	for p.tok.is(tokenWord, "with") {
		if q.Hints, err = p.hints(); err != nil {
			return nil, err
		}
	}
	if p.tok.kind != tokenEOF {
		return nil, p.refuseRest(s, q)
	}
	return q, nil
}

// refuseRest explains what stands behind a query.
func (p *parser) refuseRest(s sequence, q *Query) error {
	switch {
	case q.Hints != nil:
		return p.failHint("the end of the query", "with(...) is the last part of a query")
	case s.metrics != nil:
		return p.failHint("'|', a comparison or the end of the query", adviceForSeries(p.tok))
	}
	const expected = "'|', an operator or the end of the query"
	if _, ok := q.Pipeline[len(q.Pipeline)-1].(SpansetExpr); !ok && p.tok.kind == tokenWord {
		switch strings.ToLower(p.tok.text) {
		case "and":
			return p.failHint(expected, adviceForJoin(SpansetAnd))
		case "or":
			return p.failHint(expected, adviceForJoin(SpansetUnion))
		}
	}
	return p.fail(expected)
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
