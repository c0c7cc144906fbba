package e2e_test

import (
	"encoding/base64"
	"encoding/json"
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
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/corpus"
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
		r.Program = regexp.MustCompile(`/\d+-(\w+)-`).FindStringSubmatch(c.Name)[1]
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

// elsewhere says whether it is about what spanlake does not have: prompts, data sets, runs and
// spans to be read by LangSmith's and Phoenix' APIs.
func (r *recording) elsewhere() bool {
	return regexp.MustCompile(`^/api/public/(v2/prompts|v2/datasets|dataset-)|^/v1/projects/`).MatchString(r.Path) ||
		r.Method == http.MethodGet && regexp.MustCompile(`^/runs/`).MatchString(r.Path)
}

// foreign says whether it is logs or metrics, which are answered and not kept.
func (r *recording) foreign() bool {
	return regexp.MustCompile(`^/v1/(logs|metrics)$|LogsService`).MatchString(r.Path)
}

// reads says whether it reads traces by Langfuse's API.
func (r *recording) reads() bool {
	return r.Method == http.MethodGet && regexp.MustCompile(`^/api/public/(v2/)?(traces|sessions|observations)`).MatchString(r.Path)
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
	if r.reads() && got.status == http.StatusNotFound { // the SDK was told of a trace that it had not sent
		require.Contains(p.t, string(got.body), "LangfuseNotFoundError", r.name)
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

// snapshot is all that a project has, as text, sorted.
func (p *player) snapshot(project string) string {
	p.t.Helper()
	ids := make(map[string]bool)
	now := time.Now().Unix() // when annotations are given
	for _, within := range [][2]int64{{1_795_132_800, 1_795_392_000}, {now - 3600, now + 3600}} {
		params := url.Values{"q": {"{}"}, "limit": {"1000"}, "start": {strconv.FormatInt(within[0], 10)}, "end": {strconv.FormatInt(within[1], 10)}}
		got, err := p.get(p.t.Context(), project, "/api/search?"+params.Encode())
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
		got, err := p.get(p.t.Context(), project, "/api/v2/traces/"+id, "Accept", acceptProtobuf)
		require.NoError(p.t, err)
		require.Equal(p.t, http.StatusOK, got.status, string(got.body))
		_, _, n := protowire.ConsumeTag(got.body)
		message, _ := protowire.ConsumeBytes(got.body[n:])
		var data tracepb.TracesData
		require.NoError(p.t, proto.Unmarshal(message, &data))
		for _, one := range spanBySpan(&data) {
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
	for _, r := range list {
		first[r.project()] = ""
	}
	for project := range first {
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
