package traceql

import (
	"fmt"
	"strings"
)

// adviceForCharacter says what to write instead of a character that begins
// nothing. before is the query up to there.
func adviceForCharacter(r rune, before string) string {
	if r == '[' && strings.HasSuffix(strings.TrimSpace(before), ")") {
		return adviceForRange
	}
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

// adviceForNumber says what to write instead of a number that is none.
func adviceForNumber(text string) string {
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

// adviceForIntrinsic lists what the scope of an unknown intrinsic has.
func adviceForIntrinsic(text string) string {
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

// adviceForWord says what to write instead of a word where a value or a field is
// expected. rest is the query from the word on.
func adviceForWord(word, rest string) string {
	switch strings.ToLower(word) {
	case "and", "or", "not", "in", "like", "contains":
		return adviceForLogic(word)
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
	if isStageName(word) {
		return word + " stands behind the filter: { ... } | " + exampleOf(word)
	}
	name := clip(nameAt(rest))
	return fmt.Sprintf("%s, for a string %q", adviceForField(name), name)
}

// adviceForField says how the attribute of a name without a scope is written.
func adviceForField(name string) string {
	if ofResource(name) {
		return fmt.Sprintf("for an attribute write resource.%s or .%s", name, name)
	}
	return fmt.Sprintf("for an attribute write .%s, span.%s or resource.%s", name, name, name)
}

// nameAt is what the name of an attribute would be at the start of text.
func nameAt(text string) string {
	if end := strings.IndexFunc(text, attributeEnd); end >= 0 {
		return text[:end]
	}
	return text
}

// ofResource reports whether resources have an attribute of that name, by the
// semantic conventions of OpenTelemetry.
func ofResource(name string) bool {
	prefix, _, _ := strings.Cut(name, ".")
	switch prefix {
	case "service", "deployment", "k8s", "host", "cloud", "container", "telemetry", "process", "os":
		return strings.Contains(name, ".")
	default:
		return false
	}
}

// adviceForLogic says what to write instead of a word of other languages, ""
// if there is nothing to say.
func adviceForLogic(word string) string {
	switch strings.ToLower(word) {
	case "and":
		return "write && for and"
	case "or":
		return "write || for or"
	case "not":
		return "write ! for not, != or !~ in a comparison"
	case "in":
		return `there is no in: write .a =~ "x|y" or .a = "x" || .a = "y"`
	case "like", "contains":
		return `match a part with .a =~ ".*part.*"`
	}
	return ""
}

// adviceForToken says what to write instead of a token that does not fit after
// the token before it.
func adviceForToken(before, tok token, src string) string {
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
	case tok.isOperator("/") && before.op.IsRegex():
		return "put regular expressions in double quotes: " + before.text + " " + quotePattern(src[tok.end:])
	case tok.kind == tokenAttribute && before.kind == tokenLiteral, tok.isPunct(","):
		return "join conditions with &&"
	case tok.kind == tokenWord:
		return adviceForWordAfter(before, tok.text, src)
	case tok.kind == tokenAttribute && before.kind == tokenWord && before.end == tok.pos:
		return fmt.Sprintf("for an attribute write .%s%s, or span. or resource. before it", before.text, clip(tok.scope.String()+tok.text))
	}
	return ""
}

// adviceForWordAfter says what to write instead of a word that does not fit
// after the token before it.
func adviceForWordAfter(before token, word, src string) string {
	number := before.kind == tokenLiteral && before.value.Type.IsNumeric()
	if number {
		if v, err := parseNumber(src[before.pos:before.end] + word); err == "" && v.Type == TypeDuration {
			return "write the unit without a space: " + src[before.pos:before.end] + word
		}
	}
	if isStageName(word) && (before.isPunct("}") || before.isPunct(")")) {
		return "write | before " + word
	}
	if advice := adviceForLogic(word); advice != "" || !before.isPunct("}") {
		return advice
	}
	return adviceForStage(word)
}

// adviceForStage says what to write instead of a word that is no stage.
func adviceForStage(word string) string {
	switch strings.ToLower(word) {
	case "sort", "order", "orderby", "order_by":
		return `results are ordered by with(order_by="duration desc")`
	case "limit", "head", "take":
		return "how many traces are returned is a parameter of the request"
	case "where", "filter":
		return "filter with braces: | { ... }"
	case "group", "groupby", "group_by":
		return "write by(name)"
	case "quantile", "histogram", "percentile":
		return "write quantile_over_time(duration, .99) or histogram_over_time(duration)"
	case "with":
		return "write with(...) without a | before it"
	}
	if digits, ok := strings.CutPrefix(word, "p"); ok && digits != "" && strings.Trim(digits, "0123456789") == "" {
		return "write quantile_over_time(duration, ." + digits + ")"
	}
	return ""
}

// adviceForRange is for intervals as other languages have them.
const adviceForRange = "the interval that is counted is the step of the request"

// adviceForSeries says what to write instead of a token behind a metrics
// function.
func adviceForSeries(tok token) string {
	switch {
	case tok.op.IsArithmetic():
		return "to calculate with results put every query in parentheses: ({ ... } | rate()) / ({ ... } | rate())"
	case tok.is(tokenWord, "by"):
		return "by (...) stands right behind the function that it belongs to, and never behind compare"
	default:
		return "a metrics function is followed by | topk(n), | bottomk(n) and comparisons only"
	}
}

// adviceForHint says how the value of a hint is written.
func adviceForHint(name string, field bool) string {
	if name == HintOrderBy || field {
		return "write the value in quotes: with(" + clip(name) + `="duration desc")`
	}
	return `values are true, false, numbers and "strings"`
}

// adviceForScalar says what a number can be compared with.
func adviceForScalar(tok token) string {
	switch {
	case tok.kind == tokenLiteral && tok.value.Type == TypeString:
		if v, err := parseNumber(tok.value.Str); err == "" {
			return "write it without quotes: " + v.String()
		}
	case tok.isOperator("="):
		return "write = for equality"
	}
	return "aggregates are compared with numbers and durations, as in count() > 1 or avg(duration) > 1s"
}

// adviceForJoin says what to write instead of an operator behind a stage that is
// no operand.
func adviceForJoin(op SpansetOp) string {
	switch op {
	case SpansetNone, SpansetChild, SpansetParent: // comparisons, more likely
		return ""
	case SpansetAnd:
		return "write | for a further stage, or join pipelines in parentheses: ({ ... } | ...) && ({ ... } | ...)"
	default:
		return "join pipelines in parentheses: ({ ... } | ...) " + op.String() + " ({ ... } | ...)"
	}
}

// quotePattern puts quotes around what stands before the next slash.
func quotePattern(rest string) string {
	pattern, _, found := strings.Cut(rest, "/")
	if !found {
		return `"..."`
	}
	if strings.ContainsAny(pattern, "\\\"") && !strings.Contains(pattern, "`") {
		return "`" + clip(pattern) + "`"
	}
	return `"` + clip(pattern) + `"`
}

// adviceForMismatch says what to write when a literal in quotes is compared with
// something that is not a string.
func adviceForMismatch(e *Binary) string {
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

// adviceForNil says what to write instead of asking whether an intrinsic is nil.
func adviceForNil(x *Intrinsic) string {
	if x.ID.Type() == TypeString {
		return fmt.Sprintf(`write %s = "" for an empty one`, x)
	}
	return ""
}
