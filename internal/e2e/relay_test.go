package e2e_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// relay passes connections on to a server, until it forgets them: then nothing
// passes in either direction, and neither end is told.
type relay struct {
	listener net.Listener
	target   string
	work     sync.WaitGroup

	mu    sync.Mutex
	lines []*relayed
}

type relayed struct {
	near, far net.Conn
	cut       chan struct{} // closed when it is forgotten
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &relay{listener: listener, target: target}
	w.work.Go(func() { w.accept(context.WithoutCancel(t.Context())) })
	t.Cleanup(func() {
		_ = w.listener.Close() // ends accept
		w.mu.Lock()
		for _, l := range w.lines {
			_, _ = l.near.Close(), l.far.Close() // some are closed
		}
		w.mu.Unlock()
		w.work.Wait()
	})
	return w
}

func (w *relay) addr() string { return w.listener.Addr().String() }

func (w *relay) accept(ctx context.Context) {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", w.target)
		if err != nil {
			_ = near.Close() // the server is away
			continue
		}
		l := &relayed{near: near, far: far, cut: make(chan struct{})}
		w.mu.Lock()
		w.lines = append(w.lines, l)
		w.mu.Unlock()
		w.work.Go(func() { l.pass(near, far) })
		w.work.Go(func() { l.pass(far, near) })
	}
}

// pass copies one direction, and closes both ends after it unless it was forgotten.
func (l *relayed) pass(from, to net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		select {
		case <-l.cut:
			if err == nil {
				continue // into nothing
			}
			return
		default:
		}
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			_, _ = l.near.Close(), l.far.Close() // the other direction's may be first
			return
		}
	}
}

// forget makes all connections that there are silent.
func (w *relay) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.lines {
		select {
		case <-l.cut:
		default:
			close(l.cut)
		}
	}
}
