package app_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const langfuseWire = "../../ingester/langfuse/testdata/wire/"

// langfuseGolden compares text with a file of testdata, or with -rewrite writes it.
func langfuseGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "langfuse", name)
	if *rewrite {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// ingestions are the batches of a folder, by program.
func ingestions(t *testing.T, dir string, programs ...string) []capture {
	t.Helper()
	return slices.DeleteFunc(captures(t, langfuseWire+dir, programs...), func(c capture) bool { return c.Path != "/api/public/ingestion" })
}

// sends sends a capture without its key.
func (p *process) sends(t *testing.T, c *capture) answer {
	t.Helper()
	header := make(http.Header)
	for name, value := range c.Headers {
		switch name {
		case "host", "accept-encoding", "transfer-encoding", "connection", "authorization":
		default:
			header.Set(name, value)
		}
	}
	return p.do(t, c.Method, "http://"+p.OTLPHTTPAddr().String()+c.Path, header, c.bytes(t))
}

// stored prints all that the day of the captures has.
func (p *process) stored(t *testing.T) string {
	t.Helper()
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	return printTraces(p.traces(t, nil, day, day.Add(24*time.Hour)), false)
}

var langfusePrograms = []struct{ dir, program string }{
	{"langfuse-js-v3", "lf3-core"},
	{"langfuse-js-v3", "lf3-langchain"},
	{"langfuse-js-v4", "lf4-core"},
	{"langfuse-js-v5", "lf5-core"},
}

// What the SDKs sent is answered with what satisfied them, and stored as trees that
// were looked at; sending all of it again changes nothing.
func TestLangfuseCaptures(t *testing.T) {
	for _, tt := range langfusePrograms {
		t.Run(tt.program, func(t *testing.T) {
			p := start(t, "-data-dir", t.TempDir())
			for range 2 {
				for _, c := range ingestions(t, tt.dir, tt.program) {
					got := p.sends(t, &c)
					require.Equal(t, c.Response.Status, got.code, "%s: %s", c.name, got.body)
					require.JSONEq(t, c.Response.Body, string(got.body), c.name)
				}
				langfuseGolden(t, tt.program+".txt", p.stored(t))
			}
		})
	}
}

// Events of the captures in any order, in any batches, with blocks cut and merged
// between them, give the same traces.
func TestLangfuseInAnyOrder(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 1))
		for _, tt := range langfusePrograms[:2] {
			t.Run(fmt.Sprintf("%s %d", tt.program, seed), func(t *testing.T) {
				var events []json.RawMessage
				list := ingestions(t, tt.dir, tt.program)
				var sender json.RawMessage
				for _, c := range list {
					var request struct{ Batch, Metadata json.RawMessage }
					require.NoError(t, json.Unmarshal(c.Body, &request))
					var batch []json.RawMessage
					require.NoError(t, json.Unmarshal(request.Batch, &batch))
					events, sender = append(events, batch...), request.Metadata
				}
				rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
				if seed == 0 { // all that changes something comes before what it changes
					slices.SortStableFunc(events, func(a, b json.RawMessage) int {
						return strings.Compare(typeOf(t, b), typeOf(t, a))
					})
				}
				p := start(t, "-data-dir", t.TempDir(), "-ingester.cut-age=50ms")
				for batch := range slices.Chunk(events, 1+rng.IntN(9)) {
					c := list[0]
					body, err := json.Marshal(map[string]any{"batch": batch, "metadata": sender})
					require.NoError(t, err)
					c.Body = body
					got := p.sends(t, &c)
					require.Equal(t, http.StatusMultiStatus, got.code)
					require.Contains(t, string(got.body), `"errors":[]`)
				}
				langfuseGolden(t, tt.program+".txt", p.stored(t))
			})
		}
	}
}

// typeOf is "update" or "create".
func typeOf(t *testing.T, event json.RawMessage) string {
	t.Helper()
	var e struct{ Type string }
	require.NoError(t, json.Unmarshal(event, &e))
	return e.Type[strings.LastIndex(e.Type, "-"):]
}

