package ingester

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/catalog/tail"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// Builder reads every partition of the log, answers queries for what is not
// yet in blocks, and stores a block per project and batch. It is a service:
// when it stops it cuts, stores and purges once more, for as long as Abort is
// not called, so that a clean end leaves nothing in the log. Killing it loses
// nothing either.
type Builder struct {
	services.Service

	cfg        Config
	log        Log
	bucket     objstore.Bucket
	prices     llm.Tables
	stores     bool
	logger     *slog.Logger
	metrics    *builderMetrics
	partitions []*partition
	memory     *memory
	tails      *tail.Reader
	began      time.Time
	aborted    abort
	encoding   chan struct{} // holds a token per block that is being encoded
	stored     tally
}

// maxEncoding is how many blocks are encoded at once. Partitions are often cut
// together, and each encoding takes the memory of a batch again. Half of the
// processors can encode far more than all of them can receive.
func maxEncoding() int { return max(runtime.GOMAXPROCS(0)/2, 1) }

// NewBuilder returns a builder that stores what it reads, and prices by prices
// what it says about models.
func NewBuilder(cfg Config, log Log, bucket objstore.Bucket, prices llm.Tables, logger *slog.Logger, reg prometheus.Registerer) *Builder {
	return newBuilder(cfg, log, bucket, prices, true, logger, reg)
}

// NewFollower returns a builder that only answers queries: for queriers that
// run apart from the ingesters. It never writes to the bucket or the log.
func NewFollower(cfg Config, log Log, bucket objstore.Bucket, prices llm.Tables, logger *slog.Logger, reg prometheus.Registerer) *Builder {
	return newBuilder(cfg, log, bucket, prices, false, logger, reg)
}

func newBuilder(cfg Config, log Log, bucket objstore.Bucket, prices llm.Tables, stores bool, logger *slog.Logger, reg prometheus.Registerer) *Builder {
	b := &Builder{
		cfg: cfg, log: log, bucket: bucket, prices: prices, stores: stores, logger: logger,
		metrics: newBuilderMetrics(reg), tails: tail.New(log, bucket, prices, reg), began: time.Now(), aborted: newAbort(),
		encoding: make(chan struct{}, maxEncoding()),
	}
	b.memory = newMemory(cfg.buildMemory(log.Partitions(), cap(b.encoding), processMemory()), b.metrics)
	for p := range log.Partitions() {
		b.partitions = append(b.partitions, newPartition(b, p))
	}
	b.Service = services.NewBasicService(nil, b.run, nil)
	return b
}

// Abort makes a stopping builder end at once. What it has not stored stays in
// the log for the next one.
func (b *Builder) Abort() { b.aborted.do() }

func (b *Builder) run(ctx context.Context) error {
	// The work goes on while the last batches are flushed after ctx has ended.
	workCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	wait := b.work(workCtx, workCtx)
	var aborting sync.WaitGroup
	aborting.Go(func() { b.aborted.ends(workCtx, stop) })
	<-ctx.Done()
	if b.stores {
		if err := b.Flush(workCtx); err != nil {
			b.logger.Warn("the last batches stay in the log", slog.Any("err", err))
		}
	}
	stop()
	wait()
	aborting.Wait()
	return nil
}

// work reads and stores every partition. When begin has ended nothing is begun any
// more, and what was begun goes on until ctx ends. It returns what waits for that.
func (b *Builder) work(ctx, begin context.Context) (wait func()) {
	var work sync.WaitGroup
	for _, p := range b.partitions {
		work.Go(func() { p.read(begin) })
		if b.stores {
			work.Go(func() { p.store(ctx, begin) })
		}
	}
	work.Go(func() { b.tick(begin) })
	return work.Wait
}

// tick publishes the cuts that are due by age and lets old memory go.
func (b *Builder) tick(ctx context.Context) {
	interval := min(b.cfg.CutAge/4, time.Second)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	swept := b.began
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.memory.stuck:
			b.relieve(ctx)
			continue
		case <-ticker.C:
		}
		for _, p := range b.partitions {
			if err := b.tickPartition(ctx, p); err != nil && ctx.Err() == nil {
				p.logger.Warn("cutting by age failed, trying again", slog.Any("err", err))
			}
		}
		b.trim()
		b.relieve(ctx)
		if now := time.Now(); b.stores && now.Sub(swept) >= sweepInterval {
			swept = now
			if err := b.sweepClaims(ctx, now); err != nil && ctx.Err() == nil {
				b.logger.Warn("looking for old claims failed, trying again", slog.Any("err", err))
			}
		}
	}
}

