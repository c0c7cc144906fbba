package ingester_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/objstore"
	bucketmem "github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/internal/wal/embedded"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a log, a bucket, and whatever processes a test starts on them.
type world struct {
	t      *testing.T
	log    *logmem.Log
	server *wal.Log // instead of log, when there is one
	bucket objstore.Bucket
	cfg    ingester.Config
	sent   int // by requireWorking
}

func newWorld(t *testing.T, opts logmem.Options) *world {
	t.Helper()
	log := logmem.New(opts)
	t.Cleanup(log.Close)
	return &world{t: t, log: log, bucket: bucketmem.New(), cfg: config()}
}

// newServerWorld is a world on the log of a real server.
func newServerWorld(t *testing.T, partitions int) *world {
	t.Helper()
	server, err := embedded.Start(embedded.Options{Dir: t.TempDir(), MaxStoreBytes: 1 << 30})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Shutdown()) })
	w := &world{t: t, bucket: bucketmem.New(), cfg: config()}
	w.server, err = wal.Open(t.Context(), wal.Options{
		Dial: server.Dial, ServerSyncAlways: true, Partitions: partitions, MaxBytesPerPartition: 128 << 20,
		Covered: func(ctx context.Context, epochs []uint64, from time.Time) ([]uint64, error) {
			return catalog.Highest(ctx, w.bucket, epochs, from)
		},
	})
	require.NoError(t, err)
	t.Cleanup(w.server.Close)
	return w
}

// theLog is what processes open.
func (w *world) theLog() ingester.Log {
	if w.server != nil {
		return w.server
	}
	return w.log
}

func config() ingester.Config {
	return ingester.Config{
		MaxRequestBytes: 64 << 20, MaxInflightBytes: 128 << 20, MaxMessageBytes: 900 << 10, PublishTimeout: 5 * time.Second,
		CutBytes: 16 << 20, CutAge: time.Hour, LiveBytes: 32 << 20, LiveAge: time.Hour, BuildMemory: 512 << 20,
	}
}

func (w *world) start(s services.Service) {
	w.t.Helper()
	require.NoError(w.t, services.StartAndAwaitRunning(context.Background(), s))
	w.t.Cleanup(func() { w.stop(s) })
}

func (w *world) stop(s services.Service) {
	require.NoError(w.t, services.StopAndAwaitTerminated(context.Background(), s))
}

func (w *world) receiver() *ingester.Receiver {
	w.t.Helper()
	r := ingester.NewReceiver(w.cfg, w.theLog(), w.bucket, anyProject{}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	w.start(r)
	return r
}

// builder is a builder and its metrics.
type builder struct {
	*ingester.Builder

	metrics *prometheus.Registry
}

func (w *world) builder() builder {
	w.t.Helper()
	reg := prometheus.NewRegistry()
	b := builder{ingester.NewBuilder(w.cfg, w.theLog(), w.bucket, llm.ShippedTables, slog.New(slog.DiscardHandler), reg), reg}
	w.start(b)
	return b
}

func (w *world) follower() builder {
	w.t.Helper()
	reg := prometheus.NewRegistry()
	b := builder{ingester.NewFollower(w.cfg, w.theLog(), w.bucket, llm.ShippedTables, slog.New(slog.DiscardHandler), reg), reg}
	w.start(b)
	return b
}

// count reads a counter or a gauge.
func (b builder) count(t *testing.T, name string) float64 {
	t.Helper()
	families, err := b.metrics.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			sum := 0.0
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
			return sum
		}
	}
	return 0
}

// send receives one span per given number in one request.
func (w *world) send(r *ingester.Receiver, project schema.ProjectID, numbers ...int) {
	w.t.Helper()
	result, err := r.Receive(w.t.Context(), project, request(numbers...))
	require.NoError(w.t, err)
	require.Zero(w.t, result.Rejected, result.Reason)
}

