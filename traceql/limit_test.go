package traceql_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/traceql"
)

func TestLimits(t *testing.T) {
	long := "{ .a = `" + strings.Repeat("x", traceql.MaxQueryBytes) + "` }"
	_, err := traceql.Parse(long)
	require.ErrorIs(t, err, traceql.ErrSyntax)

	for _, deep := range []string{
		"{ " + strings.Repeat("(", 60_000) + ".a" + strings.Repeat(")", 60_000) + " }",
		"{ " + strings.Repeat("!", 100_000) + ".a }",
		"{ " + strings.Repeat("-", 100_000) + ".a = 1 }",
		"{ " + strings.Repeat(".a ^ ", 20_000) + "1 = 1 }",
		"{ " + strings.Repeat(".a + ", 20_000) + "1 = 1 }",
		"{ " + strings.Repeat(".a = ", 20_000) + ".b }",
		"{ .a = " + strings.Repeat("(.b + ", 10_000) + "1" + strings.Repeat(")", 10_000) + " }",
	} {
		_, err := traceql.Parse(deep)
		require.ErrorIs(t, err, traceql.ErrSyntax)
		require.ErrorContains(t, err, "nested too deeply")
	}

	for _, deep := range []string{
		strings.Repeat("(", 60_000) + "{ .a }" + strings.Repeat(")", 60_000),
		strings.Repeat("{ .a } && (", 9_000) + "{ .a }" + strings.Repeat(")", 9_000),
		"{ .a }" + strings.Repeat(" > { .a }", 10_000),
		"{ .a } | count() > " + strings.Repeat("-", 100_000) + "1",
		"{ .a } | count() > " + strings.Repeat("(", 100_000) + "1",
		"{ .a } | avg(" + strings.Repeat("-", 100_000) + ".a) > 1",
		strings.Repeat("1 + (", 20_000) + "({ .a } | rate())" + strings.Repeat(")", 20_000),
		"({ .a } | rate())" + strings.Repeat(" + 1", 20_000),
		strings.Repeat("(", 20_000) + "{ .a } | { .b }" + strings.Repeat(" | { .c })", 10_000),
		"count()" + strings.Repeat(" + count()", 10_000) + " > 1",
	} {
		_, err := traceql.Parse(deep)
		require.ErrorIs(t, err, traceql.ErrSyntax)
		require.ErrorContains(t, err, "nested too deeply", deep[:30])
	}

	// Chains are not nesting.
	chain := "{ .a" + strings.Repeat(" || .a", 18_000) + " }"
	q, err := traceql.Parse(chain)
	require.NoError(t, err)
	require.Equal(t, chain, q.String())

	// As deep as it gets, the printed form still parses.
	for _, unit := range []string{".a - -(", "2 * -(", "!(true = (", ".a ^ -(", "-("} {
		closing := strings.Repeat(")", strings.Count(unit, "("))
		for depth := 300; ; depth-- {
			q, err := traceql.Parse("{ .x = (" + strings.Repeat(unit, depth) + ".b" + strings.Repeat(closing, depth) + ") }")
			if err != nil {
				require.ErrorContains(t, err, "nested too deeply", unit)
				continue
			}
			require.Greater(t, depth, 80, unit)
			requireIdentity(t, q)
			break
		}
	}
}

// With a filter as deep as may be in the deepest place.
func TestDeepInDeep(t *testing.T) {
	expr := strings.Repeat("!(true = (", 127) + ".a" + strings.Repeat("))", 127)
	filters := strings.Repeat("({ .a } | { .b }) || (", 254) + "{ .a } | { " + expr + " }" + strings.Repeat(")", 254)
	q, err := traceql.Parse(filters)
	require.NoError(t, err)
	requireIdentity(t, q)
}

// A limit is a number of units up to which a query parses, and beyond which it
// does not.
func TestLimitsBothSides(t *testing.T) {
	repeat := func(before, unit, after string) func(int) string {
		return func(n int) string { return before + strings.Repeat(unit, n) + after }
	}
	nested := func(before, opening, inner, closing string) func(int) string {
		return func(n int) string {
			return before + strings.Repeat(opening, n) + inner + strings.Repeat(closing, n)
		}
	}
	for _, tt := range []struct {
		name  string
		query func(int) string
		limit int
		kind  error
		text  string
	}{
		{"bytes", func(n int) string { return "{ .a = `" + strings.Repeat("x", n-11) + "` }" }, traceql.MaxQueryBytes, traceql.ErrSyntax, "the limit is"},
		{"regular expression", func(n int) string { return "{ .a =~ `" + strings.Repeat("x", n) + "` }" }, traceql.MaxRegexBytes, traceql.ErrType, "the limit is"},
		{"what it stands for", repeat("{ .a =~ `", "x{1000}", "` }"), 99, traceql.ErrType, "the limit is"},
		{"what all stand for", repeat("{ .b", " && .a =~ `(x{99}){9}`", " }"), 109, traceql.ErrType, "too large together"},
		{"arithmetic", repeat("{ 1 = .a", " + .a", " }"), 255, traceql.ErrSyntax, "nested"},
		{"negation", func(n int) string { return "{ " + strings.Repeat("!", n) + ".a }" }, 256, traceql.ErrSyntax, "nested"},
		{"spansets to the left", repeat("{ .a }", " && { .a }", ""), 256, traceql.ErrSyntax, "nested"},
		{"spansets to the right", nested("", "{ .a } > (", "{ .a }", ")"), 256, traceql.ErrSyntax, "nested"},
		{"pipelines", nested("", "({ .a } | { .b }) || (", "{ .a } | { .b }", ")"), 255, traceql.ErrSyntax, "nested"},
		{"stages", repeat("{ .a }", " | { .b }", ""), 255, traceql.ErrSyntax, "too many stages"},
		{"math to the left", repeat("({ .a } | rate())", " + 1", ""), 256, traceql.ErrSyntax, "nested"},
		{"math to the right", nested("", "1 - (", "({ .a } | rate())", ")"), 256, traceql.ErrSyntax, "nested"},
		{"second stages", repeat("{ .a } | rate()", " > 1", ""), 256, traceql.ErrSyntax, "too many stages"},
		{"labels", repeat("{ .a } | rate() by (.a", ", .a", ")"), 4, traceql.ErrType, "groups by 5 fields at most"},
		{"labels of quantiles", repeat("{ .a } | quantile_over_time(.a, .5) by (.a", ", .a", ")"), 3, traceql.ErrType, "groups by 4 fields at most"},
		{"quantiles", repeat("{ .a } | quantile_over_time(.a", ", .5", ")"), 64, traceql.ErrType, "quantiles"},
		{"values", func(n int) string { return fmt.Sprintf("{ } | compare({ .a }, %d)", n) }, traceql.MaxTopN, traceql.ErrType, "from 1 to 1000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q, err := traceql.Parse(tt.query(tt.limit))
			require.NoError(t, err)
			if len(q.String()) <= traceql.MaxQueryBytes {
				requireIdentity(t, q)
			}
			_, err = traceql.Parse(tt.query(tt.limit + 1))
			require.ErrorIs(t, err, tt.kind)
			require.ErrorContains(t, err, tt.text)
		})
	}
}
