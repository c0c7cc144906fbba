package ingester

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/grafana/dskit/backoff"

	"github.com/spanlake/spanlake/internal/wal"
)

// partition reads one partition of the log. Its goroutines:
//
//	read ──admit, apply──▶ segments ──closed──▶ store ──purge──▶ the log
//	                   ▲
//	                queries           decide: a cut marker when the batch is old
//
// Batches are a function of the log, so any number of builders may do this
// for the same partition at once.
type partition struct {
	builder *Builder
	id      int
	logger  *slog.Logger

	mu sync.Mutex
	// run counts the beginnings of reading. Whatever was read in an earlier
	// run is void: the log is read again from its first message.
	run      int
	epoch    uint64
	started  bool       // the first message of this run was seen
	skipping bool       // inside a batch that is stored and half purged
	from     uint64     // first position held in memory, valid when started and not skipping
	applied  uint64     // last position read
	stored   uint64     // everything up to here is in blocks
	segments []*segment // in the order of the log, without a gap; only the last may be open
	open     int        // bytes of the open batch
	keptAt   time.Time  // since when the log keeps a cut with spans that are in blocks; zero: it keeps none
	storing  *segment   // what the storing goroutine works on, perhaps void
	stopped  bool       // reading waits for memory
	trouble  error      // why a batch could not be read or stored, while that is so
	changed  chan struct{}
}

func newPartition(b *Builder, id int) *partition {
	return &partition{builder: b, id: id, logger: b.logger.With(slog.Int("partition", id))}
}

// read follows the log for ever. After a reset nothing is resumed.
func (p *partition) read(ctx context.Context) {
	retry := backoff.New(ctx, backoff.Config{MinBackoff: 10 * time.Millisecond, MaxBackoff: time.Second})
	for retry.Ongoing() {
		stream := p.builder.log.Stream(p.id)
		p.begin(stream)
		err := stream.Read(ctx, func(msg wal.Message) error {
			retry.Reset()
			return p.apply(ctx, stream, msg)
		})
		if ctx.Err() != nil {
			break
		}
		p.builder.metrics.resets.Inc()
		p.setTrouble(err)
		level := slog.LevelWarn
		if errors.Is(err, wal.ErrReset) {
			level = slog.LevelInfo
		}
		p.logger.Log(ctx, level, "reading the log begins anew", slog.Any("err", err))
		retry.Wait()
	}
}

// begin voids everything that was read before. A batch that is being stored
// stays in memory until that ends.
func (p *partition) begin(stream wal.Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.run++
	p.epoch = stream.Epoch()
	p.started, p.skipping = false, false
	p.from, p.applied, p.stored, p.keptAt = 0, 0, 0, time.Time{}
	for _, seg := range p.segments {
		p.settle(seg)
		if seg != p.storing {
			p.builder.memory.give(seg.bytes)
		}
	}
	p.segments, p.open = nil, 0
	p.builder.memory.begins(p)
	p.notify()
}

// apply takes the next message of the log.
func (p *partition) apply(ctx context.Context, stream wal.Stream, msg wal.Message) error {
	cut := wal.IsCut(msg.Payload)
	if !p.started {
		done, err := p.start(ctx, stream, msg, cut)
		if done || err != nil {
			return err
		}
	}
	if p.skipping {
		return p.skip(ctx, stream, msg, cut)
	}
	if err := p.admit(ctx, stream, msg, cut); err != nil {
		return err
	}
	payload, decodeErr := wal.DecodePayload(msg.Payload)
	claims, err := p.redeem(ctx, stream, msg.Position, payload.Entries)
	if err != nil {
		return err
	}
	seg := p.openSegment(stream, msg)
	spans, bytes := seg.apply(msg, payload, claims, decodeErr)
	p.builder.metrics.appliedSpans.Add(float64(spans))
	p.observeLag(msg.Time)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.builder.memory.take(bytes)
	p.applied = msg.Position
	p.open += bytes
	if cut {
		p.open = 0
		seg.waits = true
		p.builder.memory.batchClosed(p)
	}
	p.notify()
	return nil
}

