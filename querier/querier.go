package querier

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/querier/jobs"
	"github.com/spanlake/spanlake/schema"
)

// Querier answers queries from blocks and live data. Safe for concurrent use.
type Querier struct {
	cfg        Config
	catalog    *catalog.Catalog
	live       catalog.Live
	projects   Projects
	erasures   Erasures
	erased     erasedBlocks
	slots      slots
	blocks     *block.Readers
	repeats    *engine.Repeats
	spans      *llm.Spans      // derives of those that were sent in pieces
	tallies    *engine.Tallies // nil if none are kept
	partitions int
	build      BuildInfo
	logger     *slog.Logger
	metrics    *metrics
	queue      *jobs.Queue // of what is done in this process
	turns      *jobs.Turns
	workers    Workers // nil: everything is done here
	shareFrom  int     // jobs that a query must have for workers to be asked

	maxErased     int           // traces that one erasure may be about
	maxFound      int           // traces that a list may be about
	maxFoundRows  int           // spans that a list may be about
	traceInMemory int64         // bytes up to which a trace is put together in memory
	partialEvery  time.Duration // how often streams get what is not the whole answer
}

// New returns a querier over the catalog's blocks in bucket and the live data
// of a log with the given number of partitions, within what projects allow.
func New(cfg Config, cat *catalog.Catalog, live catalog.Live, projects Projects, erasures Erasures, bucket objstore.Bucket, partitions int, build BuildInfo, logger *slog.Logger, reg prometheus.Registerer) *Querier {
	pages := block.NewCache(int64(cfg.PageCacheBytes)) //nolint:gosec // Config.Validate bounds it
	var tallies *engine.Tallies
	if cfg.ResultCacheBytes > 0 {
		tallies = engine.NewTallies(int64(cfg.ResultCacheBytes)) //nolint:gosec // Config.Validate bounds it
		registerTallies(reg, tallies)
	}
	queue := jobs.NewQueue(jobs.Limits{
		Running: cfg.MaxJobs, Bytes: int64(cfg.JobMemory), Waiting: cfg.MaxWaitingJobs, //nolint:gosec // Config.Validate bounds it
	})
	repeats := engine.NewRepeats()
	blocks := block.NewReaders(budgeted{bucket}, int64(cfg.CacheBytes), pages)
	m := newMetrics(reg, blocks, pages, repeats, queue)
	return &Querier{
		cfg: cfg, catalog: cat, live: live, projects: projects, erasures: erasures, blocks: blocks,
		repeats: repeats, spans: llm.NewSpans(projects.Prices), tallies: tallies, partitions: partitions, build: build, logger: logger, metrics: m, queue: queue,
		maxErased: erasure.MaxTraces, maxFound: maxFound, maxFoundRows: maxFoundRows, traceInMemory: traceInMemory, partialEvery: partialEvery,
		turns: jobs.NewTurns(runtime.GOMAXPROCS(0)),
	}
}

// OnShared lets f know when the queries of several projects share the processors,
// and when those of one have them again. It must be called before the first query.
func (q *Querier) OnShared(f func(shared bool)) { q.turns.OnShared(f) }

// turnsOf are the turns of a query's projects.
type turnsOf struct {
	*jobs.Turns

	name string
}

var _ engine.Turns = turnsOf{}

// Take waits for a turn.
func (t turnsOf) Take(ctx context.Context) (turn context.Context, leave func(), err error) {
	return t.Turns.Take(ctx, t.name)
}

// Away lends the turn of ctx to others.
func (turnsOf) Away(ctx context.Context) (back func()) { return jobs.Away(ctx) }

// Yield lets others have their turn.
func (turnsOf) Yield(ctx context.Context) error { return jobs.Yield(ctx) }

// inTurn does what takes a processor for long.
func (q *Querier) inTurn(ctx context.Context, projects []schema.ProjectID, f func(context.Context) error) error {
	turns := turnsOf{q.turns, projectsText(projects)}
	turn, leave, err := turns.Take(engine.WithTurns(ctx, turns))
	if err != nil {
		return err
	}
	defer leave()
	return f(turn)
}

// maxRetries bounds how often a query begins anew because a block was gone, or
// a part of the log was purged before it was read: after a pause of storing,
// several batches may be purged within a query.
const maxRetries = 10

// read joins blocks and live data of projects, as if they were one, and lets f
// read them. A span that several projects have is folded like one that was
// delivered twice, so no answer has to be put together from others. When a block that the
// listing named is gone or replaced, merged away meanwhile, or a part of the
// log was purged, everything that was read is void and f is called again with a
// newer listing.
func (q *Querier) read(ctx context.Context, projects []schema.ProjectID, partitions []int, f func(*catalog.Joined) error) error {
	views := make([]*catalog.View, len(projects)) // out of date
	used := usageOf(ctx)
	var gone error
	for range maxRetries {
		begun := time.Now()
		joined, err := q.join(ctx, projects, partitions, views)
		since(begun, &used.list)
		if err != nil {
			return err
		}
		used.blocks = len(joined.Blocks)
		begun = time.Now()
		err = f(joined)
		since(begun, &used.run)
		if !isGone(err) {
			return err
		}
		gone = err
		q.metrics.retries.Inc()
	}
	return fmt.Errorf("%w: %w", catalog.ErrUnsettled, gone)
}

// join returns the blocks and segments of all projects, without what has expired
// or is erased, and replaces their views by those that it has used.
func (q *Querier) join(ctx context.Context, projects []schema.ProjectID, partitions []int, views []*catalog.View) (*catalog.Joined, error) {
	used := usageOf(ctx)
	parts := make([]*catalog.Joined, len(projects))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(q.cfg.Concurrency)
	for i, id := range projects {
		group.Go(func() (err error) {
			parts[i], err = q.catalog.Join(ctx, q.live, id, partitions, views[i])
			return err
		})
	}
	var erased map[schema.ProjectID]*erasure.Pending
	group.Go(func() (err error) {
		erased, err = q.pendingOf(ctx, projects)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	whole := parts[0]
	if views[0] = whole.View; len(parts) > 1 {
		whole = &catalog.Joined{}
		for i, part := range parts {
			views[i] = part.View
			whole.Blocks = append(whole.Blocks, part.Blocks...)
			whole.Segments = append(whole.Segments, part.Segments...)
			whole.Parts = append(whole.Parts, part.Parts...)
		}
	}
	if used.hidden {
		return whole, nil
	}
	whole.Erased = erased
	return unerased(unexpired(whole, used.oldest), q.partitions), nil
}
