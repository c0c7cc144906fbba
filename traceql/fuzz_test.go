package traceql_test

import (
	"math/rand/v2"
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

// Rows that begin like a query often are one.
func TestFragments(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	starts := []string{"{ .a }", "({ .a } | count() > 1)", "({ .a } | rate())", "{ .a } | ", "{ .a } | rate()", "{ .a } | count() > 1"}
	valid := 0
	for range 30_000 {
		var text strings.Builder
		text.WriteString(starts[rng.IntN(len(starts))])
		for range 1 + rng.IntN(6) {
			text.WriteString(fragments[rng.IntN(len(fragments))])
		}
		requireAnswer(t, text.String())
		if _, err := traceql.Parse(text.String()); err == nil {
			valid++
		}
	}
	require.Greater(t, valid, 1500)
}
