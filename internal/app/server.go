package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/grafana/dskit/services"

	"github.com/spanlake/spanlake/internal/access"
)

const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	pingInterval      = 30 * time.Second
	pingTimeout       = 15 * time.Second
)

// port is a TCP port that a module opens.
type port struct {
	key      string // of the configuration
	addr     string
	phase    phase // in which it closes
	stopping *shutdown

	listener atomic.Pointer[net.TCPListener]
}

// bound is the address that the port listens on, nil before it does.
func (p *port) bound() net.Addr {
	if l := p.listener.Load(); l != nil {
		return l.Addr()
	}
	return nil
}

func (p *port) listen(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", p.addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s: %s is in use by another program: stop that one or set another address with -%s", p.key, p.addr, p.key)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.key, err)
	}
	p.listener.Store(l.(*net.TCPListener)) // what "tcp" always gives
	return nil
}

// service opens the port, calls serve, and at the end shutdown, which must make
// serve return: at once when its context ends, which it does with the phase.
func (p *port) service(serve func(net.Listener) error, shutdown func(context.Context)) services.Service {
	run := func(ctx context.Context) error {
		var err error
		served := make(chan struct{})
		go func() {
			defer close(served)
			err = serve(p.listener.Load())
		}()
		select {
		case <-served:
			return fmt.Errorf("serve %s: %w", p.addr, err)
		case <-ctx.Done():
		}
		drainCtx, cancel := p.stopping.until(ctx, p.phase)
		defer cancel()
		shutdown(drainCtx)
		<-served // how it ended does not matter
		return nil
	}
	stop := func(error) error {
		_ = p.listener.Load().Close() // closed already, unless it never ran
		return nil
	}
	return services.NewBasicService(p.listen, run, stop)
}

// newHTTPServer returns a server for HTTP/1 and, on the same port without TLS,
// HTTP/2.
func newHTTPServer(handler http.Handler, logger *slog.Logger) *http.Server {
	s := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    access.MaxHeaderBytes,
		HTTP2:             &http.HTTP2Config{SendPingTimeout: pingInterval, PingTimeout: pingTimeout},
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug), // what clients do wrong
		Protocols:         new(http.Protocols),
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}

// shutdownHTTP lets requests finish until ctx ends and cuts off the rest.
func shutdownHTTP(ctx context.Context, s *http.Server) {
	if s.Shutdown(ctx) != nil {
		_ = s.Close() // the listener is closed; nobody is left to tell
	}
}
