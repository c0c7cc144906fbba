package e2e_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that rawCodec decodes replies with
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/corpus"
)

const (
	headerProject = "X-Scope-OrgID"
	exportMethod  = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
	exportPath    = "/v1/traces"

	acceptJSON     = "application/json"
	acceptProtobuf = "application/protobuf"
)

// endpoints are the addresses of a running server, each as host:port.
type endpoints struct{ api, grpc, http string }

// client talks to a server over sockets of its own. Safe for concurrent use.
type client struct {
	endpoints

	http *http.Client
	conn *grpc.ClientConn
}

// newClient returns a client whose connections end with the test or, earlier,
// with close.
func newClient(t *testing.T, e endpoints) *client {
	t.Helper()
	conn, err := grpc.NewClient(e.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	c := &client{
		endpoints: e, conn: conn,
		// Without the transport's own compression, so that a test sees what it asked for.
		http: &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}},
	}
	t.Cleanup(c.close)
	return c
}

// close may be called again.
func (c *client) close() {
	c.http.CloseIdleConnections()
	_ = c.conn.Close() // the error is that it was closed before
}

// request is an OTLP export request as bytes.
type request struct {
	protocol corpus.Protocol
	project  string // empty: none is named
	encoding string // HTTP's Content-Encoding, or gRPC's compressor; empty: none
	header   map[string]string
	path     string // of HTTP; empty: exportPath
	body     []byte // with HTTP compressed already, with gRPC not yet
}

// refusedError is the answer of a server that did not store some or all spans.
type refusedError struct {
	status     int // of HTTP
	text       string
	retryAfter string // the header
}

func (e *refusedError) Error() string { return fmt.Sprintf("refused: %d %s", e.status, e.text) }

// export sends r and returns nil when the server has acknowledged every span.
func (c *client) export(ctx context.Context, r request) error {
	reply, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	if partial := reply.GetPartialSuccess(); partial.GetRejectedSpans() != 0 || partial.GetErrorMessage() != "" {
		return &refusedError{status: http.StatusOK, text: partial.String()}
	}
	return nil
}

func (c *client) send(ctx context.Context, r request) (*coltracepb.ExportTraceServiceResponse, error) {
	if r.protocol == corpus.GRPC {
		return c.sendGRPC(ctx, r)
	}
	return c.sendHTTP(ctx, r)
}

func (c *client) sendHTTP(ctx context.Context, r request) (*coltracepb.ExportTraceServiceResponse, error) {
	contentType, decode := "application/x-protobuf", proto.Unmarshal
	if r.protocol == corpus.HTTPJSON {
		contentType, decode = acceptJSON, protojson.Unmarshal
	}
	header := http.Header{"Content-Type": {contentType}}
	for key, value := range r.header {
		header.Set(key, value)
	}
	if r.project != "" {
		header.Set(headerProject, r.project)
	}
	if r.encoding != "" {
		header.Set("Content-Encoding", r.encoding)
	}
	got, err := c.do(ctx, http.MethodPost, "http://"+c.endpoints.http+cmp.Or(r.path, exportPath), header, r.body)
	if err != nil {
		return nil, err
	}
	if got.status != http.StatusOK {
		return nil, &refusedError{got.status, string(got.body), got.header.Get("Retry-After")}
	}
	if got := got.header.Get("Content-Type"); got != contentType {
		return nil, fmt.Errorf("a request of type %s was answered with %s", contentType, got)
	}
	var reply coltracepb.ExportTraceServiceResponse
	if err := decode(got.body, &reply); err != nil {
		return nil, fmt.Errorf("decode the reply %q: %w", got.body, err)
	}
	return &reply, nil
}

func (c *client) sendGRPC(ctx context.Context, r request) (*coltracepb.ExportTraceServiceResponse, error) {
	if r.project != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, headerProject, r.project)
	}
	options := []grpc.CallOption{grpc.ForceCodecV2(rawCodec{encoding.GetCodecV2("proto")})}
	if r.encoding != "" {
		options = append(options, grpc.UseCompressor(r.encoding))
	}
	var reply coltracepb.ExportTraceServiceResponse
	if err := c.conn.Invoke(ctx, exportMethod, r.body, &reply, options...); err != nil {
		return nil, err
	}
	return &reply, nil
}

// rawCodec sends a message that is bytes already.
type rawCodec struct{ encoding.CodecV2 }

func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if raw, ok := v.([]byte); ok {
		return mem.BufferSlice{mem.SliceBuffer(raw)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// answer is an HTTP response.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// get asks the API. header holds pairs of key and value.
func (c *client) get(ctx context.Context, project, path string, header ...string) (answer, error) {
	h := http.Header{}
	if project != "" {
		h.Set(headerProject, project)
	}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return c.do(ctx, http.MethodGet, "http://"+c.api+path, h, nil)
}

// flush returns when everything acknowledged before is in blocks.
func (c *client) flush(ctx context.Context) error {
	got, err := c.do(ctx, http.MethodPost, "http://"+c.api+"/flush", nil, nil)
	if err == nil && got.status != http.StatusNoContent {
		err = fmt.Errorf("flush was answered with %d %s", got.status, got.body)
	}
	return err
}

// blocksOpened is how many blocks queries have opened.
func (c *client) blocksOpened(t *testing.T) float64 {
	t.Helper()
	return c.metric(t, "spanlake_querier_blocks_opened_total")
}

// metric is the value of a metric, whose labels are part of its name.
func (c *client) metric(t *testing.T, name string) (value float64) {
	t.Helper()
	got, err := c.get(t.Context(), "", "/metrics")
	require.NoError(t, err)
	_, line, found := strings.Cut(string(got.body), "\n"+name+" ")
	require.True(t, found, name)
	_, err = fmt.Sscan(line, &value)
	require.NoError(t, err)
	return value
}

func (c *client) do(ctx context.Context, method, url string, header http.Header, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if header != nil {
		req.Header = header
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, content}, err
}
