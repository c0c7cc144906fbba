//go:build sdk

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSDK runs small agents with unmodified SDKs against the program, where keys are
// asked for: they are told where it is and the key, nothing else. Then it asks for what
// they have done, and adds up what the model behind them has charged.
func TestSDK(t *testing.T) {
	folder := sdkFolder(t)
	dir, list := t.TempDir(), sdkTable()
	place := inFolder(filepath.Join(dir, "bucket"))
	keys := make([]sdkPlace, len(list))
	for i := range list {
		keys[i] = makeKey(t, dir, place, fmt.Sprintf("sdk-%d", i))
	}
	s := startProgram(t, place, dir, "-auth.mode=keys", fromBlocks)
	t.Run("programs", func(t *testing.T) {
		for i, program := range list {
			t.Run(program.name, func(t *testing.T) {
				t.Parallel()
				program.test(t, s, folder, keys[i])
			})
		}
	})
}

// makeKey makes a project and a key that may write to it and read it.
func makeKey(t *testing.T, dir string, place place, project string) (at sdkPlace) {
	t.Helper()
	where := []string{"-data-dir=" + dir, "-bucket=" + place.url}
	code, _, stderr := runProgram(t, append([]string{"project", "create", project}, where...)...)
	require.Zero(t, code, stderr)
	code, stdout, stderr := runProgram(t, append([]string{"project", "add-key", project, "-scopes=ingest,query", "-output=json"}, where...)...)
	require.Zero(t, code, stderr)
	var key struct{ Public, Secret string }
	require.NoError(t, json.Unmarshal([]byte(stdout), &key))
	return sdkPlace{public: key.Public, secret: key.Secret}
}

func (p *sdkProgram) test(t *testing.T, s *server, folder string, at sdkPlace) {
	t.Helper()
	begin := time.Now()
	m, w := startModel(t), startWatcher(t, s.endpoints.http, p.edit)
	at.http, at.grpc = w.url, s.grpc
	report := p.run(t, folder, m, at)
	require.Len(t, report.Traces, 2)
	p.requireAnswers(t, w)
	whole, streamed := m.bills()
	if p.streamed != nil {
		streamed.Input, streamed.Output = p.streamed[0]*streamed.Calls, p.streamed[1]*streamed.Calls
	}
	whole.add(streamed)
	want := map[string]float64{
		"input_tokens llm":       float64(whole.Input + report.Billed.Input),
		"output_tokens llm":      float64(whole.Output + report.Billed.Output),
		"input_tokens embedding": float64(report.Billed.Embedding),
	}
	require.Positive(t, want["input_tokens llm"])
	q := &sdkQueries{server: s, secret: at.secret, begin: begin}
	for _, after := range []string{"at once", "from blocks"} {
		p.requireFound(t, q, report, after)
		for what, value := range want {
			field, class, _ := strings.Cut(what, " ")
			query := `{ span.spanlake.usage.counted && span.spanlake.usage.class = "` + class + `" } | sum_over_time(span.gen_ai.usage.` + field + `)`
			require.InDelta(t, value, q.sum(t, query), 0, "%s, %s", query, after)
		}
		require.NoError(t, s.flush(t.Context()))
	}
	if p.media {
		requireMedia(t, q, w, report.Traces)
	}
}

// requireMedia follows the reference that each trace has in the place of its picture.
func requireMedia(t *testing.T, q *sdkQueries, w *watcher, traces []string) {
	t.Helper()
	picture, err := os.ReadFile(sdkPrograms + "/picture.png")
	require.NoError(t, err)
	for _, id := range traces {
		reference := regexp.MustCompile(`@@@langfuseMedia:type=image/png\|id=([\w-]+)\|source=\w+@@@`).FindSubmatch(q.get(t, "/api/v2/traces/"+id))
		require.NotNil(t, reference, "trace %s has no picture", id)
		got := q.ask(t, w.url+"/api/public/media/"+string(reference[1]))
		var medium struct{ ContentType, URL string }
		require.NoError(t, json.Unmarshal(got, &medium))
		require.Equal(t, "image/png", medium.ContentType)
		require.True(t, strings.HasPrefix(medium.URL, w.url), "%s is not where the program asked, at %s", medium.URL, w.url)
		link, err := q.server.do(t.Context(), http.MethodGet, medium.URL, nil, nil) // without a key
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, link.status, string(link.body))
		require.Equal(t, picture, link.body)
	}
}

// run runs the program to its end.
func (p *sdkProgram) run(t *testing.T, folder string, m *model, at sdkPlace) (report sdkReport) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "node", append([]string{"agent.mjs"}, p.args...)...) //nolint:gosec // of the table
	cmd.Dir = filepath.Join(folder, p.folder)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "OPENAI_BASE_URL=" + m.url, "OPENAI_API_KEY=sk-demo"}, p.env(at)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), "%s\n%s", &stdout, &stderr)
	t.Logf("%s%s", &stdout, &stderr)
	line := regexp.MustCompile(`(?m)^REPORT (.*)$`).FindSubmatch(stdout.Bytes())
	require.NotNil(t, line, "%s\n%s", &stdout, &stderr)
	require.NoError(t, json.Unmarshal(line[1], &report))
	for i, id := range report.Traces {
		report.Traces[i] = strings.ReplaceAll(id, "-", "")
	}
	return report
}

