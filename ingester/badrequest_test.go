package ingester_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/ingester"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

const (
	traceExport   = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
	logsExport    = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
	metricsExport = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
)

// call is a gRPC call whose message is any bytes, said to be in an encoding.
func call(t *testing.T, addr, method, encoding string, message []byte) (code codes.Code, text string, reply []byte) {
	t.Helper()
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	if encoding != "" {
		frame[0] = 1
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+method, io.MultiReader(bytes.NewReader(frame), bytes.NewReader(message)))
	require.NoError(t, err)
	req.Header.Set(contentType, "application/grpc")
	req.Header.Set("TE", "trailers")
	req.Header.Set(ingester.HeaderProject, "p")
	if encoding != "" {
		req.Header.Set("Grpc-Encoding", encoding)
	}
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	reply, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	trailer := resp.Trailer
	if resp.Header.Get("Grpc-Status") != "" { // without a message there is one header only
		trailer = resp.Header
	}
	number, err := strconv.Atoi(trailer.Get("Grpc-Status"))
	require.NoError(t, err)
	if len(reply) > 0 {
		reply = reply[len(frame):]
	}
	return codes.Code(number), trailer.Get("Grpc-Message"), reply //nolint:gosec // one of a few
}

// deep is an AnyValue in so many lists of one element.
func deep(levels int) []byte {
	sizes := []int{2}
	for range 2 * levels { // an ArrayValue in an AnyValue, again and again
		inner := sizes[len(sizes)-1]
		sizes = append(sizes, 1+protowire.SizeVarint(uint64(inner))+inner)
	}
	var b []byte
	for i := len(sizes) - 1; i > 0; i-- {
		field := protowire.Number(1) // ArrayValue.values
		if i%2 == 0 {
			field = 5 // AnyValue.array_value
		}
		b = protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(sizes[i-1]))
	}
	return append(b, 2<<3, 1) // bool_value
}

// deepBodies hold a value so deep that a decoder which follows it runs out of
// stack, which ends a Go process whatever it recovers from.
func deepBodies(levels int) (spans, logs, metrics []byte) {
	attribute := appendField(appendField(nil, 1, []byte("deep")), 2, deep(levels))
	spans = appendField(nil, 1, appendField(nil, 2, appendField(nil, 2, appendField(span(7, "span 7"), 9, attribute))))
	logs = appendField(nil, 1, appendField(nil, 2, appendField(nil, 2, appendField(nil, 5, deep(levels)))))
	point := appendField(nil, 7, attribute)
	metrics = appendField(nil, 1, appendField(nil, 2, appendField(nil, 2, appendField(nil, 5, appendField(nil, 1, point)))))
	return spans, logs, metrics
}

// badRequest is a request that is refused, or takes nothing in.
type badRequest struct {
	name    string
	method  string // default POST
	path    string // default /v1/traces
	body    []byte
	headers []string // default Content-Type: protobuf
	status  int
	text    string
	allow   string
}

// Whatever arrives is answered with the right status and a reason, and the
// server works as before.
func TestBadRequests(t *testing.T) {
	good := request(1)
	deepSpans, deepLogs, deepMetrics := deepBodies(2_000_000 / thinning)
	nest := func(open, inner, end string) []byte {
		const levels = 1_000_000 / thinning
		return []byte(strings.Repeat(open, levels) + inner + strings.Repeat(end, levels))
	}
	asJSON := []string{contentType, jsonType}
	logsJSON := append(append([]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":`),
		nest(`{"arrayValue":{"values":[`, `{"boolValue":true}`, `]}}`)...), `}]}]}]}`...)
	metricsJSON := append(append([]byte(`{"resourceMetrics":`), nest("[", "", "]")...), '}')
	tests := []badRequest{
		{name: "truncated", body: good[:20], status: 400, text: "malformed"},
		{name: "truncated in a length", body: append(bytes.Clone(good), 0x0a, 0xff), status: 400, text: "malformed"},
		{name: "text as protobuf", body: []byte("hello"), status: 400, text: "malformed"},
		{name: "truncated JSON", body: []byte(jsonSpan[:60]), headers: asJSON, status: 400, text: "malformed"},
		{name: "protobuf as JSON", body: good, headers: asJSON, status: 400, text: "malformed"},
		{name: "no content type", body: good, headers: []string{}, status: 415, text: "Content-Type"},
		{name: "wrong content type", body: good, headers: []string{contentType, "text/plain"}, status: 415, text: "text/plain"},
		{name: "broken content type", body: good, headers: []string{contentType, "a/b/c;;"}, status: 415, text: "a/b/c"},
		{name: "unknown coding", body: good, headers: []string{contentType, protobuf, contentEncoding, "br"}, status: 415, text: "br"},
		{name: "no gzip", body: good, headers: []string{contentType, protobuf, contentEncoding, "gzip"}, status: 400, text: "gzip"},
		{name: "truncated gzip", body: gzipped(t, good)[:30], headers: []string{contentType, protobuf, contentEncoding, "gzip"}, status: 400, text: "read"},
		{name: "truncated zstd", body: zstded(t, good)[:20], headers: []string{contentType, protobuf, contentEncoding, "zstd"}, status: 400, text: "read"},
		{name: "bad project", body: good, headers: []string{contentType, protobuf, ingester.HeaderProject, "../x"}, status: 400, text: "project"},
		{name: "unknown path", path: "/v1/profiles", body: good, status: 404, text: "/v1/profiles"},
		{name: "unknown path in JSON", path: "/v1/trace", body: []byte(jsonSpan), headers: asJSON, status: 404, text: "/v1/traces"},
		{name: "unknown path by hand", method: http.MethodGet, path: "/", headers: []string{}, status: 404, text: "send OTLP traces to /v1/traces"},
		{name: "GET", method: http.MethodGet, headers: []string{}, status: 405, text: "want POST", allow: "POST"},
		{name: "PUT", method: http.MethodPut, body: good, status: 405, text: "want POST", allow: "POST"},
		{name: "DELETE", method: http.MethodDelete, path: "/v1/logs", headers: asJSON, status: 405, text: "want POST", allow: "POST"},
		{name: "deep value", body: deepSpans, status: 200, text: "deep"},
		{name: "deep log record", path: "/v1/logs", body: deepLogs, status: 200, text: "traces only"},
		{name: "deep data point", path: "/v1/metrics", body: deepMetrics, status: 200, text: "traces only"},
		{name: "deep JSON", body: nest(`{"a":`, "1", "}"), headers: asJSON, status: 400, text: "deep"},
		{name: "deep JSON log record", path: "/v1/logs", body: logsJSON, headers: asJSON, status: 400, text: "depth"},
		{name: "deep JSON data point", path: "/v1/metrics", body: metricsJSON, headers: asJSON, status: 400, text: "depth"},
		{name: "broken logs", path: "/v1/logs", body: []byte("x"), status: 400, text: "malformed"},
		{name: "broken metrics", path: "/v1/metrics", body: append(slices.Clip(deepMetrics), 0x0a, 5), status: 400, text: "malformed"},
	}
	w := newWorld(t, logmem.Options{})
	r, b := w.receiver(), w.builder()
	url := w.serve(r).URL
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			resp, body := w.request(url, tc)
			require.Equal(t, tc.status, resp.StatusCode, string(body))
			require.Contains(t, string(body), tc.text)
			require.Equal(t, tc.allow, resp.Header.Get("Allow"))
			require.Zero(t, ingester.InflightBytes(r))
			w.requireWorking(url+"/v1/traces", b)
		})
	}
}

