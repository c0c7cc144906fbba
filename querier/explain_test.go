package querier_test

import (
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// ask returns the body of an answer, and what it says about what it cost.
func ask(t *testing.T, w *world, path, query string) (body, statistics, timing string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+path+inRange+"&q="+url.QueryEscape(query), nil)
	require.NoError(t, err)
	resp, err := w.server.Client().Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(text))
	return string(text), resp.Header.Get("Spanlake-Statistics"), resp.Header.Get("Server-Timing")
}

func TestExplain(t *testing.T) {
	for path, query := range map[string]string{
		"/api/search?": "{ name != nil }", "/api/metrics/query_range?step=60s&": "{ } | rate()", "/api/metrics/query?": "{ } | rate()",
	} {
		w := newWorld(t, nil)
		w.store(span(traceA, 1, "first", 0))
		w.store(span(traceB, 1, "other", 1))
		told, statistics, timing := ask(t, w, path, query+" with(explain=true)")
		require.Regexp(t, `^blocks=2, rows=2, requests=[1-9]\d*, bytes=[1-9]\d*$`, statistics, "nothing was in a cache")
		require.Regexp(t, `^list;dur=\d+\.\d{3}, run;dur=\d+\.\d{3}, rest;dur=\d+\.\d{3}$`, timing)

		plain, statistics, timing := ask(t, w, path, query)
		require.Equal(t, told, plain, "clients refuse fields that they do not know")
		require.Empty(t, statistics)
		require.Empty(t, timing)
	}
}
