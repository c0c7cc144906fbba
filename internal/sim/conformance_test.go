package sim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
	"github.com/spanlake/spanlake/traceql/traceqltest"
	"github.com/spanlake/spanlake/traceql/traceqltest/oracle"
	"github.com/spanlake/spanlake/traceql/traceqltest/random"
)

// maxDifferences is which share of the suite's queries may have another answer
// than the reference's, on purpose: 3 in 100.
const maxDifferences = 0.03

// question is a query of the suite with the answer that we want: that of the
// oracle, and in normal form that of the reference unless there is a reason.
type question struct {
	corpus.Query

	query  *traceql.Query
	answer []string
}

// TestConformance asks the queries of the conformance suite, first the oracle
// and then the engine, with the data in every layout. What the oracle says is
// what the reference said, but for the listed differences and the quirks.
func TestConformance(t *testing.T) {
	rows := dataset(t)
	questions := suite(t, oracle.New(rows))
	require.Greater(t, len(questions), 250/thinning)
	for _, l := range layouts() {
		t.Run(l.name, func(t *testing.T) {
			requireAnswers(t, questions, newPlaced(l.place(t, rows, rand.New(rand.NewPCG(*seed, 0)))))
		})
	}
	t.Run("create and update fragments in two blocks", func(t *testing.T) {
		requireAnswers(t, questions, newPlaced([][]engine.Source{inFragments(t, rows)}))
	})
}

func dataset(t *testing.T) (rows []schema.Span) {
	t.Helper()
	bodies, err := corpus.Dataset()
	require.NoError(t, err)
	decoder := otlp.NewDecoder()
	for i, body := range bodies {
		rows, err = decoder.Decode(body, uint64(i+1), rows)
		require.NoError(t, err)
	}
	return rows
}

// suite asks the oracle, and holds its answers against the recorded ones.
func suite(t *testing.T, truth traceqltest.Engine) (questions []question) {
	t.Helper()
	queries, err := corpus.Queries()
	require.NoError(t, err)
	expected, err := corpus.Expected()
	require.NoError(t, err)
	differences, err := corpus.Differences()
	require.NoError(t, err)
	require.LessOrEqual(t, float64(len(differences)), maxDifferences*float64(len(expected)))
	for i, q := range queries {
		if q.Kind != corpus.KindSearch && q.Kind != corpus.KindMetrics && q.Kind != corpus.KindError {
			continue
		}
		query, err := traceql.Parse(q.Params["q"])
		want, known := expected[q.ID]
		if known && want.Status >= 400 {
			isSearch := err == nil && query.Metrics == nil && strings.HasPrefix(q.Path, "/api/metrics")
			require.True(t, err != nil || isSearch, q.ID)
			continue
		}
		require.NoError(t, err, q.ID)
		lines, fault := ask(t, q, query, truth, want)
		switch reason, listed := differences[q.ID]; {
		case listed:
			require.NotEmpty(t, reason, q.ID)
			require.NotEmpty(t, fault, "%s is no difference any more", q.ID)
			require.Empty(t, q.Quirk, q.ID)
		case known && q.Quirk == "":
			require.Empty(t, fault, "%s: %s", q.ID, q.Params["q"])
		}
		if i%thinning == 0 {
			questions = append(questions, question{q, query, lines})
		}
	}
	return questions
}

// ask returns an answer as text, and how it differs from the recorded one.
func ask(t *testing.T, q corpus.Query, query *traceql.Query, e traceqltest.Engine, want corpus.Answer) (lines []string, fault string) {
	t.Helper()
	if q.Kind == corpus.KindMetrics {
		list, err := e.Metrics(t.Context(), query, metricsOptions(q))
		require.NoError(t, err, q.ID)
		return traceqltest.FormatSeries(list, 0), differSeries(want.Series, normalSeries(list), q.RelTol)
	}
	traces, err := e.Search(t.Context(), query, searchOptions(q))
	require.NoError(t, err, q.ID)
	return traceqltest.FormatTraces(traces, spanName), differTraces(q, want.Traces, normalTraces(traces, q.Attrs))
}

// requireAnswers asks all questions.
func requireAnswers(t *testing.T, questions []question, e placed) {
	t.Helper()
	for _, q := range questions {
		if !e.takes(q.query) {
			t.Errorf("%s: %s is refused", q.ID, q.Params["q"])
			continue
		}
		lines, _ := ask(t, q.Query, q.query, e, corpus.Answer{})
		if slices.Equal(q.answer, lines) {
			continue
		}
		got, want := without(lines, q.answer), without(q.answer, lines)
		t.Errorf("%s: %s\ngot %d lines more\n%s\nwant %d lines more\n%s", q.ID, q.Params["q"],
			len(got), strings.Join(got[:min(len(got), 3)], "\n"), len(want), strings.Join(want[:min(len(want), 3)], "\n"))
	}
}

// inFragments puts what began each span into one block, and what came later
// into another. Spans that share their id with one of another kind stay whole.
func inFragments(t *testing.T, rows []schema.Span) []engine.Source {
	t.Helper()
	rng := rand.New(rand.NewPCG(*seed, 0))
	count := make(map[string]int)
	id := func(s schema.Span) string { return fmt.Sprint(s.TraceID, s.SpanID) }
	for _, row := range rows {
		count[id(row)]++
	}
	var first, second []schema.Span
	for _, row := range rows {
		if count[id(row)] > 1 {
			first = append(first, row)
			continue
		}
		pieces := random.Split(row, 2, func() bool { return rng.IntN(2) == 0 })
		first, second = append(first, pieces[0]), append(second, pieces[1])
	}
	require.Greater(t, len(second), len(rows)*9/10)
	return []engine.Source{store(t, first), store(t, second)}
}
