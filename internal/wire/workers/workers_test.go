package workers_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/wal/embedded"
	"github.com/spanlake/spanlake/internal/wire"
	"github.com/spanlake/spanlake/internal/wire/workers"
)

// world is a server with pools of its own.
type world struct {
	t      *testing.T
	server *embedded.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server, err := embedded.Start(embedded.Options{Dir: t.TempDir(), MaxStoreBytes: 1 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Shutdown()) })
	return &world{t, server}
}

func (w *world) pool() *workers.Pool {
	w.t.Helper()
	p, err := workers.Connect(w.t.Context(), workers.Options{Dial: w.server.Dial, Name: "test", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(w.t, err)
	w.t.Cleanup(p.Close)
	return p
}

// serve works until the returned function is called.
func (w *world) serve(handle workers.Handler) (stop func()) {
	w.t.Helper()
	p := w.pool()
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, handle) }()
	stop = func() {
		cancel()
		if done != nil {
			require.NoError(w.t, <-done)
			done = nil
		}
	}
	w.t.Cleanup(stop)
	asker := w.pool()
	require.Eventually(w.t, func() bool {
		_, err := asker.Ask(w.t.Context(), []byte("are you there?"))
		return err == nil
	}, time.Minute, time.Millisecond)
	return stop
}

// echo replies with a job, repeated.
func echo(times int) workers.Handler {
	return func(_ context.Context, job []byte) []byte { return bytes.Repeat(job, times) }
}

func TestAsk(t *testing.T) {
	for _, test := range []struct {
		name  string
		job   []byte
		times int
	}{
		{"small", []byte("job"), 1},
		{"empty reply", []byte("job"), 0},
		{"large job", make([]byte, 1_000_000), 1},
		{"reply of many messages", bytes.Repeat([]byte("0123456789"), 80_000), 7},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.serve(echo(test.times))
			got, err := w.pool().Ask(t.Context(), test.job)
			require.NoError(t, err)
			require.True(t, bytes.Equal(bytes.Repeat(test.job, test.times), got), "%d bytes", len(got))
		})
	}
}

func TestJobThatIsTooLarge(t *testing.T) {
	w := newWorld(t)
	w.serve(echo(1))
	_, err := w.pool().Ask(t.Context(), make([]byte, 1<<20))
	require.ErrorIs(t, err, wire.ErrTooLarge)
}

func TestNobodyWorks(t *testing.T) {
	_, err := newWorld(t).pool().Ask(t.Context(), []byte("job"))
	require.ErrorIs(t, err, wire.ErrNobody)
}

func TestServerIsAway(t *testing.T) {
	p, err := workers.Connect(t.Context(), workers.Options{URL: "nats://127.0.0.1:1", Name: "test", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer p.Close()
	_, err = p.Ask(t.Context(), []byte("job"))
	require.ErrorIs(t, err, wire.ErrNobody)
}

// dialer adapts a server to the client library.
type dialer func() (net.Conn, error)

func (f dialer) InProcessConn() (net.Conn, error) { return f() }

// A worker that takes a job and is not heard of again, as one that was killed.
func TestWorkerIsLost(t *testing.T) {
	w := newWorld(t)
	conn, err := nats.Connect("", nats.InProcessServer(dialer(w.server.Dial)))
	require.NoError(t, err)
	closed := make(chan struct{})
	conn.SetClosedHandler(func(*nats.Conn) { close(closed) })
	defer func() {
		conn.Close()
		<-closed
	}()
	_, err = conn.QueueSubscribeSync(fmt.Sprintf("test.jobs.v%d", wire.Version), "workers")
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	_, err = w.pool().Ask(t.Context(), []byte("job"))
	require.ErrorIs(t, err, wire.ErrLost)
}

// blocked is a handler that tells when it begins and waits for the end of ctx.
func blocked(begun, ended chan<- struct{}) workers.Handler {
	return func(ctx context.Context, job []byte) []byte {
		if string(job) != "wait" {
			return nil
		}
		begun <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return nil
	}
}

func TestWorkStopsWhenNobodyWantsIt(t *testing.T) {
	w := newWorld(t)
	begun, ended := make(chan struct{}), make(chan struct{})
	w.serve(blocked(begun, ended))
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error)
	asker := w.pool()
	go func() {
		_, err := asker.Ask(ctx, []byte("wait"))
		answered <- err
	}()
	<-begun
	cancel()
	at := time.Now()
	require.ErrorIs(t, <-answered, context.Canceled)
	<-ended
	t.Log("stopped after", time.Since(at))
}

func TestWorkerStops(t *testing.T) {
	w := newWorld(t)
	begun, ended := make(chan struct{}), make(chan struct{}, 1)
	stop := w.serve(blocked(begun, ended))
	answered := make(chan error)
	asker := w.pool()
	go func() {
		_, err := asker.Ask(t.Context(), []byte("wait"))
		answered <- err
	}()
	<-begun
	stop()
	require.ErrorIs(t, <-answered, wire.ErrLost)
	_, err := asker.Ask(t.Context(), []byte("wait"))
	require.ErrorIs(t, err, wire.ErrNobody)
}
