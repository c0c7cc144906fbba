package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
)

// What becomes of the suite's queries. The numbers keep the test honest: a
// query that is not asked, or that is refused, shows here.
const (
	queriesEqual       = 204 // answered as the reference does
	queriesRefused     = 15  // rightly, with a 4xx
	queriesUnsupported = 79  // 400: a part of the language that this version lacks
	queriesNoEndpoint  = 58  // 404: of the endpoints that this version lacks
	queriesQuirk       = 11  // not compared: the reference's answer is doubtful
)

// TestConformance asks the queries of the conformance suite over HTTP: while
// the data is live, from blocks, and after a restart.
func TestConformance(t *testing.T) {
	inThisProcess(t, testConformance)
	if *full {
		asProgram(t, testConformance)
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
	t.Run("after a restart", func(t *testing.T) { requireConformance(t, s.client) })
}

// outcome is what became of a query.
type outcome string

const (
	outcomeEqual       outcome = "equal"
	outcomeRefused     outcome = "refused"
	outcomeUnsupported outcome = "unsupported"
	outcomeNoEndpoint  outcome = "no endpoint"
	outcomeQuirk       outcome = "quirk"
	outcomeDifferent   outcome = "different"
)

func requireConformance(t *testing.T, c *client) {
	t.Helper()
	queries, err := corpus.Queries()
	require.NoError(t, err)
	expected, err := corpus.Expected()
	require.NoError(t, err)
	counts := make(map[outcome]int)
	for i, q := range queries {
		want, known := expected[q.ID]
		if !known || i%thinning != 0 {
			continue
		}
		o, fault := askConformance(t, c, q, want)
		counts[o]++
		if o == outcomeDifferent {
			t.Errorf("%s %s: %s", q.ID, q.Params["q"], fault)
		}
	}
	if thinning > 1 {
		require.NotZero(t, counts[outcomeEqual])
		require.Zero(t, counts[outcomeDifferent])
		return
	}
	require.Equal(t, map[outcome]int{
		outcomeEqual: queriesEqual, outcomeRefused: queriesRefused, outcomeUnsupported: queriesUnsupported,
		outcomeNoEndpoint: queriesNoEndpoint, outcomeQuirk: queriesQuirk,
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
	case got.status == http.StatusNotFound:
		require.NotContains(t, []corpus.QueryKind{corpus.KindSearch, corpus.KindTrace}, q.Kind, q.ID)
		return outcomeNoEndpoint, ""
	case got.status == http.StatusBadRequest:
		require.NotEmpty(t, got.body, q.ID)
		if want.Status/100 == 4 {
			return outcomeRefused, ""
		}
		if q.Kind != corpus.KindSearch {
			return outcomeDifferent, string(got.body)
		}
		return outcomeUnsupported, ""
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
