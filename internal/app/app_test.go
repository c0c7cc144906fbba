package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/internal/wal/embedded"
	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/querier/tempopb/tempopbtest"
)

const (
	traceA = "0af7651916cd43dd8448eb211c80319c"
	traceB = "0af7651916cd43dd8448eb211c80319d"
)

func TestTraceInAndOut(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	p.export(t, traceA, "checkout")
	require.Equal(t, []string{"checkout"}, p.spanNames(t, traceA), "live")

	require.Equal(t, http.StatusNoContent, p.api(t, http.MethodPost, "/flush").code)
	require.Equal(t, []string{"checkout"}, p.spanNames(t, traceA), "from a block")
	require.Empty(t, p.spanNames(t, traceB))
}

func dial(t *testing.T, addr net.Addr) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}

func TestExportOverGRPC(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	request := ptraceotlp.NewExportRequest()
	require.NoError(t, request.UnmarshalJSON(oneSpan(traceA, "over grpc")))
	_, err := ptraceotlp.NewGRPCClient(dial(t, p.OTLPGRPCAddr())).Export(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, []string{"over grpc"}, p.spanNames(t, traceA))
}

// Grafana dials the address of the HTTP API for its streaming calls.
func TestStreamingOnTheAPIPort(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	p.export(t, traceA, "checkout")
	api := tempopbtest.Load(t)
	call := func(addr net.Addr) (*dynamicpb.Message, error) {
		stream, err := dial(t, addr).NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/"+tempopb.ServiceName+"/Search")
		require.NoError(t, err)
		require.NoError(t, stream.SendMsg(api.JSON(t, "SearchRequest", `{"Query":"{ name = \"checkout\" }","start":1699999999,"end":1700000001}`)))
		require.NoError(t, stream.CloseSend())
		m := api.New(t, "SearchResponse")
		return m, stream.RecvMsg(m)
	}
	m, err := call(p.APIAddr())
	require.NoError(t, err)
	require.Equal(t, 1, tempopbtest.Get(t, m, "traces").List().Len())
	_, err = call(p.OTLPGRPCAddr())
	require.Equal(t, codes.Unimplemented, status.Code(err), "that port takes spans only")
}

func TestGRPCHealth(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	for name, addr := range map[string]net.Addr{"api": p.APIAddr(), "otlp": p.OTLPGRPCAddr()} {
		t.Run(name, func(t *testing.T) {
			client := grpc_health_v1.NewHealthClient(dial(t, addr))
			reply, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
			require.NoError(t, err)
			require.Equal(t, grpc_health_v1.HealthCheckResponse_SERVING, reply.GetStatus())

			_, err = client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "other"})
			require.Equal(t, codes.NotFound, status.Code(err))
		})
	}
}

func TestRoutes(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	for _, tc := range []struct {
		name, method, path string
		code               int
		body               string
	}{
		{"ready", http.MethodGet, "/ready", http.StatusOK, "ready"},
		{"own metrics", http.MethodGet, "/metrics", http.StatusOK, `spanlake_build_info{revision="",version="v0.1.0"} 1`},
		{"metrics of the runtime", http.MethodGet, "/metrics", http.StatusOK, "go_goroutines"},
		{"metrics of the process", http.MethodGet, "/metrics", http.StatusOK, "process_resident_memory_bytes"},
		{"flush", http.MethodPost, "/flush", http.StatusNoContent, ""},
		{"flush needs POST", http.MethodGet, "/flush", http.StatusMethodNotAllowed, ""},
		{"pprof", http.MethodGet, "/debug/pprof/", http.StatusOK, "goroutine"},
		{"echo", http.MethodGet, "/api/echo", http.StatusOK, "echo"},
		{"version for Grafana", http.MethodGet, "/api/status/buildinfo", http.StatusOK, `"version":"2.10.0+spanlake.0.1.0"`},
		{"unknown path", http.MethodGet, "/nothing", http.StatusNotFound, ""},
		{"unknown query", http.MethodGet, "/api/nothing", http.StatusNotFound, ""},
		{"root", http.MethodGet, "/", http.StatusNotFound, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := p.api(t, tc.method, tc.path)
			require.Equal(t, tc.code, got.code, string(got.body))
			require.Contains(t, string(got.body), tc.body)
		})
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "-data-dir", dir)
	require.EqualError(t, fails(t, "-data-dir", dir),
		fmt.Sprintf("data folder %s is in use by another spanlake process (pid %d): stop it or choose another -data-dir", dir, os.Getpid()))
	p.export(t, traceA, "undisturbed")

	require.NoError(t, p.stop())
	start(t, "-data-dir", dir) // free again
}

