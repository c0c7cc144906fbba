package ingester_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grafana/dskit/flagext"
	"github.com/grafana/dskit/services"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	logsv1 "go.opentelemetry.io/proto/otlp/logs/v1"
	metricsv1 "go.opentelemetry.io/proto/otlp/metrics/v1"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/ingester"
	bucketmem "github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/wal"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

func startReceiver(tb testing.TB, log *logmem.Log) (*ingester.Receiver, func()) {
	tb.Helper()
	r := ingester.NewReceiver(config(), log, bucketmem.New(), anyProject{}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(tb, services.StartAndAwaitRunning(context.Background(), r))
	return r, func() { require.NoError(tb, services.StopAndAwaitTerminated(context.Background(), r)) }
}

func (w *world) serve(r *ingester.Receiver) *httptest.Server {
	w.t.Helper()
	s := httptest.NewServer(r.Handler())
	w.t.Cleanup(s.Close)
	return s
}

// answer is what a server said, besides its body.
type answer struct {
	StatusCode int
	Header     http.Header
}

// post sends a body with headers given as name, value, name, value.
func post(t *testing.T, url string, body []byte, headers ...string) (answer, []byte) {
	t.Helper()
	a, reply, err := tryPost(t.Context(), url, body, headers...)
	require.NoError(t, err)
	return a, reply
}

func tryPost(ctx context.Context, url string, body []byte, headers ...string) (answer, []byte, error) {
	return tryRequest(ctx, http.MethodPost, url, body, headers...)
}

func tryRequest(ctx context.Context, method, url string, body []byte, headers ...string) (answer, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, nil, err
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, nil, err
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = resp.Body.Close() }()
	reply, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header}, reply, err
}

const (
	contentType     = "Content-Type"
	contentEncoding = "Content-Encoding"
	protobuf        = "application/x-protobuf"
	jsonType        = "application/json"
)

