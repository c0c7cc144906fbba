package e2e_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/project"
)

// wireCapture is a request that an SDK has sent, and the answer that satisfied it.
type wireCapture struct {
	Method, Path string
	Headers      map[string]string
	BodyEncoding string `json:"body_encoding"`
	Body         json.RawMessage
	Response     struct {
		Status int
		Body   string
	}
}

func readCapture(t *testing.T, file string) (c wireCapture) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &c))
	if c.BodyEncoding == "base64" {
		var body []byte
		require.NoError(t, json.Unmarshal(c.Body, &body))
		c.Body = body
	}
	return c
}

// asking sends requests to a function with a key.
type asking struct {
	*lambda

	key string
}

func (a asking) do(method, target string, body []byte, header ...string) httpReply {
	a.t.Helper()
	path, query, _ := strings.Cut(target, "?")
	headers := map[string]string{"x-forwarded-proto": "https"}
	if a.key != "" {
		headers["authorization"] = "Bearer " + a.key
	}
	for i := 0; i < len(header); i += 2 {
		headers[header[i]] = header[i+1]
	}
	return a.reply(a.invoke(httpEvent(a.t, method, path, query, headers, body)))
}

// replay sends a capture, which must be answered with the status that its SDK was
// satisfied with.
func (a asking) replay(c *wireCapture) httpReply {
	a.t.Helper()
	var header []string
	for name, value := range c.Headers {
		switch name {
		case "content-type", "content-encoding":
			header = append(header, name, value)
		}
	}
	got := a.do(c.Method, c.Path, c.Body, header...)
	require.Equal(a.t, c.Response.Status, got.StatusCode, got.Body)
	return got
}

// get reads JSON.
func (a asking) get(path string, into any) {
	a.t.Helper()
	got := a.do(http.MethodGet, path, nil)
	require.Equal(a.t, http.StatusOK, got.StatusCode, got.Body)
	require.NoError(a.t, json.Unmarshal([]byte(got.Body), into), got.Body)
}

// TestFunctionsTakeProtocols: what SDKs of Langfuse and LangSmith have sent goes through
// the functions and is read by their APIs, from the log and from blocks.
func TestFunctionsTakeProtocols(t *testing.T) {
	w := newCloud(t)
	registry := project.NewRegistry(w.bucket)
	require.NoError(t, registry.Create(t.Context(), "shop", project.Settings{}))
	key := func(scopes ...project.Scope) string {
		_, secret, err := registry.AddKey(t.Context(), "shop", "a key", scopes)
		require.NoError(t, err)
		return secret
	}
	keys := []string{"SPANLAKE_AUTH_MODE=keys", "SPANLAKE_AUTH_INSECURE=false"}
	ingest, query, flush := w.function("ingest", keys...), w.function("query", keys...), w.function("flush")
	both := key(project.ScopeIngest, project.ScopeQuery)
	writes, reads := asking{ingest, both}, asking{query, both}

	session := readCapture(t, "../../ingester/langfuse/testdata/wire/langfuse-js-v3/03-lf3-core-post-ingestion.json")
	requireRefusals(t, &session, asking{ingest, ""}, asking{ingest, key(project.ScopeQuery)}, asking{query, ""}, asking{query, key(project.ScopeIngest)})
	for _, name := range []string{"02", "03", "13"} {
		c := readCapture(t, "../../ingester/langfuse/testdata/wire/langfuse-js-v3/"+name+"-lf3-core-post-ingestion.json")
		require.JSONEq(t, c.Response.Body, writes.replay(&c).Body)
	}
	runs := readCapture(t, "../../ingester/langsmith/testdata/wire/langsmith-js/02-ls-multipart-post-runs-multipart.json")
	writes.replay(&runs)
	requireLinks(t, writes)
	require.Equal(t, http.StatusOK, asking{ingest, ""}.do(http.MethodGet, "/api/public/health", nil).StatusCode)

	run := readCapture(t, "../../ingester/langsmith/testdata/wire/langsmith-js/05-ls-multipart-get-runs-id.json")
	for _, place := range []string{"in the log", "in blocks"} {
		t.Run(place, func(t *testing.T) { requireReads(t, reads, run.Path) })
		w.run(flush, "flush")
	}
	require.Subset(t, w.asked("ingest"), []string{"s3:ListBucket media", "s3:GetObject media", "s3:PutObject media"})
}