// A clean end leaves nothing in the log but the kept cuts, and the next
// process answers from the bucket.
func TestStopStoresEverything(t *testing.T) {
	dir := t.TempDir()
	p := start(t, "-data-dir", dir)
	for i := range 8 {
		p.export(t, fmt.Sprintf("%s%02x", traceA[:30], i), "kept")
	}
	require.NoError(t, p.stop())
	requireEmptyLog(t, filepath.Join(dir, "nats"))

	p = start(t, "-data-dir", dir)
	for i := range 8 {
		require.Equal(t, []string{"kept"}, p.spanNames(t, fmt.Sprintf("%s%02x", traceA[:30], i)))
	}
}

// A process that cannot store the last batches stops all the same, and leaves
// them in the log.
func TestStopWithoutBucket(t *testing.T) {
	dir := t.TempDir()
	inTheWay := filepath.Join(dir, "bucket", "blocks")
	require.NoError(t, os.MkdirAll(filepath.Dir(inTheWay), 0o750))
	require.NoError(t, os.WriteFile(inTheWay, nil, 0o600))
	p := start(t, "-data-dir", dir, "-shutdown.timeout=500ms")
	p.export(t, traceA, "waiting")
	require.NoError(t, p.stop())

	require.NoError(t, os.Remove(inTheWay))
	p = start(t, "-data-dir", dir)
	require.Equal(t, []string{"waiting"}, p.spanNames(t, traceA))
	require.NoError(t, p.stop())
	requireEmptyLog(t, filepath.Join(dir, "nats"))
}

func requireEmptyLog(t *testing.T, dir string) {
	t.Helper()
	server, err := embedded.Start(embedded.Options{Dir: dir, MaxStoreBytes: 1 << 40})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Shutdown()) }()
	log, err := wal.Open(t.Context(), wal.Options{Dial: server.Dial})
	require.NoError(t, err)
	defer log.Close()
	written := uint64(0)
	for partition := range log.Partitions() {
		state, err := log.Stream(partition).State(t.Context())
		require.NoError(t, err)
		require.Equal(t, state.Last, state.Floor(), "partition %d", partition)
		written += state.Last
	}
	require.NotZero(t, written)
}

func TestTargetsApart(t *testing.T) {
	server, err := embedded.Start(embedded.Options{Dir: t.TempDir(), MaxStoreBytes: 1 << 40, Listen: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Shutdown()) })
	shared := []string{"-nats.url", server.URL(), "-bucket", "file://" + t.TempDir(), "-data-dir", filepath.Join(t.TempDir(), "unused")}
	ingester := start(t, append(shared, "-target=ingester", "-nats.monitor-urls", server.MonitorURL())...)
	querier := start(t, append(shared, "-target=querier")...)
	require.NoDirExists(t, shared[5])

	ingester.export(t, traceA, "apart")
	require.Equal(t, []string{"apart"}, querier.spanNames(t, traceA), "from the log")
	require.Equal(t, http.StatusNoContent, ingester.api(t, http.MethodPost, "/flush").code)
	require.Equal(t, []string{"apart"}, querier.spanNames(t, traceA), "from a block")

	require.Equal(t, http.StatusNotFound, ingester.api(t, http.MethodGet, "/api/echo").code)
	require.Equal(t, http.StatusNotFound, querier.api(t, http.MethodPost, "/flush").code)
	require.Nil(t, querier.OTLPHTTPAddr())
	require.Nil(t, querier.OTLPGRPCAddr())
}

