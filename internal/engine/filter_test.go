package engine_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/vec/vectest"
)

// Filters say what conditions say, or more where they are not sure.
func TestFilterOfEveryQuery(t *testing.T) {
	spans := dataset(t)
	queries, err := corpus.Queries()
	require.NoError(t, err)
	sure := 0
	for _, q := range queries {
		plan, ok := tryCompile(q.Params["q"])
		if !ok {
			continue
		}
		requireFilter(t, plan, spans, q.Params["q"])
		if _, exact := plan.Filter(); exact {
			sure++
		}
	}
	require.Greater(t, sure, 150)
}

// randomCondition writes a condition on what vectest.Spans makes. Some do not
// compile.
func randomCondition(rng *rand.Rand, depth int) string {
	if depth > 0 && rng.IntN(3) > 0 {
		left, right := randomCondition(rng, depth-1), randomCondition(rng, depth-1)
		return fmt.Sprintf([]string{"(%s && %s)", "(%s || %s)", "%s || %s", "!(%s) || %s", "!(%s && %s)"}[rng.IntN(5)], left, right)
	}
	fields := []string{
		"span.a", "span.b", "span.tokens", ".a", ".b", ".status", ".service.name", "resource.a", "resource.service.name",
		"event.a", "event.b", "link.a", "instrumentation.a", "name", "kind", "status", "statusMessage", "duration",
		"event:name", "instrumentation:name", "instrumentation:version", "span:id", "span:parentID", "traceDuration",
		"rootName", "span.rare.1", "event:timeSinceStart",
	}
	literals := []string{
		`"a"`, `""`, `"GET /api"`, `"5"`, "5", "200", "4.5", "-1", "minInt", "maxInt", "1e300", "1us", "true", "false", "nil", "error", "server",
	}
	patterns := []string{`"a"`, `"a|b|GET.*"`, `"(a|b)?"`, `".*api.*"`, `"[ab]+"`, `"GET /(api|x)(/cart)?"`, `"long .*"`}
	field := fields[rng.IntN(len(fields))]
	switch rng.IntN(10) {
	case 0:
		return field
	case 1:
		return fmt.Sprintf("%s + 1 %s %s", field, operator(rng), fields[rng.IntN(len(fields))])
	case 2:
		return fmt.Sprintf("%s %s %s", field, operator(rng), fields[rng.IntN(len(fields))])
	case 3, 4:
		return fmt.Sprintf("%s %s %s", field, []string{"=~", "!~"}[rng.IntN(2)], patterns[rng.IntN(len(patterns))])
	case 5:
		return fmt.Sprintf("%s %s %s", literals[rng.IntN(len(literals))], operator(rng), field)
	}
	return fmt.Sprintf("%s %s %s", field, operator(rng), literals[rng.IntN(len(literals))])
}

func operator(rng *rand.Rand) string {
	return []string{"=", "!=", "<", "<=", ">", ">="}[rng.IntN(6)]
}

func TestFilterOfRandomQueries(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	compiled, sure, found := 0, 0, 0
	for range 20 {
		spans := vectest.Spans(rng, 60)
		for range 200 {
			text := "{ " + randomCondition(rng, rng.IntN(4)) + " }"
			plan, ok := tryCompile(text)
			if !ok {
				continue
			}
			compiled++
			requireFilter(t, plan, spans, text)
			filter, exact := plan.Filter()
			if exact {
				sure++
			}
			if n := len(vectest.Hits(filter, spans)); n > 0 && filter.Op != vec.OpTrue {
				found++
			}
		}
	}
	require.Greater(t, compiled, 1000)
	require.Greater(t, sure, compiled/3)
	require.Greater(t, found, compiled/5)
}

// predicates are those of a query's filter.
func predicates(t *testing.T, query string) []*vec.Predicate {
	t.Helper()
	filter, _ := compile(t, query).Filter()
	return filter.Predicates(nil)
}

