package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// A key decides where runs go, and without a right one nothing is stored.
func TestLangSmithKeys(t *testing.T) {
	g := startGuarded(t, "keys")
	sent := writes(captures(t, langsmithJS, "ls-multipart"))
	for _, key := range []string{"", "lsv2_pt_demo", g.secrets["revoked"]} {
		for _, c := range sent {
			got := g.replay(t, &c, "", key)
			require.Equal(t, http.StatusUnauthorized, got.code)
			requireMessage(t, got)
		}
	}
	require.Equal(t, http.StatusForbidden, g.replay(t, &sent[0], "", g.secrets["a query"]).code)
	for _, id := range []string{"a", "b"} {
		require.Empty(t, g.storedRuns(t, g.headers(id+" query", ""), true))
	}
	for _, c := range sent {
		satisfied(t, &c, g.replay(t, &c, "/api/v1", g.secrets["a ingest"]))
	}
	compareGolden(t, "langsmith/ls-multipart.txt", g.storedRuns(t, g.headers("a query", ""), false))
	require.Empty(t, g.storedRuns(t, g.headers("b query", ""), true))
}

// requireMessage requires an answer that SDKs show.
func requireMessage(t *testing.T, got answer) string {
	t.Helper()
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	var reply struct{ Message string }
	require.NoError(t, json.Unmarshal(got.body, &reply), string(got.body))
	require.NotEmpty(t, reply.Message)
	return reply.Message
}

// Behind a proxy the header decides.
func TestLangSmithHeaderMode(t *testing.T) {
	g := startGuarded(t, "header")
	sent := writes(captures(t, langsmithJS, "ls-patch-batch"))
	for _, c := range sent {
		require.Equal(t, http.StatusUnauthorized, g.replay(t, &c, "", "").code, "no project")
		c.Headers["x-scope-orgid"] = "b"
		satisfied(t, &c, g.replay(t, &c, "/api", ""))
	}
	compareGolden(t, "langsmith/ls-patch-batch.txt", g.storedRuns(t, g.headers("", "b"), false))
	require.Empty(t, g.storedRuns(t, g.headers("", "a"), true))
}

// A project that sends more than it may is told when to come back. When all has
// been taken, nothing is there twice.
func TestLangSmithRetry(t *testing.T) {
	g := startGuarded(t, "keys")
	require.NoError(t, g.registry.Create(t.Context(), "slow", project.Settings{Limits: project.Limits{IngestBytesPerSecond: 20_000}}))
	g.addKey(t, "slow", "slow ingest", project.ScopeIngest)
	g.addKey(t, "slow", "slow query", project.ScopeQuery)
	sent := writes(captures(t, langsmithJS, "ls-multipart"))
	eventually(t, func() bool { return g.replay(t, &sent[0], "", g.secrets["slow ingest"]).code == http.StatusAccepted })
	refused := 0
	for _, c := range append(sent, sent...) {
		eventually(t, func() bool {
			got := g.replay(t, &c, "", g.secrets["slow ingest"])
			if got.code == http.StatusTooManyRequests {
				refused++
				require.Regexp(t, "^[1-9][0-9]*$", got.header.Get("Retry-After"))
				requireMessage(t, got)
				return false
			}
			satisfied(t, &c, got)
			return true
		})
	}
	require.Positive(t, refused)
	compareGolden(t, "langsmith/ls-multipart.txt", g.storedRuns(t, g.headers("slow query", ""), false))
}

