package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/objstore/fs"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// TestProject goes through all commands on a bucket that does not exist yet, as
// somebody does who begins.
func TestProject(t *testing.T) {
	dir := t.TempDir()
	var secret, public string
	for _, test := range []struct {
		args   []string
		code   int
		stdout []string
		stderr string
	}{
		{[]string{"set-retention", "default", "90d"}, exitOK, []string{"Project", "default", "90d", "api"}, "bucket: " + dir},
		{[]string{"create", "shop", "-retention", "36h", "-aliases", "The Shop, SHOP"}, exitOK, []string{"36h", "The Shop, SHOP"}, ""},
		{[]string{"create", "shop"}, exitFailed, nil, "project shop exists already"},
		{[]string{"create", "The Shop"}, exitFailed, nil, "not a project name"},
		{[]string{"set-retention", "shop", "soon"}, exitFailed, nil, "not a retention"},
		{[]string{"set-retention", "shop", "unlimited"}, exitOK, []string{"unlimited\n"}, ""},
		{[]string{"set-retention", "shop", "default"}, exitOK, []string{"unlimited (default)"}, ""},
		{[]string{"set-retention", "shop", "3d", "-rule", "{ status = error }=90d", "-rule", `{ name = "health" } = 1h`}, exitOK, []string{"3d\n", "Rule", "{ status = error } 90d\n", `{ name = "health" } 1h`}, ""},
		{[]string{"set-retention", "shop", "4d"}, exitOK, []string{"4d\n", "{ status = error } 90d\n"}, ""},
		{[]string{"set-retention", "shop", "3d", "-rule", "{ status = }=90d"}, exitFailed, nil, "rule"},
		{[]string{"set-retention", "shop", "3d", "-rule", "{} | rate()=90d"}, exitFailed, nil, "finds spans"},
		{[]string{"set-retention", "shop", "3d", "-rule", "{ status = error }"}, exitUsage, nil, "not a retention"},
		{[]string{"set-retention", "shop", "3d", "-rule", "{}"}, exitUsage, nil, "want filter=retention"},
		{[]string{"set-retention", "shop", "3d", "-rule", "{}=1d", "-no-rules"}, exitUsage, nil, "want either"},
		{[]string{"set-retention", "shop", "default", "-no-rules"}, exitOK, []string{"unlimited (default)"}, ""},
		{[]string{"set-limit", "shop", "ingest_bytes_per_second", "5MiB"}, exitOK, []string{"5242880"}, ""},
		{[]string{"set-limit", "shop", "ingest_bytes_per_second", "unlimited"}, exitOK, []string{"Limit ingest_bytes_per_second  none"}, ""},
		{[]string{"set-limit", "shop", "speed", "5"}, exitFailed, nil, "there is no limit"},
		{[]string{"set-limit", "shop", "query_bytes", "-5"}, exitUsage, nil, "flag provided but not defined"},
		{[]string{"set-limit", "shop", "query_bytes", "0"}, exitUsage, nil, "want a positive number"},
		{[]string{"set-aliases", "shop", "Shop"}, exitOK, []string{"Aliases", "Shop"}, ""},
		{[]string{"set-aliases", "shop"}, exitOK, []string{"Aliases                        -"}, ""},
		{[]string{"list"}, exitOK, []string{"default", "shop", "in use"}, ""},
		{[]string{"add-key", "shop", "-scopes", "query", "-name", "grafana"}, exitOK, []string{"pk-sl-", "sk-sl-", "cannot be shown again"}, ""},
		{[]string{"add-key", "-all", "-scopes", "admin"}, exitOK, []string{"sk-sl-"}, ""},
		{[]string{"add-key", "shop", "-scopes", "metrics"}, exitFailed, nil, "all projects"},
		{[]string{"add-key", "nothing"}, exitFailed, nil, "does not exist"},
		{[]string{"show", "shop"}, exitOK, []string{"KEY", "pk-sl-", "grafana"}, ""},
		{[]string{"show", "shop", "-output", "json"}, exitOK, []string{`"effective_retention": "unlimited"`, `"public": "pk-sl-`}, ""},
		{[]string{"show", "nothing"}, exitFailed, nil, "does not exist"},
		{[]string{"revoke-key", "shop", "nothing"}, exitFailed, nil, "want the id of a key"},
		{[]string{"revoke-key", "shop", "PUBLIC"}, exitOK, []string{"is revoked"}, ""},
		{[]string{"delete", "shop"}, exitOK, []string{"is deleted"}, ""},
		{[]string{"list"}, exitOK, []string{"deleted 20"}, ""},
		{[]string{"create", "shop"}, exitFailed, nil, "ask it with -url"},
		{[]string{"set-retention", "shop"}, exitUsage, nil, "want: spanlake project set-retention <name>"},
		{[]string{"delete"}, exitUsage, nil, "want: spanlake project delete <name>"},
		{[]string{"list", "-url", "127.0.0.1:3200"}, exitUsage, nil, "url: want http"},
		{[]string{"paint"}, exitUsage, nil, "want one of create, list"},
	} {
		args := append([]string{"project"}, test.args...)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "PUBLIC", public)
		}
		if len(test.args) > 1 || test.args[0] == "list" {
			args = append(args, "-data-dir", dir)
		}
		code, stdout, stderr := call(t, args...)
		require.Equal(t, test.code, code, "%s: %s", args, stderr)
		for _, text := range test.stdout {
			require.Contains(t, stdout, text, args)
		}
		require.Contains(t, stderr, test.stderr, args)
		if test.args[0] == "add-key" && code == exitOK && public == "" {
			secret = regexp.MustCompile(`sk-sl-[a-z2-7-]+`).FindString(stdout)
			public = regexp.MustCompile(`pk-sl-[a-z2-7]+`).FindString(stdout)
		}
		if test.args[0] == "show" {
			require.NotContains(t, stdout, secret)
		}
	}
}

