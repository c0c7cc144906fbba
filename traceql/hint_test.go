package traceql_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/traceql"
)

func withHints(t *testing.T, hints string) *traceql.Query {
	t.Helper()
	q, err := traceql.Parse("{ } with(" + hints + ")")
	require.NoError(t, err, hints)
	requireIdentity(t, q)
	return q
}

func TestOrderBy(t *testing.T) {
	for _, tt := range []struct {
		name, value, field string
		descending         bool
	}{
		{"a direction", `"duration desc"`, "duration", true},
		{"the other one", `"duration asc"`, "duration", false},
		{"none", `"duration"`, "duration", true},
		{"an attribute", `"span.gen_ai.usage.cost desc"`, "span.gen_ai.usage.cost", true},
		{"an alias", `"trace:duration asc"`, "traceDuration", false},
		{"spaces", "` \tduration \t asc `", "duration", false},
		{"a quoted name", "`span.\"a b\" asc`", `span."a b"`, false},
		{"a direction in a quoted name", "`span.\"a desc\"`", `span."a desc"`, true},
		{"a name that ends like a direction", `"span.desc"`, "span.desc", true},
		{"a name that is one", `".asc asc"`, ".asc", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			field, descending, ok := withHints(t, "order_by="+tt.value).OrderBy()
			require.True(t, ok)
			require.Equal(t, tt.field, field.String())
			require.Equal(t, tt.descending, descending)
		})
	}
	_, _, ok := withHints(t, "explain=true").OrderBy()
	require.False(t, ok)

	// Some are refused, with what is wrong with the field.
	for value, text := range map[string]string{
		`"desc"`:               "unexpected 'desc'",
		`""`:                   "end of the query",
		`"duration down"`:      "'down'",
		`"http.route"`:         "span.http.route",
		`"parent.x"`:           "parent span",
		`"duration + 1"`:       "'+'",
		`"duration asc, name"`: "'asc'",
		"5":                    "5 is an int",
		"true":                 "true is a boolean",
	} {
		_, err := traceql.Parse("{ }\nwith(order_by=" + value + ")")
		require.ErrorIs(t, err, traceql.ErrType, value)
		require.ErrorContains(t, err, "line 2, col 15: ", value)
		require.ErrorContains(t, err, text, value)
	}

	// By hand, a query can have any hint.
	q := &traceql.Query{Hints: []traceql.Hint{{Name: "order_by", Value: traceql.NewString("{")}}}
	_, _, ok = q.OrderBy()
	require.False(t, ok)
}

func TestFlags(t *testing.T) {
	q := withHints(t, "most_recent=true, explain=true")
	require.True(t, q.MostRecent())
	require.True(t, q.Explain())
	q = withHints(t, `most_recent=false, explain="true"`)
	require.False(t, q.MostRecent())
	require.False(t, q.Explain())
	require.False(t, withHints(t, "explain=true, explain=false").Explain())
}

func TestExemplars(t *testing.T) {
	for _, tt := range []struct {
		hints string
		limit int
		ok    bool
	}{
		{"exemplars=true", 0, false},
		{"exemplars=false", 0, true},
		{"exemplars=0", 0, true},
		{"exemplars=17", 17, true},
		{"exemplars=1.5", 0, false},
		{`exemplars="5"`, 0, false},
		{"sample=5", 0, false},
	} {
		limit, ok := withHints(t, tt.hints).Exemplars()
		require.Equal(t, tt.limit, limit, tt.hints)
		require.Equal(t, tt.ok, ok, tt.hints)
	}
}

func TestSample(t *testing.T) {
	for _, tt := range []struct {
		hints    string
		fraction float64
		ok       bool
	}{
		{"sample=true", 0, false},
		{"sample=0.25", 0.25, true},
		{"sample=1", 1, true},
		{"sample=0", 0, false},
		{"sample=2", 0, false},
		{"sample=1s", 0, false},
		{"exemplars=1", 0, false},
	} {
		fraction, ok := withHints(t, tt.hints).Sample()
		require.Equal(t, tt.ok, ok, tt.hints)
		require.InDelta(t, tt.fraction, fraction, 0, tt.hints)
	}
}

func TestHint(t *testing.T) {
	q := withHints(t, "anything=5, anything=6")
	value, ok := q.Hint("anything")
	require.True(t, ok)
	require.Equal(t, traceql.NewInt(6), value)
	_, ok = q.Hint("else")
	require.False(t, ok)
}