// admit waits until there is memory for a message. The end of a batch never
// waits: it is what frees memory. Queries read in the log what waits.
func (p *partition) admit(ctx context.Context, stream wal.Stream, msg wal.Message, cut bool) error {
	m := p.builder.memory
	if cut || !m.isFull() {
		return nil
	}
	p.builder.trim()
	defer p.setStopped(false)
	return m.admit(ctx, p, p.openBytes(), func() { p.setStopped(true) }, func() error {
		return stillThere(ctx, stream, msg.Position)
	})
}

func (p *partition) openBytes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

func (p *partition) setStopped(stopped bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = stopped
	p.notify()
}

// stillThere fails when a message that waits to be applied is not in the log
// any more, or in blocks already, stored by another builder. Then memory is as
// old, and reading has to begin anew.
func stillThere(ctx context.Context, stream wal.Stream, position uint64) error {
	state, err := stream.State(ctx)
	if err != nil {
		return err
	}
	if state.Last < position || state.Floor() >= position {
		return fmt.Errorf("%w: position %d waited for memory, the log has %d to %d now", wal.ErrReset, position, state.First, state.Last)
	}
	return nil
}

// start decides where the first batch begins. A log begins with its very first
// message or with the cut that the last purge kept. Everything else is the
// middle of a batch: one whose purge was cut short by a crash when a block
// covers it, else one that somebody else has damaged, of which the rest must be
// saved. done means that the message itself is already in blocks.
func (p *partition) start(ctx context.Context, stream wal.Stream, msg wal.Message, cut bool) (done bool, err error) {
	covered, kept := false, cut && msg.Position > 1
	if !kept && msg.Position > 1 {
		covered, err = p.builder.covered(ctx, p.id, stream.Epoch(), msg.Position, msg.Time)
		if err != nil {
			return false, err
		}
		if !covered {
			p.builder.metrics.gaps.Inc()
			p.logger.Error("the log begins inside a batch that no block covers: messages were removed by someone else, building from here",
				slog.Uint64("position", msg.Position), slog.Uint64("epoch", stream.Epoch()))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started, p.skipping = true, covered
	p.from, p.stored = msg.Position, msg.Position-1
	if kept {
		p.from, p.stored, p.applied = msg.Position+1, msg.Position, msg.Position
		if !wal.IsCutMarker(msg.Payload) {
			p.keptAt = time.Now()
		}
	}
	p.notify()
	return kept, nil
}

// skip passes over a half-purged batch and finishes its purge at the cut.
func (p *partition) skip(ctx context.Context, stream wal.Stream, msg wal.Message, cut bool) error {
	if cut && p.builder.stores {
		if err := stream.Purge(ctx, msg.Position); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.applied = msg.Position
	if cut {
		p.skipping = false
		p.from, p.stored = msg.Position+1, msg.Position
	}
	p.notify()
	return nil
}

// openSegment is the open batch, a new one when the last message was a cut.
func (p *partition) openSegment(stream wal.Stream, msg wal.Message) *segment {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.segments); n > 0 && !p.segments[n-1].closed {
		return p.segments[n-1]
	}
	seg := newSegment(stream, p.builder.prices, msg)
	if p.builder.stores { // others read the same
		seg.derive.OnUnpriced(p.builder.metrics.unpriced.add)
	}
	p.segments = append(p.segments, seg)
	return seg
}

func (p *partition) setTrouble(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = err
}

func (p *partition) lastTrouble() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trouble
}

func (p *partition) observeLag(logged time.Time) {
	if logged.After(p.builder.began) {
		p.builder.metrics.visibleLag.Observe(max(time.Since(logged).Seconds(), 0))
	}
}

// notify wakes whoever waits for a change. REQUIRES: p.mu.
func (p *partition) notify() {
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// wait returns once cond holds, which is called with p.mu held.
func (p *partition) wait(ctx context.Context, cond func() bool) error {
	for {
		p.mu.Lock()
		if cond() {
			p.mu.Unlock()
			return nil
		}
		if p.changed == nil {
			p.changed = make(chan struct{})
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// caughtUp reports whether memory holds everything from p.from to the end of
// the log as state describes it. REQUIRES: p.mu.
func (p *partition) caughtUp(epoch uint64, state wal.State) bool {
	if p.epoch != epoch {
		return false
	}
	if !p.started {
		return state.Empty()
	}
	return !p.skipping && p.applied >= state.Last
}
