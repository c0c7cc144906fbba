package traceql

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
)

// MaxRegexBytes is the longest regular expression that a query may have.
const MaxRegexBytes = 64 << 10

// maxRegexSize bounds the compiled regular expressions of a query, in
// instructions of about 40 bytes: a few characters such as (a{500}){2} can
// stand for many.
const maxRegexSize = 100_000

var errRegexTooLarge = errors.New("the regular expression is too large")

// CompileRegex compiles the right side of =~ and !~: RE2 that must match the
// whole string, where . matches line ends too.
func CompileRegex(pattern string) (*regexp.Regexp, error) {
	// On its own first: "a)(b" is an error that the wrapping would hide.
	if _, err := regexSize(pattern); err != nil {
		return nil, err
	}
	return regexp.Compile("^(?s:" + pattern + ")$")
}

// regexSize checks a regular expression and returns the number of its
// instructions.
func regexSize(pattern string) (int, error) {
	if len(pattern) > MaxRegexBytes {
		return 0, fmt.Errorf("%w: it has %d bytes, the limit is %d", errRegexTooLarge, len(pattern), MaxRegexBytes)
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, err
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return 0, err
	}
	if size := len(program.Inst); size > maxRegexSize {
		return 0, fmt.Errorf("%w: it has %d instructions, the limit is %d", errRegexTooLarge, size, maxRegexSize)
	}
	return len(program.Inst), nil
}
