package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// What becomes of the suite's queries. The numbers keep the test honest: a
// query that is not asked, or that is refused, shows here.
const (
	queriesEqual     = 321 // answered as the reference does
	queriesRefused   = 20  // rightly, with a 4xx
	queriesQuirk     = 15  // not compared: the reference's answer is doubtful
	queriesDifferent = 11  // not as the reference does, on purpose: corpus.Differences
)

// TestConformance asks the queries of the conformance suite over HTTP: while
// the data is live, from blocks, and after a restart; then from blocks over
// which every trace is spread, and when half of the spans were sent again.
func TestConformance(t *testing.T) {
	inThisProcess(t, testConformance)
	inThisProcess(t, testSplitConformance)
	if *full {
		asProgram(t, testConformance)
		asProgram(t, testSplitConformance)
	}
}

func testConformance(t *testing.T, start starter) {
	t.Helper()
	bodies, err := corpus.Dataset()
	require.NoError(t, err)
	s := start(fromBlocks, noCutByAge)
	for _, body := range bodies {
		require.NoError(t, s.export(t.Context(), request{protocol: corpus.HTTPProtobuf, body: body}))
	}
	t.Run("live", func(t *testing.T) { requireConformance(t, s.client) })
	require.NoError(t, s.flush(t.Context()))
	require.Zero(t, s.blocksOpened(t), "nothing is in blocks yet")
	t.Run("from blocks", func(t *testing.T) { requireConformance(t, s.client) })
	require.NotZero(t, s.blocksOpened(t), "the answers did not come from blocks")
	s.stop()
	s = start(fromBlocks, noCutByAge)
	t.Run("after a restart", func(t *testing.T) { requireSomeConformance(t, s.client) })
}

// testSplitConformance sends the data in five parts, each with spans of every
// trace, and makes blocks of each.
func testSplitConformance(t *testing.T, start starter) {
	t.Helper()
	parts := datasetParts(t, 5)
	s := start(fromBlocks, noCutByAge)
	send := func(part []schema.Span) {
		body := otlp.AppendTraces(nil, part)
		require.NoError(t, s.export(t.Context(), request{protocol: corpus.HTTPProtobuf, body: body}))
	}
	for _, part := range parts[:4] {
		send(part)
		require.NoError(t, s.flush(t.Context()))
	}
	send(parts[4])
	t.Run("from four blocks and live", func(t *testing.T) { requireSomeConformance(t, s.client) })
	require.NoError(t, s.flush(t.Context()))
	t.Run("from five blocks", func(t *testing.T) { requireConformance(t, s.client) })
	for _, part := range parts {
		send(part[:len(part)/2])
	}
	t.Run("half of it sent again", func(t *testing.T) { requireSomeConformance(t, s.client) })
	require.NoError(t, s.flush(t.Context()))
	s.stop()
	s = start(fromBlocks, noCutByAge)
	t.Run("sent again, after a restart", func(t *testing.T) { requireSomeConformance(t, s.client) })
}

// datasetParts deals out the spans of the suite like cards.
func datasetParts(t *testing.T, count int) [][]schema.Span {
	t.Helper()
	bodies, err := corpus.Dataset()
	require.NoError(t, err)
	parts := make([][]schema.Span, count)
	decoder := otlp.NewDecoder()
	for i, body := range bodies {
		rows, err := decoder.Decode(body, uint64(i+1), nil)
		require.NoError(t, err)
		for j, row := range rows {
			parts[j%count] = append(parts[j%count], row)
		}
	}
	return parts
}

// outcome is what became of a query.
type outcome string

const (
	outcomeEqual     outcome = "equal"
	outcomeRefused   outcome = "refused"
	outcomeQuirk     outcome = "quirk"
	outcomeOnPurpose outcome = "different on purpose"
	outcomeDifferent outcome = "different"
)

// requireSomeConformance asks some of the suite's queries, where others are asked of the
// same state or code, and all of them if all is asked for.
func requireSomeConformance(t *testing.T, c *client) {
	t.Helper()
	if *full {
		requireConformance(t, c)
		return
	}
	requireEvery(t, c, max(thinning, someQueries))
}

// someQueries is of how many queries one is asked then.
const someQueries = 4

func requireConformance(t *testing.T, c *client) {
	t.Helper()
	requireEvery(t, c, thinning)
}

// requireEvery asks one of so many queries.
func requireEvery(t *testing.T, c *client, every int) {
	t.Helper()
	queries, err := corpus.Queries()
	require.NoError(t, err)
	expected, err := corpus.Expected()
	require.NoError(t, err)
	differences, err := corpus.Differences()
	require.NoError(t, err)
	counts := make(map[outcome]int)
	for i, q := range queries {
		want, known := expected[q.ID]
		if !known || i%every != 0 {
			continue
		}
		o, fault := askConformance(t, c, q, want)
		if _, ok := differences[q.ID]; ok && o == outcomeDifferent {
			o = outcomeOnPurpose
		}
		counts[o]++
		if o == outcomeDifferent {
			t.Errorf("%s %s: %s", q.ID, q.Params["q"], fault)
		}
	}
	if every > 1 {
		require.NotZero(t, counts[outcomeEqual])
		require.Zero(t, counts[outcomeDifferent])
		return
	}
	require.Equal(t, map[outcome]int{
		outcomeEqual: queriesEqual, outcomeRefused: queriesRefused, outcomeQuirk: queriesQuirk, outcomeOnPurpose: queriesDifferent,
	}, counts)
}

// askConformance asks one query and says how its answer differs, if it does.
func askConformance(t *testing.T, c *client, q corpus.Query, want corpus.Answer) (o outcome, fault string) {
	t.Helper()
	params := url.Values{}
	for key, value := range q.Params {
		params.Set(key, value)
	}
	// The suite was recorded with this limit lifted.
	if spss, err := strconv.Atoi(q.Params["spss"]); err == nil && spss > maxSpansPerSet {
		params.Set("spss", strconv.Itoa(maxSpansPerSet))
	}
	got, err := c.get(t.Context(), "", (&url.URL{Path: q.Path, RawQuery: params.Encode()}).RequestURI(), "Accept", acceptJSON)
	require.NoError(t, err)
	switch {
	case got.status == http.StatusBadRequest && want.Status/100 == 4:
		require.NotEmpty(t, got.body, q.ID)
		return outcomeRefused, ""
	case got.status != want.Status:
		return outcomeDifferent, fmt.Sprintf("status %d, want %d: %s", got.status, want.Status, got.body)
	case q.Quirk != "":
		return outcomeQuirk, ""
	}
	switch q.Kind {
	case corpus.KindTrace:
		fault = differTrace(t, want.Spans, got.body)
	case corpus.KindSearch:
		fault = differSearch(t, q, want.Traces, got.body)
	case corpus.KindMetrics:
		fault = differSeries(t, q, want.Series, got.body)
	case corpus.KindTags, corpus.KindTagsV1, corpus.KindValues, corpus.KindValuesV1:
		fault = differList(t, q, want.Values, got.body)
	default:
		fault = "no comparison for kind " + string(q.Kind)
	}
	if fault != "" {
		return outcomeDifferent, fault
	}
	return outcomeEqual, ""
}