func (b *Builder) tickPartition(ctx context.Context, p *partition) error {
	if b.stores {
		if cut, err := p.cutIfOlder(ctx, b.cfg.CutAge); cut || err != nil {
			return err
		}
		return p.emptyIfOlder(ctx, b.cfg.CutAge)
	}
	state, err := b.log.Stream(p.id).State(ctx)
	if err != nil {
		return err
	}
	p.markStored(state.Floor())
	return nil
}

// relieve ends the largest open batch that is read to the log's end, when
// reading has stopped and no closed batch will free memory.
func (b *Builder) relieve(ctx context.Context) {
	if !b.stores || !b.memory.isStuck() {
		return
	}
	open := make(map[*partition]int, len(b.partitions))
	for _, p := range b.partitions {
		open[p] = p.openBytes()
	}
	largest := slices.SortedFunc(maps.Keys(open), func(p, o *partition) int { return cmp.Compare(open[o], open[p]) })
	for _, p := range largest {
		cut, err := p.cutIfOlder(ctx, 0)
		if err != nil && ctx.Err() == nil {
			p.logger.Warn("cutting for memory failed, trying again", slog.Any("err", err))
		}
		if cut {
			b.metrics.earlyCuts.Inc()
			return
		}
	}
}

// trim forgets stored batches that are older than LiveAge, and the oldest ones
// until the others fit into LiveBytes and memory is not full.
func (b *Builder) trim() {
	now := time.Now()
	total, spans := 0, 0
	for _, p := range b.partitions {
		for dropped := true; dropped; {
			_, dropped = p.dropOldest(now.Add(-b.cfg.LiveAge))
		}
		bytes, n := p.storedSize()
		total += bytes
		spans += n
	}
	for progress := true; progress && (total > int(b.cfg.LiveBytes) || b.memory.isFull()); {
		progress = false
		for _, p := range b.partitions {
			if bytes, dropped := p.dropOldest(now.Add(time.Hour)); dropped {
				total -= bytes
				progress = true
			}
		}
	}
	b.metrics.liveBytes.Set(float64(total))
	b.metrics.liveSpans.Set(float64(spans))
}

// covered reports whether a block of any project holds the position, which
// tells a half-done purge from a loss. at is when its message was published.
func (b *Builder) covered(ctx context.Context, partition int, epoch, position uint64, at time.Time) (bool, error) {
	return catalog.Covered(ctx, b.bucket, partition, b.log.Partitions(), epoch, position, at)
}

// Flush cuts every partition now and returns once all that was acknowledged
// before the call is in blocks. What fails in one partition keeps no other from
// being flushed; the errors come back joined.
func (b *Builder) Flush(ctx context.Context) error { return b.each(ctx, (*partition).flush) }

// each does something in all partitions at once.
func (b *Builder) each(ctx context.Context, do func(p *partition, ctx context.Context) error) error {
	errs := make([]error, len(b.partitions))
	var work sync.WaitGroup
	for i, p := range b.partitions {
		work.Go(func() {
			if err := do(p, ctx); err != nil {
				errs[i] = fmt.Errorf("flush partition %d: %w", p.id, errors.Join(err, p.lastTrouble()))
			}
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

// catchUpTimeout bounds how long a query waits for live data before it reads
// the rest in the log. A builder that is not overloaded is behind for less.
const catchUpTimeout = 2 * time.Second

// Tail returns what memory holds of the partition after position `after`, and
// what the log has beyond that: nothing, unless reading has stopped or cannot
// keep up. It implements catalog.Live.
func (b *Builder) Tail(ctx context.Context, project schema.ProjectID, partition int, after uint64) (catalog.Tail, error) {
	p := b.partitions[partition]
	stream := b.log.Stream(partition)
	state, err := stream.State(ctx)
	if err != nil {
		return catalog.Tail{}, err
	}
	waitCtx, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	_ = p.wait(waitCtx, func() bool { return p.stopped || p.caughtUp(stream.Epoch(), state) }) // its end is the timeout's
	if err := ctx.Err(); err != nil {
		return catalog.Tail{}, err
	}
	return p.tail(project, stream, state, after), nil
}

var _ catalog.Live = (*Builder)(nil)
