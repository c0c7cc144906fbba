package e2e_test

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/schema"
)

// recording is a request that an SDK has sent, over any protocol, and the answer
// that satisfied it.
type recording struct {
	name     string // of the folder and the file
	protocol corpus.Protocol

	Program      string
	Method, Path string
	Headers      map[string]string
	BodyEncoding string `json:"body_encoding"`
	Body         json.RawMessage
	Response     struct {
		Status int
		Body   string
	}
	body []byte
}

// recordings are all that there are, program by program in the order in which they
// were sent.
func recordings(t *testing.T) (list []recording) {
	t.Helper()
	var files []string
	for _, pattern := range []string{
		"../../ingester/langfuse/testdata/wire/*/*.json", "../../ingester/langsmith/testdata/wire/*/*.json", "../../ingester/phoenix/testdata/wire/*.json",
		"testdata/wire/*/*.json",
	} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, found, pattern)
		files = append(files, found...)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		folder := filepath.Base(filepath.Dir(file))
		if folder == "wire" {
			folder = "openinference-js"
		}
		r := recording{name: folder + "/" + strings.TrimSuffix(filepath.Base(file), ".json")}
		require.NoError(t, json.Unmarshal(content, &r), file)
		switch r.BodyEncoding {
		case "json":
			r.body = r.Body
		case "base64":
			var text string
			require.NoError(t, json.Unmarshal(r.Body, &text))
			r.body, err = base64.StdEncoding.DecodeString(text)
			require.NoError(t, err)
		}
		if r.Method == "GRPC" {
			r.protocol = corpus.GRPC
		}
		list = append(list, r)
	}
	captures, err := corpus.Captures()
	require.NoError(t, err)
	for _, c := range captures {
		r := recording{name: c.Name, protocol: c.Protocol, Method: http.MethodPost, Path: c.Path, Headers: c.Header, body: c.Body}
		r.Response.Status = http.StatusOK
		r.Program = regexp.MustCompile(`/\d+-(.+?)-(?:post|grpc)-`).FindStringSubmatch(c.Name)[1]
		list = append(list, r)
	}
	slices.SortStableFunc(list, func(a, b recording) int { return strings.Compare(a.name, b.name) })
	return slices.CompactFunc(list, func(a, b recording) bool { return a.name == b.name }) // one is in two places
}

// project is where the spans of a recording's program go.
func (r *recording) project() string {
	folder, _, _ := strings.Cut(r.name, "/")
	return folder + "." + strings.ToLower(r.Program)
}

// stores says whether the request is to store something.
func (r *recording) stores() bool {
	return r.Method != http.MethodGet && r.Method != http.MethodPut && !r.elsewhere() && !r.foreign()
}

// elsewhere says whether it is about what spanlake does not have: prompts, data sets and
// spans to be read by Phoenix' API.
func (r *recording) elsewhere() bool {
	return regexp.MustCompile(`^/api/public/(v2/prompts|v2/datasets|dataset-)|^/v1/projects/`).MatchString(r.Path)
}

// foreign says whether it is logs or metrics, which are answered and not kept.
func (r *recording) foreign() bool {
	return regexp.MustCompile(`^/v1/(logs|metrics)$|LogsService`).MatchString(r.Path)
}

// player sends recordings to a server.
type player struct {
	*client

	t       *testing.T
	header  http.Header       // beside what was recorded
	uploads map[string]string // where media go, by checksum
}

// play sends one. The path of an upload is that of the link that was given for it.
func (p *player) play(r *recording, project string) answer {
	p.t.Helper()
	header := p.header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	if project != "" {
		header.Set(headerProject, project)
	}
	for name, value := range r.Headers {
		switch name {
		case "host", "accept-encoding", "transfer-encoding", "connection", "x-api-key", "authorization":
		default:
			header.Set(name, value)
		}
	}
	address := "http://" + p.endpoints.http + r.Path
	if r.Method == http.MethodPut {
		address = p.uploads[r.Headers["x-amz-checksum-sha256"]]
		if address == "" {
			return answer{status: r.Response.Status} // it was held
		}
	}
	got, err := p.do(p.t.Context(), r.Method, address, header, r.body)
	require.NoError(p.t, err, r.name)
	if r.Path == "/api/public/media" && got.status == http.StatusCreated {
		var sent struct{ SHA256Hash string }
		var reply struct{ UploadURL string }
		require.NoError(p.t, json.Unmarshal(r.body, &sent))
		require.NoError(p.t, json.Unmarshal(got.body, &reply))
		p.uploads[sent.SHA256Hash] = reply.UploadURL
	}
	return got
}

