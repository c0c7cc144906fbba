package traceql_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/traceql"
)

// lenientCases are queries as a person types them, and what can be used.
var lenientCases = []struct{ name, query, want string }{
	{"complete", `{ resource.service.name = "cart" && status = error }`, `{ resource.service.name = "cart" && status = error }`},
	{"complete with or", `{ (.a = 1 || .b = 2) && name = "x" }`, `{ .a = 1 || .b = 2 && name = "x" }`},
	{"hints and stages are ignored", `{ .a = 1 } | rate() by (span.`, `{ .a = 1 }`},
	{"hints", `{ .a = 1 } with(most_recent=true)`, `{ .a = 1 }`},
	{"comment", `{ /* } */ .a = 1 }`, `{ .a = 1 }`},

	{"value to come", `{ resource.service.name="checkout" && name= }`, `{ resource.service.name = "checkout" }`},
	{"value to come first", `{ name= && resource.service.name="checkout" }`, `{ resource.service.name = "checkout" }`},
	{"value to come, no brace", `{ resource.service.name="checkout" && name =`, `{ resource.service.name = "checkout" }`},
	{"operator to come", `{ .a = 1 && span.http.`, `{ .a = 1 }`},
	{"a field that stands alone", `{ .a = 1 && span.foo }`, `{ .a = 1 }`},
	{"an intrinsic that stands alone", `{ .a = 1 && name }`, `{ .a = 1 }`},
	{"field to come", `{ .a = 1 && span. }`, `{ .a = 1 }`},
	{"condition to come", `{ .a = 1 && }`, `{ .a = 1 }`},
	{"condition to come in front", `{ && .a = 1 }`, `{ .a = 1 }`},
	{"half an operator", `{ .a = 1 & }`, `{ true }`},
	{"an open string", `{ .a = 1 && name = "che }`, `{ .a = 1 }`},
	{"an open string hides the rest", `{ name = "che && .a = 1 }`, `{ true }`},
	{"an open quoted name hides the rest", `{ .a = 1 && span."b && .c = 1 }`, `{ .a = 1 }`},
	{"a bad escape ends", `{ name = "\q" && .a = 1 }`, `{ .a = 1 }`},
	{"an open comment", `{ .a = 1 /* && .b = 2`, `{ .a = 1 }`},
	{"single quotes", `{ name = 'x' && .a = 1 }`, `{ .a = 1 }`},
	{"half a number", `{ duration > 5q && .a = 1 }`, `{ .a = 1 }`},
	{"half an intrinsic", `{ span:na = "x" && .a = 1 }`, `{ .a = 1 }`},
	{"a type error", `{ duration = "x" && .a = 1 }`, `{ .a = 1 }`},
	{"a regular expression", `{ name =~ "[" && .a =~ "b.*" }`, `{ .a =~ "b.*" }`},
	{"the tree of the trace", `{ nestedSetParent < 0 && .a = 1 }`, `{ .a = 1 }`},
	{"what is refused", `{ parent.a = 1 && .a = 1 }`, `{ .a = 1 }`},

	{"the other side of or may be anything", `{ .a = 1 || .b = }`, `{ true }`},
	{"or in parentheses", `{ .a = 1 && (.b = 2 || .c = ) }`, `{ .a = 1 }`},
	{"an open parenthesis", `{ .a = 1 && (.b = 2 || .c = 3`, `{ .a = 1 && (.b = 2 || .c = 3) }`},
	{"open parentheses", `{ (.a = 1 && (.b = 2 && .c`, `{ .a = 1 && .b = 2 }`},
	{"a parenthesis too much", `{ .a = 1) && .b = 2 }`, `{ true }`},
	{"half of a negation", `{ !(.a = 1 && .b = ) && .c = 1 }`, `{ .c = 1 }`},
	{"negation", `{ !(.a = 1 && .b = 2) && .c = }`, `{ !(.a = 1 && .b = 2) }`},
	{"a parenthesis in a condition", `{ (.a + 1) * 2 = 4 && .c = }`, `{ (.a + 1) * 2 = 4 }`},
	{"empty parentheses", `{ () && .a = 1 }`, `{ .a = 1 }`},

	{"no braces", `resource.service.name = "cart" && name =`, `{ resource.service.name = "cart" }`},
	{"nothing", ``, `{ true }`},
	{"an open brace", `{`, `{ true }`},
	{"an empty filter", `{ }`, `{ true }`},
	{"nonsense", `hello, world`, `{ true }`},
	{"two filters", `{ .a = 1 } && { .b = 2 }`, `{ true }`},
	{"half of two filters", `{ .a = 1 } >>`, `{ true }`},
	{"a filter in a filter", `{ .a = 1 && { .b = 2 } }`, `{ true }`},
	{"filters in parentheses", `({ .a = 1 } | { .b = 2 })`, `{ .a = 1 && .b = 2 }`},
	{"filters one after the other", `{ .a = 1 || .b = 1 } | { .c = 2 || .d = 2 } | { .e =`, `{ .a = 1 || .b = 1 && (.c = 2 || .d = 2) }`},
	{"stages between filters", `{ .a = 1 } | by(name) | count() > 3 | { .b = 2 && span.`, `{ .a = 1 && .b = 2 }`},
	{"an empty filter before", `{ } | { .b = 2 && name =`, `{ .b = 2 }`},
	{"an unknown filter before", `{ .a = 1 || name = } | { .b = 2 }`, `{ .b = 2 }`},
	{"a negation in a later filter", `{ .a = 1 } | { !(.b = 2 && .c = 3) && .d`, `{ .a = 1 && !(.b = 2 && .c = 3) }`},
	{"an aggregate to be compared", `{ .a = 1 } | avg(span.`, `{ .a = 1 }`},
	{"a function to come", `{ .a = 1 } | rate() by (resource.service.name, span.`, `{ .a = 1 }`},
	{"a second stage", `{ .a = 1 } | rate() > 5 | topk(`, `{ .a = 1 }`},
	{"what compare selects is no filter", `{ .a = 1 } | compare({ .b = 2 }, 5`, `{ .a = 1 }`},
	{"compare being typed", `{ .a = 1 } | compare({ .b = 2 && .c`, `{ .a = 1 }`},
	{"pipelines that are joined", `({ .a = 1 } | count() > 1) && ({ .b = 2 } | { .c =`, `{ true }`},
	{"a pipeline that may be joined", `({ .a = 1 } | count() > 1) >`, `{ true }`},
	{"an operator to come", `({ .a = 1 } | { .b = 2 }) &&`, `{ true }`},
	{"a negated relation", `{ .a = 1 } !>> { .b =`, `{ true }`},
	{"a stage that joins", `{ .a = 1 } | { .b = 2 } ~ {`, `{ true }`},
	{"metrics math", `({ .a = 1 } | rate()) / ({ .b = 2 } | rate() by (`, `{ true }`},
	{"metrics math to come", `2 * ({ .a = 1 } | rate() by (span.`, `{ .a = 1 }`},
	{"no filter at all", `by(name) | count() > 3 | select(`, `{ true }`},
	{"not text", "{ .a = 1 && .b = \"\xff\" }", `{ true }`},
}

