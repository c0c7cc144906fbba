package ingester_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/wal"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
)

// dial serves r over a real socket and connects to it.
func (w *world) dial(r *ingester.Receiver) *grpc.ClientConn {
	w.t.Helper()
	server := grpc.NewServer(r.ServerOptions()...)
	r.RegisterGRPC(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's socket
	require.NoError(w.t, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(w.t, err)
	w.t.Cleanup(func() {
		require.NoError(w.t, conn.Close())
		server.Stop()
		require.NoError(w.t, <-served)
	})
	return conn
}

func traceRequest(t *testing.T, body []byte) *collectortrace.ExportTraceServiceRequest {
	t.Helper()
	req := new(collectortrace.ExportTraceServiceRequest)
	require.NoError(t, proto.Unmarshal(body, req))
	return req
}

func TestGRPC(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r, b := w.receiver(), w.builder()
	client := collectortrace.NewTraceServiceClient(w.dial(r))
	ctx := metadata.AppendToOutgoingContext(t.Context(), ingester.HeaderProject, "p")
	for i, options := range [][]grpc.CallOption{nil, {grpc.UseCompressor("gzip")}, {grpc.UseCompressor("zstd")}, {grpc.UseCompressor("zstd")}} {
		resp, err := client.Export(ctx, traceRequest(t, request(i)), options...)
		require.NoError(t, err)
		require.Nil(t, resp.GetPartialSuccess())
	}
	require.Equal(t, upTo(4), w.seen(b, "p"))

	req := traceRequest(t, request(5))
	req.ResourceSpans[0].ScopeSpans[0].Spans[0].TraceId = []byte("short")
	resp, err := client.Export(ctx, req)
	require.NoError(t, err)
	require.EqualValues(t, 1, resp.GetPartialSuccess().GetRejectedSpans())
	require.NotEmpty(t, resp.GetPartialSuccess().GetErrorMessage())
}

func TestGRPCOtherSignals(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	conn := w.dial(w.receiver())
	_, err := collectorlogs.NewLogsServiceClient(conn).Export(t.Context(), &collectorlogs.ExportLogsServiceRequest{})
	require.NoError(t, err)
	resp, err := collectormetrics.NewMetricsServiceClient(conn).Export(t.Context(), &collectormetrics.ExportMetricsServiceRequest{})
	require.NoError(t, err)
	require.NotEmpty(t, resp.GetPartialSuccess().GetErrorMessage())
}

func TestGRPCErrors(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	w.cfg.MaxRequestBytes = 10_000
	r := w.receiver()
	client := collectortrace.NewTraceServiceClient(w.dial(r))

	ctx := metadata.AppendToOutgoingContext(t.Context(), ingester.HeaderProject, "A B")
	_, err := client.Export(ctx, traceRequest(t, request(1)))
	require.Equal(t, codes.InvalidArgument, status.Code(err))

	large := traceRequest(t, request(upTo(1000)...))
	for _, options := range [][]grpc.CallOption{nil, {grpc.UseCompressor("gzip")}, {grpc.UseCompressor("zstd")}} {
		_, err = client.Export(t.Context(), large, options...)
		require.Equal(t, codes.ResourceExhausted, status.Code(err))
		require.Empty(t, status.Convert(err).Details(), "no hint to retry: it would never fit")
	}

	for fault, code := range map[error]codes.Code{
		wal.ErrFull: codes.ResourceExhausted, wal.ErrUnavailable: codes.Unavailable, wal.ErrUnknownOutcome: codes.Unavailable,
	} {
		w.log.Mem(0).SetFaults(logmem.Faults{Before: func(string) error { return fault }})
		_, err = client.Export(t.Context(), traceRequest(t, request(1)))
		require.Equal(t, code, status.Code(err))
		require.Len(t, status.Convert(err).Details(), 1)
		info, ok := status.Convert(err).Details()[0].(*errdetails.RetryInfo)
		require.True(t, ok)
		require.Positive(t, info.GetRetryDelay().AsDuration())
	}
	w.log.Mem(0).SetFaults(logmem.Faults{})
}
