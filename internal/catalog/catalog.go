package catalog

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spanlake/spanlake/internal/clock"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// Log is what the catalog asks of the log.
type Log interface {
	Partitions() int
	Stream(partition int) wal.Stream
}

// View is a project's block list and the floors it was made with: of every
// partition, all messages up to the floor are in these blocks, if the project
// has any in them. It is never changed after it was made.
type View struct {
	made   time.Time // before anything of it was listed
	floors []Floor
	blocks []schema.BlockName // visible ones
}

// Floor is the position of a stream up to which everything is in blocks.
type Floor struct{ Epoch, Position uint64 }

// Blocks returns the visible blocks, sorted by partition and range. The caller
// must not change them.
func (v *View) Blocks() []schema.BlockName { return v.blocks }

// Catalog keeps the newest view of every project that was asked for. Safe for
// concurrent use.
type Catalog struct {
	bucket  objstore.Bucket
	log     Log
	logger  *slog.Logger
	metrics *metrics
	maxAge  time.Duration // of views, 0: any

	mu       sync.Mutex
	projects map[schema.ProjectID]*entry
}

type entry struct {
	listing chan struct{} // capacity 1: held by the one who lists
	closed  days          // for who holds it
	begun   time.Time     // when closed was empty, likewise

	mu   sync.Mutex
	view *View
}

// New returns a catalog of the bucket's blocks.
func New(bucket objstore.Bucket, log Log, logger *slog.Logger, reg prometheus.Registerer) *Catalog {
	return &Catalog{
		bucket: bucket, log: log, logger: logger, metrics: newMetrics(reg),
		projects: make(map[schema.ProjectID]*entry),
	}
}

// Expire bounds the age of views, and of what they know of closed days. What was
// stored in place of others, by a merge or an erasure, is seen after so long although
// the others can still be read, here from memory. It must be called before the first
// view is asked for.
func (c *Catalog) Expire(age time.Duration) { c.maxAge = age }

// usable reports whether a view may be used by who has found old to be out of date.
func (c *Catalog) usable(v, old *View) bool {
	return v != nil && v != old && (c.maxAge == 0 || clock.Since(v.made) < c.maxAge)
}

// View returns the cached view of a project, or makes one.
func (c *Catalog) View(ctx context.Context, project schema.ProjectID) (*View, error) {
	return c.Newer(ctx, project, nil)
}

// Newer returns a view that was made after old, of which a block was gone: the
// cached one if it is another, else a fresh one. Callers that need one at the
// same time share it.
func (c *Catalog) Newer(ctx context.Context, project schema.ProjectID, old *View) (*View, error) {
	return c.newer(ctx, project, old, true)
}

// newer returns a view that was made after old. Unless blocks were gone, days that
// were closed when they were listed are as they were then.
func (c *Catalog) newer(ctx context.Context, project schema.ProjectID, old *View, gone bool) (*View, error) {
	e := c.entry(project)
	if v := e.current(); c.usable(v, old) {
		return v, nil
	}
	select {
	case e.listing <- struct{}{}:
		defer func() { <-e.listing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if v := e.current(); c.usable(v, old) {
		return v, nil
	}
	if gone || e.begun.IsZero() {
		clear(e.closed)
		e.begun = time.Now()
	}
	v, err := c.list(ctx, project, e.closed)
	if err != nil {
		return nil, err
	}
	v.made = e.begun
	e.mu.Lock()
	e.view = v
	e.mu.Unlock()
	return v, nil
}

func (c *Catalog) entry(project schema.ProjectID) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.projects[project]
	if e == nil {
		for other := range c.projects {
			if len(c.projects) < maxProjects {
				break
			}
			delete(c.projects, other) // whoever uses it now keeps it until done
		}
		e = &entry{listing: make(chan struct{}, 1), closed: make(days)}
		c.projects[project] = e
	}
	return e
}

// maxProjects bounds the views in memory: a query may name any project, also
// one that does not exist.
const maxProjects = 4096

func (e *entry) current() *View {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.view
}

// list makes a view. The floors are read first: a batch that is stored and
// purged after the listing passed its place is then above the floor, and the
// live side or the next listing has it. The other way round it is in neither.
func (c *Catalog) list(ctx context.Context, project schema.ProjectID, closed days) (*View, error) {
	c.metrics.listings.Inc()
	var first firstTimes
	v := &View{floors: make([]Floor, c.log.Partitions())}
	for p := range v.floors {
		stream := c.log.Stream(p)
		state, err := stream.State(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the floor of partition %d: %w", p, err)
		}
		v.floors[p] = Floor{stream.Epoch(), state.Floor()}
		first.add(state)
	}
	all, err := closed.list(ctx, c, project, first.from())
	if err != nil {
		return nil, fmt.Errorf("list the blocks of project %s: %w", project, err)
	}
	v.blocks = schema.Visible(all)
	return v, nil
}

// skipped notes an object among the blocks that is none: written by a newer
// version, or by somebody else.
func (c *Catalog) skipped(key string, err error) {
	c.metrics.skipped.Inc()
	c.logger.Warn("an object among the blocks has no block's name", slog.String("key", key), slog.Any("err", err))
}
