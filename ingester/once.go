package ingester

import (
	"context"
	"sync"
	"time"
)

// Stored is what a builder has put into the bucket.
type Stored struct {
	Blocks int   // those that were there already too
	Spans  int   // in these
	Bytes  int64 // of these
}

// tally adds Stored up.
type tally struct {
	mu  sync.Mutex
	sum Stored
}

func (t *tally) add(s Stored) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Blocks += s.Blocks
	t.sum.Spans += s.Spans
	t.sum.Bytes += s.Bytes
}

func (t *tally) total() Stored {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum
}

// Once cuts every partition, stores what was acknowledged before the call and
// purges it, and leaves no span in the log with the cut that stays there: for those
// who do not run for long. After until no batch is begun; one that was is finished
// if that is done before ctx ends. Then, as when the process is killed, what is
// left is in the log as it was, and the error says so. sweep has old claims
// deleted as well. REQUIRES: the builder is not started as a service, and not used
// after that.
func (b *Builder) Once(ctx context.Context, until time.Time, sweep bool) (Stored, error) {
	begin, stop := context.WithDeadline(ctx, until)
	defer stop()
	wait := b.work(ctx, begin)
	err := b.each(begin, (*partition).drain)
	if err == nil && sweep {
		err = b.sweepClaims(begin, time.Now())
	}
	stop()
	wait()
	return b.stored.total(), err
}

// drain is flush, after which the log keeps no spans.
func (p *partition) drain(ctx context.Context) error {
	if err := p.flush(ctx); err != nil {
		return err
	}
	if err := p.emptyIfOlder(ctx, 0); err != nil {
		return err
	}
	return p.flush(ctx)
}