func TestParseLenient(t *testing.T) {
	for _, tc := range lenientCases {
		t.Run(tc.name, func(t *testing.T) {
			q := traceql.ParseLenient(tc.query)
			require.Equal(t, tc.want, q.String())
			requireIdentity(t, q)
		})
	}
}

func TestParseLenientLimits(t *testing.T) {
	for _, text := range []string{
		"{ .a = `" + strings.Repeat("x", traceql.MaxQueryBytes) + "` }",
		"{ " + strings.Repeat("(", 100_000),
		"{ " + strings.Repeat("(", 60_000) + ".a = 1" + strings.Repeat(")", 60_000),
		"{ " + strings.Repeat("(.a && ", 18_000),
		strings.Repeat("{", 100_000),
		strings.Repeat("'", 100_000),
		"{ " + strings.Repeat("(.a = 1 && .b = 1 || ", 300),
	} {
		require.Equal(t, "{ true }", traceql.ParseLenient(text).String())
	}
	chain := "{ .a = 1" + strings.Repeat(" || .a = 1", 10_000) + " }"
	require.Equal(t, chain, traceql.ParseLenient(chain).String())
}

// Whatever is typed, the result is a filter that reads back as it prints, and
// the repair of a repaired query changes nothing.
func FuzzParseLenient(f *testing.F) {
	for _, tc := range lenientCases {
		f.Add(tc.query)
	}
	for _, file := range []string{"valid.txt", "parse_error.txt", "type_error.txt", "mistakes.txt"} {
		_, cases := readCorpus(f, file)
		for _, c := range cases {
			f.Add(c.query)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		q := traceql.ParseLenient(text)
		require.Len(t, q.Pipeline, 1)
		requireIdentity(t, q)
		require.Equal(t, q.String(), traceql.ParseLenient(q.String()).String())
	})
}

func TestParseField(t *testing.T) {
	for _, tc := range []struct{ name, field, want string }{
		{"span", "span.http.route", "span.http.route"},
		{"resource", "resource.service.name", "resource.service.name"},
		{"unscoped", ".service.name", ".service.name"},
		{"event", "event.exception.type", "event.exception.type"},
		{"quoted", `span."attr with space"`, `span."attr with space"`},
		{"slashes and colons", "span.http://a/b-c", "span.http://a/b-c"},
		{"intrinsic", "status", "status"},
		{"alias", "span:status", "status"},
		{"scoped intrinsic", "event:name", "event:name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			field, err := traceql.ParseField(tc.field)
			require.NoError(t, err)
			require.Equal(t, tc.want, field.String())
		})
	}
	for _, tc := range []struct{ name, field, text string }{
		{"bare", "service.name", "write resource.service.name or .service.name"},
		{"bare, of a span", "http.route", "write .http.route, span.http.route"},
		{"empty", "", "unexpected end"},
		{"no name", "span.", "name of an attribute"},
		{"space", "span.a b", "end of the name"},
		{"brace", "span.a{", "end of the name"},
		{"open quote", `span."a`, "no end"},
		{"literal", `"a"`, "expected an attribute"},
		{"parent", "parent.a", "parent span"},
		{"unknown intrinsic", "span:foo", "no intrinsic"},
		{"not text", "span.\xff", "UTF-8"},
		{"expression", "span.a = 1", "end of the name"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := traceql.ParseField(tc.field)
			require.ErrorContains(t, err, tc.text)
			var place *traceql.Error
			require.ErrorAs(t, err, &place)
		})
	}
}