const jsonSpan = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"a0000000000000000000000000000009","spanId":"b000000000000009","name":"span 9"}]}]}]}`

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, err := z.Write(b)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return buf.Bytes()
}

func zstded(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, z.Close()) }()
	return z.EncodeAll(b, nil)
}

func TestHTTPEncodings(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r, b := w.receiver(), w.builder()
	url := w.serve(r).URL + "/v1/traces"
	tests := []struct {
		name     string
		body     []byte
		number   int
		headers  []string
		response string
	}{
		{"protobuf", request(1), 1, []string{contentType, protobuf}, ""},
		{"protobuf with parameters", request(2), 2, []string{contentType, protobuf + "; charset=utf-8"}, ""},
		{"identity", request(3), 3, []string{contentType, protobuf, contentEncoding, "identity"}, ""},
		{"gzip", gzipped(t, request(4)), 4, []string{contentType, protobuf, contentEncoding, "gzip"}, ""},
		{"zstd", zstded(t, request(5)), 5, []string{contentType, protobuf, contentEncoding, "zstd"}, ""},
		{"json", []byte(jsonSpan), 9, []string{contentType, jsonType}, `{"partialSuccess":{}}`},
		{"json gzip", gzipped(t, []byte(jsonSpan)), 9, []string{contentType, jsonType, contentEncoding, "gzip"}, `{"partialSuccess":{}}`},
	}
	for i, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			project := "p" + strconv.Itoa(i)
			for range 2 { // the second time with pooled readers
				resp, body := post(t, url, tc.body, append(tc.headers, ingester.HeaderProject, project)...)
				require.Equal(t, http.StatusOK, resp.StatusCode, string(body))
				require.Equal(t, tc.response, string(body))
				require.True(t, strings.HasPrefix(tc.headers[1], resp.Header.Get(contentType)))
			}
			require.Equal(t, []int{tc.number, tc.number}, w.seen(b, schema.ProjectID(project)))
		})
	}
}

func TestHTTPErrors(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	w.cfg.MaxRequestBytes = 10_000
	w.cfg.MaxInflightBytes = 1 << 20
	r := w.receiver()
	url := w.serve(r).URL
	bomb := bytes.Repeat([]byte{0}, 1<<20)
	tests := []struct {
		name    string
		path    string
		body    []byte
		headers []string
		status  int
		text    string
	}{
		{"no content type", "/v1/traces", request(1), nil, 415, "Content-Type"},
		{"text", "/v1/traces", request(1), []string{contentType, "text/plain"}, 415, "text/plain"},
		{"unknown coding", "/v1/traces", request(1), []string{contentType, protobuf, contentEncoding, "br"}, 415, "br"},
		{"truncated", "/v1/traces", request(1)[:20], []string{contentType, protobuf}, 400, "malformed"},
		{"not gzip", "/v1/traces", request(1), []string{contentType, protobuf, contentEncoding, "gzip"}, 400, "gzip"},
		{"broken gzip", "/v1/traces", gzipped(t, request(1))[:30], []string{contentType, protobuf, contentEncoding, "gzip"}, 400, "read"},
		{"not zstd", "/v1/traces", request(1), []string{contentType, protobuf, contentEncoding, "zstd"}, 400, "read"},
		{"broken json", "/v1/traces", []byte(`{"resourceSpans":[`), []string{contentType, jsonType}, 400, "malformed"},
		{"bad project", "/v1/traces", request(1), []string{contentType, protobuf, ingester.HeaderProject, "A/b"}, 400, "project"},
		{"too large", "/v1/traces", bomb[:10_001], []string{contentType, protobuf}, 413, "10000"},
		{"gzip bomb", "/v1/traces", gzipped(t, bomb), []string{contentType, protobuf, contentEncoding, "gzip"}, 413, "10000"},
		{"zstd bomb", "/v1/traces", zstded(t, bomb), []string{contentType, protobuf, contentEncoding, "zstd"}, 413, "10000"},
		{"deflate bomb", "/v1/traces", deflated(t, bomb), []string{contentType, protobuf, contentEncoding, "deflate"}, 413, "10000"},
		{"broken logs", "/v1/logs", []byte("x"), []string{contentType, protobuf}, 400, "malformed"},
		{"unknown path", "/v1/profiles", nil, []string{contentType, protobuf}, 404, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			resp, body := post(t, url+tc.path, tc.body, tc.headers...)
			require.Equal(t, tc.status, resp.StatusCode, string(body))
			require.Contains(t, string(body), tc.text)
			if tc.status != http.StatusNotFound {
				message := decodeStatus(t, resp, body)
				require.NotEmpty(t, message.GetMessage())
				require.Equal(t, int32(codes.InvalidArgument), message.GetCode())
			}
		})
	}
	require.True(t, w.state(0).Empty())
	resp, _ := post(t, url+"/v1/traces", request(1), contentType, protobuf)
	require.Equal(t, 200, resp.StatusCode, "nothing of the bad requests is left behind")

	get, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/traces", nil)
	require.NoError(t, err)
	reply, err := http.DefaultClient.Do(get)
	require.NoError(t, err)
	require.NoError(t, reply.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, reply.StatusCode)
	http.DefaultClient.CloseIdleConnections()
}

func decodeStatus(t *testing.T, resp answer, body []byte) *spb.Status {
	t.Helper()
	var status spb.Status
	if resp.Header.Get(contentType) == jsonType {
		require.NoError(t, json.Unmarshal(body, &status))
	} else {
		require.NoError(t, proto.Unmarshal(body, &status))
	}
	return &status
}

func TestHTTPLimitIsInclusive(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	body := request(upTo(20)...)
	w.cfg.MaxRequestBytes = flagext.Bytes(len(body))
	url := w.serve(w.receiver()).URL + "/v1/traces"
	resp, _ := post(t, url, body, contentType, protobuf)
	require.Equal(t, 200, resp.StatusCode)
	resp, _ = post(t, url, gzipped(t, body), contentType, protobuf, contentEncoding, "gzip")
	require.Equal(t, 200, resp.StatusCode)
	resp, _ = post(t, url, append(body, request(21)...), contentType, protobuf)
	require.Equal(t, 413, resp.StatusCode)
}

// TestHTTPBodyLimit is for those who receive a body whole, before decompression.
func TestHTTPBodyLimit(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	body := request(upTo(20)...)
	w.cfg.MaxBodyBytes = int64(len(body))
	url := w.serve(w.receiver()).URL + "/v1/traces"
	resp, _ := post(t, url, body, contentType, protobuf)
	require.Equal(t, 200, resp.StatusCode)
	larger := append(body, request(21)...)
	resp, reply := post(t, url, larger, contentType, protobuf)
	require.Equal(t, 413, resp.StatusCode)
	require.Contains(t, decodeStatus(t, resp, reply).GetMessage(), "compress them")
	resp, _ = post(t, url, gzipped(t, larger), contentType, protobuf, contentEncoding, "gzip")
	require.Equal(t, 200, resp.StatusCode)
}

func TestHTTPPartialSuccess(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	url := w.serve(w.receiver()).URL + "/v1/traces"
	bad := appendField(appendField(nil, 1, []byte("short")), 5, []byte("GET /broken"))
	body := append(request(1), appendField(nil, 1, appendField(nil, 2, appendField(nil, 2, bad)))...)
	resp, reply := post(t, url, body, contentType, protobuf)
	require.Equal(t, 200, resp.StatusCode)
	var response collectortrace.ExportTraceServiceResponse
	require.NoError(t, proto.Unmarshal(reply, &response))
	require.EqualValues(t, 1, response.GetPartialSuccess().GetRejectedSpans())
	require.Contains(t, response.GetPartialSuccess().GetErrorMessage(), "GET /broken")

	asJSON := strings.Replace(jsonSpan, "a0000000", "", 1)
	resp, reply = post(t, url, []byte(asJSON), contentType, jsonType)
	require.Equal(t, 200, resp.StatusCode)
	require.Contains(t, string(reply), `"rejectedSpans":"1"`)
	require.Contains(t, string(reply), `span 9`)
}

// SDKs add paths of their own to the address of the server, and some nothing.
func TestHTTPPaths(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r, b := w.receiver(), w.builder()
	url := w.serve(r).URL
	for i, path := range []string{
		"/v1/traces", "/api/public/otel/v1/traces", "/otel/v1/traces", "/otel", "/api/otel/v1/traces", "/api/v1/otel/v1/traces", "/api/v1/otel",
	} {
		project := "p" + strconv.Itoa(i)
		resp, body := post(t, url+path, request(1), contentType, protobuf, ingester.HeaderProject, project)
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", path, body)
		require.Equal(t, []int{1}, w.seen(b, schema.ProjectID(project)), path)
	}
	for _, path := range []string{"/v1", "/api/public/otel/v1", "/otel/", "/otel/v1/traces/", "/api/public/v1/traces", "/traces", "/"} {
		resp, _ := post(t, url+path, request(1), contentType, protobuf)
		require.Equal(t, http.StatusNotFound, resp.StatusCode, path)
	}
	for _, path := range []string{"/api/public/otel/v1/logs", "/otel/v1/metrics"} {
		resp, _ := post(t, url+path, nil, contentType, protobuf)
		require.Equal(t, http.StatusOK, resp.StatusCode, path)
	}
}

// Logs and metrics are refused in the way that makes a Collector say so once
// rather than retry for ever.
func TestOtherSignals(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	url := w.serve(w.receiver()).URL
	logs, err := proto.Marshal(&collectorlogs.ExportLogsServiceRequest{ResourceLogs: []*logsv1.ResourceLogs{
		{ScopeLogs: []*logsv1.ScopeLogs{{LogRecords: []*logsv1.LogRecord{{}, {}}}}},
	}})
	require.NoError(t, err)
	resp, reply := post(t, url+"/v1/logs", logs, contentType, protobuf)
	require.Equal(t, 200, resp.StatusCode)
	var logsResponse collectorlogs.ExportLogsServiceResponse
	require.NoError(t, proto.Unmarshal(reply, &logsResponse))
	require.EqualValues(t, 2, logsResponse.GetPartialSuccess().GetRejectedLogRecords())
	require.NotEmpty(t, logsResponse.GetPartialSuccess().GetErrorMessage())

	metrics, err := proto.Marshal(&collectormetrics.ExportMetricsServiceRequest{ResourceMetrics: []*metricsv1.ResourceMetrics{
		{ScopeMetrics: []*metricsv1.ScopeMetrics{{Metrics: []*metricsv1.Metric{
			{Data: &metricsv1.Metric_Gauge{Gauge: &metricsv1.Gauge{DataPoints: []*metricsv1.NumberDataPoint{{}, {}, {}}}}},
		}}}},
	}})
	require.NoError(t, err)
	resp, reply = post(t, url+"/v1/metrics", metrics, contentType, protobuf)
	require.Equal(t, 200, resp.StatusCode)
	var metricsResponse collectormetrics.ExportMetricsServiceResponse
	require.NoError(t, proto.Unmarshal(reply, &metricsResponse))
	require.EqualValues(t, 3, metricsResponse.GetPartialSuccess().GetRejectedDataPoints())

	resp, reply = post(t, url+"/v1/logs", []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}`), contentType, jsonType)
	require.Equal(t, 200, resp.StatusCode)
	require.Contains(t, string(reply), `"rejectedLogRecords":"1"`)
}