// What sources can use to read less.
func TestPredicatesTellMore(t *testing.T) {
	tests := []struct {
		query    string
		contains string
		least    int64
		most     int64
		between  bool
	}{
		{query: `{ span.a = "x" }`, contains: "x"},
		{query: `{ span.a != "x" }`},
		{query: `{ span.a =~ ".*abc.*d" }`, contains: "abc"},
		{query: `{ span.a !~ ".*abc.*d" }`},
		{query: `{ span.a =~ "x[0-9]+.*users?" }`, contains: "user"},
		{query: `{ span.a =~ "(?i)abc[0-9]+" }`},
		{query: `{ span.a =~ "a+|b" }`},
		{query: `{ span.a = 5 }`, between: true, least: 5, most: 5},
		{query: `{ span.a = 5.5 }`},
		{query: `{ span.a < 5.5 }`, between: true, least: -1 << 63, most: 5},
		{query: `{ span.a >= 5.0 }`, between: true, least: 5, most: 1<<63 - 1},
		{query: `{ 5 > span.a }`, between: true, least: -1 << 63, most: 4},
		{query: `{ span.a > maxInt }`},
		{query: `{ span.a <= minInt }`, between: true, least: -1 << 63, most: -1 << 63},
		{query: `{ span.a != 5 }`},
		{query: `{ duration > 1us }`, between: true, least: 1001, most: 1<<63 - 1},
		{query: `{ status = error }`, between: true, least: 2, most: 2},
		{query: `{ kind != client }`},
		{query: `{ name = "a" }`, contains: "a"},
	}
	for _, tt := range tests {
		list := predicates(t, tt.query)
		require.Len(t, list, 1, tt.query)
		require.Equal(t, tt.contains, list[0].Contains, tt.query)
		require.Equal(t, tt.between, list[0].Between != nil, tt.query)
		if tt.between {
			require.Equal(t, vec.Interval{Least: tt.least, Most: tt.most}, *list[0].Between, tt.query)
		}
	}
}

// Comparisons of one field by || are one predicate.
func TestChainsBecomeSets(t *testing.T) {
	tests := []struct {
		query string
		count int
	}{
		{`{ name = "a" || name = "b" || name = "c" }`, 1},
		{`{ name =~ "a|b" || name = "c" || kind = server || name =~ "d.*" }`, 2},
		{`{ span.a = 1 || span.a = "x" || span.a > 100 }`, 1},
		{`{ .a = "x" || .a = "y" }`, 3}, // span, its absence, resource
		{`{ name = "a" && kind = server }`, 2},
		{`{ span.a = 1 || event.a = 1 || link.a = 1 }`, 3},
		{`{ rootName = "a" || name = "a" }`, 0},
		{`{ name = "a" || true }`, 0},
		{`{ span.a = status }`, 1}, // present
		{`{ span.a + span.b > 1 }`, 2},
		{`{ span.a = error }`, 0},
		{`{ span:id != nil && name != nil }`, 0},
		{`{ event:timeSinceStart > 1s }`, 1},
	}
	for _, tt := range tests {
		require.Len(t, predicates(t, tt.query), tt.count, tt.query)
	}
	p := predicates(t, `{ name = "a" || name =~ "(b|c)d" || name =~ "x.*" }`)[0]
	for text, want := range map[string]bool{"a": true, "bd": true, "cd": true, "x1": true, "b": false, "": false} {
		require.Equal(t, want, p.Text(text), text)
	}
	require.Empty(t, p.Contains)
}

func TestSure(t *testing.T) {
	for query, want := range map[string]bool{
		`{ }`: true, `{ span.a = 1 && !(.b =~ "x.*") }`: true, `{ event:name = "a" || resource.service.name != "b" }`: true,
		`{ rootName = "a" && name = "b" }`: true, `{ span.a || true }`: true,
		`{ span.a = span.b }`: false, `{ span.a + 1 = 2 }`: false, `{ span:parentID = "" }`: false,
		`{ event:timeSinceStart > 1s }`: false, `{ name = "a" && link:spanID = "1" }`: false,
	} {
		_, sure := compile(t, query).Filter()
		require.Equal(t, want, sure, query)
	}
	_, sure := engine.CompileTags(engine.TagFilter{Tags: []engine.Tag{{Key: "a", Value: "b"}}}).Filter()
	require.True(t, sure)
}

// Tags mean in filters what they mean in conditions.
func TestFilterOfTags(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		spans := vectest.Spans(rng, 60)
		for _, key := range []string{"a", "b", "name", "status", "service.name", "", "rare.1"} {
			for _, value := range []string{"", "a", "5", "05", "-5", "true", "0.5", "NaN", "GET /api", "404"} {
				plan := engine.CompileTags(engine.TagFilter{Tags: []engine.Tag{{Key: key, Value: value}}})
				requireFilter(t, plan, spans, key+"="+value)
			}
		}
	}
}
