package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/spanlake/spanlake/functions/internal/host"
	"github.com/spanlake/spanlake/functions/internal/steady"
	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/protocols"
	"github.com/spanlake/spanlake/internal/wal"
)

// opener makes the receiver when the log is open.
type opener struct {
	f      *function
	log    *host.Log
	opened chan struct{} // closed when handler is set

	handler http.Handler // of all protocols
}

func newOpener(f *function) *opener { return &opener{f: f, opened: make(chan struct{})} }

// start opens the log until that is done or ctx ends. All that it has opened is
// closed after ctx.
func (o *opener) start(ctx context.Context) {
	o.log = o.f.OpenLog(ctx, o.f.Writing(o.f.cfg.log.Options(&o.f.cfg.host.NATS)))
	go func() {
		log, err := o.log.Await(ctx)
		if err != nil {
			return // ctx has ended
		}
		projects := o.f.access.Projects
		r := ingester.NewReceiver(o.f.cfg.ingester, steady.New(log), o.f.Bucket, projects, o.f.Logger, nil)
		if err := r.StartAsync(ctx); err != nil {
			o.f.Logger.Error("the receiver cannot be started", slog.Any("err", err))
			return
		}
		if r.AwaitRunning(ctx) == nil {
			receiving := protocols.Receiving{Receiver: r, Bucket: o.f.Bucket, Projects: projects, Version: version}
			o.handler = receiving.Handler(o.f.access, nil)
			close(o.opened)
		}
	}()
}

// await returns the handler as soon as there is one, or fails with
// wal.ErrUnavailable after so long or with ctx.
func (o *opener) await(ctx context.Context, most time.Duration) (http.Handler, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	if _, err := o.log.Await(ctx); err != nil {
		return nil, err
	}
	select {
	case <-o.opened:
		return o.handler, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: the receiver is being started: %w", wal.ErrUnavailable, ctx.Err())
	}
}
