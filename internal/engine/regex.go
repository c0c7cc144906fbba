package engine

import (
	"cmp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spanlake/spanlake/traceql"
)

// pattern is a compiled regular expression that must match a whole string.
type pattern struct {
	match func(string) bool
	// words, if not nil, are all that it matches.
	words []string
	// contains is in everything that it matches.
	contains string
}

// maxWords bounds the lists that are made of patterns such as (a|b)(c|d).
const maxWords = 256

// matcher compiles a pattern. Lists of words, and words between .*, which most
// patterns are, need no automaton: that is tens of times faster on long texts
// such as prompts. The automaton itself sees only texts that contain what the
// pattern asks for.
func matcher(text string) (pattern, error) {
	re, err := traceql.CompileRegex(text)
	if err != nil {
		return pattern{}, err
	}
	tree, err := syntax.Parse("(?s:"+text+")", syntax.Perl)
	if err != nil {
		return pattern{}, err
	}
	if words, ok := wordsOf(withoutAnchors(tree)); ok && len(words) > 0 {
		return pattern{match: wordTest(words), words: words}, nil
	}
	if g, ok := globOf(tree); ok {
		return pattern{match: g.match, contains: slices.MaxFunc(g.words, byLength)}, nil
	}
	contains := literalIn(tree)
	if contains == "" {
		return pattern{match: re.MatchString}, nil
	}
	match := func(s string) bool { return strings.Contains(s, contains) && re.MatchString(s) }
	return pattern{match: match, contains: contains}, nil
}

func byLength(a, b string) int { return cmp.Compare(len(a), len(b)) }

// wordTest tells whether a text is one of the words.
func wordTest(words []string) func(string) bool {
	set := make(map[string]struct{}, len(words))
	for _, w := range words {
		set[w] = struct{}{}
	}
	return func(s string) bool {
		_, ok := set[s]
		return ok
	}
}

// withoutAnchors takes ^ and $ off the ends: the whole text must match anyway.
func withoutAnchors(re *syntax.Regexp) *syntax.Regexp {
	if re.Op != syntax.OpConcat {
		return re
	}
	parts := re.Sub
	if parts[0].Op == syntax.OpBeginText {
		parts = parts[1:]
	}
	if n := len(parts); n > 0 && parts[n-1].Op == syntax.OpEndText {
		parts = parts[:n-1]
	}
	return &syntax.Regexp{Op: syntax.OpConcat, Sub: parts}
}

// wordsOf lists all texts that an expression matches, if they are few.
func wordsOf(re *syntax.Regexp) ([]string, bool) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpLiteral:
		word := string(re.Rune)
		return []string{word}, re.Flags&syntax.FoldCase == 0 && !matchesInvalid(word)
	case syntax.OpCharClass:
		return runesOf(re.Rune)
	case syntax.OpCapture:
		return wordsOf(re.Sub[0])
	case syntax.OpQuest:
		words, ok := wordsOf(re.Sub[0])
		return append(words, ""), ok
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			words, ok := wordsOf(sub)
			if all = append(all, words...); !ok || len(all) > maxWords {
				return nil, false
			}
		}
		return all, true
	case syntax.OpConcat:
		return sequences(re.Sub)
	default:
		return nil, false
	}
}

// runesOf lists the runes of a class of characters, pairs of first and last.
func runesOf(ranges []rune) ([]string, bool) {
	var words []string
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if len(words) == maxWords || r == utf8.RuneError {
				return nil, false
			}
			words = append(words, string(r))
		}
	}
	return words, true
}

// sequences lists every text of the first part with every one of the second,
// and so on.
func sequences(parts []*syntax.Regexp) ([]string, bool) {
	all := []string{""}
	for _, part := range parts {
		words, ok := wordsOf(part)
		if !ok || len(all)*len(words) > maxWords {
			return nil, false
		}
		var longer []string
		for _, head := range all {
			for _, tail := range words {
				longer = append(longer, head+tail)
			}
		}
		all = longer
	}
	return all, true
}

// matchesInvalid reports whether a regular expression would find the word in
// text that is not UTF-8 where comparing bytes would not.
func matchesInvalid(word string) bool { return strings.ContainsRune(word, utf8.RuneError) }

// literalIn returns the longest text that is in everything that an expression
// matches, "" if there is none.
func literalIn(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		if word := string(re.Rune); re.Flags&syntax.FoldCase == 0 && !matchesInvalid(word) {
			return word
		}
	case syntax.OpCapture, syntax.OpPlus:
		return literalIn(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return literalIn(re.Sub[0])
		}
	case syntax.OpConcat:
		longest := ""
		for _, sub := range re.Sub {
			if word := literalIn(sub); len(word) > len(longest) {
				longest = word
			}
		}
		return longest
	default:
	}
	return ""
}

// glob is a sequence of words with anything between them: words[0] begins the
// text, the last one ends it, the others follow each other.
type glob struct{ words []string }

// globOf reads patterns such as .*a.*b.
func globOf(re *syntax.Regexp) (glob, bool) {
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
