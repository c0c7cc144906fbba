package ingester

import (
	"context"
	"errors"
	"slices"
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
	claim   string       // if not empty, the log gets this claim check on the chunk
	outcome chan<- error // gets exactly one value and has room for it
}

// size is what the commit takes of a message at most.
func (c *commit) size() int {
	if c.claim != "" {
		return wal.EntrySize(c.project, len(c.claim))
	}
	return wal.EntrySize(c.project, c.chunk.Size)
}

// message is a message of the log that gathers commits. Their bytes are written
// into it at once, so that nothing of a request is needed any more.
type message struct {
	body     []byte // the payload's
	bytes    int    // of the chunks
	spans    int
	outcomes []chan<- error
}

func (m *message) add(c commit) {
	m.body = slices.Grow(m.body, c.size())
	if c.claim != "" {
		m.body = wal.AppendClaim(m.body, c.project, c.claim)
	} else {
		m.body = c.chunk.AppendTo(wal.AppendWireHead(m.body, c.project, c.chunk.Size))
	}
	m.bytes += c.chunk.Size
	m.spans += c.chunk.Spans
	m.outcomes = append(m.outcomes, c.outcome)
}

func (m *message) finish(err error) {
	for _, o := range m.outcomes {
		o <- err
	}
}

// committer is the group commit of one partition. The log syncs once per
// message, so whatever arrives while a publish is in flight travels together
// in the next message; an idle partition publishes at once.
type committer struct {
	cfg      *Config
	log      Log
	id       int // of the partition
	metrics  *metrics
	rate     *rate
	messages sync.Pool // *message, empty

	mu      sync.Mutex
	queue   []*message // only the last one still gathers
	bytes   int        // of their bodies
	stopped bool

	full atomic.Uint64 // bytes in the log when it last refused for being full; 0 since it took a message
	wake chan struct{} // capacity 1: a wake-up is never lost and never piles up
	// sinceCut is the bytes published since this process last flagged a cut.
	// Partitions begin at different ones: they take spans equally fast, and if
	// all were cut at one time their batches would wait for each other in
	// memory, all full. Config.CutPhase comes on top. Run's alone.
	sinceCut int
	payload  []byte // reused; run's alone
}

// newCommitter returns the committer of a partition.
func newCommitter(cfg *Config, log Log, partition int, m *metrics, r *rate) *committer {
	return &committer{
		cfg: cfg, log: log, id: partition, metrics: m, rate: r, wake: make(chan struct{}, 1),
		sinceCut: (int(cfg.CutBytes)/log.Partitions()*partition + cfg.CutPhase) % max(int(cfg.CutBytes), 1),
	}
}

// add writes c into the message that is next, and does not need its chunk after
// that. Its outcome tells its fate.
func (g *committer) add(c commit) {
	g.mu.Lock()
	stopped := g.stopped
	if !stopped {
		m := g.gathering(c.size())
		g.bytes -= len(m.body)
		m.add(c)
		g.bytes += len(m.body)
	}
	g.mu.Unlock()
	if stopped {
		c.outcome <- errStopped
		return
	}
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// gathering is the last queued message if it has room for size bytes more, else
// a new one. A commit that is too large for any is alone in its own.
// REQUIRES: g.mu.
func (g *committer) gathering(size int) *message {
	if n := len(g.queue); n > 0 {
		if last := g.queue[n-1]; len(last.body)+size <= int(g.cfg.MaxMessageBytes) {
			return last
		}
	}
	m, ok := g.messages.Get().(*message)
	if !ok {
		m = new(message)
	}
	g.queue = append(g.queue, m)
	return m
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
		m := g.next()
		if m != nil && ctx.Err() == nil {
			g.publish(publishCtx, m)
			continue
		}
		if ctx.Err() != nil {
			g.stop(m)
			return
		}
		select {
		case <-g.wake:
		case <-ctx.Done():
		}
	}
}

// next takes the next message off the queue. It gathers no more after that.
func (g *committer) next() *message {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) == 0 {
		return nil
	}
	m := g.queue[0]
	g.queue = slices.Delete(g.queue, 0, 1)
	g.bytes -= len(m.body)
	return m
}

// stop refuses the message that was next, if any, and all that are queued.
func (g *committer) stop(next *message) {
	g.mu.Lock()
	g.stopped = true
	refused := g.queue
	g.queue, g.bytes = nil, 0
	g.mu.Unlock()
	if next != nil {
		next.finish(errStopped)
	}
	for _, m := range refused {
		m.finish(errStopped)
	}
}

// publish stores the message and answers every caller from the one
// acknowledgement. It is a cut when this process has published enough since its
// last one: so a log that is full always holds a whole batch.
func (g *committer) publish(ctx context.Context, m *message) {
	cut := g.sinceCut+m.bytes >= int(g.cfg.CutBytes)
	g.payload = wal.AppendBody(g.payload[:0], m.body, cut)

	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, g.cfg.PublishTimeout)
	defer cancel()
	stream := g.log.Stream(g.id) // another one if the last was lost
	_, err := stream.Publish(ctx, g.payload, "")
	if errors.Is(err, wal.ErrFull) {
		if state, stateErr := stream.State(ctx); stateErr == nil {
			g.full.Store(state.Bytes)
		}
	}
	if err == nil {
		g.full.Store(0)
		g.sinceCut += m.bytes
		if cut {
			g.sinceCut = 0
		}
		g.rate.add(m.bytes, time.Since(begun))
		g.metrics.published(m.spans, len(g.payload))
	}
	if cap(g.payload) > maxKeptPayload {
		g.payload = nil
	}
	m.finish(err)
	g.recycle(m)
}

// recycle keeps an answered message's memory for another one.
func (g *committer) recycle(m *message) {
	if cap(m.body) > maxKeptPayload {
		return
	}
	clear(m.outcomes)
	*m = message{body: m.body[:0], outcomes: m.outcomes[:0]}
	g.messages.Put(m)
}

// maxKeptPayload bounds the buffers that are kept between messages, so that one
// large span does not hold its memory for ever.
const maxKeptPayload = 2 << 20