// requireRefusals: who may not is told so as Langfuse's SDKs expect, by both functions.
func requireRefusals(t *testing.T, c *wireCapture, writesWithout, writesOther, readsWithout, readsOther asking) {
	t.Helper()
	for _, refused := range []struct {
		name   string
		got    httpReply
		status int
		text   string
	}{
		{"sent without a key", writesWithout.do(c.Method, c.Path, c.Body), http.StatusUnauthorized, "UnauthorizedError"},
		{"sent with a key for reading", writesOther.do(c.Method, c.Path, c.Body), http.StatusForbidden, "ForbiddenError"},
		{"read without a key", readsWithout.do(http.MethodGet, "/api/public/traces", nil), http.StatusUnauthorized, "UnauthorizedError"},
		{"read with a key for sending", readsOther.do(http.MethodGet, "/api/public/traces", nil), http.StatusForbidden, "ForbiddenError"},
	} {
		require.Equal(t, refused.status, refused.got.StatusCode, "%s: %s", refused.name, refused.got.Body)
		var failure struct{ Message, Error string }
		require.NoError(t, json.Unmarshal([]byte(refused.got.Body), &failure), refused.name)
		require.Equal(t, refused.text, failure.Error, refused.name)
		require.NotEmpty(t, failure.Message, refused.name)
	}
}

// requireLinks announces a file, puts it where the function says, and gets it again.
func requireLinks(t *testing.T, f asking) {
	t.Helper()
	content := []byte("\x89PNG\r\n\x1a\n, or so")
	hash := sha256.Sum256(content)
	announce := func() (media struct{ MediaID, UploadURL string }) {
		t.Helper()
		text, err := json.Marshal(map[string]any{
			"traceId": "t", "contentType": "image/png", "contentLength": len(content), "sha256Hash": base64.StdEncoding.EncodeToString(hash[:]), "field": "input",
		})
		require.NoError(t, err)
		got := f.do(http.MethodPost, "/api/public/media", text, "content-type", "application/json")
		require.Equal(t, http.StatusCreated, got.StatusCode, got.Body)
		require.NoError(t, json.Unmarshal([]byte(got.Body), &media))
		return media
	}
	media := announce()
	linked := func(link string) string {
		t.Helper()
		u, err := url.Parse(link)
		require.NoError(t, err)
		require.Equal(t, "https", u.Scheme)
		require.Equal(t, "abc.execute-api.eu-west-1.amazonaws.com", u.Host, "the address that the function was asked at")
		return u.RequestURI()
	}
	anybody := asking{f.lambda, ""}
	put := anybody.do(http.MethodPut, linked(media.UploadURL), content, "content-type", "image/png")
	require.Equal(t, http.StatusOK, put.StatusCode, put.Body)
	require.Empty(t, announce().UploadURL, "it is held")
	var described struct{ URL string }
	f.get("/api/public/media/"+media.MediaID, &described)
	got := anybody.do(http.MethodGet, linked(described.URL), nil)
	require.Equal(t, http.StatusOK, got.StatusCode, got.Body)
	require.Equal(t, string(content), got.Body)
	require.Equal(t, "image/png", got.Headers["Content-Type"])
}

// requireReads reads what was sent: a trace of Langfuse, a run of LangSmith, sessions.
func requireReads(t *testing.T, f asking, run string) {
	t.Helper()
	const day = "fromTimestamp=2026-11-21T00:00:00Z&toTimestamp=2026-11-22T00:00:00Z"
	var list struct{ Data []struct{ ID, Name string } }
	f.get("/api/public/traces?limit=100&"+day, &list)
	id := ""
	for _, trace := range list.Data {
		if trace.Name == "chat-turn" {
			id = trace.ID
		}
	}
	require.NotEmpty(t, id, "%v", list.Data)
	var trace struct {
		SessionID    string
		TotalCost    float64
		Observations []struct{ Type string }
	}
	f.get("/api/public/traces/"+url.PathEscape(id), &trace)
	require.Equal(t, "sess-42", trace.SessionID)
	require.Greater(t, len(trace.Observations), 1)

	for _, prefix := range []string{"", "/api/v1"} {
		var shown struct{ Name string }
		f.get(prefix+run, &shown)
		require.NotEmpty(t, shown.Name)
	}
	var sessions struct{ Sessions []json.RawMessage }
	f.get("/api/sessions?start=1795132800&end=1795305600", &sessions)
	require.NotEmpty(t, sessions.Sessions)

	got := f.do(http.MethodDelete, "/api/public/traces/"+url.PathEscape(id), nil)
	require.Equal(t, http.StatusMethodNotAllowed, got.StatusCode, "functions erase nothing: %s", got.Body)
}
