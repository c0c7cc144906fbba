package jobs

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/spanlake/spanlake/internal/wire"
)

// maxAsked is how many times others are asked to do one job, so that one which
// breaks those who do it does not go around for good.
const maxAsked = 3

// Pace is how long the jobs of a query take. Safe for concurrent use.
type Pace struct {
	floor time.Duration

	mu   sync.Mutex
	took []time.Duration // of those that are done, ascending
}

// NewPace returns the pace of a query of which no job is done: those that take
// less than floor are never slow.
func NewPace(floor time.Duration) *Pace { return &Pace{floor: floor} }

// Done says that a job took so long.
func (p *Pace) Done(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, _ := slices.BinarySearch(p.took, took)
	p.took = slices.Insert(p.took, i, took)
}

// Patience is after how long a job is slow: twice as long as nineteen of twenty
// took.
func (p *Pace) Patience() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.took) == 0 {
		return p.floor
	}
	return max(p.floor, 2*p.took[(len(p.took)*19-1)/20])
}

// Race is a job that may be done several times at once, of which the first answer
// counts.
type Race[T any] struct {
	// Ask lets somebody else do it, Do does it here.
	Ask, Do func(context.Context) (T, error)
	// Final reports whether an error of Ask would come again anywhere.
	Final func(error) bool
	Pace  *Pace
	// Again is called when somebody else is asked, too, because the first one is
	// slow; Lost when the job was not done by who was asked.
	Again, Lost func()
}

// Run asks somebody. When that takes long it asks others as well, when it fails
// it asks others instead, and in the end does the job itself. It returns when
// nothing of it runs any more.
func (r *Race[T]) Run(ctx context.Context) (T, error) {
	ctx, cancel := context.WithCancel(ctx)
	type outcome struct {
		answer T
		err    error
		asked  bool
		took   time.Duration
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	outcomes := make(chan outcome, maxAsked+1) // all that there can be
	asked, pending, here := 0, 0, false
	start := func(itself bool) bool {
		run := r.Ask
		if itself = itself || asked == maxAsked; itself {
			if here {
				return false // there is nobody else
			}
			run, here = r.Do, true
		} else {
			asked++
		}
		pending++
		running.Go(func() {
			begun := time.Now()
			answer, err := run(ctx)
			outcomes <- outcome{answer, err, !itself, time.Since(begun)}
		})
		return true
	}
	start(false)
	slow := time.NewTimer(r.Pace.Patience())
	defer slow.Stop()
	for {
		select {
		case o := <-outcomes:
			pending--
			if o.err == nil {
				r.Pace.Done(o.took)
				return o.answer, nil
			}
			if !o.asked || ctx.Err() != nil || r.Final(o.err) {
				return o.answer, o.err
			}
			r.Lost()
			if pending == 0 || errors.Is(o.err, wire.ErrLost) {
				start(!errors.Is(o.err, wire.ErrLost))
			}
		case <-slow.C:
			if start(false) {
				r.Again()
			}
			slow.Reset(r.Pace.Patience())
		}
	}
}
