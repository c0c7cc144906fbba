package langfuse_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/ingester/langfuse"
	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/objstore"
	bucketmem "github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/vec"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// oneProject sets the same for all projects, or fails.
type oneProject struct {
	settings project.Project
	err      error
}

func (p oneProject) Project(id schema.ProjectID) (project.Project, error) {
	p.settings.ID = id
	return p.settings, p.err
}

// world is a receiver with the handler, and a builder whose live data shows what is
// stored.
type world struct {
	tb       testing.TB
	receiver *ingester.Receiver
	builder  *ingester.Builder
	catalog  *catalog.Catalog
	bucket   *bucketmem.Bucket
	handler  http.Handler
	now      func() time.Time
}

func newWorld(tb testing.TB, projects oneProject) *world {
	tb.Helper()
	cfg := ingester.Config{
		MaxRequestBytes: 64 << 20, MaxInflightBytes: 256 << 20, MaxMessageBytes: 900 << 10, PublishTimeout: 5 * time.Second,
		CutBytes: 1 << 30, CutAge: time.Hour, LiveBytes: 32 << 20, LiveAge: time.Hour, BuildMemory: 2 << 30,
	}
	log, bucket, logger := logmem.New(logmem.Options{Partitions: 1}), bucketmem.New(), slog.New(slog.DiscardHandler)
	tb.Cleanup(log.Close)
	w := &world{
		tb: tb, receiver: ingester.NewReceiver(cfg, log, bucket, projects, logger, prometheus.NewRegistry()),
		builder: ingester.NewBuilder(cfg, log, bucket, llm.ShippedTables, logger, prometheus.NewRegistry()),
		catalog: catalog.New(bucket, log, logger, prometheus.NewRegistry()),
	}
	for _, s := range []services.Service{w.builder, w.receiver} {
		require.NoError(tb, services.StartAndAwaitRunning(context.Background(), s))
		tb.Cleanup(func() { require.NoError(tb, services.StopAndAwaitTerminated(context.Background(), s)) })
	}
	w.bucket, w.now = bucket, time.Now
	w.handle(bucket, projects)
	return w
}

// handle makes the handler.
func (w *world) handle(bucket objstore.Bucket, projects oneProject) {
	mux := http.NewServeMux()
	h := langfuse.NewHandler(w.receiver, bucket, projects, "v1")
	h.SetClock(func() time.Time { return w.now() })
	for _, r := range h.Routes() {
		mux.Handle(r.Pattern, r.Handler)
	}
	w.handler = mux
}

func (w *world) do(method, path, body string) *httptest.ResponseRecorder {
	w.tb.Helper()
	req := httptest.NewRequestWithContext(w.tb.Context(), method, path, strings.NewReader(body))
	reply := httptest.NewRecorder()
	w.handler.ServeHTTP(reply, req)
	require.Equal(w.tb, "application/json", reply.Header().Get("Content-Type"))
	require.True(w.tb, json.Valid(reply.Body.Bytes()))
	return reply
}

// outcome is the answer to a batch.
type outcome struct {
	Successes []struct {
		ID     string
		Status int
	}
	Errors []struct {
		ID, Message, Error string
		Status             int
	}
}

// send sends events, which have to be answered with 207.
func (w *world) send(events ...string) (out outcome) {
	w.tb.Helper()
	reply := w.do(http.MethodPost, "/api/public/ingestion", `{"batch":[`+strings.Join(events, ",")+`]}`)
	require.Equal(w.tb, http.StatusMultiStatus, reply.Code, reply.Body)
	require.NoError(w.tb, json.Unmarshal(reply.Body.Bytes(), &out))
	require.Len(w.tb, events, len(out.Successes)+len(out.Errors))
	return out
}

// spans are those of a trace.
func (w *world) spans(id string) []schema.Span {
	w.tb.Helper()
	joined, err := w.catalog.Join(w.tb.Context(), w.builder, schema.DefaultProject, []int{0}, nil)
	require.NoError(w.tb, err)
	var rows []schema.Span
	for _, s := range joined.Segments {
		more, err := s.Traces(w.tb.Context(), []schema.TraceID{ingester.TraceIDOf(id)}, vec.AllColumns())
		require.NoError(w.tb, err)
		rows = append(rows, more...)
	}
	slices.SortStableFunc(rows, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	return engine.Fold(rows, nil)
}
