package wal_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/internal/wal/embedded"
	"github.com/spanlake/spanlake/internal/wal/waltest"
)

// patience ends a test that waits for something that does not come.
const patience = 30 * time.Second

// world is a server that can be stopped, and a bucket's worth of knowledge:
// the highest covered position.
type world struct {
	t   testing.TB
	dir string

	mu      sync.Mutex
	server  *embedded.Server
	covered uint64
	calls   int       // of Covered
	from    time.Time // with which it was called last
	looks   int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.start()
	t.Cleanup(w.stop)
	return w
}

func (w *world) start() {
	w.t.Helper()
	s, err := embedded.Start(embedded.Options{Dir: w.dir, MaxStoreBytes: 1 << 30})
	require.NoError(w.t, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.server = s
}

func (w *world) stop() {
	w.t.Helper()
	w.mu.Lock()
	s := w.server
	w.mu.Unlock()
	require.NoError(w.t, s.Shutdown())
}

func (w *world) dial() (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.server.Dial()
}

func (w *world) look(stream string) (first, last, bytes, maxBytes uint64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	return w.server.Look(stream)
}

func (w *world) setCovered(highest uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.covered = highest
}

// coveredFrom is from when on blocks were asked for last.
func (w *world) coveredFrom() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.from
}

func (w *world) coveredCalls() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls
}

func (w *world) options() wal.Options {
	return wal.Options{
		Dial:                 w.dial,
		Partitions:           1,
		MaxBytesPerPartition: waltest.MaxBytes,
		ServerSyncAlways:     true,
		Covered: func(_ context.Context, epochs []uint64, from time.Time) ([]uint64, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.calls++
			w.from = from
			return slices.Repeat([]uint64{w.covered}, len(epochs)), nil
		},
		Registerer: prometheus.NewRegistry(),
	}
}

// openOnce is Open that gives up when it would try again.
func openOnce(t testing.TB, o wal.Options) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Logger = slog.New(&onLog{Handler: slog.DiscardHandler, do: cancel})
	l, err := wal.Open(ctx, o)
	if err == nil {
		l.Close()
	}
	return err
}

// onLog does something at each log message.
type onLog struct {
	slog.Handler

	do func()
}

func (h *onLog) Enabled(context.Context, slog.Level) bool { return true }

func (h *onLog) Handle(context.Context, slog.Record) error {
	h.do()
	return nil
}

func open(t testing.TB, o wal.Options) *wal.Log {
	t.Helper()
	l, err := wal.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(l.Close)
	return l
}

// jetStream is a client of its own, as someone else who meddles with the log.
func (w *world) jetStream() jetstream.JetStream {
	w.t.Helper()
	conn, err := nats.Connect("", nats.InProcessServer(provider(w.dial)), nats.NoReconnect())
	require.NoError(w.t, err)
	w.t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(w.t, err)
	return js
}

// errEnough ends a Read.
var errEnough = errors.New("enough")

type provider func() (net.Conn, error)

func (f provider) InProcessConn() (net.Conn, error) { return f() }

func streamNames(t testing.TB, js jetstream.JetStream) []string {
	t.Helper()
	var names []string
	list := js.StreamNames(t.Context(), jetstream.WithStreamListSubject("spanlake.log.>"))
	for name := range list.Name() {
		names = append(names, name)
	}
	require.NoError(t, list.Err())
	return names
}

// counter returns the value of a counter with one label value, 0 if absent.
func counter(t testing.TB, o wal.Options, name, label string) int {
	t.Helper()
	families, err := o.Registerer.(*prometheus.Registry).Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if len(m.GetLabel()) == 0 || m.GetLabel()[0].GetValue() == label {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}

func alarms(t testing.TB, o wal.Options, kind string) int {
	t.Helper()
	return counter(t, o, "spanlake_wal_alarms_total", kind)
}

func eventually(t testing.TB, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 5*time.Millisecond)
}

func publish(t testing.TB, s wal.Stream, payload []byte) uint64 {
	t.Helper()
	position, err := s.Publish(t.Context(), payload, "")
	require.NoError(t, err)
	return position
}

func state(t testing.TB, s wal.Stream) wal.State {
	t.Helper()
	st, err := s.State(t.Context())
	require.NoError(t, err)
	return st
}

func entry(text string, cut bool) []byte {
	return wal.AppendPayload(nil, []wal.Entry{{Project: "default", Wire: []byte(text)}}, cut)
}
