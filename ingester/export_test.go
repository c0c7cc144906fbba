package ingester

import (
	"context"
	"time"
)

// QueuedCommits is how many commits wait for the publish before theirs.
func QueuedCommits(r *Receiver) int {
	n := 0
	for _, c := range r.committers {
		c.mu.Lock()
		for _, m := range c.queue {
			n += len(m.outcomes)
		}
		c.mu.Unlock()
	}
	return n
}

// InflightBytes is what requests being received take of the budget.
func InflightBytes(r *Receiver) int64 { return r.inflight.taken() }

// DrainTime makes drainTime testable.
func DrainTime(backlogBytes uint64, bytesPerSecond float64) time.Duration {
	return drainTime(backlogBytes, bytesPerSecond)
}

// SweepClaims looks for old claims as if it were now.
func SweepClaims(ctx context.Context, b *Builder, now time.Time) error {
	return b.sweepClaims(ctx, now)
}
