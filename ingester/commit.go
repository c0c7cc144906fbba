package ingester

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// errStopped is what a request gets that arrives while the process ends.
var errStopped = errors.New("the ingester is stopping")

// commit is one request's part for one partition on its way into the log.
type commit struct {
	project schema.ProjectID
	chunk   otlp.Chunk
	entry   wal.Entry   // the chunk, or a claim check on it
	done    func(error) // called exactly once, from the committer's goroutine
}

// size is what the commit takes of a message at most.
func (c *commit) size() int {
	return len(c.project) + len(c.entry.Wire) + len(c.entry.Claim) + 2*binary.MaxVarintLen32
}

// committer is the group commit of one partition. The log syncs once per
// message, so whatever arrives while a publish is in flight travels together
// in the next message; an idle partition publishes at once.
type committer struct {
	cfg     *Config
	stream  wal.Stream
	metrics *metrics
	rate    *rate

	mu      sync.Mutex
	queue   []commit
	bytes   int
	stopped bool

	full     atomic.Uint64 // bytes in the log when it last refused for being full; 0 since it took a message
	wake     chan struct{} // capacity 1: a wake-up is never lost and never piles up
	sinceCut int           // bytes published since this process last flagged a cut; run's alone
	payload  []byte        // reused; run's alone
}

func newCommitter(cfg *Config, stream wal.Stream, m *metrics, r *rate) *committer {
	return &committer{cfg: cfg, stream: stream, metrics: m, rate: r, wake: make(chan struct{}, 1)}
}

// add queues c. Its done is called once its fate is known.
func (g *committer) add(c commit) {
	g.mu.Lock()
	stopped := g.stopped
	if !stopped {
		g.queue = append(g.queue, c)
		g.bytes += c.size()
	}
	g.mu.Unlock()
	if stopped {
		c.done(errStopped)
		return
	}
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// backlogBytes is what has to go before a new request can: the queue, and the
// log itself while it is full.
func (g *committer) backlogBytes() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return uint64(g.bytes) + g.full.Load()
}

// run publishes until ctx ends, then refuses what is still queued. A publish
// on its way then ends with publishCtx.
func (g *committer) run(ctx, publishCtx context.Context) {
	for {
		group := g.next()
		if len(group) > 0 && ctx.Err() == nil {
			g.publish(publishCtx, group)
			continue
		}
		if ctx.Err() != nil {
			g.stop(group)
			return
		}
		select {
		case <-g.wake:
		case <-ctx.Done():
		}
	}
}

// next takes the commits of one message off the queue: at least one, and more
// while they fit together.
func (g *committer) next() []commit {
	g.mu.Lock()
	defer g.mu.Unlock()
	size, n := 0, 0
	for n < len(g.queue) {
		next := g.queue[n].size()
		if n > 0 && size+next > int(g.cfg.MaxMessageBytes) {
			break
		}
		size += next
		n++
	}
	group := g.queue[:n:n]
	g.queue = g.queue[n:]
	g.bytes -= size
	return group
}

func (g *committer) stop(group []commit) {
	g.mu.Lock()
	g.stopped = true
	group = append(group, g.queue...)
	g.queue, g.bytes = nil, 0
	g.mu.Unlock()
	for _, c := range group {
		c.done(errStopped)
	}
}

// publish stores the group as one message and answers every caller from the
// one acknowledgement. The message is a cut when this process has published
// enough since its last one: so a log that is full always holds a whole batch.
func (g *committer) publish(ctx context.Context, group []commit) {
	size, spans := 0, 0
	entries := make([]wal.Entry, len(group))
	for i, c := range group {
		entries[i] = c.entry
		size += len(c.chunk.Wire)
		spans += c.chunk.Spans
	}
	cut := g.sinceCut+size >= int(g.cfg.CutBytes)
	g.payload = wal.AppendPayload(g.payload[:0], entries, cut)

	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, g.cfg.PublishTimeout)
	defer cancel()
	_, err := g.stream.Publish(ctx, g.payload, "")
	if errors.Is(err, wal.ErrFull) {
		if state, stateErr := g.stream.State(ctx); stateErr == nil {
			g.full.Store(state.Bytes)
		}
	}
	if err == nil {
		g.full.Store(0)
		g.sinceCut += size
		if cut {
			g.sinceCut = 0
		}
		g.rate.add(size, time.Since(begun))
		g.metrics.published(spans, len(g.payload))
	}
	if cap(g.payload) > maxKeptPayload {
		g.payload = nil
	}
	for _, c := range group {
		c.done(err)
	}
}

// maxKeptPayload bounds the buffer that a committer keeps between messages, so
// that one large span does not hold its memory for ever.
const maxKeptPayload = 2 << 20