// A key that is unknown, or may not write, stores nothing, and is told so in
// Langfuse's words.
func TestLangfuseKeys(t *testing.T) {
	g := startGuarded(t, "keys")
	basic := func(user, password string) http.Header {
		return http.Header{
			"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))},
			"Content-Type":  {"application/json"},
		}
	}
	c := ingestions(t, "langfuse-js-v3", "lf3-core")[0]
	url := "http://" + g.OTLPHTTPAddr().String()
	post := func(h http.Header) answer {
		return g.do(t, http.MethodPost, url+c.Path, h, c.Body)
	}
	for _, tt := range []struct {
		name   string
		header http.Header
		code   int
		error  string
	}{
		{"demo", basic("pk-lf-demo", "sk-lf-demo"), 401, "UnauthorizedError"},
		{"none", http.Header{"Content-Type": {"application/json"}}, 401, "UnauthorizedError"},
		{"reads only", basic(g.public["a query"], g.secrets["a query"]), 403, "ForbiddenError"},
	} {
		got := post(tt.header)
		require.Equal(t, tt.code, got.code, tt.name)
		var reply struct{ Error, Message string }
		require.NoError(t, json.Unmarshal(got.body, &reply))
		require.Equal(t, tt.error, reply.Error)
		require.NotEmpty(t, reply.Message)
	}
	query := http.Header{"Authorization": {"Bearer " + g.secrets["a query"]}}
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	require.Empty(t, g.traces(t, query, day, day.Add(24*time.Hour)))

	key := basic(g.public["a ingest"], g.secrets["a ingest"])
	require.Equal(t, http.StatusMultiStatus, post(key).code)
	require.Len(t, g.traces(t, query, day, day.Add(24*time.Hour)), 2)

	got := g.do(t, http.MethodGet, url+"/api/public/projects", basic(g.public["a ingest"], g.secrets["a ingest"]), nil)
	require.Equal(t, http.StatusOK, got.code)
	require.JSONEq(t, `{"data":[{"id":"a","name":"a","organization":{"id":"spanlake","name":"spanlake"},"metadata":{},"retentionDays":null}]}`, string(got.body))
	got = g.do(t, http.MethodGet, url+"/api/public/health", nil, nil)
	require.Equal(t, http.StatusOK, got.code)
	require.JSONEq(t, `{"status":"OK","version":"v0.1.0"}`, string(got.body))
	got = g.do(t, http.MethodGet, url+"/api/public/v2/prompts/qa-short?version=1", basic(g.public["a ingest"], g.secrets["a ingest"]), nil)
	require.Equal(t, http.StatusNotFound, got.code)
	require.Contains(t, string(got.body), "LangfuseNotFoundError")
	require.Equal(t, http.StatusUnauthorized, g.do(t, http.MethodGet, url+"/api/public/v2/prompts/qa-short", nil, nil).code)
}

// Media are announced, uploaded by the link that was given for it, and read back by who
// may query.
func TestLangfuseMedia(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	for _, folder := range []string{"langfuse-js-v3", "langfuse-js-v4", "langfuse-js-v5"} {
		uploads := make(map[string]string) // by checksum
		seen := 0
		for _, c := range captures(t, langfuseWire+folder, "lf3-core", "lf4-core", "lf5-core") {
			var want, have struct {
				MediaID   string
				UploadURL *string
			}
			switch {
			case c.Method == http.MethodPost && c.Path == "/api/public/media":
				got := p.sends(t, &c)
				require.Equal(t, c.Response.Status, got.code, c.name)
				require.NoError(t, json.Unmarshal([]byte(c.Response.Body), &want))
				require.NoError(t, json.Unmarshal(got.body, &have))
				require.Equal(t, want.MediaID, have.MediaID)
				var sent struct{ SHA256Hash string }
				require.NoError(t, json.Unmarshal(c.Body, &sent))
				if have.UploadURL != nil {
					uploads[sent.SHA256Hash] = *have.UploadURL
				}
			case c.Method == http.MethodPut:
				url, ok := uploads[c.Headers["x-amz-checksum-sha256"]]
				if !ok {
					continue // it was held
				}
				header := http.Header{"Content-Type": {c.Headers["content-type"]}}
				got := p.do(t, http.MethodPut, url, header, c.bytes(t))
				require.Equal(t, c.Response.Status, got.code, "%s: %s", c.name, got.body)
			case c.Method == http.MethodPatch:
				require.Equal(t, c.Response.Status, p.sends(t, &c).code, c.name)
				got := p.do(t, http.MethodGet, "http://"+p.OTLPHTTPAddr().String()+c.Path, nil, nil)
				require.Equal(t, http.StatusOK, got.code, string(got.body))
				var told struct{ URL string }
				require.NoError(t, json.Unmarshal(got.body, &told))
				require.Equal(t, http.StatusOK, p.do(t, http.MethodGet, told.URL, nil, nil).code)
			default:
				continue
			}
			seen++
		}
		require.GreaterOrEqual(t, seen, 2, folder)
	}
}

// What SDKs of Langfuse send by OTLP goes where OTLP does.
func TestLangfuseOTLP(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	for i, path := range []string{"/api/public/otel/v1/traces", "/api/public/otel"} {
		id := fmt.Sprintf("%032x", i+1)
		got := p.do(t, http.MethodPost, "http://"+p.OTLPHTTPAddr().String()+path, http.Header{"Content-Type": {"application/json"}}, oneSpan(id, "otlp"))
		require.Equal(t, http.StatusOK, got.code, string(got.body))
		require.Equal(t, []string{"otlp"}, p.spanNames(t, id))
	}
}

