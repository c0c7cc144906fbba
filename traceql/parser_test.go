package traceql_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/traceql"
)

// tree spells an expression with all its parentheses, without the printer.
func tree(e traceql.FieldExpr) string {
	switch e := e.(type) {
	case *traceql.Binary:
		return fmt.Sprintf("(%s %s %s)", tree(e.Left), e.Op, tree(e.Right))
	case *traceql.Unary:
		return fmt.Sprintf("(%s%s)", e.Op, tree(e.X))
	default:
		return e.String()
	}
}

func filterTree(t testing.TB, q *traceql.Query) string {
	t.Helper()
	require.Len(t, q.Pipeline, 1)
	f, ok := q.Pipeline[0].(*traceql.SpansetFilter)
	require.True(t, ok)
	return tree(f.Expr)
}

func TestPrecedence(t *testing.T) {
	_, cases := readCorpus(t, "precedence.txt")
	for _, c := range cases {
		q, err := traceql.Parse(c.query)
		require.NoError(t, err, c.query)
		require.Equal(t, c.answer, filterTree(t, q), c.query)
		requireIdentity(t, q)
	}
}

// requireIdentity prints a query, parses what it printed, and compares.
func requireIdentity(t testing.TB, q *traceql.Query) {
	t.Helper()
	text := q.String()
	again, err := traceql.Parse(text)
	require.NoError(t, err, text)
	require.Equal(t, text, again.String())
	require.Equal(t, dump(q), dump(again), text)
}

func TestLiterals(t *testing.T) {
	tests := []struct {
		text string
		want traceql.Static
	}{
		{"1", traceql.NewInt(1)},
		{"007", traceql.NewInt(7)},
		{"-9", traceql.NewInt(-9)},
		{"minInt", traceql.NewInt(-1 << 63)},
		{"maxInt", traceql.NewInt(1<<63 - 1)},
		{"1.5", traceql.NewFloat(1.5)},
		{".5", traceql.NewFloat(0.5)},
		{"1e3", traceql.NewFloat(1000)},
		{"1E-3", traceql.NewFloat(0.001)},
		{"2.5e+2", traceql.NewFloat(250)},
		{"1h30m", traceql.NewDuration(90 * 60e9)},
		{"1d", traceql.NewDuration(24 * 3600e9)},
		{"1y2w", traceql.NewDuration((365 + 14) * 24 * 3600e9)},
		{"1.5s", traceql.NewDuration(1.5e9)},
		{"100us", traceql.NewDuration(100e3)},
		{"100µs", traceql.NewDuration(100e3)}, // micro sign
		{"100μs", traceql.NewDuration(100e3)}, // Greek mu
		{"5ns", traceql.NewDuration(5)},
		{"-2ms", traceql.NewDuration(-2e6)},
		{"1m1ms", traceql.NewDuration(60_001e6)},
		{`"a\tb"`, traceql.NewString("a\tb")},
		{"`a\\tb`", traceql.NewString(`a\tb`)},
		{"`two\nlines`", traceql.NewString("two\nlines")},
		{`"서울"`, traceql.NewString("서울")},
		{"true", traceql.NewBool(true)},
		{"error", traceql.NewStatus(2)},
		{"unset", traceql.NewStatus(0)},
		{"unspecified", traceql.NewKind(0)},
		{"consumer", traceql.NewKind(5)},
	}
	for _, tt := range tests {
		q, err := traceql.Parse("{ .a = " + tt.text + " }")
		require.NoError(t, err, tt.text)
		f, _ := q.Pipeline[0].(*traceql.SpansetFilter)
		equal, ok := f.Expr.(*traceql.Binary)
		require.True(t, ok, tt.text)
		literal, ok := equal.Right.(*traceql.Literal)
		require.True(t, ok, tt.text)
		require.Equal(t, tt.want, literal.Value, tt.text)
		requireIdentity(t, q)
	}
}

func TestAttributeNames(t *testing.T) {
	tests := []struct {
		text  string
		scope traceql.Scope
		name  string
	}{
		{".a", traceql.ScopeNone, "a"},
		{".a-1", traceql.ScopeNone, "a-1"},
		{".a*2", traceql.ScopeNone, "a*2"},
		{".a//b", traceql.ScopeNone, "a//b"},
		{".span.x", traceql.ScopeNone, "span.x"},
		{`."5x"`, traceql.ScopeNone, "5x"},
		{"span.5x", traceql.ScopeSpan, "5x"},
		{"span.parent.x", traceql.ScopeSpan, "parent.x"},
		{`span."http path"`, traceql.ScopeSpan, "http path"},
		{`span.a."b c".d`, traceql.ScopeSpan, "a.b c.d"},
		{`span."a\"b\\c"`, traceql.ScopeSpan, `a"b\c`},
		{`span.""`, traceql.ScopeSpan, ""},
		{`span."dot."`, traceql.ScopeSpan, "dot."},
		{"span.ключ", traceql.ScopeSpan, "ключ"},
		{"resource.a[0];b", traceql.ScopeResource, "a[0];b"},
		{"event.x", traceql.ScopeEvent, "x"},
		{"link.x", traceql.ScopeLink, "x"},
		{"instrumentation.x", traceql.ScopeInstrumentation, "x"},
	}
	for _, tt := range tests {
		q, err := traceql.Parse("{" + tt.text + "}")
		require.NoError(t, err, tt.text)
		f, _ := q.Pipeline[0].(*traceql.SpansetFilter)
		a, ok := f.Expr.(*traceql.Attribute)
		require.True(t, ok, tt.text)
		require.Equal(t, tt.scope, a.Scope, tt.text)
		require.Equal(t, tt.name, a.Name, tt.text)
		require.Equal(t, 1, a.Pos())
		requireIdentity(t, q)
	}
}

func TestMistakes(t *testing.T) {
	header, cases := readCorpus(t, "mistakes.txt")
	requireAnswers(t, "mistakes.txt", header, cases)
}

func TestErrorPlace(t *testing.T) {
	_, err := traceql.Parse("{ .서울 = 1 &&\n  /* x */ .b == 2 }")
	var place *traceql.Error
	require.ErrorAs(t, err, &place)
	require.Equal(t, 2, place.Line)
	require.Equal(t, 15, place.Column)
	require.Equal(t, "write = for equality", place.Hint)
	require.ErrorIs(t, err, traceql.ErrSyntax)

	_, err = traceql.Parse("{ .서울 = 'x' }")
	require.ErrorAs(t, err, &place)
	require.Equal(t, 9, place.Column)
}

func TestInvalidText(t *testing.T) {
	for _, text := range []string{"{ .a = \"\xff\" }", "{ .\xc3\x28 }"} {
		_, err := traceql.Parse(text)
		require.ErrorIs(t, err, traceql.ErrSyntax)
	}
	_, err := traceql.Parse("{ .a = \"\uFFFD\" }")
	require.NoError(t, err)
}

func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for _, query := range []string{
		long, "{ " + long, "{ span:" + long, "{ 1" + long, "{ .a ." + long, "{ \"\\q" + long + "\" }",
		"{ ." + long + " = 1 = 2 }", "{ ." + long + " =~ ." + long + " }", "." + long, "{ name." + long + " }",
		"{ duration = ." + long + " + \"x\" }", "{ .a =~ \"(" + long + "\" }",
	} {
		_, err := traceql.Parse(query)
		require.Error(t, err)
		require.Less(t, len(err.Error()), 1000)
	}
}
