package wal

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// backoff is the wait between attempts to make a session: it doubles from
// minBackoff to maxBackoff, less up to a quarter so that processes that lost
// one server together do not come back together.
type backoff struct{ delay time.Duration }

// next waits. Returns the context's error if that ends first.
func (b *backoff) next(ctx context.Context) error {
	b.delay = min(max(2*b.delay, minBackoff), maxBackoff)
	t := time.NewTimer(b.delay - rand.N(b.delay/4)) //nolint:gosec // no secret
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
