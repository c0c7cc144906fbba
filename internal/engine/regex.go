package engine

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/spanlake/spanlake/traceql"
)

// matcher compiles a pattern that must match a whole string. Lists of words,
// and words between .*, which most patterns are, need no automaton: that is
// tens of times faster on long texts such as prompts.
func matcher(pattern string) (func(string) bool, error) {
	re, err := traceql.CompileRegex(pattern)
	if err != nil {
		return nil, err
	}
	if words, ok := wordList(pattern); ok {
		return func(s string) bool {
			_, ok := words[s]
			return ok
		}, nil
	}
	if g, ok := globOf(pattern); ok {
		return g.match, nil
	}
	return re.MatchString, nil
}

// wordList reads patterns such as a|b|c.
func wordList(pattern string) (map[string]struct{}, bool) {
	words := make(map[string]struct{})
	for word := range strings.SplitSeq(pattern, "|") {
		if regexp.QuoteMeta(word) != word || matchesInvalid(word) {
			return nil, false
		}
		words[word] = struct{}{}
	}
	return words, true
}

// matchesInvalid reports whether a regular expression would find the word in
// text that is not UTF-8 where comparing bytes would not.
func matchesInvalid(word string) bool { return strings.ContainsRune(word, utf8.RuneError) }

// glob is a sequence of words with anything between them: words[0] begins the
// text, the last one ends it, the others follow each other.
type glob struct{ words []string }

// globOf reads patterns such as .*a.*b.
func globOf(pattern string) (glob, bool) {
	re, err := syntax.Parse("(?s:"+pattern+")", syntax.Perl)
	if err != nil {
		return glob{}, false
	}
	sequence := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		sequence = re.Sub
	}
	g := glob{words: []string{""}}
	for _, part := range sequence {
		switch {
		case part.Op == syntax.OpStar && part.Sub[0].Op == syntax.OpAnyChar:
			g.words = append(g.words, "")
		case part.Op == syntax.OpLiteral && part.Flags&syntax.FoldCase == 0 && !matchesInvalid(string(part.Rune)):
			g.words[len(g.words)-1] += string(part.Rune)
		default:
			return glob{}, false
		}
	}
	return g, true
}

func (g glob) match(s string) bool {
	last := len(g.words) - 1
	if last == 0 {
		return s == g.words[0]
	}
	s, ok := strings.CutPrefix(s, g.words[0])
	if !ok {
		return false
	}
	if s, ok = strings.CutSuffix(s, g.words[last]); !ok {
		return false
	}
	// The first place of each word leaves the most for those after it.
	for _, word := range g.words[1:last] {
		if _, s, ok = strings.Cut(s, word); !ok {
			return false
		}
	}
	return true
}
