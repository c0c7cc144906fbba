package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Sessions of what SDKs of Langfuse and LangSmith have sent, over the port of queries.
func TestSessions(t *testing.T) {
	p := startRead(t)
	for _, c := range writes(captures(t, langsmithJS, "ls-multipart")) {
		satisfied(t, &c, p.replay(t, &c, "", ""))
	}
	from, to := captured()
	during := fmt.Sprintf("start=%d&end=%d", from.Unix(), to.Unix())
	get := func(path string) (int, string) {
		got := p.api(t, http.MethodGet, path)
		return got.code, string(got.body)
	}
	for name, path := range map[string]string{
		"list": "/api/sessions?" + during, "one": "/api/sessions/sess-42?" + during,
		"found": "/api/sessions?" + during + "&q=" + url.QueryEscape(`{ span.user.id = "user-8" }`),
	} {
		code, body := get(path)
		require.Equal(t, http.StatusOK, code, body)
		var b bytes.Buffer
		require.NoError(t, json.Indent(&b, []byte(body), "", " "))
		langfuseGolden(t, "read/sessions-"+name+".json", b.String())
	}

	var list struct{ Sessions []struct{ ID string } }
	_, body := get("/api/sessions?limit=1&" + during)
	require.NoError(t, json.Unmarshal([]byte(body), &list))
	require.Len(t, list.Sessions, 1)
	var one struct {
		TurnCount int
		Turns     []struct{ Start string }
	}
	_, body = get("/api/sessions/sess-42?limit=2&" + during)
	require.NoError(t, json.Unmarshal([]byte(body), &one))
	require.Len(t, one.Turns, 2)
	require.Greater(t, one.TurnCount, 2)
	require.Less(t, one.Turns[0].Start, one.Turns[1].Start)
	_, body = get("/api/sessions/sess-42") // without a range: of the last weeks
	require.NoError(t, json.Unmarshal([]byte(body), &one))
	require.Len(t, one.Turns, one.TurnCount)

	for path, says := range map[string]string{
		"/api/sessions?limit=101":                                 "from 1 to 100",
		"/api/sessions?limit=0":                                   "from 1 to 100",
		"/api/sessions?start=1":                                   "start and end must be given together",
		"/api/sessions?q=" + url.QueryEscape("{ true } | rate()"): "want one that finds spans",
		"/api/sessions?q={":                                       "invalid TraceQL query",
		"/api/sessions/sess-42?limit=1001":                        "from 1 to 1000",
	} {
		code, body := get(path)
		require.Equal(t, http.StatusBadRequest, code, path)
		require.Contains(t, body, says, path)
	}
	for _, id := range []string{"nope", "%22%20%7D%20%7C%7C%20%7B", "%00", strings.Repeat("x", 3000)} {
		code, body := get("/api/sessions/" + id)
		require.Equal(t, http.StatusNotFound, code, id)
		require.Contains(t, body, "no trace names a session")
	}
	got := p.do(t, http.MethodGet, "http://"+p.APIAddr().String()+"/api/sessions", http.Header{"X-Scope-Orgid": {"a|b"}}, nil)
	require.Equal(t, http.StatusBadRequest, got.code)
}

// A run is read by its id, with what it got and gave.
func TestLangSmithRun(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	for _, c := range writes(captures(t, langsmithJS, "ls-multipart")) {
		satisfied(t, &c, p.replay(t, &c, "", ""))
	}
	for _, prefix := range []string{"", "/api", "/api/v1"} {
		for _, id := range []string{"01a1fcf2-6742-7000-8000-0001b9dc2009", "01a1fcf2-67be-7000-8000-02052b2b8a53", "01a1fcf2-67c3-7000-8000-01e01c42a3a9"} {
			var body json.RawMessage
			p.reads(t, &body, prefix+"/runs/"+id)
			var b bytes.Buffer
			require.NoError(t, json.Indent(&b, body, "", " "))
			langfuseGolden(t, "read/run-"+id+".json", b.String())
		}
	}
	for _, id := range []string{"nope", "00000000-0000-4000-8000-000000000001", "%22%7D"} {
		got := p.do(t, http.MethodGet, p.readURL("/runs/"+id), nil, nil)
		require.Equal(t, http.StatusNotFound, got.code, "%s", got.body)
		require.True(t, json.Valid(got.body), "%s", got.body)
	}
}
