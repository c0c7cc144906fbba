package traceql

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// ParseLenient reads as much of a query as can be used to narrow down what to
// suggest to a person who is still typing it. It never fails: the result is one
// filter, which finds at least what the query could still be about.
//
// Conditions that are not finished, make no sense or ask for places in the tree
// of the trace are unknown, and so is a field that stands alone, since its
// operator may yet come. Unknown operands of && are left out; a || with an
// unknown operand is unknown itself, because the other side may find anything.
// Of the stages of a pipeline the filters count, all of them; other stages and
// metrics functions are ignored. A query that joins filters or calculates with
// results, or is without a known condition, gives { true }.
func ParseLenient(query string) *Query {
	everything := &Query{Pipeline: Pipeline{&SpansetFilter{Expr: &Literal{Value: NewBool(true)}}}}
	if len(query) > MaxQueryBytes || !utf8.ValidString(query) {
		return everything
	}
	bodies, ok := filterBodies(looseTokens(query))
	if !ok {
		return everything
	}
	var all FieldExpr
	for _, body := range bodies {
		r := repairer{src: query, tokens: body, closing: closings(body)}
		switch expr := r.logic(len(body), 0); {
		case expr == nil || r.pos < len(body):
		case all == nil:
			all = expr
		default:
			all = fold(&Binary{Op: OpAnd, Left: all, Right: expr, pos: expr.Pos()})
		}
	}
	if all == nil {
		return everything
	}
	q := &Query{Pipeline: Pipeline{&SpansetFilter{Expr: all}}}
	if check(query, q) != nil {
		return everything // nested too deeply as a whole
	}
	return q
}

// tokenBad stands for text that is no token.
const tokenBad = tokenLiteral + 1

// maxBadTokens bounds the mistakes that are looked at, since the place of each
// is counted from the start of the query.
const maxBadTokens = 64

// looseTokens cuts a query into tokens and goes on behind what is none. After
// a string or a comment without an end nothing can be told apart any more.
func looseTokens(query string) []token {
	var tokens []token
	lex := lexer{src: query}
	for bad := 0; ; {
		from := lex.pos
		tok, err := lex.next()
		switch {
		case err == nil && tok.kind == tokenEOF:
			return tokens
		case err == nil:
			tokens = append(tokens, tok)
			continue
		}
		if tok = lex.bad(from); tok.pos == len(query) {
			return tokens
		}
		if bad++; bad == maxBadTokens {
			tok.end = len(query)
		}
		tokens = append(tokens, tok)
		lex.pos = tok.end
	}
}

// bad returns the token that next, called at from, failed on.
func (l *lexer) bad(from int) token {
	stopped := l.pos
	l.pos = from
	if l.skipSpace() != nil {
		return token{kind: tokenBad, pos: len(l.src), end: len(l.src)} // a comment to the end says nothing
	}
	start := l.pos
	_, size := utf8.DecodeRuneInString(l.src[start:])
	end := max(stopped, start+size)
	isString := l.src[start] == '"' || l.src[start] == '`'
	if isString && stopped == start || !isString && strings.Contains(l.src[start:stopped], `"`) {
		end = len(l.src) // a string or a quoted name that does not end
	}
	return token{kind: tokenBad, pos: start, end: end}
}

// filterBodies returns the tokens between the braces of each filter, and false
// if the filters do not all have to hold. Text without braces is taken for
// what should be between them.
func filterBodies(tokens []token) ([][]token, bool) {
	var bodies [][]token
	var groups []bool // of the parentheses that are open: not those of a function
	operand := false  // the token before ends a filter or a group
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		wasOperand := operand
		operand = false
		switch {
		case t.isPunct("{"):
			end := bodyEnd(tokens, i+1)
			if end < len(tokens) && tokens[end].isPunct("{") {
				return nil, false
			}
			if i < 2 || !tokens[i-2].is(tokenWord, "compare") { // which does not filter
				bodies = append(bodies, tokens[i+1:end])
			}
			i, operand = end, true
		case t.isPunct("("):
			groups = append(groups, i == 0 || tokens[i-1].kind != tokenWord)
		case t.isPunct(")") && len(groups) > 0:
			operand = groups[len(groups)-1]
			groups = groups[:len(groups)-1]
		case t.kind == tokenOperator && !t.isOperator("|") && (wasOperand || t.op.IsLogic()) && len(bodies) > 0:
			return nil, false
		}
	}
	if bodies == nil {
		return [][]token{tokens}, true
	}
	return bodies, true
}