// What is too large, or is not what it says, is told so, and nothing of it is kept.
func TestLangSmithLimits(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir(), "-ingester.max-request-bytes=1MiB")
	post := func(method, path, contentType, encoding string, body []byte) answer {
		header := http.Header{"Content-Type": {contentType}}
		if encoding != "" {
			header.Set("Content-Encoding", encoding)
		}
		return p.do(t, method, "http://"+p.OTLPHTTPAddr().String()+path, header, body)
	}
	run := func(id string, bytes int) []byte {
		frame := fmt.Sprintf(`{"id":%q,"start_time":"2026-11-21T07:11:47Z","inputs":""}`, id)
		return []byte(strings.Replace(frame, `""`, `"`+strings.Repeat("x", bytes-len(frame))+`"`, 1))
	}
	require.Equal(t, http.StatusAccepted, post(http.MethodPost, "/runs", "application/json", "", run("fits", 1<<20)).code)
	for _, test := range []struct {
		name, method, path, contentType, encoding string
		body                                      []byte
		code                                      int
	}{
		{"too large", http.MethodPost, "/runs", "application/json", "", run("large", 1<<20+1), http.StatusRequestEntityTooLarge},
		{"a batch that is too large", http.MethodPost, "/runs/batch", "application/json", "", run("large", 1<<20+1), http.StatusRequestEntityTooLarge},
		{"an update that is too large", http.MethodPatch, "/runs/large", "application/json", "", run("large", 1<<20+1), http.StatusRequestEntityTooLarge},
		{"too large when it is inflated", http.MethodPost, "/runs", "application/json", "gzip", gzipped(t, run("large", 1<<20+1)), http.StatusRequestEntityTooLarge},
		{"no gzip", http.MethodPost, "/runs", "application/json", "gzip", run("none", 100), http.StatusBadRequest},
		{"another encoding", http.MethodPost, "/runs", "application/json", "br", run("none", 100), http.StatusUnsupportedMediaType},
		{"no JSON", http.MethodPost, "/runs", "application/json", "", []byte("{"), http.StatusBadRequest},
		{"no parts", http.MethodPost, "/runs/multipart", "application/json", "", run("none", 100), http.StatusBadRequest},
		{"feedback on nothing", http.MethodPost, "/feedback", "application/json", "", []byte(`{"key":"k"}`), http.StatusBadRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := post(test.method, test.path, test.contentType, test.encoding, test.body)
			require.Equal(t, test.code, got.code, string(got.body))
			requireMessage(t, got)
		})
	}
	require.Equal(t, 1, strings.Count(p.storedRuns(t, nil, false), "trace "))
	metrics := string(p.api(t, http.MethodGet, "/metrics").body)
	require.Contains(t, metrics, `spanlake_receiver_rejected_requests_total{reason="malformed"} 8`)
}

func gzipped(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(body)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

// As the Python SDK sends parts.
func TestLangSmithZstd(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	for _, c := range writes(captures(t, langsmithJS, "ls-multipart")) {
		if c.BodyEncoding == "base64" {
			z, err := zstd.NewWriter(nil)
			require.NoError(t, err)
			c.Headers["content-encoding"] = "zstd"
			c.Body, err = json.Marshal(z.EncodeAll(c.bytes(t), nil))
			require.NoError(t, err)
			require.NoError(t, z.Close())
		}
		satisfied(t, &c, p.replay(t, &c, "", ""))
	}
	compareGolden(t, "langsmith/ls-multipart.txt", p.storedRuns(t, nil, false))
}

// Parts of which nothing can be made are counted, and the others are stored.
func TestLangSmithUnusable(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	body := []byte(`{"post":[7,{"id":"r","start_time":"2026-11-21T07:11:47Z"},{"name":"no id"}]}`)
	got := p.do(t, http.MethodPost, "http://"+p.OTLPHTTPAddr().String()+"/runs/batch", http.Header{"Content-Type": {"application/json"}}, body)
	require.Equal(t, http.StatusAccepted, got.code)
	require.JSONEq(t, `{}`, string(got.body))
	require.Equal(t, 1, strings.Count(p.storedRuns(t, nil, false), "trace "))
	metrics := string(p.api(t, http.MethodGet, "/metrics").body)
	require.Contains(t, metrics, fmt.Sprintf(`spanlake_receiver_rejected_spans_total{project=%q,reason="unusable"} 2`, schema.DefaultProject))
}

// Feedback on a run that does not say its trace is found with it, also if the run is
// not the root.
func TestLangSmithFeedback(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	for _, c := range writes(captures(t, langsmithJS, "ls-batch")) {
		satisfied(t, &c, p.replay(t, &c, "", ""))
	}
	const tool, root = "01a1fcf2-76d8-7000-8000-028d3e1b2909", "01a1fcf276b270008000013ccbf3d9ef"
	send := func(body string) {
		t.Helper()
		got := p.do(t, http.MethodPost, "http://"+p.OTLPHTTPAddr().String()+"/feedback", http.Header{"Content-Type": {"application/json"}}, []byte(body))
		require.Equal(t, http.StatusOK, got.code, string(got.body))
		require.JSONEq(t, body, string(got.body))
	}
	send(`{"id":"01a1fcf2-7fff-71ae-88eb-2c42c3c2e56e","run_id":"` + tool + `","key":"helpful","score":0}`)
	require.Equal(t, http.StatusNoContent, p.api(t, http.MethodPost, "/flush").code)
	send(`{"id":"01a1fcf2-7fff-71ae-88eb-2c42c3c2e56e","run_id":"` + tool + `","key":"helpful","score":1,"comment":"after all"}`)
	got := printTree(p.trace(t, nil, root), false)
	require.Equal(t, 1, strings.Count(got, `gen_ai.evaluation.name="helpful"`), got)
	require.Contains(t, got, `gen_ai.evaluation.score.value=1f`)
	require.Contains(t, got, `gen_ai.evaluation.explanation="after all"`)
	require.Contains(t, got, "    helpful ", "below the run that it is about")
}
