package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/corpus"
)

// The ids of the spans that the tests of the API send. The first has leading
// zeros and letters.
const (
	shortTraceID = "00000000000000000000000000abc12f"
	longTraceID  = "0af7651916cd43dd8448eb211c80319c"
	otherProject = "another"
)

// jsonSpan is an export request with one span without a parent. Its resource
// has an attribute only if service is not empty.
func jsonSpan(traceID, spanID, service string) request {
	attributes := ""
	if service != "" {
		attributes = fmt.Sprintf(`{"key":"service.name","value":{"stringValue":%q}}`, service)
	}
	return request{protocol: corpus.HTTPJSON, body: fmt.Appendf(nil,
		`{"resourceSpans":[{"resource":{"attributes":[%s]},"scopeSpans":[{"spans":[{"traceId":%q,"spanId":%q,"name":"GET /","kind":2,`+
			`"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000001500000000"}]}]}]}`, attributes, traceID, spanID)}
}

// startWithTraces starts a server that has the two traces, live or in blocks.
func startWithTraces(t *testing.T, inBlocks bool) *client {
	t.Helper()
	s := startServer(t, t.TempDir(), fromBlocks, noCutByAge)
	require.NoError(t, s.export(t.Context(), jsonSpan(shortTraceID, "00000000000000a1", "shop")))
	require.NoError(t, s.export(t.Context(), jsonSpan(longTraceID, "00000000000000a1", "")))
	if inBlocks {
		require.NoError(t, s.flush(t.Context()))
	}
	return s.client
}

// TestTraceLookup covers the rules of Tempo's API around a trace by id, whose
// breach breaks the data source.
func TestTraceLookup(t *testing.T) {
	for name, inBlocks := range map[string]bool{"live": false, "from blocks": true} {
		t.Run(name, func(t *testing.T) {
			c := startWithTraces(t, inBlocks)
			t.Run("ids", func(t *testing.T) { testIDs(t, c) })
			t.Run("not found", func(t *testing.T) { testNotFound(t, c) })
			t.Run("negotiation", func(t *testing.T) { testNegotiation(t, c) })
			t.Run("compression", func(t *testing.T) { testCompression(t, c) })
		})
	}
}

func testIDs(t *testing.T, c *client) {
	t.Helper()
	for _, tc := range []struct {
		name, id string
		status   int
	}{
		{"full", shortTraceID, http.StatusOK},
		{"without leading zeros", "abc12f", http.StatusOK},
		{"odd length", "0abc12f", http.StatusOK},
		{"upper case", "ABC12F", http.StatusOK},
		{"mixed case", "0000aBc12F", http.StatusOK},
		{"full, upper case", strings.ToUpper(longTraceID), http.StatusOK},
		{"odd length, full", longTraceID[1:], http.StatusOK},
		{"no hex", "zz", http.StatusBadRequest},
		{"one digit is none", longTraceID[:31] + "g", http.StatusBadRequest},
		{"too long", longTraceID + "0000", http.StatusBadRequest},
		{"too long by zeros", "0" + shortTraceID, http.StatusBadRequest},
		{"start alone", shortTraceID + "?start=1600000000", http.StatusOK},
		{"range", shortTraceID + "?start=1600000000&end=1800000000", http.StatusOK},
		{"end before start", shortTraceID + "?start=1800000000&end=1600000000", http.StatusBadRequest},
		{"end is start", shortTraceID + "?start=1700000000&end=1700000000", http.StatusBadRequest},
		{"start is no number", shortTraceID + "?start=soon&end=1800000000", http.StatusBadRequest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, f := range forms() {
				got, err := c.get(t.Context(), "", f.path(tc.id), "Accept", f.accept)
				require.NoError(t, err)
				require.Equal(t, tc.status, got.status, "%s: %s", f, got.body)
				if tc.status != http.StatusOK {
					require.NotEmpty(t, got.body, "an error without a reason")
					continue
				}
				data, err := f.decode(got.body)
				require.NoError(t, err)
				require.NoError(t, requireMembers(data))
				require.Len(t, onlyTrace(t, data), 1)
			}
		})
	}
}

// A trace that is not there is answered in the same way whether it never was
// or belongs to another project.
func testNotFound(t *testing.T, c *client) {
	t.Helper()
	for name, tc := range map[string]struct{ project, id string }{
		"unknown":            {"", "dead"},
		"of another project": {otherProject, longTraceID},
	} {
		t.Run(name, func(t *testing.T) {
			for _, accept := range []string{acceptJSON, acceptProtobuf} {
				got, err := c.get(t.Context(), tc.project, "/api/traces/"+tc.id, "Accept", accept)
				require.NoError(t, err)
				require.Equal(t, http.StatusNotFound, got.status)
				require.Empty(t, got.body)
			}
			got, err := c.get(t.Context(), tc.project, "/api/v2/traces/"+tc.id, "Accept", acceptJSON)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, got.status)
			require.Equal(t, []string{acceptJSON}, got.header.Values("Content-Type"))
			require.Equal(t, `{"trace":{},"metrics":{}}`, string(got.body)) //nolint:testifylint // byte for byte
			got, err = c.get(t.Context(), tc.project, "/api/v2/traces/"+tc.id, "Accept", acceptProtobuf)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, got.status)
			trace, err := decodeV2Protobuf(got.body)
			require.NoError(t, err)
			require.Empty(t, trace)
		})
	}
	t.Run("project with a bad name", func(t *testing.T) {
		for _, f := range forms() {
			got, err := c.get(t.Context(), "No/Project", f.path(longTraceID))
			require.NoError(t, err)
			require.Equal(t, http.StatusBadRequest, got.status)
		}
	})
}

