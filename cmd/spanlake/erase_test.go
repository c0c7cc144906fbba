package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/schema"
)

func TestEraseUsage(t *testing.T) {
	for _, test := range []struct {
		args   []string
		stderr string
	}{
		{[]string{"erase"}, "want -trace, once or more, or -where"},
		{[]string{"erase", "-trace", "1", "-where", "{}"}, "want -trace, once or more, or -where"},
		{[]string{"erase", "4bf92f3577b34da6a3ce929d0e0e4736"}, "A trace goes behind -trace"},
		{[]string{"erase", "status", "a", "b"}, "want: spanlake erase status [id]"},
		{[]string{"erase", "status", "-dry-run"}, "not defined: -dry-run"},
		{[]string{"erase", "-trace", "1", "-url", "127.0.0.1:3200"}, "want http://host:port"},
		{[]string{"erase", "-trace", "1", "-admin-key-file", "/does/not/exist"}, "admin-key-file"},
	} {
		code, _, stderr := call(t, test.args...)
		require.Equal(t, exitUsage, code, test.args)
		require.Contains(t, stderr, test.stderr, test.args)
	}
	code, stdout, _ := call(t, "erase", "-h")
	require.Equal(t, exitOK, code)
	require.Contains(t, stdout, "-dry-run")
}

// TestErase asks a server: how it answers is tested where it is made.
func TestErase(t *testing.T) {
	bucket := mem.New()
	store := erasure.NewStore(bucket)
	accepted := time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)
	r := &erasure.Request{
		ID: "20260115-100000-00000001", Project: "shop", By: "pk-sl-a", AcceptedAt: accepted, Where: "{ span.user.id = 1 }",
		Marks: make([]erasure.Mark, 1), Traces: []schema.TraceID{{1}},
	}
	require.NoError(t, store.Accept(t.Context(), r))
	left := `{"traces":0,"spans":0,"stored":4}`
	mux := http.NewServeMux()
	mux.Handle("/", app.ProjectsHandler(bucket, &app.Config{}))
	mux.HandleFunc("GET /api/projects/shop/erasures/"+r.ID+"/left", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(left)) })
	server := httptest.NewServer(mux)
	defer server.Close()
	erase := func(code int, args ...string) (stdout, stderr string) {
		t.Helper()
		got, stdout, stderr := call(t, append(append([]string{"erase"}, args...), "-project", "shop", "-url", server.URL)...)
		require.Equal(t, code, got, stderr)
		return stdout, stderr
	}
	_, stderr := erase(exitFailed, "-trace", "1")
	require.Contains(t, stderr, "ask it with -url")
	stdout, _ := erase(exitOK, "status")
	require.Contains(t, stdout, r.ID+"  pending  2026-01-15T10:00:00Z  -     1       0\n")
	stdout, _ = erase(exitOK, "status", r.ID)
	require.Contains(t, stdout, "{ span.user.id = 1 }")
	require.Contains(t, stdout, "0 spans by queries, 4 rows in objects and in the log")
	_, stderr = erase(exitFailed, "status", "x")
	require.Contains(t, stderr, "want an id such as")
	left = `{"traces":1,"spans":2,"stored":4}`
	_, stderr = erase(exitFailed, "status", r.ID)
	require.Contains(t, stderr, "queries still show 2 spans")

	require.NoError(t, store.Note(t.Context(), "shop", r.ID, []erasure.Replaced{{Object: "blocks/a", Spans: 3, By: "blocks/b", At: accepted}, {Object: "blocks/c", Spans: 1}}))
	_, err := store.Complete(t.Context(), r, erasure.Gone{Versions: 2, Media: 3, At: accepted.Add(time.Hour)})
	require.NoError(t, err)
	left = `{"traces":0,"spans":0,"stored":4}`
	stdout, stderr = erase(exitFailed, "status", r.ID)
	require.Contains(t, stderr, "4 rows of it came back")
	require.Contains(t, stdout, "a query with the SHA-256 "+r.WhereDigest())
	require.NotContains(t, stdout, "user.id")
	require.Contains(t, stdout, "blocks/a  3      blocks/b\nblocks/c  1      nothing, it has expired\n")
	left = `{}`
	stdout, _ = erase(exitOK, "status", r.ID, "-output", "json")
	require.Contains(t, stdout, `"state": "done"`)
}
