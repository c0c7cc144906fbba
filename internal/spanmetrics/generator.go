package spanmetrics

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/grafana/dskit/backoff"
	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spanlake/spanlake/internal/catalog/tail"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// Log is what a Generator asks of the log.
type Log interface {
	Partitions() int
	Stream(partition int) wal.Stream
	// Lease is as that of wal.Log.
	Lease(ctx context.Context, name, holder string, while time.Duration) (bool, error)
}

// Generator reads the log from when it begins to and counts what it reads. Of several
// Generators one counts a partition: the one that has its lease.
//
// The counts are those of a Prometheus client: they begin at zero with the process. A
// span that a client has sent twice counts twice, and so may spans of the seconds in
// which a lease changes hands. Pieces of spans and scores (schema.Fragment) are not
// counted.
type Generator struct {
	services.Service

	cfg     Config
	log     Log
	bucket  objstore.Bucket
	store   *store
	holder  string
	logger  *slog.Logger
	metrics *metrics
}

// The lease of a partition, how often it is prolonged, and how often the rest is done.
const (
	leaseFor   = 15 * time.Second
	leaseEvery = 5 * time.Second
	tickEvery  = time.Second
)

// New returns a Generator that shows its counts in reg.
func New(cfg Config, log Log, bucket objstore.Bucket, logger *slog.Logger, reg prometheus.Registerer) (*Generator, error) {
	g := &Generator{cfg: cfg, log: log, bucket: bucket, holder: rand.Text(), logger: logger, metrics: newMetrics(reg)}
	g.store = newStore(&g.cfg, g.metrics.dropped)
	if err := reg.Register(g.store); err != nil {
		return nil, fmt.Errorf("show the counts of spans: %w", err)
	}
	g.Service = services.NewBasicService(nil, g.running, nil)
	return g, nil
}

func (g *Generator) running(ctx context.Context) error {
	var work sync.WaitGroup
	for p := range g.log.Partitions() {
		work.Go(func() { g.follow(ctx, p) })
	}
	if g.cfg.RemoteWriteURL != "" {
		work.Go(func() { g.push(ctx) })
	}
	work.Wait()
	return nil
}

// follow counts a partition whenever it has its lease.
func (g *Generator) follow(ctx context.Context, p int) {
	ticker := time.NewTicker(leaseEvery)
	defer ticker.Stop()
	lease := func(while time.Duration) bool {
		ok, err := g.log.Lease(context.WithoutCancel(ctx), fmt.Sprintf("spanmetrics.%d", p), g.holder, while)
		if err != nil && ctx.Err() == nil {
			g.logger.WarnContext(ctx, "the lease of a partition could not be taken", slog.Int("partition", p), slog.Any("err", err))
		}
		return ok && err == nil
	}
	var stop context.CancelFunc
	var reading sync.WaitGroup
	end := func() {
		if stop != nil {
			stop()
			reading.Wait()
			stop = nil
			g.metrics.partitions.Dec()
		}
	}
	for ctx.Err() == nil {
		switch held := lease(leaseFor); {
		case held && stop == nil:
			var mine context.Context
			mine, stop = context.WithCancel(ctx)
			g.metrics.partitions.Inc()
			reading.Go(func() { g.read(mine, p) })
		case !held:
			end()
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	if stop != nil {
		end()
		lease(0)
	}
}

// read counts what arrives in a partition from now on, until ctx ends.
func (g *Generator) read(ctx context.Context, p int) {
	r := &reader{Generator: g, graph: newGraph(g.store), decoder: otlp.NewDecoder()}
	var work sync.WaitGroup
	work.Go(func() { r.tick(ctx) })
	defer work.Wait()
	retry := backoff.New(ctx, backoff.Config{MinBackoff: 10 * time.Millisecond, MaxBackoff: time.Second})
	for retry.Ongoing() {
		stream := g.log.Stream(p)
		err := r.begin(ctx, stream)
		if err == nil {
			err = stream.Read(ctx, func(msg wal.Message) error {
				retry.Reset()
				return r.message(ctx, msg)
			})
		}
		if ctx.Err() != nil {
			return
		}
		if !errors.Is(err, wal.ErrReset) {
			g.logger.WarnContext(ctx, "reading the log begins anew", slog.Int("partition", p), slog.Any("err", err))
		}
		retry.Wait()
	}
}

// reader counts one partition.
type reader struct {
	*Generator

	decoder *otlp.Decoder
	rows    []schema.Span
	begun   bool
	epoch   uint64
	last    uint64 // position of the message that was counted last

	mu    sync.Mutex
	graph *graph
}

// begin finds out which messages are counted: those behind the end of the log that
// there is when reading begins, and of another log, which begins later on, all.
func (r *reader) begin(ctx context.Context, stream wal.Stream) error {
	switch epoch := stream.Epoch(); {
	case !r.begun:
		state, err := stream.State(ctx)
		if err != nil {
			return err
		}
		r.begun, r.epoch, r.last = true, epoch, state.Last
	case r.epoch != epoch:
		r.epoch, r.last = epoch, 0
	}
	return nil
}

// message counts a message, once.
func (r *reader) message(ctx context.Context, msg wal.Message) error {
	if msg.Position <= r.last {
		return nil
	}
	payload, err := wal.DecodePayload(msg.Payload)
	if err != nil {
		r.metrics.undecoded.Inc()
	}
	for _, entry := range payload.Entries {
		wire, err := tail.Redeem(ctx, r.bucket, entry)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			r.rows, err = r.decoder.Decode(wire, msg.Position, r.rows[:0])
		}
		if err != nil {
			r.metrics.undecoded.Inc()
			continue
		}
		r.count(entry.Project)
	}
	r.last = msg.Position
	return nil
}

// count counts the rows that were decoded last.
func (r *reader) count(id schema.ProjectID) {
	now, counted := r.store.now(), 0
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.rows {
		row := &r.rows[i]
		if row.Fragment != schema.FragmentNone {
			continue
		}
		counted++
		r.store.countSpan(id, row)
		r.graph.add(id, row, now)
	}
	r.metrics.spans.WithLabelValues(string(id)).Add(float64(counted))
}

// tick ends waits and forgets series until ctx ends.
func (r *reader) tick(ctx context.Context) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.mu.Lock()
			r.graph.expire(r.store.now())
			r.mu.Unlock()
			r.store.forget()
		}
	}
}