// satisfy sends a recording and requires that the SDK would have been satisfied.
func (p *player) satisfy(r *recording, project string) {
	p.t.Helper()
	if r.protocol == corpus.GRPC {
		if !r.foreign() {
			require.NoError(p.t, p.export(p.t.Context(), request{protocol: r.protocol, project: project, encoding: r.Headers["grpc-encoding"], body: r.body}), r.name)
		}
		return
	}
	got := p.play(r, project)
	switch {
	case r.elsewhere():
		require.Equal(p.t, http.StatusNotFound, got.status, "%s: %s", r.name, got.body)
		return
	case r.foreign():
		require.Equal(p.t, http.StatusOK, got.status, "%s: %s", r.name, got.body)
		require.Contains(p.t, string(got.body), "stores traces only", r.name)
		return
	}
	require.Equal(p.t, r.Response.Status, got.status, "%s: %s", r.name, got.body)
	if !json.Valid([]byte(r.Response.Body)) {
		return
	}
	var want, have any
	require.NoError(p.t, json.Unmarshal([]byte(r.Response.Body), &want), r.name)
	require.NoError(p.t, json.Unmarshal(got.body, &have), "%s: %s", r.name, got.body)
	if r.Method != http.MethodGet && !strings.HasSuffix(r.Path, "/media") && !strings.Contains(r.Path, "_annotations") {
		require.Equal(p.t, want, have, r.name)
		return
	}
	if run, ok := want.(map[string]any); ok && strings.HasPrefix(r.Path, "/runs/") {
		for _, key := range []string{"app_path", "dotted_order", "session_id"} { // pages, order and projects of LangSmith's
			delete(run, key)
		}
	}
	requireKeys(p.t, want, have, r.name)
}

// requireKeys requires that an object has all keys of another one, and a list as
// many elements, if it has any.
func requireKeys(t *testing.T, want, have any, what string) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		object, ok := have.(map[string]any)
		require.True(t, ok, "%s: %v", what, have)
		for key := range want {
			require.Contains(t, object, key, what)
		}
	case []any:
		require.IsType(t, want, have, what)
	}
}

