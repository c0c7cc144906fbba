package workers

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/spanlake/spanlake/internal/login"
	"github.com/spanlake/spanlake/internal/wire"
)

// Options say where the server is. They are those of the log.
type Options struct {
	URL string
	// Login is who the server is told that this is, nil for nobody.
	Login *login.Login
	// Dial returns a new connection to a server in this process, instead of URL.
	Dial func() (net.Conn, error)
	// Name prefixes subjects.
	Name   string
	Logger *slog.Logger
}

const (
	// beatEvery is how often a worker says that it works: it stops within this
	// time when its work is no longer wanted.
	beatEvery = 50 * time.Millisecond
	// lostAfter is how long an asker hears nothing before it gives up on a
	// worker. A process that has too much to do may be late by a second.
	lostAfter = 2 * time.Second
	// headroomBytes is what a chunk may take of the server's max_payload besides
	// its data.
	headroomBytes = 1 << 10
	// maxReplyBytes bounds a reply, and what of it waits to be read.
	maxReplyBytes = 256 << 20
)

// Pool is a connection to those who work. Safe for concurrent use.
type Pool struct {
	conn    *nats.Conn
	subject string
	logger  *slog.Logger
	closed  chan struct{} // once the connection is
	tokens  atomic.Uint64 // given to jobs of this worker

	mu      sync.Mutex
	running map[string]context.CancelFunc // jobs of this worker, by token
}

// Connect returns a pool. It need not reach the server now: it tries for good.
func Connect(ctx context.Context, opts Options) (*Pool, error) {
	p := &Pool{
		subject: fmt.Sprintf("%s.jobs.v%d", opts.Name, wire.Version), logger: opts.Logger,
		closed: make(chan struct{}), running: make(map[string]context.CancelFunc),
	}
	settings := []nats.Option{
		nats.Name(opts.Name + " jobs"),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1), // what cannot be sent now is done here
		nats.ClosedHandler(func(*nats.Conn) { close(p.closed) }),
		// What was refused may be accepted later, when it was read anew.
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { opts.Login.Note(err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { opts.Login.Note(err) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			p.logger.Debug("sharing jobs", slog.Any("err", err))
		}),
	}
	if opts.Dial != nil {
		settings = append(settings, nats.InProcessServer(inProcess(opts.Dial)))
	}
	identity, err := opts.Login.Options(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to share jobs: %w", err)
	}
	settings = append(settings, identity...)
	if p.conn, err = nats.Connect(opts.URL, settings...); err != nil {
		return nil, fmt.Errorf("connect to share jobs: %w", err)
	}
	return p, nil
}

// inProcess adapts Options.Dial to the client library.
type inProcess func() (net.Conn, error)

// InProcessConn returns a new connection.
func (f inProcess) InProcessConn() (net.Conn, error) { return f() }

// Close ends the connection. Serve must have returned.
func (p *Pool) Close() {
	p.conn.Close()
	<-p.closed
}

// chunkBytes is how much of a reply goes into one message.
func (p *Pool) chunkBytes() int { return max(int(p.conn.MaxPayload())-headroomBytes, headroomBytes) }
