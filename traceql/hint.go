package traceql

import (
	"fmt"
	"strings"
)

// hintForCharacter says what to write instead of a character that begins nothing.
func hintForCharacter(r rune) string {
	switch r {
	case '\'', '‘', '’', '“', '”':
		return `put strings in double quotes: "x"`
	case '[', ']':
		return `there are no lists: write .a =~ "x|y" or .a = "x" || .a = "y"`
	case '$':
		return "was a variable not replaced?"
	}
	return ""
}

// hintForNumber says what to write instead of a number that is none.
func hintForNumber(text string) string {
	switch {
	case text == "9223372036854775808":
		return "the smallest int is called minInt"
	case strings.ContainsRune(text, '_'):
		return "write the digits without _"
	case strings.HasPrefix(strings.ToLower(text), "0x"):
		return "numbers are decimal"
	}
	return ""
}

// hintForIntrinsic lists what the scope of an unknown intrinsic has.
func hintForIntrinsic(text string) string {
	scope, name, _ := strings.Cut(text, ":")
	var known []string
	for _, entry := range intrinsicTable {
		for _, spelling := range []string{entry.name, entry.alias} {
			if strings.HasPrefix(spelling, scope+":") {
				known = append(known, spelling)
			}
		}
	}
	switch {
	case len(known) > 0:
		return "there are " + strings.Join(known, ", ")
	case scope == "resource":
		return "attributes have a dot: resource." + clip(name)
	}
	return ""
}

// hintForWord says what to write instead of a word where a value or a field is
// expected. rest is the query from the word on.
func hintForWord(word, rest string) string {
	switch strings.ToLower(word) {
	case "and":
		return "write && for and"
	case "or":
		return "write || for or"
	case "not":
		return "write ! for not"
	case "in":
		return `there is no in: write .a =~ "x|y" or .a = "x" || .a = "y"`
	case "like", "contains":
		return `match a part with .a =~ ".*part.*"`
	case "null", "none", "undefined":
		return "write nil"
	case "trace":
		return "a trace has no attributes, only trace:id, trace:duration, trace:rootName, trace:rootService"
	case "traceid":
		return "write trace:id"
	case "spanid":
		return "write span:id"
	case "childcount":
		return "write span:childCount"
	}
	if v, ok := keywordValue(strings.ToLower(word)); ok {
		return "write " + v.String()
	}
	full := clip(rest[:len(rest)-len(strings.TrimLeftFunc(rest, func(r rune) bool { return !attributeEnd(r) }))])
	return fmt.Sprintf("for an attribute write .%s, span.%s or resource.%s, for a string %q", full, full, full, full)
}

// hintForToken says what to write instead of a token that does not fit after
// the token before it.
func hintForToken(before, tok token, rest string) string {
	switch {
	case tok.isOperator("=") && before.isOperator("="):
		return "write = for equality"
	case tok.isOperator(">") && before.isOperator("<"):
		return "write != for inequality"
	case tok.isOperator("~") && before.isOperator("!="):
		return "write !~ for a regular expression that must not match"
	case tok.isOperator("&"):
		return "write && for and"
	case tok.isOperator("|") && before.kind != tokenEOF:
		return "write || for or"
	case tok.isOperator("~"):
		return "write =~ for a regular expression"
	case tok.kind == tokenAttribute && before.kind == tokenLiteral, tok.isPunct(","):
		return "join conditions with &&"
	case tok.kind == tokenWord:
		switch strings.ToLower(tok.text) {
		case "and", "or", "in", "not", "like", "contains":
			return hintForWord(tok.text, rest)
		}
	case tok.kind == tokenAttribute && before.kind == tokenWord && before.end == tok.pos:
		return fmt.Sprintf("for an attribute write .%s%s, or span. or resource. before it", before.text, clip(tok.scope.String()+tok.text))
	}
	return ""
}

// hintForMismatch says what to write when a literal in quotes is compared with
// something that is not a string.
func hintForMismatch(e *Binary) string {
	field, literal := e.Left, e.Right
	if _, ok := field.(*Literal); ok {
		field, literal = literal, field
	}
	quoted, ok := literal.(*Literal)
	if !ok || quoted.Value.Type != TypeString {
		return ""
	}
	switch field.Type() {
	case TypeStatus, TypeKind:
		if v, ok := keywordValue(strings.ToLower(quoted.Value.Str)); ok && v.Type == field.Type() {
			return fmt.Sprintf("write it without quotes: %s %s %s", brief(field), e.Op, v)
		}
		return "its values are words without quotes"
	case TypeDuration, TypeInt, TypeFloat:
		if v, err := parseNumber(quoted.Value.Str); err == "" {
			return fmt.Sprintf("write it without quotes: %s %s %s", brief(field), e.Op, v)
		}
	case TypeUnknown, TypeNil, TypeString, TypeBool:
	}
	return ""
}

// hintForNil says what to write instead of asking whether an intrinsic is nil.
func hintForNil(x *Intrinsic) string {
	if x.ID.Type() == TypeString {
		return fmt.Sprintf(`write %s = "" for an empty one`, x)
	}
	return ""
}
