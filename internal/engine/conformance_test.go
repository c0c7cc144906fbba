package engine_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/traceql"
)

// ours are the answers to the queries with a quirk, where we differ from the
// reference on purpose: the number of spans that match.
var ours = map[string]int{
	// Number literals match numbers of any type.
	"float-02": 4,
	"float-12": 37,
	"float-14": 13,
	"float-16": 57,
	"types-02": 172,
	"types-04": 60,
	"types-06": 98,
	// An unscoped attribute is nil when neither scope has it.
	"nil-08": 0,
	// Roots can be asked for.
	"ids-08": 311,
	// Negation is negation.
	"logic-04": 136,
	// Powers of ints are ints.
	"arithmetic-04": 1,
	// != and !~ of a list mean that no element is equal or matches.
	"array-12": 0,
	"array-14": 0,
	// Spans that hang under no root are trees of their own.
	"nested-set-08": 20,
	"structural-14": 10,
	"structural-16": 10,
	"structural-18": 20,
	// Numbers follow the times of spans, not the order in which they arrived.
	"nested-set-02": 299,
	"select-08":     12,
	// A list of one element is a list.
	"select-04": 38,
}

func TestConformance(t *testing.T) {
	spans := dataset(t)
	queries, err := corpus.Queries()
	require.NoError(t, err)
	expected, err := corpus.Expected()
	require.NoError(t, err)
	for _, c := range cuttings() {
		t.Run(c.name, func(t *testing.T) {
			partitions := c.cut(spans)
			for _, q := range queries {
				want, known := expected[q.ID]
				if q.Kind != corpus.KindSearch && q.Path != "/api/search" || !known {
					continue
				}
				t.Run(q.ID, func(t *testing.T) {
					query, err := traceql.Parse(q.Params["q"])
					if want.Status >= 400 {
						require.Error(t, err)
						return
					}
					require.NoError(t, err)
					plan, err := engine.Compile(query)
					require.NoError(t, err)
					got, err := engine.Search(t.Context(), plan, partitions, searchOptions(t, q.Params))
					require.NoError(t, err)
					requireAnswer(t, q, want.Traces, normalForm(got.Traces, q.Attrs))
				})
			}
		})
	}
}

func requireAnswer(t *testing.T, q corpus.Query, want, got []corpus.Trace) {
	t.Helper()
	message := q.Params["q"]
	matched, differs := ours[q.ID]
	require.True(t, differs || q.Quirk == "", message)
	switch {
	case differs:
		require.Equal(t, matched, matchedSpans(got), message)
	case q.Loose == corpus.LooseCount:
		require.Len(t, got, len(want), message)
	case q.Loose == corpus.LooseMatched:
		require.Len(t, got, len(want), message)
		for i := range want {
			require.Equal(t, want[i].SpanSets[0].Matched, got[i].SpanSets[0].Matched, message)
			require.Len(t, got[i].SpanSets[0].Spans, len(want[i].SpanSets[0].Spans), message)
		}
	default:
		require.Equal(t, want, got, message)
	}
}

func matchedSpans(traces []corpus.Trace) (n int) {
	for _, tr := range traces {
		for _, s := range tr.SpanSets {
			n += s.Matched
		}
	}
	return n
}

func searchOptions(t *testing.T, params map[string]string) engine.SearchOptions {
	t.Helper()
	number := func(key string) int {
		if params[key] == "" {
			return 0
		}
		n, err := strconv.Atoi(params[key])
		require.NoError(t, err)
		return n
	}
	return engine.SearchOptions{
		StartNanos:      uint64(number("start")) * uint64(time.Second),
		EndNanos:        uint64(number("end")) * uint64(time.Second),
		Limit:           number("limit"),
		SpansPerSpanSet: number("spss"),
		Concurrency:     2,
	}
}
