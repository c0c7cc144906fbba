package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/wal"
)

// openAgain is how long to wait after the log was found in a state that a person
// has to mend.
const openAgain = 5 * time.Second

// opener opens the log in the background and makes the receiver.
type opener struct {
	f      *function
	opened chan struct{} // closed when handler is set
	ended  chan struct{} // closed when nothing runs any more

	handler http.Handler // the receiver's

	mu     sync.Mutex
	reason error // why the log was not opened at the last attempt
}

func newOpener(f *function) *opener {
	return &opener{f: f, opened: make(chan struct{}), ended: make(chan struct{}), reason: errors.New("it is being opened")}
}

// start opens the log until that is done or ctx ends. All that it has opened is
// closed after ctx.
func (o *opener) start(ctx context.Context) {
	go func() {
		defer close(o.ended)
		log := o.open(ctx)
		if log == nil {
			return
		}
		defer log.Close()
		r := ingester.NewReceiver(o.f.cfg.ingester, steadyLog{log}, o.f.bucket, o.f.projects, o.f.logger, nil)
		if err := r.StartAsync(ctx); err != nil {
			o.f.logger.Error("the receiver cannot be started", slog.Any("err", err))
			return
		}
		if r.AwaitRunning(ctx) == nil {
			o.handler = r.Handler()
			close(o.opened)
		}
		_ = r.AwaitTerminated(context.WithoutCancel(ctx)) // it ends with ctx, and fails never
	}()
}

// open returns nil when ctx has ended.
func (o *opener) open(ctx context.Context) *wal.Log {
	opts := o.f.cfg.log.Options(&o.f.cfg.nats)
	opts.Logger = o.f.logger
	opts.Covered = func(ctx context.Context, partition, partitions int, epoch uint64) (uint64, error) {
		return catalog.Highest(ctx, o.f.bucket, partition, partitions, epoch)
	}
	for {
		log, err := wal.Open(ctx, opts)
		if err == nil {
			return log
		}
		if ctx.Err() != nil {
			return nil
		}
		o.f.logger.Error("log cannot be opened", slog.Any("err", err))
		o.mu.Lock()
		o.reason = err
		o.mu.Unlock()
		select {
		case <-time.After(openAgain):
		case <-ctx.Done():
			return nil
		}
	}
}

// await returns the receiver's handler as soon as there is one, or fails with
// wal.ErrUnavailable after so long or with ctx.
func (o *opener) await(ctx context.Context, most time.Duration) (http.Handler, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	select {
	case <-o.opened:
		return o.handler, nil
	case <-ctx.Done():
		o.mu.Lock()
		defer o.mu.Unlock()
		return nil, fmt.Errorf("%w: %w", wal.ErrUnavailable, o.reason)
	}
}
