package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/spanlake/spanlake/schema"
)

// visibleBlocks are those of a project that no other one hides.
func (w *cloud) visibleBlocks(project schema.ProjectID) []schema.BlockName {
	w.t.Helper()
	names, err := blockNames(w.t.Context(), w.bucket)
	require.NoError(w.t, err)
	return schema.Visible(slices.DeleteFunc(names, func(n schema.BlockName) bool { return n.Project != project }))
}

// TestPiecesAreMerged: the pieces of a call of a model, each stored as a block of its
// own, are one call with its cost and its place in the trace when the compactor has made
// one block of them, as before, whichever piece came first.
func TestPiecesAreMerged(t *testing.T) {
	const windows = 6 * time.Second // the largest of smallWindows
	w := newCloud(t)
	logSettings, compactSettings := smallWindows()
	ingest, flush, compact := w.function("ingest", logSettings...), w.function("flush", logSettings...), w.function("compact", compactSettings...)
	at := time.Now().Add(-time.Minute).Truncate(time.Second)
	events := pieced(at)
	store := func(project string, order []int) {
		for _, event := range order {
			got := ingest.post("/api/public/ingestion", []byte(events[event]), "content-type", acceptJSON, "x-scope-orgid", project)
			require.Equal(t, http.StatusMultiStatus, got.StatusCode, got.Body)
			require.Equal(t, 1, w.run(flush, "flush").Blocks)
		}
	}
	query := w.queries(1).front()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for i, order := range [][]int{{0, 1, 2, 3}, {2, 3, 1, 0}} {
		// Blocks of two of the largest windows are never merged: what was stored around
		// the end of one is stored again.
		for attempt := 0; ; attempt++ {
			require.Less(t, attempt, 10, "four requests take longer than a window")
			eventually(t, func() bool {
				<-ticker.C
				return time.Duration(time.Now().UnixNano())%windows < windows/6
			})
			project := fmt.Sprintf("order-%d-%d", i, attempt)
			store(project, order)
			stored := w.visibleBlocks(schema.ProjectID(project))
			require.Len(t, stored, len(events))
			for _, n := range stored {
				require.Zero(t, n.Level)
			}
			requirePieces(t, query, project, at)
			if logWindow(stored[0], windows) != logWindow(stored[len(stored)-1], windows) {
				continue
			}
			eventually(t, func() bool {
				<-ticker.C
				w.run(compact, "compact")
				return len(w.visibleBlocks(schema.ProjectID(project))) == 1
			})
			require.Positive(t, w.visibleBlocks(schema.ProjectID(project))[0].Level)
			requirePieces(t, query, project, at)
			break
		}
	}
}

// logWindow is the window of a block's messages.
func logWindow(n schema.BlockName, window time.Duration) int64 {
	return int64(n.LogNanos) / int64(window) //nolint:gosec // log times are wall clock
}

// requirePieces requires that the pieces are one call of a model in one trace, with what
// each of them has said.
func requirePieces(t *testing.T, c *client, project string, at time.Time) {
	t.Helper()
	const cost = 1.53e-5 // as in TestCostOfPieces
	sent := &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{
		{StartTimeUnixNano: uint64(at.UnixNano())}, //nolint:gosec // of this century
	}}}}}}
	requireSums(t, c, project, sent, map[string]float64{
		`{ span.spanlake.usage.counted } | sum_over_time(span.gen_ai.usage.cost) by (span.spanlake.cost.source) computed`: cost,
		`{ span.spanlake.usage.class = "llm" } | sum_over_time(span.gen_ai.usage.input_tokens)`:                           42,
		`{ } | count_over_time()`:                                                    2,
		`{ span.spanlake.kind = "score" } | count_over_time()`:                       1,
		`{ name = "turn" } > { name = "call" && duration = 2s } | count_over_time()`: 1,
	})
	var trace struct {
		Name, SessionID string
		TotalCost       float64
		Observations    []struct {
			Type, Name, Model string
			EndTime           time.Time
			UsageDetails      map[string]float64
		}
		Scores []struct {
			Name, ObservationID string
			Value               float64
		}
	}
	got, err := c.get(t.Context(), project, "/api/public/traces/"+url.PathEscape("t-1"))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.status, string(got.body))
	require.NoError(t, json.Unmarshal(got.body, &trace))
	require.Equal(t, "turn", trace.Name)
	require.Equal(t, "s-1", trace.SessionID)
	require.InDelta(t, cost, trace.TotalCost, 1e-12)
	require.Len(t, trace.Observations, 1)
	call := trace.Observations[0]
	require.Equal(t, "GENERATION call gpt-4o-mini-2024-07-18", call.Type+" "+call.Name+" "+call.Model)
	require.True(t, call.EndTime.Equal(at.Add(2*time.Second)), call.EndTime)
	require.InDelta(t, 17, call.UsageDetails["output"], 0)
	require.Len(t, trace.Scores, 1)
	require.Equal(t, "g-1", trace.Scores[0].ObservationID)
	require.InDelta(t, 0.9, trace.Scores[0].Value, 0)
}
