package compactor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// Log is what a Compactor asks of the log.
type Log interface {
	Partitions() int
	Windows() []time.Duration
	Stream(partition int) wal.Stream
	// Lease is as that of wal.Log.
	Lease(ctx context.Context, name, holder string, while time.Duration) (bool, error)
}

// Retention says how long a project's spans are kept, 0 for ever.
type Retention interface {
	Retention(ctx context.Context, id schema.ProjectID) (time.Duration, error)
	// Rules say which of its traces are not kept as long.
	Rules(ctx context.Context, id schema.ProjectID) (project.Rules, error)
	// Prices are those of its models, known after Retention was asked.
	Prices(id schema.ProjectID) *price.Table
	// Reprice says whether blocks of the project are to be priced anew, nil if not;
	// known likewise.
	Reprice(id schema.ProjectID) *project.Reprice
}

// Compactor merges and deletes the blocks of a bucket. Any number of them may work
// on one; leases keep them from doing the same at the same time, mostly.
//
//	read the floors ─▶ list ─▶ plan ─┬▶ delete what was covered long ago, or has expired
//	                                 └▶ lease ─▶ read the inputs ─▶ merge ─▶ store the output, which covers them
//
// A crash between any two steps leaves what it found, or also the output, which
// is complete: nothing needs repair.
type Compactor struct {
	services.Service

	cfg       Config
	log       Log
	bucket    objstore.Bucket
	retention Retention
	erasures  *erasure.Store
	held      map[schema.ProjectID]heldRows // of the last listing
	sifted    map[schema.ProjectID]siftedBlocks
	derived   map[schema.ProjectID]*derivedBlocks
	readers   *block.Readers // of blocks that traces are judged by
	spans     *llm.Spans     // derives of those that were sent in pieces
	holder    string
	logger    *slog.Logger
	metrics   *metrics
	lifecycle *lifecycle // nil: nobody looks after the rules of the bucket

	// For the one Cycle that runs at a time: days in which there was nothing to
	// do, and how many blocks these have.
	listings   map[schema.ProjectID]listing
	remembered int
	sweptMedia time.Time // when all media were looked at
}

// New returns a Compactor. As a service it works until it is stopped. Nothing
// expires if retention is nil.
func New(cfg Config, log Log, bucket objstore.Bucket, retention Retention, logger *slog.Logger, reg prometheus.Registerer) *Compactor {
	c := &Compactor{
		cfg: cfg, log: log, bucket: bucket, retention: retention,
		erasures: erasure.NewStore(bucket), held: make(map[schema.ProjectID]heldRows), sifted: make(map[schema.ProjectID]siftedBlocks),
		derived: make(map[schema.ProjectID]*derivedBlocks),
		readers: block.NewReaders(bucket, readerBytes, block.NewCache(pageBytes)),
		holder:  rand.Text(), logger: logger, metrics: newMetrics(reg),
		listings: make(map[schema.ProjectID]listing),
	}
	c.spans = llm.NewSpans(c.prices)
	c.Service = services.NewTimerService(cfg.Interval, nil, c.tick, nil)
	return c
}

// prices are those of a project, of the program if nobody knows it.
func (c *Compactor) prices(id schema.ProjectID) *price.Table {
	if c.retention == nil {
		return price.Shipped()
	}
	return c.retention.Prices(id)
}

// tick looks for work once. It returns no error, which would end the service.
func (c *Compactor) tick(ctx context.Context) error {
	if _, err := c.Cycle(ctx, Run{}); err != nil && ctx.Err() == nil {
		c.logger.Error("compaction failed, trying again", slog.Any("err", err))
	}
	return nil
}

// Summary is what was done in a cycle.
type Summary struct {
	Projects int   `json:"projects"`
	Merges   int   `json:"merges"`        // that stored a block
	Inputs   int   `json:"inputs"`        // their inputs
	Read     int64 `json:"read_bytes"`    // bytes of these
	Written  int64 `json:"written_bytes"` // bytes of the new blocks
	Spans    int   `json:"spans"`         // in these
	Folded   int   `json:"folded"`        // rows left out because they were delivered twice
	Void     int   `json:"void"`          // merges whose inputs were gone, or that someone else is at
	Covered  int   `json:"covered"`       // blocks deleted because others cover them
	Expired  int   `json:"expired"`       // and because they have expired
	Rewrites int   `json:"rewrites"`      // blocks that were written anew without rows that are to be gone
	Dropped  int   `json:"dropped"`       // these rows, those that merges have left out too
	Erased   int   `json:"erased"`        // erasures that are done
	Pending  int   `json:"pending"`       // erasures that are not
	Repriced int   `json:"repriced"`      // blocks that were written anew with what follows from their rows today
	// Strangers and TooLarge are windows that stay unmerged, as Plan has them.
	Strangers int `json:"strangers"`
	TooLarge  int `json:"too_large"`
	// Unfinished says that Run.Until has passed while there was something to do.
	Unfinished bool `json:"unfinished"`
}