// bodyEnd is the place of the next brace, the number of tokens if there is
// none.
func bodyEnd(tokens []token, from int) int {
	for i := from; i < len(tokens); i++ {
		if tokens[i].isPunct("}") || tokens[i].isPunct("{") {
			return i
		}
	}
	return len(tokens)
}

// repairer builds an expression of the conditions that can be used. Its
// methods return nil for what is unknown, and read up to the token at end.
type repairer struct {
	src     string
	tokens  []token
	closing []int // for an opening parenthesis, where it is closed
	pos     int
}

// closings finds for every opening parenthesis the one that closes it, the
// number of tokens if there is none.
func closings(tokens []token) []int {
	closing := make([]int, len(tokens))
	var open []int
	for i, t := range tokens {
		switch {
		case t.isPunct("("):
			closing[i] = len(tokens)
			open = append(open, i)
		case t.isPunct(")") && len(open) > 0:
			closing[open[len(open)-1]] = i
			open = open[:len(open)-1]
		}
	}
	return closing
}

// logic = term { ("&&" | "||") term }, to the end or a parenthesis that closes
// too much.
func (r *repairer) logic(end, depth int) FieldExpr {
	left := r.term(end, depth)
	for r.pos < end && isLogic(r.tokens[r.pos]) {
		op, pos := r.tokens[r.pos].op, r.tokens[r.pos].pos
		r.pos++
		right := r.term(end, depth)
		switch {
		case left != nil && right != nil:
			left = fold(&Binary{Op: op, Left: left, Right: right, pos: pos})
		case op == OpOr:
			left = nil
		case left == nil:
			left = right
		}
	}
	return left
}

// term is a parenthesis around logic, or a condition.
func (r *repairer) term(end, depth int) FieldExpr {
	start := r.pos
	if start < end && r.tokens[start].isPunct("(") && depth < maxNesting {
		inner := r.closing[start]
		if next := inner + 1; next >= end || isLogic(r.tokens[next]) {
			r.pos = start + 1
			e := r.logic(inner, depth+1)
			r.pos = min(next, end)
			return e
		}
	}
	for r.pos < end && !isLogic(r.tokens[r.pos]) && !r.tokens[r.pos].isPunct(")") {
		if r.tokens[r.pos].isPunct("(") {
			r.pos = r.closing[r.pos]
		}
		r.pos = min(r.pos+1, end)
	}
	return r.condition(r.tokens[start:r.pos])
}

// condition parses one condition on its own.
func (r *repairer) condition(tokens []token) FieldExpr {
	if len(tokens) == 0 || slices.ContainsFunc(tokens, func(t token) bool { return t.kind == tokenBad }) {
		return nil
	}
	text := r.src[tokens[0].pos:tokens[len(tokens)-1].end]
	q, err := Parse("{ " + strings.TrimSpace(text) + " }")
	if err != nil {
		return nil
	}
	f, ok := q.Pipeline[0].(*SpansetFilter)
	if !ok {
		return nil
	}
	if _, bare := f.Expr.(*Attribute); bare || ofTree(f.Expr) {
		return nil
	}
	return f.Expr
}

// ofTree reports whether an expression needs the tree of the trace, which is
// too much to read for a suggestion.
func ofTree(e FieldExpr) bool {
	for f := range Fields(e) {
		if i, ok := f.(*Intrinsic); ok && i.ID.structural() {
			return true
		}
	}
	return false
}

func isLogic(t token) bool { return t.op.IsLogic() }