// snapshot is all that a project has and what follows from it, as text, sorted.
func (p *player) snapshot(project string) string {
	p.t.Helper()
	const scores = `{ span.spanlake.kind = "score" }` // no spans otherwise
	ids := make(map[string]bool)
	now := time.Now().Unix() // when annotations are given
	for _, about := range []struct {
		query    string
		from, to int64
	}{
		{"{}", 1_795_132_800, 1_795_392_000}, {scores, 1_795_132_800, 1_795_392_000}, {scores, now - 3600, now + 3600},
	} {
		params := url.Values{"q": {about.query}, "limit": {"1000"}, "start": {strconv.FormatInt(about.from, 10)}, "end": {strconv.FormatInt(about.to, 10)}}
		got, err := p.get(p.t.Context(), project, "/api/search?"+params.Encode(), "Authorization", p.header.Get("Authorization"))
		require.NoError(p.t, err)
		require.Equal(p.t, http.StatusOK, got.status, string(got.body))
		var reply searchReply
		require.NoError(p.t, json.Unmarshal(got.body, &reply))
		for _, found := range reply.Traces {
			ids[found.TraceID] = true
		}
	}
	var lines []string
	for id := range ids {
		got, err := p.get(p.t.Context(), project, "/api/v2/traces/"+id+"?derived=true", "Accept", acceptProtobuf, "Authorization", p.header.Get("Authorization"))
		require.NoError(p.t, err)
		require.Equal(p.t, http.StatusOK, got.status, string(got.body))
		_, _, n := protowire.ConsumeTag(got.body)
		message, _ := protowire.ConsumeBytes(got.body[n:])
		var data tracepb.TracesData
		require.NoError(p.t, proto.Unmarshal(message, &data))
		for _, one := range spanBySpan(&data) {
			scope := one.GetResourceSpans()[0].GetScopeSpans()[0]
			if scope.GetScope().GetName() == "phoenix" { // annotations bring no time: it is when they were given last
				scope.GetSpans()[0].StartTimeUnixNano, scope.GetSpans()[0].EndTimeUnixNano = 0, 0
			}
			lines = append(lines, one.String())
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestWire sends every recorded request of every SDK to a project for its program: it is
// answered as the SDK wants it, and none changes anything when it is sent again.
func TestWire(t *testing.T) {
	s := startServer(t, t.TempDir())
	p := &player{client: s.client, t: t, uploads: make(map[string]string)}
	list := recordings(t)
	require.Len(t, list, 150)
	first := make(map[string]string)
	for _, r := range list {
		p.satisfy(&r, r.project())
	}
	for project := range projects(list) {
		first[project] = p.snapshot(project)
	}
	for i, r := range list {
		if !r.stores() {
			continue
		}
		p.satisfy(&r, r.project())
		if i%7 == 0 { // some of what was sent before is in blocks then
			require.NoError(t, s.flush(t.Context()))
		}
		require.Equal(t, first[r.project()], p.snapshot(r.project()), "%s changes something when it is sent again", r.name)
	}
}

// TestWireMerged sends what stores something in another order, what is about runs last, to
// the program on S3, with a block for every few requests, until merges have put these
// together: nothing is other than where all was sent in order and lies in memory.
func TestWireMerged(t *testing.T) {
	list := slices.DeleteFunc(recordings(t), func(r recording) bool { return !r.stores() })
	inOrder := startServer(t, t.TempDir())
	reference := &player{client: inOrder.client, t: t, uploads: make(map[string]string)}
	for _, r := range list {
		reference.satisfy(&r, r.project())
	}

	rng := rand.New(rand.NewPCG(9, 12))
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	slices.SortStableFunc(list, func(a, b recording) int {
		return cmp.Compare(strings.Count(a.Path, "/feedback"), strings.Count(b.Path, "/feedback"))
	})
	where := onS3(t)
	bucket := where.open(t)
	s := startProgram(t, where, t.TempDir(), "-log.merge-windows=1s,2s,6s", "-compactor.interval=100ms", "-compactor.min-inputs=2",
		"-compactor.grace=1s", "-compactor.delete-after=3s", noCutByAge, fromBlocks)
	p := &player{client: s.client, t: t, uploads: make(map[string]string)}
	for i, r := range list {
		p.satisfy(&r, r.project())
		if i%8 == 7 {
			require.NoError(t, s.flush(t.Context()))
		}
	}
	require.NoError(t, s.flush(t.Context()))
	eventually(t, func() bool {
		names, err := blockNames(t.Context(), bucket)
		require.NoError(t, err)
		merged := make(map[schema.ProjectID]bool)
		for _, name := range names {
			merged[name.Project] = merged[name.Project] || name.Level > 0
		}
		count := 0
		for _, is := range merged {
			if is {
				count++
			}
		}
		return count >= 10
	})
	compared := 0
	for project := range projects(list) {
		want := reference.snapshot(project)
		require.NotEmpty(t, want, project)
		require.Equal(t, want, p.snapshot(project), project)
		compared++
	}
	require.Equal(t, 27, compared)
}

func projects(list []recording) map[string]bool {
	names := make(map[string]bool)
	for _, r := range list {
		names[r.project()] = true
	}
	return names
}

// TestWireRefused sends everything with a key that nobody made, and with one of a project
// that may not send more: the SDKs are told so in a way that they understand, and nothing
// is stored.
func TestWireRefused(t *testing.T) {
	dir := t.TempDir()
	place := inFolder(filepath.Join(dir, "bucket"))
	key := makeKey(t, dir, place, "full")
	code, _, stderr := runProgram(t, "project", "set-limit", "full", "ingest_bytes_per_second", "1", "-data-dir="+dir, "-bucket="+place.url)
	require.Zero(t, code, stderr)
	s := startProgram(t, place, dir, "-auth.mode=keys")

	stranger := &player{client: s.client, t: t, header: http.Header{"Authorization": {"Bearer sk-sl-unknown"}}, uploads: make(map[string]string)}
	guest := &player{client: s.client, t: t, header: http.Header{"Authorization": {"Bearer " + key.secret}}, uploads: make(map[string]string)}
	list := recordings(t)
	first := slices.IndexFunc(list, func(r recording) bool { return r.Path == exportPath })
	require.Equal(t, http.StatusOK, guest.play(&list[first], "").status) // leaves a debt of hours
	before := guest.snapshot("")
	refused := 0
	for _, r := range list {
		if r.protocol == corpus.GRPC {
			requireRefusedGRPC(t, s.client, &r, key.secret)
			continue
		}
		got := stranger.play(&r, "")
		switch {
		case r.Method == http.MethodPut: // has no link to go to
		case r.Path == "/info" || r.Path == "/arize_phoenix_version":
			require.Equal(t, http.StatusOK, got.status, r.name)
		default:
			require.Equal(t, http.StatusUnauthorized, got.status, "%s: %s", r.name, got.body)
			require.Contains(t, string(got.body), "key", r.name)
		}
		if !r.stores() || strings.HasPrefix(r.Path, "/api/public/media") {
			continue
		}
		got = guest.play(&r, "")
		require.Equal(t, http.StatusTooManyRequests, got.status, "%s: %s", r.name, got.body)
		require.Regexp(t, "^[1-9][0-9]*$", got.header.Get("Retry-After"), r.name)
		refused++
	}
	require.Greater(t, refused, 80)
	require.Equal(t, before, guest.snapshot(""))
}

// requireRefusedGRPC requires the same of a call.
func requireRefusedGRPC(t *testing.T, c *client, r *recording, secret string) {
	t.Helper()
	if r.foreign() {
		return // nobody serves it
	}
	for key, want := range map[string]codes.Code{"sk-sl-unknown": codes.Unauthenticated, secret: codes.ResourceExhausted} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+key)
		_, err := c.sendGRPC(ctx, request{protocol: r.protocol, encoding: r.Headers["grpc-encoding"], body: r.body})
		refused := status.Convert(err)
		require.Equal(t, want, refused.Code(), "%s: %v", r.name, err)
		if want == codes.ResourceExhausted {
			require.Len(t, refused.Details(), 1)
			require.IsType(t, (*errdetails.RetryInfo)(nil), refused.Details()[0], r.name)
		}
	}
}