func testNegotiation(t *testing.T, c *client) {
	t.Helper()
	for _, tc := range []struct{ accept, contentType string }{
		{"", acceptJSON},
		{"*/*", acceptJSON},
		{acceptJSON, acceptJSON},
		{acceptProtobuf, acceptProtobuf},
		{acceptJSON + ", " + acceptProtobuf, acceptProtobuf},
		{acceptProtobuf + ";q=0.5, " + acceptJSON, acceptProtobuf},
		{"text/html", acceptJSON},
	} {
		for _, version := range []string{"v1", "v2"} {
			f := form{version, tc.contentType}
			got, err := c.get(t.Context(), "", f.path(longTraceID), "Accept", tc.accept)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, got.status)
			require.Equal(t, tc.contentType, got.header.Get("Content-Type"), tc.accept)
			data, err := f.decode(got.body)
			require.NoError(t, err)
			require.Len(t, onlyTrace(t, data), 1)
		}
	}
	for version, contentType := range map[string]string{"v1": acceptJSON, "v2": "application/vnd.grafana.llm+json"} {
		got, err := c.get(t.Context(), "", form{version, acceptJSON}.path(longTraceID), "Accept", "application/vnd.grafana.llm")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, contentType, got.header.Get("Content-Type"))
		require.True(t, json.Valid(got.body), version)
	}
}

// testCompression reads a trace that is large enough to be worth compressing.
func testCompression(t *testing.T, c *client) {
	t.Helper()
	large := &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{}}}}}
	for i := range 100 {
		ss := large.ResourceSpans[0].ScopeSpans[0]
		ss.Spans = append(ss.Spans, &tracepb.Span{
			TraceId: bytes.Repeat([]byte{9}, 16), SpanId: fmt.Appendf(nil, "%08d", i), Name: "one of many",
			StartTimeUnixNano: 1, EndTimeUnixNano: 2,
		})
	}
	body, err := proto.Marshal(large)
	require.NoError(t, err)
	require.NoError(t, c.export(t.Context(), request{protocol: corpus.HTTPProtobuf, body: body}))
	want := onlyTrace(t, large)
	for _, f := range forms() {
		got, err := c.get(t.Context(), "", f.path(strings.Repeat("09", 16)), "Accept", f.accept, "Accept-Encoding", "gzip")
		require.NoError(t, err)
		require.Equal(t, "gzip", got.header.Get("Content-Encoding"), f)
		require.Contains(t, got.header.Get("Vary"), "Accept-Encoding")
		require.Equal(t, f.accept, got.header.Get("Content-Type"))
		r, err := gzip.NewReader(bytes.NewReader(got.body))
		require.NoError(t, err)
		plain, err := io.ReadAll(r)
		require.NoError(t, err)
		data, err := f.decode(plain)
		require.NoError(t, err)
		require.Empty(t, differ(want, onlyTrace(t, data)))

		got, err = c.get(t.Context(), "", f.path(strings.Repeat("09", 16)), "Accept", f.accept)
		require.NoError(t, err)
		require.Empty(t, got.header.Get("Content-Encoding"))
		require.Equal(t, plain, got.body)
	}
}

// TestStatusPaths covers what monitors and data sources ask first.
func TestStatusPaths(t *testing.T) {
	c := startWithTraces(t, false)
	for _, tc := range []struct {
		path   string
		status int
		body   string // what the body begins with
	}{
		{"/api/echo", http.StatusOK, "echo\n"},
		{"/ready", http.StatusOK, "ready"},
		{"/metrics", http.StatusOK, "# HELP"},
		{"/api/status/buildinfo", http.StatusOK, `{"version":`},
		{"/api/search?limit=0", http.StatusBadRequest, ""},
		{"/api/search?spss=101", http.StatusBadRequest, ""},
		{"/api/search?start=1", http.StatusBadRequest, ""},
		{"/api/search?start=2&end=1", http.StatusBadRequest, ""},
		{"/api/search?start=1&end=1000000", http.StatusBadRequest, ""}, // more than a week
		{"/api/search?q=%7B", http.StatusBadRequest, "invalid TraceQL query"},
		{"/api/nothing", http.StatusNotFound, ""},
	} {
		got, err := c.get(t.Context(), "", tc.path)
		require.NoError(t, err)
		require.Equal(t, tc.status, got.status, "%s: %s", tc.path, got.body)
		require.True(t, strings.HasPrefix(string(got.body), tc.body), "%s: %.100s", tc.path, got.body)
	}
}