// While the log cannot be reached, the API port is open and tells so.
func TestNotReady(t *testing.T) {
	closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	p := launch(t, "-data-dir", t.TempDir(), "-nats.url", "nats://"+closed.Addr().String(), "-nats.allow-weak-sync")
	eventually(t, func() bool { return p.APIAddr() != nil })

	got := p.api(t, http.MethodGet, "/ready")
	require.Equal(t, http.StatusServiceUnavailable, got.code)
	require.Contains(t, string(got.body), "log is starting")
	require.Contains(t, string(got.body), "otlp-http is starting")
	got = p.api(t, http.MethodGet, "/api/traces/"+traceA)
	require.Equal(t, http.StatusServiceUnavailable, got.code)
	require.Equal(t, "1", got.header.Get("Retry-After"))
	reply, err := grpc_health_v1.NewHealthClient(dial(t, p.APIAddr())).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	require.NoError(t, err)
	require.Equal(t, grpc_health_v1.HealthCheckResponse_NOT_SERVING, reply.GetStatus())
	require.NoError(t, p.stop(), "a process that waits for its log can be stopped")
}

// Ready follows the log while the process runs.
func TestNotReadyWithoutLog(t *testing.T) {
	server, err := embedded.Start(embedded.Options{Dir: t.TempDir(), MaxStoreBytes: 1 << 40, Listen: true})
	require.NoError(t, err)
	p := start(t, "-data-dir", t.TempDir(), "-nats.url", server.URL(), "-nats.monitor-urls", server.MonitorURL(), "-ingester.publish-timeout=100ms")
	require.NoError(t, server.Shutdown())
	eventually(t, func() bool { return p.api(t, http.MethodGet, "/ready").code == http.StatusServiceUnavailable })
	require.Contains(t, string(p.api(t, http.MethodGet, "/ready").body), "not ready: log is unavailable")
}

func TestFailedStart(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close() //nolint:errcheck // only listened
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, tc := range []struct {
		name string
		args []string
		want []string
	}{
		{"api port in use", []string{"-api.addr", taken.Addr().String()}, []string{"api.addr", "is in use by another program", "-api.addr"}},
		{"OTLP port in use", []string{"-otlp.http-addr", taken.Addr().String()}, []string{"otlp.http-addr", "is in use by another program"}},
		{"gRPC port in use", []string{"-otlp.grpc-addr", taken.Addr().String()}, []string{"otlp.grpc-addr", "is in use by another program"}},
		{"foreign address", []string{"-auth.insecure", "-api.addr", "192.0.2.1:3200"}, []string{"api.addr", "192.0.2.1:3200"}},
		{"data folder is a file", []string{"-data-dir", file}, []string{"create the data folder", file}},
		{"bucket is a file", []string{"-bucket", "file://" + file}, []string{"open bucket " + file}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := fails(t, append([]string{"-data-dir", t.TempDir()}, tc.args...)...)
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "invalid service state")
		})
	}
}

func TestNewRefusesBadConfig(t *testing.T) {
	_, err := app.New(load(t, "-target=nonsense"), nil, prometheus.NewRegistry())
	require.ErrorContains(t, err, "target")
}

func TestStopBeforeStarted(t *testing.T) {
	a, err := app.New(load(t, "-data-dir", t.TempDir()), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, a.Run(ctx))
}

// A process can be told to stop at any moment of its start.
func TestStopWhileStarting(t *testing.T) {
	dir := t.TempDir()
	// With a log that exists: a NATS server that is shut down while it creates
	// a stream leaves goroutines behind.
	require.NoError(t, start(t, "-data-dir", dir).stop())
	for i := range 20 {
		a, err := app.New(load(t, "-data-dir", dir), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(time.Duration(i*i)*100*time.Microsecond, cancel)
		require.NoError(t, a.Run(ctx))
		stop.Stop()
		cancel()
	}
}
