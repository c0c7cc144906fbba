package traceql_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/traceql"
)

// fragments are pieces of queries. Rows of them are queries far more often than
// rows of characters are.
var fragments = []string{
	"{ }", "{ .a }", "{ .a = 1 }", "{ name = `x` && duration > 1s }", "{ ", " }", "(", ")", "({ .a } | count() > 1)", "({ .a } | rate())",
	" | ", " && ", " || ", " > ", " < ", " >> ", " << ", " ~ ", " !> ", " !~ ", " &>> ", " &~ ", " = ", " != ", " >= ", " <= ",
	" + ", " - ", " * ", " / ", " % ", " ^ ", "!", "-", ",", ".a", "span.b", "name", "duration", "status", "nil", "true", "error",
	"1", "2.5", "100ms", "`x`", "count()", "avg(duration)", "max(.a + 1)", "by(name)", "by(.a * 2)", "coalesce()", "select(.a, name)",
	"rate()", "count_over_time()", "sum_over_time(.a)", "quantile_over_time(duration, .5, 1)", "histogram_over_time(.a)",
	"compare({ .a }, 5)", " by (name)", " by (.a, kind)", "topk(5)", "bottomk(1)", " with(exemplars=1)", " with(order_by=`name asc`)",
	"> 1", "< 2s", "minInt", "// c\n",
}

// requireAnswer parses a text: what is a query must print as itself, and what
// is none must say so.
func requireAnswer(t *testing.T, text string) {
	t.Helper()
	q, err := traceql.Parse(text)
	if err == nil {
		requireIdentity(t, q)
		return
	}
	var place *traceql.Error
	require.ErrorAs(t, err, &place)
	require.Positive(t, place.Line)
	require.Positive(t, place.Column)
	require.NotEmpty(t, place.Message)
	require.Contains(t, []error{traceql.ErrSyntax, traceql.ErrType}, kindOf(err))
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{
		"valid.txt", "parse_error.txt", "type_error.txt", "mistakes.txt", "precedence.txt", "precedence_stages.txt", "conformance.txt", "grafana.txt",
	} {
		_, cases := readCorpus(f, file)
		for _, c := range cases {
			f.Add(c.query)
		}
	}
	f.Fuzz(requireAnswer)
}

func FuzzFragments(f *testing.F) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		row := make([]byte, 1+rng.IntN(9))
		for i := range row {
			row[i] = byte(rng.IntN(len(fragments)))
		}
		f.Add(row)
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		var text strings.Builder
		for _, b := range row {
			text.WriteString(fragments[int(b)%len(fragments)])
		}
		requireAnswer(t, text.String())
	})
}

// Rows of fragments that go together are queries as often as not.
func TestFragments(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	link := map[string]func() string{
		"{ .a }": func() string {
			if rng.IntN(2) == 0 {
				return pick(" && ", " || ", " > ", " << ", " ~ ", " !>> ", " &~ ") + pick("{ .b }", "({ .b } || { .c })", "({ .b } | { .c })")
			}
			return " | " + pick("{ .b }", "count() > 1", "avg(.b + 1) <= 2s", "by(.b * 2)", "coalesce()", "select(.b, name)", "({ .b } ~ { .c })")
		},
		"({ .a } | by(name))": func() string {
			return pick(" && ", " || ", " >> ", " !< ") + pick("({ .b } | { .c })", "({ .b })", "(count() > 1)", "{ .b }")
		},
		"({ .a } | rate())": func() string {
			return pick(" + ", " - ", " * ", " / ") + pick("2", "1s", "(3 - 1)", "({ .b } | rate())", "(2 * ({ .b } | rate()))", "-1")
		},
		"{ .a } | max_over_time(.b) by (.c)": func() string {
			return pick(" > 1", " | topk(2)", " <= -2s", " | bottomk(1)", " != 2 * 3")
		},
		"count() > 1": func() string {
			return pick(" + ", " - ", " * ", " / ", " % ") + pick("1", "2.5", "3ms", "(4 - 1)", "-5")
		},
	}
	starts := slices.Sorted(maps.Keys(link))
	valid := 0
	for range 20_000 {
		start := pick(starts...)
		var text strings.Builder
		text.WriteString(start)
		for range 1 + rng.IntN(5) {
			text.WriteString(link[start]())
		}
		text.WriteString(pick("", "", " with(exemplars=2)", " | rate()", " > 5", " }"))
		requireAnswer(t, text.String())
		if _, err := traceql.Parse(text.String()); err == nil {
			valid++
		}
	}
	require.Greater(t, valid, 8000)
}
