package e2e_test

import (
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spanlake/spanlake/internal/corpus"
)

// refusedAs returns how a request was refused: a status of HTTP, or of gRPC as the one
// of HTTP that means the same.
func refusedAs(t *testing.T, err error) (code int, retryAfter string) {
	t.Helper()
	if refused, ok := errors.AsType[*refusedError](err); ok {
		return refused.status, refused.retryAfter
	}
	switch status.Code(err) {
	case codes.Unauthenticated:
		return http.StatusUnauthorized, ""
	case codes.ResourceExhausted:
		require.Len(t, status.Convert(err).Details(), 1, "no RetryInfo")
		return http.StatusTooManyRequests, "1"
	}
	require.Fail(t, "not refused", "%v", err)
	return 0, ""
}

func asCaptured(c *corpus.Capture, project string) request {
	r := request{protocol: c.Protocol, project: project, header: c.Header, encoding: c.Header["content-encoding"], path: c.Path, body: c.Body}
	if c.Protocol == corpus.GRPC {
		r.encoding = c.Header["grpc-encoding"]
	}
	return r
}

// TestCapturesWithAWrongKey: what SDKs send with keys that nobody has given out is
// refused, and nothing of it is stored.
func TestCapturesWithAWrongKey(t *testing.T) {
	captures, err := corpus.Captures()
	require.NoError(t, err)
	dir := t.TempDir()
	s := startServer(t, dir, "-auth.mode=keys")
	for i := range captures {
		for _, header := range []map[string]string{{"authorization": "Bearer wrong"}, {"x-api-key": "wrong"}, {"authorization": "Basic cGstd3Jvbmc6c2std3Jvbmc="}} {
			r := asCaptured(&captures[i], "")
			if r.protocol != corpus.GRPC { // a call has no key
				r.header = map[string]string{"content-type": captures[i].Header["content-type"]}
				maps.Copy(r.header, header)
			}
			code, _ := refusedAs(t, s.export(t.Context(), r))
			require.Equal(t, http.StatusUnauthorized, code, captures[i].Name)
		}
	}
	s.stop()
	s = startServer(t, dir)
	require.NoError(t, s.flush(t.Context())) // stores what is in the log, of whichever project
	require.Empty(t, storedBlocks(t, dir))
	require.NoError(t, s.export(t.Context(), asCaptured(&captures[0], "")))
	require.NoError(t, s.flush(t.Context()))
	require.NotEmpty(t, storedBlocks(t, dir), "blocks are looked for where they are")
}

func storedBlocks(t *testing.T, dir string) (files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(path, "/blocks/") {
			files = append(files, path)
		}
		return err
	}))
	return files
}

// TestCapturesThatAreTooMuch: SDKs are told when to send again, and what is refused is
// not stored.
func TestCapturesThatAreTooMuch(t *testing.T) {
	captures, err := corpus.Captures()
	require.NoError(t, err)
	s := startServer(t, t.TempDir(), fromBlocks)
	got, err := s.do(t.Context(), http.MethodPost, "http://"+s.api+"/api/projects", http.Header{"Content-Type": {acceptJSON}},
		[]byte(`{"name":"slow","limits":{"ingest_bytes_per_second":1}}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.status, string(got.body))
	first := asCaptured(&captures[0], "slow")
	require.NoError(t, s.export(t.Context(), first), "the first leaves a debt")
	for i := range captures {
		code, retryAfter := refusedAs(t, s.export(t.Context(), asCaptured(&captures[i], "slow")))
		require.Equal(t, http.StatusTooManyRequests, code, captures[i].Name)
		seconds, err := strconv.Atoi(retryAfter)
		require.NoError(t, err)
		require.Positive(t, seconds)
	}
	require.NoError(t, s.flush(t.Context()))
	data := decodeOTLP(t, captures[0].Protocol, decompress(t, first.encoding, captures[0].Body))
	want := newShipment(t, "slow", nil, nil, data)
	requireSearch(t, s.client, want, "{ }", want.want)
}

// TestServiceOfPhoenix: its SDKs name a project instead of a service; searches and
// lists have it as one, live and from blocks.
func TestServiceOfPhoenix(t *testing.T) {
	captures, err := corpus.Captures()
	require.NoError(t, err)
	s := startServer(t, t.TempDir(), fromBlocks)
	for i := range captures {
		if captures[i].Name != "openinference-js/01-oi-phoenix-otel-post-v1-traces" {
			continue
		}
		r := asCaptured(&captures[i], "phoenix")
		require.NoError(t, s.export(t.Context(), r))
		data := decodeOTLP(t, r.protocol, decompress(t, r.encoding, r.body))
		project := ""
		for _, a := range data.GetResourceSpans()[0].GetResource().GetAttributes() {
			require.NotEqual(t, "service.name", a.GetKey())
			if a.GetKey() == "openinference.project.name" {
				project = a.GetValue().GetStringValue()
			}
		}
		require.NotEmpty(t, project)
		want := newShipment(t, "phoenix", nil, nil, data)
		for range 2 {
			requireSearch(t, s.client, want, `{ resource.service.name = "`+project+`" }`, want.want)
			got, err := s.get(t.Context(), "phoenix", "/api/v2/search/tag/resource.service.name/values?start="+
				strconv.FormatInt(want.within.start, 10)+"&end="+strconv.FormatInt(want.within.end, 10))
			require.NoError(t, err)
			require.Contains(t, string(got.body), `"value":"`+project+`"`)
			require.NoError(t, s.flush(t.Context()))
		}
		return
	}
	require.Fail(t, "the capture is missing")
}
