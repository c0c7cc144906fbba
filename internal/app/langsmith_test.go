package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
)

const (
	langsmithJS     = "../../ingester/langsmith/testdata/wire/langsmith-js"
	langsmithSingle = "../../ingester/langsmith/testdata/wire/langsmith-js-single"
)

// The day of the captures.
func captured() (from, to time.Time) {
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	return day, day.Add(24 * time.Hour)
}

// compareGolden compares text with a file of testdata, or with -rewrite writes it.
func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *rewrite {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	requireLines(t, string(want), got, file)
}

// requireLines requires equal texts, and shows the first lines that are not.
func requireLines(t *testing.T, want, got, what string) {
	t.Helper()
	wanted, have := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(wanted), len(have)) {
		require.Equal(t, wanted[i], have[i], "%s, line %d", what, i+1)
	}
	require.Len(t, have, len(wanted), what)
}

// writes are the captures that store something.
func writes(list []capture) (kept []capture) {
	for _, c := range list {
		if c.Method == http.MethodPost || c.Method == http.MethodPatch {
			kept = append(kept, c)
		}
	}
	return kept
}

// satisfied requires that an answer is as good as the one that the SDK got.
func satisfied(t *testing.T, c *capture, got answer) {
	t.Helper()
	require.Equal(t, c.Response.Status, got.code, "%s: %s", c.name, got.body)
	require.Equal(t, "application/json", got.header.Get("Content-Type"), c.name)
	if c.Method == http.MethodPost || c.Method == http.MethodPatch {
		require.JSONEq(t, c.Response.Body, string(got.body), c.name)
		return
	}
	var want, have map[string]any
	require.NoError(t, json.Unmarshal([]byte(c.Response.Body), &want), c.name)
	require.NoError(t, json.Unmarshal(got.body, &have), c.name)
	for key := range want {
		require.Contains(t, have, key, c.name)
	}
}

// langsmithPrograms are the programs that were captured, and where.
func langsmithPrograms() map[string]string {
	return map[string]string{
		"ls-multipart": langsmithJS, "ls-multipart-gzip": langsmithJS, "ls-batch": langsmithJS, "ls-single": langsmithSingle,
		"ls-langgraph": langsmithJS, "ls-patch-multipart": langsmithJS, "ls-patch-batch": langsmithJS,
	}
}

// storedRuns is what a process holds of a program's day.
func (p *process) storedRuns(t *testing.T, header http.Header, shape bool) string {
	t.Helper()
	from, to := captured()
	return printTraces(p.traces(t, header, from, to), shape)
}

// The trees are reviewed: what a program did, in whichever form it was sent. Sent
// again, it is the same.
func TestLangSmithCaptures(t *testing.T) {
	shapes := make(map[string]string)
	for program, dir := range langsmithPrograms() {
		t.Run(program, func(t *testing.T) {
			p := start(t, "-data-dir", t.TempDir())
			for range 2 {
				for _, c := range writes(captures(t, dir, program)) {
					satisfied(t, &c, p.replay(t, &c, "", ""))
				}
				compareGolden(t, "langsmith/"+program+".txt", p.storedRuns(t, nil, false))
			}
			require.Equal(t, http.StatusNoContent, p.api(t, http.MethodPost, "/flush").code)
			compareGolden(t, "langsmith/"+program+".txt", p.storedRuns(t, nil, false))
			shapes[program] = p.storedRuns(t, nil, true)
		})
	}
	for _, program := range []string{"ls-multipart-gzip", "ls-batch", "ls-single"} {
		requireLines(t, shapes["ls-multipart"], shapes[program], program)
	}
	requireLines(t, shapes["ls-patch-multipart"], shapes["ls-patch-batch"], "the slow agent")
}

// permutations yields the orders of n things.
func permutations(n int) (all [][]int) {
	if n == 0 {
		return [][]int{nil}
	}
	for _, shorter := range permutations(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(shorter), at, n-1))
		}
	}
	return all
}

// Updates come before what they update, in the same block or another one, and some of
// it is not in a block at all: on S3, after a restart, the tree is the same.
func TestLangSmithOutOfOrder(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	for _, program := range []string{"ls-patch-multipart", "ls-patch-batch"} {
		sent := writes(captures(t, langsmithJS, program))
		for i, order := range permutations(len(sent)) {
			t.Run(fmt.Sprint(program, order), func(t *testing.T) {
				dir, url := t.TempDir(), server.URL(server.Bucket(t))
				p := start(t, "-data-dir", dir, "-bucket", url)
				for n, which := range order {
					satisfied(t, &sent[which], p.replay(t, &sent[which], "", ""))
					if n < len(order)-1 && (i+n)%2 == 0 {
						require.Equal(t, http.StatusNoContent, p.api(t, http.MethodPost, "/flush").code)
					}
				}
				compareGolden(t, "langsmith/"+program+".txt", p.storedRuns(t, nil, false))
				if i > 0 {
					return
				}
				require.NoError(t, p.stop())
				p = start(t, "-data-dir", dir, "-bucket", url)
				compareGolden(t, "langsmith/"+program+".txt", p.storedRuns(t, nil, false))
			})
		}
	}
	t.Run("every single request, the last one first", func(t *testing.T) {
		p := start(t, "-data-dir", t.TempDir())
		sent := writes(captures(t, langsmithSingle, "ls-single"))
		for _, c := range slices.Backward(sent) {
			satisfied(t, &c, p.replay(t, &c, "", ""))
		}
		compareGolden(t, "langsmith/ls-single.txt", p.storedRuns(t, nil, false))
	})
}

