package app

import (
	"context"
	"sync"
	"time"

	"github.com/grafana/dskit/services"
)

// phase is a part of stopping, in percent of the whole time at which it must
// be over. Whatever a phase leaves goes to the next ones, so the builders' last
// flush, which needs most, has at least two fifths and usually nearly all.
type phase int

// The phases of stopping, in their order.
const (
	phaseReceive phase = 20 // requests of clients and of POST /flush
	phasePublish phase = 40 // messages on their way into the log
	phaseStore   phase = 80 // what the log holds, into blocks
	phaseAnswer  phase = 90 // queries, which have been answered until here
	phaseClose   phase = 96 // other requests; the rest is for closing files
)

// shutdown shares the time of stopping among the modules, which stop one after
// the other: it begins when the first one asks.
type shutdown struct {
	total time.Duration

	mu    sync.Mutex
	begun time.Time // zero before
}

// until returns a context that ends with the phase, and not with ctx.
func (s *shutdown) until(ctx context.Context, p phase) (context.Context, context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun.IsZero() {
		s.begun = time.Now()
	}
	return context.WithDeadline(context.WithoutCancel(ctx), s.begun.Add(s.total*time.Duration(p)/100))
}

// abortable is a service that takes its time to stop, unless it is told not to.
type abortable interface {
	services.Service
	Abort()
}

// bounded runs inner, and aborts it when it has not stopped by the end of a
// phase.
func (s *shutdown) bounded(p phase, inner abortable) services.Service {
	start := func(ctx context.Context) error { return startInner(ctx, inner) }
	run := func(ctx context.Context) error {
		_ = inner.AwaitTerminated(ctx) // or fails by itself
		if ctx.Err() == nil {
			return inner.FailureCase()
		}
		phaseCtx, cancel := s.until(ctx, p)
		defer cancel()
		_ = inner.AwaitTerminated(phaseCtx)
		if phaseCtx.Err() != nil {
			inner.Abort()
			_ = inner.AwaitTerminated(context.WithoutCancel(ctx))
		}
		return inner.FailureCase()
	}
	return services.NewBasicService(start, run, nil)
}