// Add adds what a later cycle did. What stays is what the later one says.
func (s *Summary) Add(later Summary) {
	later.Merges += s.Merges
	later.Inputs += s.Inputs
	later.Read += s.Read
	later.Written += s.Written
	later.Spans += s.Spans
	later.Folded += s.Folded
	later.Void += s.Void
	later.Covered += s.Covered
	later.Expired += s.Expired
	later.Rewrites += s.Rewrites
	later.Dropped += s.Dropped
	later.Erased += s.Erased
	later.Repriced += s.Repriced
	*s = later
}

// Run says how far work goes. The zero value is all of it, without a word.
type Run struct {
	// Until is when the last deletion or merge may begin, zero for any time. What is
	// begun is finished, or given up with the context.
	Until time.Time
	// Progress, if not nil, is called with the project that is being worked on, and
	// how many bytes of its merges' inputs are done.
	Progress func(project schema.ProjectID, done, total int64)
}

// over reports whether nothing may be begun any more.
func (r *Run) over() bool { return !r.Until.IsZero() && !time.Now().Before(r.Until) }

func (r *Run) progress(project schema.ProjectID) func(done, total int64) {
	return func(done, total int64) {
		if r.Progress != nil {
			r.Progress(project, done, total)
		}
	}
}

// UntilDone looks for work until there is no merge any more, or no time: a merge
// may make another one worth while.
func (c *Compactor) UntilDone(ctx context.Context, run Run) (sum Summary, err error) {
	for {
		s, err := c.Cycle(ctx, run)
		sum.Add(s)
		if err != nil || s.Merges+s.Rewrites+s.Repriced == 0 || s.Unfinished {
			return sum, err
		}
	}
}

// Cycle looks at all projects once and does what is to be done: all deletions of
// a project, then its merges. What fails in one project keeps nothing else from
// being done; the errors come back joined.
func (c *Compactor) Cycle(ctx context.Context, run Run) (s Summary, err error) {
	c.metrics.cycles.Inc()
	defer func() {
		if err != nil {
			c.metrics.failures.Inc()
			return
		}
		c.metrics.lastSuccess.SetToCurrentTime()
		c.metrics.strangers.Set(float64(s.Strangers))
		c.metrics.tooLarge.Set(float64(s.TooLarge))
		c.metrics.pending.Set(float64(s.Pending))
	}()
	started := time.Now()
	floors, err := c.floors(ctx)
	if err != nil {
		return s, err
	}
	projects, erasing, err := c.projects(ctx)
	if err != nil {
		return s, err
	}
	if len(c.listings) > len(projects) { // some are gone
		clear(c.listings)
		c.remembered = 0
	}
	var errs []error
	planned := 0
	for _, p := range projects {
		if run.over() {
			s.Unfinished = true
			break
		}
		v, err := c.view(ctx, p, floors, slices.Contains(erasing, p))
		if err == nil {
			planned += len(v.plan.Merges) + len(v.plan.Rewrites) + len(v.plan.Sifts) + len(v.plan.Reprices)
			err = c.act(ctx, v, &s, &run)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("project %s: %w", p, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	if !s.Unfinished {
		errs = append(errs, c.sweepMedia(ctx))
		c.keepLifecycle(ctx, projects)
	}
	s.Projects = len(projects)
	c.metrics.behind.Set(float64(planned))
	c.logger.Debug("looked for work", slog.Int("projects", s.Projects), slog.Int("merges", s.Merges),
		slog.Int("deleted", s.Covered+s.Expired), slog.Duration("duration", time.Since(started)))
	return s, errors.Join(errs...)
}

// projects lists the projects that have blocks or erasures, and of them the latter.
func (c *Compactor) projects(ctx context.Context) (list, erasing []schema.ProjectID, err error) {
	for folder, err := range c.bucket.List(ctx, objstore.ListOptions{Prefix: schema.BlocksPrefix, Delimiter: true}) {
		if err != nil {
			return nil, nil, fmt.Errorf("list the projects: %w", err)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(folder.Key, schema.BlocksPrefix), "/")
		if id, err := schema.ParseProjectID(name); err == nil {
			list = append(list, id) // what is no project's has no blocks
		}
	}
	erasing, err = c.erasures.Projects(ctx)
	list = append(list, erasing...)
	slices.Sort(list)
	return slices.Compact(list), erasing, err
}

// act does what a plan says.
func (c *Compactor) act(ctx context.Context, v *view, s *Summary, run *Run) error {
	s.Strangers += v.plan.Strangers
	s.TooLarge += v.plan.TooLarge
	if err := c.note(ctx, v); err != nil {
		return err
	}
	if err := c.complete(ctx, v, s); err != nil {
		return err
	}
	if err := c.delete(ctx, v, s, run); err != nil {
		return err
	}
	jobs := slices.Concat(v.plan.Rewrites, v.plan.Merges, v.plan.Sifts, v.plan.Reprices)
	var done, total int64
	for i := range jobs {
		total += jobs[i].Bytes
	}
	progress := run.progress(v.project)
	for i := range jobs {
		if run.over() {
			s.Unfinished = true
			return nil
		}
		job := &jobs[i]
		if err := c.merge(ctx, v, job, s, func(part int64) { progress(done+part, total) }); err != nil {
			return err
		}
		done += job.Bytes
		progress(done, total)
	}
	return nil
}