func TestHTTPOverload(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r := w.receiver()
	url := w.serve(r).URL + "/v1/traces"
	for fault, want := range map[error]struct {
		status int
		code   codes.Code
	}{
		wal.ErrFull:        {http.StatusTooManyRequests, codes.ResourceExhausted},
		wal.ErrUnavailable: {http.StatusServiceUnavailable, codes.Unavailable},
	} {
		w.log.Mem(0).SetFaults(logmem.Faults{Before: func(string) error { return fault }})
		resp, body := post(t, url, request(1), contentType, protobuf)
		require.Equal(t, want.status, resp.StatusCode)
		require.Equal(t, int32(want.code), decodeStatus(t, resp, body).GetCode())
		seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		require.NoError(t, err)
		require.GreaterOrEqual(t, seconds, 1)
	}
	w.log.Mem(0).SetFaults(logmem.Faults{})
}

// Requests that are being received count against the budget until answered.
func TestInflightBudget(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	w.cfg.MaxRequestBytes, w.cfg.MaxInflightBytes = 64<<10, 128<<10
	r := w.receiver()
	url := w.serve(r).URL + "/v1/traces"
	released := make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	defer release()
	w.log.Mem(0).SetFaults(logmem.Faults{Before: func(method string) error {
		if method == "Publish" {
			<-released
		}
		return nil
	}})
	done := make(chan int, 2)
	for n := range 2 {
		go func() {
			resp, _, err := tryPost(t.Context(), url, request(n), contentType, protobuf)
			if err != nil {
				resp.StatusCode = -1
			}
			done <- resp.StatusCode
		}()
	}
	require.Eventually(t, func() bool { return ingester.InflightBytes(r) == 128<<10 }, 10*time.Second, time.Millisecond)
	resp, _ := post(t, url, request(5), contentType, protobuf)
	require.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
	require.NotEmpty(t, resp.Header.Get("Retry-After"))
	release()
	require.Equal(t, 200, <-done)
	require.Equal(t, 200, <-done)
	resp, _ = post(t, url, request(6), contentType, protobuf)
	require.Equal(t, 200, resp.StatusCode, "the budget is given back")
}

func TestDrainTime(t *testing.T) {
	require.Equal(t, time.Second, ingester.DrainTime(0, 1e6))
	require.Equal(t, time.Second, ingester.DrainTime(1e6, 1e6))
	require.Equal(t, 2*time.Second, ingester.DrainTime(1e6+1, 1e6))
	require.Equal(t, time.Minute, ingester.DrainTime(1e12, 1e6))
}