// requireAnswers requires that every request was answered well.
func (p *sdkProgram) requireAnswers(t *testing.T, w *watcher) {
	t.Helper()
	asked := make(map[string]bool)
	for _, x := range w.exchanges() {
		asked[x.path] = true
		if slices.Contains(p.missing, x.path) {
			require.Equal(t, http.StatusNotFound, x.status, x.path)
			continue
		}
		require.Equal(t, 2, x.status/100, "%s %s: %d %s", x.method, x.path, x.status, x.body)
		require.NotContains(t, x.body, "rejected", x.path)
		if x.path == "/api/public/ingestion" {
			require.Contains(t, x.body, `"errors":[]`)
		}
	}
	for _, path := range append(slices.Clone(p.paths), p.missing...) {
		require.True(t, asked[path], "%s was never asked, but %v", path, asked)
	}
}

// requireFound searches what every agent has done.
func (p *sdkProgram) requireFound(t *testing.T, q *sdkQueries, report sdkReport, when string) {
	t.Helper()
	searches := map[string]int{
		`{ span.session.id = "sess-42" }`: 2, `{ span.user.id = "user-7" }`: 2, `{ span.gen_ai.request.model = "gpt-4o-mini" || span.gen_ai.response.model =~ "gpt-4o-mini.*" }`: 2,
		`{ name =~ "agent(.agent)?" } >> { span.spanlake.kind = "llm" }`: 2, `{ span.spanlake.usage.counted && span.gen_ai.usage.cost > 0 }`: 2,
		`{ span.spanlake.incomplete }`: 0, `{ name =~ ".*get_weather" || span.gen_ai.tool.name = "get_weather" }`: 2,
		sdkTool: 2, sdkFinish: 2, sdkFailed: 1, sdkWhy: 1, sdkFailedCall: 1,
	}
	for _, query := range p.without {
		searches[query] = 0
	}
	maps.Copy(searches, p.search)
	for _, name := range p.scores {
		searches[`{ span.spanlake.kind = "score" && span.gen_ai.evaluation.name = "`+name+`" }`] = 2
	}
	found, want := make(map[string][]string), make(map[string][]string)
	for query, n := range searches {
		found[query] = q.search(t, query)
		want[query] = slices.Sorted(slices.Values(report.Traces[2-n:]))
	}
	require.Equal(t, want, found, when)
	for _, id := range report.Traces {
		trace := q.get(t, "/api/v2/traces/"+id)
		for _, name := range p.scores {
			require.Contains(t, string(trace), `"`+name+`"`, "%s, %s", id, when)
		}
	}
}

// sdkQueries asks for the spans of a project since begin.
type sdkQueries struct {
	server *server
	secret string
	begin  time.Time
}

// get asks the API of traces.
func (q *sdkQueries) get(t *testing.T, path string) []byte {
	t.Helper()
	return q.ask(t, "http://"+q.server.api+path)
}

func (q *sdkQueries) ask(t *testing.T, address string) []byte {
	t.Helper()
	got, err := q.server.do(t.Context(), http.MethodGet, address, http.Header{"Authorization": {"Bearer " + q.secret}, "Accept": {acceptJSON}}, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.status, "%s: %s", address, got.body)
	return got.body
}

func (q *sdkQueries) params(query string) string {
	params := url.Values{
		"q": {query}, "start": {strconv.FormatInt(q.begin.Unix()-60, 10)}, "end": {strconv.FormatInt(time.Now().Unix()+60, 10)}, "limit": {"100"},
	}
	return params.Encode()
}

// search returns the ids of the traces that are found.
func (q *sdkQueries) search(t *testing.T, query string) (ids []string) {
	t.Helper()
	var reply struct{ Traces []struct{ TraceID string } }
	require.NoError(t, json.Unmarshal(q.get(t, "/api/search?"+q.params(query)), &reply))
	for _, trace := range reply.Traces {
		ids = append(ids, fmt.Sprintf("%032s", trace.TraceID))
	}
	slices.Sort(ids)
	return ids
}

// sum is the value of a metrics query, 0 if it has none.
func (q *sdkQueries) sum(t *testing.T, query string) (sum float64) {
	t.Helper()
	var reply struct{ Series []struct{ Value float64 } }
	require.NoError(t, json.Unmarshal(q.get(t, "/api/metrics/query?"+q.params(query)), &reply))
	for _, series := range reply.Series {
		sum += series.Value
	}
	return sum
}
