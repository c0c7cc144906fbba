//go:build sdk

package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// runImport runs the script of docs/llm-migration.md.
func runImport(t *testing.T, env []string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", append([]string{"../../deploy/import/import.mjs"}, args...)...) //nolint:gosec // of the test
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// TestSDKImport copies what was recorded of SDKs out of one project, as exports of Langfuse, LangSmith and Phoenix,
// and into another one, twice: it is the same there.
func TestSDKImport(t *testing.T) {
	requireNode(t)
	dir := t.TempDir()
	place := inFolder(filepath.Join(dir, "bucket"))
	first, second, runner := makeKey(t, dir, place, "first"), makeKey(t, dir, place, "second"), makeKey(t, dir, place, "runner")
	s := startProgram(t, place, dir, "-auth.mode=keys")
	url := "http://" + s.endpoints.http
	players := make(map[string]*player)
	for name, key := range map[string]keyed{"first": first, "second": second, "runner": runner} {
		players[name] = &player{client: s.client, t: t, header: http.Header{"Authorization": {"Bearer " + key.secret}}, uploads: make(map[string]string)}
	}
	var runs bytes.Buffer
	for _, r := range recordings(t) {
		switch {
		case r.project() == "langfuse-js-v3.lf3-core" && r.Path == "/api/public/ingestion":
			players["first"].satisfy(&r, "")
		case r.Path == "/runs/batch" && r.Program == "ls-batch":
			players["runner"].satisfy(&r, "")
			var batch struct{ Post []json.RawMessage }
			require.NoError(t, json.Unmarshal(r.body, &batch))
			for _, run := range batch.Post {
				require.NoError(t, json.Compact(&runs, run))
				runs.WriteByte('\n')
			}
		}
	}
	file := filepath.Join(dir, "runs.jsonl")
	require.NoError(t, os.WriteFile(file, runs.Bytes(), 0o600))
	phoenix := httptest.NewServer(http.HandlerFunc(phoenixSpans))
	t.Cleanup(phoenix.Close)

	target := []string{"TO_URL=" + url, "TO_KEY=" + second.secret}
	for range 2 {
		runImport(t, append([]string{"FROM_URL=" + url, "FROM_PUBLIC_KEY=" + first.public, "FROM_SECRET_KEY=" + first.secret, "FROM_TIMESTAMP=2026-11-21T00:00:00Z", "TO_TIMESTAMP=2026-11-22T00:00:00Z"}, target...), "langfuse")
	}
	require.Equal(t, langfuseView(t, url, first), langfuseView(t, url, second))
	for range 2 {
		runImport(t, target, "langsmith", file)
		runImport(t, append([]string{"FROM_URL=" + phoenix.URL}, target...), "phoenix", "demo agent")
	}
	copied := players["second"].snapshot("")
	for line := range strings.SplitSeq(players["runner"].snapshot(""), "\n") {
		require.Contains(t, copied, line)
	}
	require.Contains(t, copied, `name:"plan" kind:SPAN_KIND_INTERNAL`)
	require.Contains(t, copied, `openinference.project.name" value:{string_value:"demo agent"}`)
	require.Contains(t, copied, `key:"llm.token_count.prompt" value:{int_value:42}`)
}

// langfuseView is what Langfuse's API says of the traces that came by it.
func langfuseView(t *testing.T, url string, key keyed) (traces []map[string]any) {
	t.Helper()
	get := func(path string, into any) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, http.NoBody)
		require.NoError(t, err)
		req.SetBasicAuth(key.public, key.secret)
		got, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer got.Body.Close()
		require.Equal(t, http.StatusOK, got.StatusCode, path)
		require.NoError(t, json.NewDecoder(got.Body).Decode(into))
	}
	var list struct{ Data []struct{ ID, Name string } }
	get("/api/public/traces?limit=100&orderBy=timestamp.asc&fromTimestamp=2026-11-21T00:00:00Z&toTimestamp=2026-11-22T00:00:00Z", &list)
	require.NotEmpty(t, list.Data)
	for _, found := range list.Data {
		var trace map[string]any
		get("/api/public/traces/"+found.ID, &trace)
		forget(trace)
		traces = append(traces, trace)
	}
	return traces
}

// forget removes what says where something is stored and since when.
func forget(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range []string{"projectId", "createdAt", "updatedAt", "htmlPath"} {
			delete(v, key)
		}
		for _, member := range v {
			forget(member)
		}
	case []any:
		for _, element := range v {
			forget(element)
		}
	}
}

// phoenixSpans answers as Phoenix does, by the public description of its API, in two pages.
func phoenixSpans(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/v1/projects/demo agent/spans/otlpv1" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	const span = `{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b716920333X","parent_span_id":null,"name":"plan","kind":"SPAN_KIND_INTERNAL",
		"start_time_unix_nano":"1795245100000000000","end_time_unix_nano":1795245101000000000,"status":{"code":1,"message":""},
		"attributes":[{"key":"openinference.span.kind","value":{"string_value":"LLM","int_value":null}},{"key":"llm.token_count.prompt","value":{"int_value":"42"}}],
		"events":[{"name":"e","time_unix_nano":"1795245100500000000","attributes":[]}]}`
	page, next := "1", `"two"`
	if r.URL.Query().Get("cursor") == "two" {
		page, next = "2", "null"
	}
	_, _ = w.Write([]byte(`{"data":[` + strings.Replace(span, "333X", "333"+page, 1) + `],"next_cursor":` + next + `}`))
}