// TestProjectOverTheAPI asks a server, with a key from the environment and from
// a file.
func TestProjectOverTheAPI(t *testing.T) {
	bucket, err := fs.Open(t.TempDir())
	require.NoError(t, err)
	var sent []string
	handler := app.ProjectsHandler(bucket, &app.Config{})
	server := httptest.NewServer(keyRecorder(handler, &sent))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte("sk-sl-of-a-file\n"), 0o600))
	for _, args := range [][]string{
		{"project", "create", "shop", "-url", server.URL}, {"project", "show", "shop", "-url", server.URL + "/", "-admin-key-file", file},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), args, env{&stdout, &stderr, func(name string) (string, bool) {
			return map[string]string{adminKeyVariable: "sk-sl-of-the-environment"}[name], name == adminKeyVariable
		}})
		require.Equal(t, exitOK, code, stderr.String())
		require.Contains(t, stdout.String(), "shop")
		require.Empty(t, stderr.String())
	}
	require.Equal(t, []string{"Bearer sk-sl-of-the-environment", "Bearer sk-sl-of-a-file", "Bearer sk-sl-of-a-file"}, sent)
	code, _, stderr := call(t, "project", "list", "-url", server.URL, "-admin-key-file", file+"-missing")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "admin-key-file")
}

func TestExplainRetention(t *testing.T) {
	dir := t.TempDir()
	first, second := day, day+86_400_000_000_000
	store(t, dir, schema.BlockName{Project: "shop", First: 1, Last: 2, LogNanos: first}, 3)
	store(t, dir, schema.BlockName{Project: "shop", First: 3, Last: 4, LogNanos: first + 1}, 2)
	store(t, dir, schema.BlockName{Project: "shop", First: 5, Last: 6, LogNanos: second}, 1)
	store(t, dir, schema.BlockName{Project: "shop", First: 4, Last: 4, LogNanos: first}, 4) // covered
	store(t, dir, schema.BlockName{Project: "other", First: 5, Last: 6, LogNanos: second}, 1)

	code, stdout, _ := call(t, "explain", "retention", "shop", "-data-dir", dir)
	require.Equal(t, exitOK, code)
	require.Contains(t, stdout, "unlimited (the default")
	require.Contains(t, stdout, "Nothing expires")

	code, _, _ = call(t, "project", "set-retention", "shop", "30d", "-data-dir", dir)
	require.Equal(t, exitOK, code)
	code, stdout, stderr := call(t, "explain", "retention", "shop", "-data-dir", dir, "-output", "json")
	require.Equal(t, exitOK, code, stderr)
	var plan retentionPlan
	require.NoError(t, json.Unmarshal([]byte(stdout), &plan))
	require.Equal(t, "30d", plan.Retention.String())
	require.Equal(t, "24h0m0s", plan.Window)
	require.WithinDuration(t, time.Now().Add(-30*24*time.Hour), plan.Hidden, time.Minute)
	require.Len(t, plan.Days, 2)
	require.Equal(t, 2, plan.Days[0].Blocks)
	require.EqualValues(t, 5, plan.Days[0].Spans)
	require.Equal(t, nanosTime(day+1000).Add(30*24*time.Hour), plan.Days[0].AllHidden)
	require.Equal(t, nanosTime(first+1).Add(32*24*time.Hour), plan.Days[0].Deleted)
	require.Equal(t, nanosTime(second).Add(32*24*time.Hour), plan.Days[1].Deleted)
	_, stdout, _ = call(t, "explain", "retention", "shop", "-data-dir", dir)
	require.Contains(t, stdout, "2023-11-15  2")
	require.Contains(t, stdout, "2023-12-17 12:00")

	code, _, _ = call(t, "project", "set-retention", "shop", "3d", "-rule", "{ status = error }=30d", "-data-dir", dir)
	require.Equal(t, exitOK, code)
	_, again, _ := call(t, "explain", "retention", "shop", "-data-dir", dir)
	require.Contains(t, again, "keeps spans for: 3d (set")
	require.Contains(t, again, "Traces that { status = error } finds are kept for: 30d.\n")
	require.Contains(t, again, stdout[strings.Index(stdout, "RECEIVED"):], "objects go by the longest")

	for _, args := range [][]string{{"explain"}, {"explain", "retention"}, {"explain", "retention", "Not a name"}, {"explain", "query", "x"}} {
		code, _, _ = call(t, args...)
		require.Equal(t, exitUsage, code, args)
	}
}

func TestMergeWindow(t *testing.T) {
	for retention, want := range map[time.Duration]time.Duration{
		8 * time.Minute: time.Minute, 8 * 24 * time.Hour: 24 * time.Hour, 7 * 24 * time.Hour: 21 * time.Hour, 365 * 24 * time.Hour: 24 * time.Hour,
	} {
		require.Equal(t, want, mergeWindow(project.Retention(retention)))
	}
}

// keyRecorder notes with which keys a handler is asked.
func keyRecorder(next http.Handler, sent *[]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		*sent = append(*sent, req.Header.Get("Authorization"))
		next.ServeHTTP(w, req)
	})
}
