package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
)

// TestQueriersShareWork asks one of three queriers, each of which does parts of
// the others' queries. One is killed meanwhile; all answers are complete and those
// of a querier that splits nothing.
func TestQueriersShareWork(t *testing.T) {
	dir := t.TempDir()
	nats := newNATS(t, filepath.Join(dir, "nats"), false)
	nats.run()
	start := func(target string, args ...string) (*process, *client) {
		args = append(args, "-target="+target, "-bucket="+inFolder(filepath.Join(dir, "bucket")).url, "-nats.url="+nats.url, "-nats.monitor-urls="+nats.monitor)
		p := runProcess(t, nil, buildProgram(t), append(loopback(), args...)...)
		c := newClient(t, p.ready(t))
		eventually(t, func() bool {
			got, err := c.get(t.Context(), "", "/ready")
			return err == nil && got.status == http.StatusOK
		})
		return p, c
	}
	_, ingester := start("ingester")
	for body := range corpus.Workload(5, 4000, corpus.MixBoth) {
		require.NoError(t, ingester.export(t.Context(), request{protocol: corpus.HTTPProtobuf, body: body}))
	}
	require.NoError(t, ingester.flush(t.Context()))
	for body := range corpus.Workload(6, 400, corpus.MixBoth) { // these are in the log only
		require.NoError(t, ingester.export(t.Context(), request{protocol: corpus.HTTPProtobuf, body: body}))
	}
	const small = "-querier.job-spans=200"
	_, asked := start("querier", small)
	_, _ = start("querier", small)
	victim, _ := start("querier", small)
	_, whole := start("querier")

	paths := []string{
		searchFor("/api/search", `{ status = error }`), searchFor("/api/metrics/query_range", `{ } | rate() by (resource.service.name)`),
		searchFor("/api/v2/search/tags", `{ status = error }`), searchFor("/api/v2/search/tag/span.http.route/values", `{ rootServiceName != "x" }`),
	}
	var want []string
	for _, path := range paths {
		want = append(want, found(t, whole, path))
	}
	require.Contains(t, want[0], "traceID")
	const rounds = 10
	for round := range rounds {
		if round == rounds/2 {
			go victim.kill()
		}
		for i, path := range paths {
			require.Equal(t, want[i], found(t, asked, path), "round %d: %s", round, path)
		}
	}
	got, err := asked.get(t.Context(), "", "/metrics")
	require.NoError(t, err)
	require.Contains(t, string(got.body), `spanlake_querier_job_duration_seconds_count{outcome="done",place="elsewhere"}`, "nothing was shared")
}

func searchFor(path, query string) string {
	return path + "?" + url.Values{
		"q": {query}, "start": {strconv.Itoa(corpus.WorkloadStart / 1e9)}, "end": {strconv.Itoa(corpus.WorkloadStart/1e9 + 600)},
	}.Encode()
}

// found is an answer without what it says about the work.
func found(t *testing.T, c *client, path string) string {
	t.Helper()
	got, err := c.get(t.Context(), "", path)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(got.body, &fields))
	delete(fields, "metrics")
	text, err := json.Marshal(fields)
	require.NoError(t, err)
	return string(text)
}