func (w *world) catalog() *catalog.Catalog {
	return catalog.New(w.bucket, w.theLog(), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
}

// seen returns the numbers of all spans that a query sees, sorted, through the
// join of blocks and live data that queriers use.
func (w *world) seen(live catalog.Live, project schema.ProjectID) []int {
	w.t.Helper()
	return w.seenThrough(w.catalog(), live, project)
}

func (w *world) seenThrough(cat *catalog.Catalog, live catalog.Live, project schema.ProjectID) []int {
	w.t.Helper()
	partitions := make([]int, w.theLog().Partitions())
	for p := range partitions {
		partitions[p] = p
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	var old *catalog.View
	for {
		joined, err := cat.Join(ctx, live, project, partitions, old)
		require.NoError(w.t, err)
		numbers, err := w.numbers(joined)
		if errors.Is(err, catalog.ErrStale) {
			old = joined.View
			continue
		}
		require.NoError(w.t, err)
		slices.Sort(numbers)
		return numbers
	}
}

func (w *world) numbers(joined *catalog.Joined) ([]int, error) {
	w.t.Helper()
	var numbers []int
	for _, name := range joined.Blocks {
		numbers = append(numbers, w.blockSpans(name)...)
	}
	for _, segment := range joined.Segments {
		more, err := scan(w.t, segment)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, more...)
	}
	return numbers, nil
}

func (w *world) blockSpans(name schema.BlockName) []int {
	w.t.Helper()
	var numbers []int
	for _, s := range w.blockRows(name) {
		numbers = append(numbers, number(w.t, &s))
	}
	return numbers
}

func (w *world) blockRows(name schema.BlockName) []schema.Span {
	w.t.Helper()
	reader, err := block.Open(w.t.Context(), w.bucket, name.Key())
	require.NoError(w.t, err)
	var rows []schema.Span
	for chunk, err := range reader.Scan(w.t.Context(), &vec.Filter{}, vec.AllColumns()) {
		require.NoError(w.t, err)
		rows = append(rows, chunk...)
	}
	return rows
}

// objects returns the bucket's content below prefix.
func (w *world) objects(prefix string) map[string]string {
	w.t.Helper()
	all := map[string]string{}
	for object, err := range w.bucket.List(w.t.Context(), objstore.ListOptions{Prefix: prefix}) {
		require.NoError(w.t, err)
		data, _, err := w.bucket.Get(w.t.Context(), object.Key, objstore.GetOptions{})
		require.NoError(w.t, err)
		all[object.Key] = string(data)
	}
	return all
}

func (w *world) flush(b builder) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	require.NoError(w.t, b.Flush(ctx))
}

// flushInVain lets a builder try to flush until cond holds, which it must do
// before the flush succeeds: the moment at which the test kills it.
func (w *world) flushInVain(b builder, cond func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	flushed := make(chan error, 1)
	go func() { flushed <- b.Flush(ctx) }()
	require.Eventually(w.t, cond, patience, time.Millisecond)
	cancel()
	require.Error(w.t, <-flushed)
}

// patience ends a test that would wait for ever.
const patience = time.Minute

// request is an OTLP request with one span per number, each in a trace of its own.
func request(numbers ...int) []byte {
	var spans []byte
	for _, n := range numbers {
		spans = appendField(spans, 2, span(n, fmt.Sprintf("span %d", n)))
	}
	return appendField(nil, 1, appendField(nil, 2, spans))
}

// span is an OTLP span whose ids follow from n.
func span(n int, name string) []byte {
	id := traceID(n)
	b := appendField(nil, 1, id[:])
	b = appendField(b, 2, id[8:])
	b = appendField(b, 5, []byte(name))
	b = protowire.AppendFixed64(protowire.AppendTag(b, 7, protowire.Fixed64Type), uint64(1e18+n))
	return protowire.AppendFixed64(protowire.AppendTag(b, 8, protowire.Fixed64Type), uint64(1e18+n+5))
}

func traceID(n int) schema.TraceID {
	return schema.TraceID{0: 0xa0, 8: 0xb0, 14: byte(n >> 8), 15: byte(n)}
}

func appendField(dst []byte, num protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, num, protowire.BytesType), b)
}

func number(t *testing.T, s *schema.Span) int {
	t.Helper()
	n := int(s.TraceID[14])<<8 | int(s.TraceID[15])
	require.Equal(t, fmt.Sprintf("span %d", n), s.Name)
	return n
}

func scan(t *testing.T, segment catalog.Segment) ([]int, error) {
	t.Helper()
	var numbers []int
	for chunk, err := range segment.Scan(t.Context(), everything(), vec.AllColumns()) {
		if err != nil {
			return nil, err
		}
		for i := range chunk {
			numbers = append(numbers, number(t, &chunk[i]))
		}
	}
	return numbers, nil
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
