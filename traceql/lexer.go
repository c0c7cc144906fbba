package traceql

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// lexer cuts a query into tokens. The query is valid UTF-8.
type lexer struct {
	src string
	pos int
}

// next returns the next token; at the end of the query, tokenEOF again and again.
func (l *lexer) next() (token, error) {
	if err := l.skipSpace(); err != nil {
		return token{}, err
	}
	start := l.pos
	if start == len(l.src) {
		return token{kind: tokenEOF, pos: start, end: start}, nil
	}
	tok, err := l.scan()
	tok.pos, tok.end = start, l.pos
	return tok, err
}

func (l *lexer) scan() (token, error) {
	c := l.src[l.pos]
	switch {
	case strings.IndexByte("{}(),", c) >= 0:
		l.pos++
		return token{kind: tokenPunct, text: string(c)}, nil
	case c == '"' || c == '`':
		return l.stringLiteral()
	case isDigit(c) || c == '.' && l.pos+1 < len(l.src) && isDigit(l.src[l.pos+1]):
		return l.number()
	}
	if scope, ok := matchScope(l.src[l.pos:]); ok {
		return l.attribute(scope)
	}
	if isLetter(c) {
		return l.word()
	}
	for i := range operatorTokens {
		if t := &operatorTokens[i]; t.text[0] == c && strings.HasPrefix(l.src[l.pos:], t.text) {
			l.pos += len(t.text)
			return token{kind: tokenOperator, text: t.text, op: t.op, spanset: t.spanset}, nil
		}
	}
	r, _ := utf8.DecodeRuneInString(l.src[l.pos:])
	return token{}, l.fail(l.pos, fmt.Sprintf("unexpected character %q", r), adviceForCharacter(r, l.src[:l.pos]))
}

func (l *lexer) fail(pos int, message, hint string) error {
	return errorAt(l.src, pos, ErrSyntax, message, hint)
}

// skipSpace skips white space and comments.
func (l *lexer) skipSpace() error {
	for l.pos < len(l.src) {
		rest := l.src[l.pos:]
		if rest[0] > ' ' && rest[0] < utf8.RuneSelf && rest[0] != '/' {
			return nil // as nearly always
		}
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case unicode.IsSpace(r):
			l.pos += size
		case strings.HasPrefix(rest, "//"):
			line, _, _ := strings.Cut(rest, "\n")
			l.pos += len(line)
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return l.fail(l.pos, "this comment has no end", "close it with */")
			}
			l.pos += end + 4
		default:
			return nil
		}
	}
	return nil
}

func (l *lexer) stringLiteral() (token, error) {
	start, quote := l.pos, l.src[l.pos]
	end := start + 1
	for {
		if end >= len(l.src) || quote == '"' && l.src[end] == '\n' {
			return token{}, l.fail(start, "this string has no end", "close it with "+string(quote))
		}
		if l.src[end] == quote {
			break
		}
		if quote == '"' && l.src[end] == '\\' {
			end++
		}
		end++
	}
	l.pos = end + 1
	value, err := strconv.Unquote(l.src[start:l.pos])
	if err != nil {
		return token{}, l.fail(start, "unknown escape in string "+clip(l.src[start:l.pos]),
			"write \\\\ for a backslash, or put the text in back quotes")
	}
	return token{kind: tokenLiteral, value: NewString(value)}, nil
}

// attribute reads a scope prefix and the name behind it.
func (l *lexer) attribute(scope Scope) (token, error) {
	start := l.pos
	l.pos += len(scope.String())
	from := l.pos
	for l.pos < len(l.src) {
		r, size := utf8.DecodeRuneInString(l.src[l.pos:])
		if r == '"' {
			return l.quotedAttribute(scope, from)
		}
		if attributeEnd(r) {
			break
		}
		l.pos += size
	}
	if l.pos == from {
		return token{}, l.fail(start, fmt.Sprintf("expected the name of an attribute after %q", scope), "")
	}
	return token{kind: tokenAttribute, scope: scope, text: l.src[from:l.pos]}, nil
}

// quotedAttribute reads the rest of a name that begins at from, standing on
// its first quote.
func (l *lexer) quotedAttribute(scope Scope, from int) (token, error) {
	var name strings.Builder
	name.WriteString(l.src[from:l.pos])
	for l.pos < len(l.src) {
		r, size := utf8.DecodeRuneInString(l.src[l.pos:])
		if r == '"' {
			if err := l.quotedName(&name); err != nil {
				return token{}, err
			}
			continue
		}
		if attributeEnd(r) {
			break
		}
		l.pos += size
		name.WriteRune(r)
	}
	return token{kind: tokenAttribute, scope: scope, text: name.String()}, nil
}

// quotedName reads a quoted part of an attribute's name, where a backslash
// stands only before another one or a quote.
func (l *lexer) quotedName(name *strings.Builder) error {
	start := l.pos
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch c := l.src[l.pos]; c {
		case '"':
			l.pos++
			return nil
		case '\\':
			l.pos++
			if l.pos == len(l.src) || l.src[l.pos] != '\\' && l.src[l.pos] != '"' {
				return l.fail(l.pos-1, "unknown escape in the name of an attribute", `only \\ and \" are escapes here`)
			}
			name.WriteByte(l.src[l.pos])
		default:
			name.WriteByte(c)
		}
	}
	return l.fail(start, "this quoted name has no end", `close it with "`)
}

// word reads a plain word or a scoped intrinsic.
func (l *lexer) word() (token, error) {
	start := l.pos
	l.skipWord()
	if l.pos+1 < len(l.src) && l.src[l.pos] == ':' && isLetter(l.src[l.pos+1]) {
		l.pos++
		l.skipWord()
		text := l.src[start:l.pos]
		if lookupIntrinsic(text) == IntrinsicNone {
			return token{}, l.fail(start, fmt.Sprintf("there is no intrinsic %q", clip(text)), adviceForIntrinsic(text))
		}
		return token{kind: tokenIntrinsic, text: text}, nil
	}
	return token{kind: tokenWord, text: l.src[start:l.pos]}, nil
}

func (l *lexer) skipWord() {
	for l.pos < len(l.src) && (isLetter(l.src[l.pos]) || isDigit(l.src[l.pos])) {
		l.pos++
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
