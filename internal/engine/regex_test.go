package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/traceql"
)

func TestMatcher(t *testing.T) {
	tests := []struct {
		pattern string
		matches []string
		others  []string
	}{
		{"abc", []string{"abc"}, []string{"", "ab", "abcd", "xabc", "ABC", "abc\n"}},
		{"", []string{""}, []string{"a"}},
		{"a|b|", []string{"a", "b", ""}, []string{"c", "a|b"}},
		{"a.c", []string{"abc", "a\nc", "aéc"}, []string{"ac", "abbc"}},
		{".*", []string{"", "a\nb", "\xff"}, nil},
		{"a.*", []string{"a", "abc", "a\nb"}, []string{"", "ba"}},
		{".*a", []string{"a", "ba"}, []string{"", "ab"}},
		{".*ab.*", []string{"ab", "xaby", "x\nab"}, []string{"", "a b"}},
		{"ab.*ba", []string{"abba", "abxba"}, []string{"aba", "ab"}},
		{".*ab.*ba.*", []string{"xabyba", "abba"}, []string{"aba", "baab"}},
		{"^(alpha|beta)$", []string{"alpha", "beta"}, []string{"alphabeta", "gamma"}},
		{"(?i)abc.*", []string{"ABCd"}, []string{"xabc"}},
		{`a\.b.*`, []string{"a.b", "a.bc"}, []string{"axb"}},
		{"a|b.*", []string{"a", "b", "bx"}, []string{"ax"}},
		{"(?-s).*x", []string{"x", "ax"}, []string{"a\nx"}},
		{"\uFFFD", []string{"\uFFFD", "\xff"}, []string{"a"}},
		{"(task|tank)s?", []string{"task", "tanks"}, []string{"tas", "taskss", "ta"}},
		{"[a-c]x|", []string{"ax", "cx", ""}, []string{"dx", "a"}},
		{"[^a]x", []string{"bx", "\xffx"}, []string{"ax", "x"}},
		{"a{2}b+.*", []string{"aab", "aabbx"}, []string{"ab", "aa"}},
		{"^^a$", []string{"a"}, []string{"b", "aa"}},
		{"^a|b$", []string{"a", "b"}, []string{"ax", "xb"}},
	}
	for _, tt := range tests {
		p, err := matcher(tt.pattern)
		require.NoError(t, err, tt.pattern)
		for _, s := range tt.matches {
			require.True(t, p.match(s), "%q %q", tt.pattern, s)
		}
		for _, s := range tt.others {
			require.False(t, p.match(s), "%q %q", tt.pattern, s)
		}
	}
	_, err := matcher("(")
	require.Error(t, err)
}

// FuzzMatcher compares the short cuts with the automaton.
func FuzzMatcher(f *testing.F) {
	for _, seed := range [][2]string{
		{".*ab.*", "xaby"},
		{"a|b", "b"},
		{"a.*b.*c", "abcbc"},
		{"(?i)x.*", "X"},
		{"a+.*", "aa"},
		{".*.*a", "a\xff"},
		{"(ab)(.*)", "ab"},
		{"\uFFFD.*", "\xff"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		p, err := matcher(pattern)
		re, reErr := traceql.CompileRegex(pattern)
		require.Equal(t, reErr == nil, err == nil)
		if err == nil {
			matches := re.MatchString(text)
			require.Equal(t, matches, p.match(text), "%q %q", pattern, text)
			require.True(t, !matches || strings.Contains(text, p.contains), "%q %q", pattern, text)
			require.True(t, p.words == nil || matches == slices.Contains(p.words, text), "%q %q", pattern, text)
		}
	})
}
