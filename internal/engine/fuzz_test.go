package engine_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// FuzzSearch runs any query: nothing panics, the row filter lets through every
// row that matches, and ! gives exactly the other spans.
func FuzzSearch(f *testing.F) {
	for _, seed := range []string{
		`{ }`, `{ span.t || !.absent }`, `{ span.ints > 2 && -span.i * 2 = -10 }`,
		`{ rootName = "x" || !(traceDuration > 1s && name != rootName) }`,
		`{ (event.n = 1) = event.ok || event.n + link.a > 1 }`, `{ span:id =~ "0.*3" && span:parentID = "2" }`,
		`{ resource.service.name != "shop" || .both = nil }`, `{ span.text =~ ".*\\sline.*" }`,
		`{ instrumentation.lang = "go" && trace:id = "af7651916cd43dd" }`, `{ span.i % 3 = 2 ^ span.f / 0 }`,
	} {
		f.Add(seed)
	}
	rows := newMemory(sampleTrace(f))
	f.Fuzz(func(t *testing.T, text string) {
		plan, ok := tryCompile(text)
		if !ok {
			return
		}
		matched := matchedIDs(t, plan, rows)
		requireFilter(t, plan, rows.spans, text)
		for i := range rows.spans {
			if matched[rows.spans[i].SpanID] {
				require.True(t, plan.Match(&rows.spans[i]), text)
			}
		}
		query, err := traceql.Parse(text)
		require.NoError(t, err)
		filter, isFilter := query.Pipeline[0].(*traceql.SpansetFilter)
		require.True(t, isFilter)
		negated, ok := tryCompile("{ !(" + filter.Expr.String() + ") }")
		if !ok { // nested as deeply as it may be
			return
		}
		others := matchedIDs(t, negated, rows)
		for i := range rows.spans {
			require.NotEqual(t, matched[rows.spans[i].SpanID], others[rows.spans[i].SpanID], text)
		}
	})
}

// requireFilter compares a plan's filter with what Match says of rows.
func requireFilter(t *testing.T, plan *engine.Plan, rows []schema.Span, message string) {
	t.Helper()
	filter, sure := plan.Filter()
	for _, p := range filter.Predicates(nil) {
		requirePromises(t, p, rows, message)
	}
	selected, err := engine.NewRows().Select(rows, filter)
	require.NoError(t, err)
	for i := range rows {
		matches := plan.Match(&rows[i])
		if matches || sure {
			require.Equal(t, matches, selected.Has(i), "%s: %s", message, rows[i].Name)
		}
	}
}

// requirePromises checks what a predicate says of itself.
func requirePromises(t *testing.T, p *vec.Predicate, rows []schema.Span, message string) {
	t.Helper()
	if p.Between != nil {
		edges := []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, 2, 3, 5, 200, 1000, math.MaxInt64 - 1, math.MaxInt64}
		for _, edge := range []int64{p.Between.Least, p.Between.Most} {
			edges = append(edges, edge-1, edge, edge+1) // may wrap, which is a number as well
		}
		for _, i := range edges {
			require.Equal(t, i >= p.Between.Least && i <= p.Between.Most, p.Int(i), "%s: %d", message, i)
		}
	}
	if p.Contains != "" {
		for i := range rows {
			require.False(t, p.Text(rows[i].Name) && !strings.Contains(rows[i].Name, p.Contains), "%s: %q", message, rows[i].Name)
		}
	}
}

func tryCompile(text string) (*engine.Plan, bool) {
	query, err := traceql.Parse(text)
	if err != nil {
		return nil, false
	}
	plan, err := engine.Compile(query)
	return plan, err == nil
}

func matchedIDs(t *testing.T, plan *engine.Plan, rows memory) map[schema.SpanID]bool {
	t.Helper()
	r, err := engine.Search(t.Context(), plan, [][]engine.Source{{rows}}, engine.SearchOptions{SpansPerSpanSet: 10})
	require.NoError(t, err)
	ids := make(map[schema.SpanID]bool)
	for _, tr := range r.Traces {
		for _, s := range tr.SpanSets[0].Spans {
			ids[s.SpanID] = true
		}
	}
	return ids
}
