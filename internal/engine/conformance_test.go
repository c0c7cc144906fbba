package engine_test

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/traceql"
)

// unsupportedSearches is the number of searches of the suite that can not be
// compiled for now. It shrinks as the engine grows.
const unsupportedSearches = 79

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
			unsupported := 0
			for _, q := range queries {
				want, known := expected[q.ID]
				if q.Kind != corpus.KindSearch && q.Path != "/api/search" || !known {
					continue
				}
				query, err := traceql.Parse(q.Params["q"])
				if want.Status >= 400 {
					require.Error(t, err, q.ID)
					continue
				}
				require.NoError(t, err, "%s: %s", q.ID, q.Params["q"])
				plan, err := engine.Compile(query)
				if errors.Is(err, traceql.ErrUnsupported) {
					unsupported++
					continue
				}
				require.NoError(t, err, q.ID)
				got, err := engine.Search(t.Context(), plan, partitions, searchOptions(t, q.Params))
				require.NoError(t, err, q.ID)
				requireAnswer(t, q, want.Traces, normalForm(got.Traces))
			}
			require.Equal(t, unsupportedSearches, unsupported)
		})
	}
}

func requireAnswer(t *testing.T, q corpus.Query, want, got []corpus.Trace) {
	t.Helper()
	message := q.ID + ": " + q.Params["q"]
	switch {
	case q.Quirk != "":
		matched, ok := ours[q.ID]
		require.True(t, ok, message)
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

// normalForm is that of the suite's README.
func normalForm(traces []engine.TraceResult) []corpus.Trace {
	var out []corpus.Trace
	for _, tr := range traces {
		n := corpus.Trace{
			ID:          tr.TraceID.String(),
			RootService: tr.RootServiceName,
			RootName:    tr.RootTraceName,
			Start:       strconv.FormatUint(tr.StartNanos, 10),
			DurationMs:  int64(tr.DurationMs),
		}
		for _, set := range tr.SpanSets {
			s := corpus.SpanSet{Matched: int(set.Matched)}
			for _, span := range set.Spans {
				s.Spans = append(s.Spans, span.SpanID.String())
			}
			slices.Sort(s.Spans)
			n.SpanSets = append(n.SpanSets, s)
		}
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b corpus.Trace) int { return cmp.Compare(a.ID, b.ID) })
	return out
}