func (w *world) request(url string, tc badRequest) (answer, []byte) {
	w.t.Helper()
	method, path, headers := tc.method, tc.path, tc.headers
	if method == "" {
		method = http.MethodPost
	}
	if path == "" {
		path = "/v1/traces"
	}
	if headers == nil {
		headers = []string{contentType, protobuf}
	}
	a, reply, err := tryRequest(w.t.Context(), method, url+path, tc.body, headers...)
	require.NoError(w.t, err)
	return a, reply
}

// requireWorking sends a good request and finds it.
func (w *world) requireWorking(url string, b builder) {
	w.t.Helper()
	w.sent++
	project := schema.ProjectID("good" + strconv.Itoa(w.sent))
	resp, body := post(w.t, url, request(w.sent), contentType, protobuf, ingester.HeaderProject, string(project))
	require.Equal(w.t, 200, resp.StatusCode, string(body))
	require.Empty(w.t, body)
	require.Equal(w.t, []int{w.sent}, w.seen(b, project))
}

// The same over gRPC.
func TestBadCalls(t *testing.T) {
	good := request(1)
	deepSpans, deepLogs, deepMetrics := deepBodies(2_000_000 / thinning)
	tests := []struct {
		name     string
		method   string
		encoding string
		message  []byte
		code     codes.Code
		text     string
	}{
		{"truncated", traceExport, "", good[:20], codes.InvalidArgument, "malformed"},
		{"text", traceExport, "", []byte("hello"), codes.InvalidArgument, "malformed"},
		{"no gzip", traceExport, "gzip", good, codes.Internal, "decompress"},
		{"truncated gzip", traceExport, "gzip", gzipped(t, good)[:30], codes.Internal, "decompress"},
		{"truncated zstd", traceExport, "zstd", zstded(t, good)[:20], codes.Internal, "decompress"},
		{"unknown coding", traceExport, "br", good, codes.Unimplemented, "br"},
		{"unknown service", "/opentelemetry.proto.collector.profiles.v1.ProfilesService/Export", "", good, codes.Unimplemented, "unknown service"},
		{"unknown method", traceExport + "Twice", "", good, codes.Unimplemented, "unknown method"},
		{"deep value", traceExport, "", deepSpans, codes.OK, ""},
		{"deep log record", logsExport, "", deepLogs, codes.OK, ""},
		{"deep data point", metricsExport, "", deepMetrics, codes.OK, ""},
		{"broken logs", logsExport, "", []byte("x"), codes.InvalidArgument, "malformed"},
	}
	w := newWorld(t, logmem.Options{})
	r, b := w.receiver(), w.builder()
	addr, url := w.dial(r).Target(), w.serve(r).URL
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			code, text, _ := call(t, addr, tc.method, tc.encoding, tc.message)
			require.Equal(t, tc.code, code, text)
			require.Contains(t, text, tc.text)
			require.Zero(t, ingester.InflightBytes(r))
			w.requireWorking(url+"/v1/traces", b)
		})
	}
	code, text, _ := call(t, addr, traceExport, "", good)
	require.Equal(t, codes.OK, code, text)
}