// Links need no key but are good for nothing else; who may write may not read.
func TestLangfuseMediaKeys(t *testing.T) {
	g := startGuarded(t, "keys")
	base := "http://" + g.OTLPHTTPAddr().String()
	const path = "/api/public/media/udM-x0UtrRO_eU3p7h4Gjf"
	for _, tt := range []struct {
		method, path, key string
		code              int
	}{
		{http.MethodGet, path, "none", 401},
		{http.MethodGet, path, "a ingest", 403},
		{http.MethodGet, path, "a query", 404},
		{http.MethodPatch, path, "none", 401},
		{http.MethodPatch, path, "a query", 403},
		{http.MethodPatch, path, "a ingest", 204},
		{http.MethodPut, path, "none", 401},
		{http.MethodPut, "/api/public/media-content/a/" + strings.Repeat("ab", 32) + "?length=1&ends=99999999999&signature=ab", "none", 403},
		{http.MethodGet, "/api/public/media-content/a/" + strings.Repeat("ab", 32), "none", 403},
		{http.MethodGet, "/api/public/media-content/unknown/x", "none", 403},
		{http.MethodDelete, "/api/public/media-content/a/" + strings.Repeat("ab", 32), "none", 401},
	} {
		got := g.do(t, tt.method, base+tt.path, g.headers(tt.key, ""), nil)
		require.Equal(t, tt.code, got.code, "%s %s with %s: %s", tt.method, tt.path, tt.key, got.body)
	}
	hash := `{"contentType":"text/plain","contentLength":9,"sha256Hash":"udM+x0UtrRO/eU3p7h4Gjfnq1KDEdPCBiv+eabfJCY8="}`
	got := g.do(t, http.MethodPost, base+"/api/public/media", g.headers("a ingest", ""), []byte(hash))
	require.Equal(t, http.StatusCreated, got.code)
	var reply struct{ UploadURL string }
	require.NoError(t, json.Unmarshal(got.body, &reply))
	require.Equal(t, http.StatusForbidden, g.do(t, http.MethodPut, strings.Replace(reply.UploadURL, "/a/", "/b/", 1), nil, []byte("hello doc")).code)
	require.Equal(t, http.StatusOK, g.do(t, http.MethodPut, reply.UploadURL, nil, []byte("hello doc")).code)
	require.Equal(t, http.StatusOK, g.do(t, http.MethodGet, base+path, g.headers("a query", ""), nil).code)
	require.Equal(t, http.StatusNotFound, g.do(t, http.MethodGet, base+path, g.headers("b query", ""), nil).code)
}

// The traces of a session are found by it, a failure by its status, and a trace by what
// was said of it later.
func TestLangfuseSearch(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	for _, c := range ingestions(t, "langfuse-js-v3", "lf3-core") {
		require.Equal(t, http.StatusMultiStatus, p.sends(t, &c).code)
	}
	for query, want := range map[string]int{
		`{ span.session.id = "sess-42" }`:            2,
		`{ name = "get_weather" && status = error }`: 1,
		`{ rootName = "chat-turn" }`:                 2,
		`{ span.gen_ai.evaluation.name = "tone" && span.gen_ai.evaluation.score.label = "formal" }`: 2,
		`{ span.session.id = "sess-42" } >> { span.gen_ai.prompt.name = "qa-short" }`:               2,
		`{ span.spanlake.incomplete = true }`:                                                       0,
		// Derived, of one piece or another.
		`{ span.gen_ai.usage.input_tokens = 42 && span.gen_ai.request.model = "gpt-4o-mini" }`: 2,
		`{ span.gen_ai.usage.input_tokens = 210 && span.gen_ai.usage.output_tokens = 30 }`:     2,
		`{ name = "answer" && span.gen_ai.usage.cost = 0.00081 }`:                              2,
		`{ span.spanlake.kind = "llm" && name = "plan" }`:                                      2,
		`{ span.metadata.tenant = "acme" && span.metadata.turn = 2 }`:                          1,
	} {
		require.Equal(t, want, p.found(t, query), query)
	}
}

// found is how many traces of the captures' day a query finds.
func (p *process) found(t *testing.T, query string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.APIAddr().String()+"/api/search", http.NoBody)
	require.NoError(t, err)
	values := req.URL.Query()
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	values.Set("q", query)
	values.Set("limit", "100")
	values.Set("start", strconv.FormatInt(day.Unix(), 10))
	values.Set("end", strconv.FormatInt(day.Add(24*time.Hour).Unix(), 10))
	got := p.api(t, http.MethodGet, "/api/search?"+values.Encode())
	require.Equal(t, http.StatusOK, got.code, string(got.body))
	var reply struct{ Traces []json.RawMessage }
	require.NoError(t, json.Unmarshal(got.body, &reply))
	return len(reply.Traces)
}
