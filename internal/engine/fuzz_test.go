package engine_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// FuzzSearch runs any search: nothing panics, the row filter lets through every
// row that matches, the answer is the same however the rows are spread, and !
// gives exactly the other spans.
func FuzzSearch(f *testing.F) {
	for _, seed := range []string{
		`{ }`, `{ span.t || !.absent }`, `{ span.ints > 2 && -span.i * 2 = -10 }`,
		`{ rootName = "x" || !(traceDuration > 1s && name != rootName) }`,
		`{ (event.n = 1) = event.ok || event.n + link.a > 1 }`, `{ span:id =~ "0.*3" && span:parentID = "2" }`,
		`{ resource.service.name != "shop" || .both = nil }`, `{ span.text =~ ".*\\sline.*" }`,
		`{ instrumentation.lang = "go" && trace:id = "af7651916cd43dd" }`, `{ span.i % 3 = 2 ^ span.f / 0 }`,
		`{ name = "a" } >> { } | by(span:childCount) | count() > 1 | coalesce()`, `{ } !~ { name != "b" } &> { }`,
		`({ name != "x" } | max(duration) >= 1s) || ({ .n } | avg(span.ints) < 2 | select(.both))`,
		`{ rootName = "a" } && { name = "g" } | sum(nestedSetLeft) > 3`, `count() = 3 with(order_by="span.i asc")`,
		`{ } | by(event.n) | by(name) | min(span.f) < 3`, `{ nestedSetParent < 0 } | rate()`,
	} {
		f.Add(seed)
	}
	spans := append(shapes(), sampleTrace(f)...)
	whole := newMemory(spans)
	cut := spread(spans, 3, func(_ *schema.Span, i int) []int { return []int{i % 3, (i + 1) % 3}[:1+i%2] })
	opts := engine.SearchOptions{SpansPerSpanSet: 10}
	f.Fuzz(func(t *testing.T, text string) {
		plan, ok := tryCompile(text)
		if !ok {
			return
		}
		r, err := engine.Search(t.Context(), plan, [][]engine.Source{{whole}}, opts)
		require.NoError(t, err, text)
		again, err := engine.Search(t.Context(), plan, [][]engine.Source{cut}, opts)
		require.NoError(t, err, text)
		require.Equal(t, printed(r.Traces), printed(again.Traces), text)
		matched := foundSpans(r)
		requireFilter(t, plan, whole.spans, text)
		for i := range whole.spans {
			if matched[spanID(&whole.spans[i])] {
				require.True(t, plan.Match(&whole.spans[i]), text)
			}
		}
		query, err := traceql.Parse(text)
		require.NoError(t, err)
		if len(query.Pipeline) == 1 {
			requireNegation(t, query.Pipeline[0], matched, whole)
		}
	})
}

// spanID tells the spans of all traces apart.
func spanID(s *schema.Span) [2]uint64 {
	return [2]uint64{uint64(s.TraceID[15]), s.StartNanos}
}

func foundSpans(r *engine.SearchResult) map[[2]uint64]bool {
	ids := make(map[[2]uint64]bool)
	for _, tr := range r.Traces {
		for _, set := range tr.SpanSets {
			for _, s := range set.Spans {
				ids[[2]uint64{uint64(tr.TraceID[15]), s.StartNanos}] = true
			}
		}
	}
	return ids
}

// printed is what answers are compared by: NaN is not equal to itself.
func printed(traces []engine.TraceResult) string { return fmt.Sprintf("%+v", traces) }

// requireNegation checks that the negation of a filter finds the other spans.
func requireNegation(t *testing.T, stage traceql.Stage, matched map[[2]uint64]bool, rows memory) {
	t.Helper()
	filter, ok := stage.(*traceql.SpansetFilter)
	if !ok {
		return
	}
	text := "{ !(" + filter.Expr.String() + ") }"
	negated, ok := tryCompile(text)
	if !ok { // nested as deeply as it may be
		return
	}
	r, err := engine.Search(t.Context(), negated, [][]engine.Source{{rows}}, engine.SearchOptions{SpansPerSpanSet: 10})
	require.NoError(t, err)
	others := foundSpans(r)
	for i := range rows.spans {
		require.NotEqual(t, matched[spanID(&rows.spans[i])], others[spanID(&rows.spans[i])], text)
	}
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