// While runs have not ended they are there, and say so.
func TestLangSmithIncomplete(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	sent := writes(captures(t, langsmithJS, "ls-patch-multipart"))
	satisfied(t, &sent[0], p.replay(t, &sent[0], "", ""))
	incomplete := func() string {
		got := p.api(t, http.MethodGet, "/api/search?start=1795219200&end=1795305600&q="+url.QueryEscape("{ span.spanlake.incomplete }"))
		require.Equal(t, http.StatusOK, got.code, string(got.body))
		return string(got.body)
	}
	require.Contains(t, incomplete(), `"matched":2`)
	for _, c := range sent[1:] {
		satisfied(t, &c, p.replay(t, &c, "", ""))
	}
	require.Contains(t, incomplete(), `"traces":[]`)
}

// An update that says nothing but what changed is enough, also of where it belongs.
func TestLangSmithBareUpdate(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	send := func(method, path, body string) {
		t.Helper()
		got := p.do(t, method, "http://"+p.OTLPHTTPAddr().String()+path, http.Header{"Content-Type": {"application/json"}}, []byte(body))
		require.Equal(t, http.StatusAccepted, got.code, string(got.body))
	}
	now := time.Now().UTC().Format(time.RFC3339Nano)
	send(http.MethodPost, "/runs", `{"id":"root","name":"agent","session_name":"shop","start_time":"`+now+`"}`)
	send(http.MethodPost, "/api/v1/runs", `{"id":"child","trace_id":"root","parent_run_id":"root","name":"step","session_name":"shop","start_time":"`+now+`"}`)
	send(http.MethodPatch, "/api/runs/child", `{"outputs":{"done":true},"end_time":"`+now+`"}`)
	got := printTraces(p.traces(t, nil, time.Now().Add(-time.Hour), time.Now().Add(time.Minute)), false)
	require.Contains(t, got, `  step `)
	require.Contains(t, got, `output.value="{\"done\":true}"`)
	require.Equal(t, 2, strings.Count(got, `service.name="shop"`), got)
	require.Equal(t, 1, strings.Count(got, "trace "), got)
}

// In its OpenTelemetry mode the SDK sends to paths of its own.
func TestLangSmithOpenTelemetry(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	list := captures(t, langsmithJS, "ls-otel")
	require.Len(t, list, 2)
	for i, path := range []string{"/otel/v1/traces", "/otel", "/api/v1/otel/v1/traces"} {
		c := list[1]
		c.Path = path
		got := p.replay(t, &c, "", "")
		require.Equal(t, http.StatusOK, got.code, "%s: %s", path, got.body)
		require.Empty(t, got.body)
		all := p.storedRuns(t, nil, false)
		require.Equal(t, 1, strings.Count(all, "trace "), "%d: %s", i, all)
		require.Contains(t, all, `langsmith.trace.session_name="demo-otel"`)
	}
}

// What the SDK asks besides is answered as it was, but for what there is.
func TestLangSmithReads(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	list := captures(t, langsmithJS, "ls-multipart")
	for _, c := range list {
		switch {
		case c.Path == "/info":
			got := p.replay(t, &c, "", "")
			satisfied(t, &c, got)
			require.Contains(t, string(got.body), `"gzip_body_enabled":true,"zstd_compression_enabled":true,"dataset_examples_multipart_enabled":false`)
			require.Contains(t, string(got.body), `"use_multipart_endpoint":true`)
		case strings.HasPrefix(c.Path, "/sessions"):
			got := p.replay(t, &c, "/api/v1", "")
			require.Equal(t, http.StatusOK, got.code)
			var have, want []map[string]any
			require.NoError(t, json.Unmarshal(got.body, &have))
			require.NoError(t, json.Unmarshal([]byte(c.Response.Body), &want))
			require.Len(t, have, 1)
			for key := range want[0] {
				require.NotEmpty(t, have[0][key], key)
			}
			require.Equal(t, "demo-agent", have[0]["name"])
			require.Regexp(t, "^2026-11-21T07:11:47", have[0]["start_time"])
			require.Regexp(t, "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", have[0]["id"])
			c.Path = "/sessions?name=never-seen"
			require.Equal(t, "[]", string(p.replay(t, &c, "", "").body))
			c.Path = "/sessions"
			require.Equal(t, http.StatusBadRequest, p.replay(t, &c, "", "").code)
			c.Path = "/settings"
			require.Contains(t, string(p.replay(t, &c, "", "").body), `"display_name":"default"`)
		case c.Method != http.MethodGet:
			satisfied(t, &c, p.replay(t, &c, "", ""))
		}
	}
}
