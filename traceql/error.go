package traceql

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The kinds of Error. Each is the caller's mistake (a 4xx), not the server's.
var (
	// ErrSyntax means that the text is not in the language.
	ErrSyntax = errors.New("syntax error")
	// ErrType means that the text is in the language but makes no sense, such
	// as a comparison of a string with a number.
	ErrType = errors.New("type error")
	// ErrUnsupported means that the text is in the language and an evaluator
	// cannot evaluate it. Parse never returns it.
	ErrUnsupported = errors.New("not supported yet")
)

// Error says what is wrong with a query and where. It wraps ErrSyntax or
// ErrType.
type Error struct {
	Line    int    // from 1
	Column  int    // from 1, in characters
	Message string // what was found and what was expected
	Hint    string // what to write instead, "" when there is nothing to say

	kind error
}

// Error is one line for the person who wrote the query.
func (e *Error) Error() string {
	text := fmt.Sprintf("line %d, col %d: %s", e.Line, e.Column, e.Message)
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// Unwrap returns the kind: ErrSyntax or ErrType.
func (e *Error) Unwrap() error { return e.kind }

// errorAt places an error at a byte offset of src.
func errorAt(src string, pos int, kind error, message, hint string) *Error {
	before := src[:min(pos, len(src))]
	start := strings.LastIndexByte(before, '\n') + 1
	return &Error{
		Line:    1 + strings.Count(before, "\n"),
		Column:  1 + utf8.RuneCountInString(before[start:]),
		Message: message,
		Hint:    hint,
		kind:    kind,
	}
}

// maxClip bounds what a message repeats of a query, in bytes.
const maxClip = 80

// clip shortens a part of the query for a message.
func clip(text string) string {
	if len(text) <= maxClip {
		return text
	}
	return strings.ToValidUTF8(text[:maxClip], "") + "..."
}

func brief(e FieldExpr) string { return clip(e.String()) }
