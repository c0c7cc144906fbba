package project

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spanlake/spanlake/internal/clock"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

const (
	// RefreshInterval is how often a directory is made anew by default: so long
	// a process may not know of a change.
	RefreshInterval = 5 * time.Second
	// MaxStale is how old a directory may become while the bucket cannot be
	// read before it accepts no key any more.
	MaxStale = time.Minute
)

// Errors of a Directory.
var (
	// ErrUnavailable: the projects could not be read from the bucket for too
	// long, or never. Try again.
	ErrUnavailable = errors.New("the projects cannot be read from the bucket")
	// ErrDenied: there is no such key, or it was revoked, or its project was
	// deleted.
	ErrDenied = errors.New("unknown or revoked key")
	// ErrAmbiguous: several projects have the alias.
	ErrAmbiguous = errors.New("is an alias of several projects")
)

// Project is what counts for a project: what is set for it over the defaults.
type Project struct {
	ID        schema.ProjectID
	Retention Retention // the longest, of rules too
	Rules     Rules     // none: Retention is that of all traces
	Limits    Limits    // 0: no limit
	Created   bool      // it has settings
}

// Rest is how long traces are kept that no rule finds.
func (p *Project) Rest() Retention {
	if len(p.Rules.Each) > 0 {
		return p.Rules.Rest
	}
	return p.Retention
}

// Options are what a directory is made with. A zero field has its default.
type Options struct {
	// Retention and Limits of projects that set none.
	Retention  Retention
	Limits     Limits
	Logger     *slog.Logger // none by default
	Registerer prometheus.Registerer
}

// Directory answers what is set for projects from a copy that Refresh makes. It
// knows nothing before the first one. Safe for concurrent use; only Refresh
// takes time.
type Directory struct {
	bucket  objstore.Bucket
	opts    Options
	metrics *metrics

	refreshing sync.Mutex // held by the one who reads the bucket
	current    atomic.Pointer[snapshot]
}

// NewDirectory returns the directory of a bucket.
func NewDirectory(bucket objstore.Bucket, opts Options) *Directory {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Directory{bucket: bucket, opts: opts}
	d.metrics = newMetrics(opts.Registerer, d.age)
	return d
}

// Refresh reads what has changed in the bucket. When it fails, what was known
// stays. Callers that come while it is at work wait for it.
func (d *Directory) Refresh(ctx context.Context) error {
	asked := time.Now()
	d.refreshing.Lock()
	defer d.refreshing.Unlock()
	before := d.current.Load()
	if before != nil && before.begun.After(asked) {
		return nil // somebody else who had to wait has done it
	}
	next, err := d.read(ctx, before)
	if err != nil {
		d.metrics.failures.Inc()
		return fmt.Errorf("read the projects: %w", err)
	}
	d.current.Store(next)
	d.metrics.projects.Set(float64(len(next.projects)))
	d.metrics.keys.Set(float64(len(next.keys)))
	return nil
}

// Run refreshes until ctx ends, so often, and logs what fails.
func (d *Directory) Run(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := d.Refresh(ctx); err != nil && ctx.Err() == nil {
			d.opts.Logger.Warn("projects are as they were", slog.Any("err", err), slog.Duration("age", d.age()))
		}
	}
}

// age is how old the copy is, 0 if there is none.
func (d *Directory) age() time.Duration {
	if s := d.current.Load(); s != nil {
		return time.Since(s.begun)
	}
	return 0
}

// Project returns what counts for a project, created or not, as far as this
// process knows: however long the bucket has been away, the last that was read.
// Returns ErrDeleted, ErrSettings if its settings cannot be used, and
// ErrUnavailable if nothing was ever read.
func (d *Directory) Project(id schema.ProjectID) (Project, error) {
	s := d.current.Load()
	if s == nil {
		return Project{}, ErrUnavailable
	}
	o := s.projects[id]
	switch {
	case o == nil:
		return Project{ID: id, Retention: d.opts.Retention, Limits: Limits{}.over(d.opts.Limits)}, nil
	case o.err != nil:
		return Project{}, fmt.Errorf("project %s: %w", id, o.err)
	case o.settings.Deleted():
		return Project{}, fmt.Errorf("project %s %w on %s", id, ErrDeleted, o.settings.DeletedAt.Format(time.DateTime))
	}
	return d.Effective(id, o.settings), nil
}

// Effective is what counts with settings: these over the defaults.
func (d *Directory) Effective(id schema.ProjectID, s Settings) Project {
	p := Project{ID: id, Retention: d.opts.Retention, Limits: s.Limits.over(d.opts.Limits), Created: true}
	if s.Retention != nil {
		p.Retention = *s.Retention
	}
	if len(s.Rules) > 0 {
		p.Rules = Rules{Rest: p.Retention, Each: s.Rules}
		p.Retention = p.Rules.Longest()
	}
	return p
}

// Prices is the table of prices of models that counts for a project: the one that
// comes with the program, behind the project's own. Of one that cannot be used,
// and before anything was read, it is the program's.
func (d *Directory) Prices(id schema.ProjectID) *price.Table {
	if s := d.current.Load(); s != nil {
		if o := s.projects[id]; o != nil && o.prices != nil {
			return o.prices
		}
	}
	return price.Shipped()
}

// Reprice is what was asked for a project, nil if nothing was.
func (d *Directory) Reprice(id schema.ProjectID) *Reprice {
	if s := d.current.Load(); s != nil {
		if o := s.projects[id]; o != nil && o.err == nil && !o.settings.Deleted() {
			return o.settings.Reprice
		}
	}
	return nil
}

// Retention returns how long the data of a project is kept, 0 for ever, for who
// is about to delete: by what is not older than RefreshInterval, after a look at
// the bucket if need be. Of a project that was deleted nothing is shown, and
// what lies there is kept for MinRetention only. Returns ErrSettings, and the
// errors of the bucket: then nothing may be deleted.
func (d *Directory) Retention(ctx context.Context, id schema.ProjectID) (time.Duration, error) {
	if s := d.current.Load(); s == nil || clock.Since(s.begun) > RefreshInterval {
		if err := d.Refresh(ctx); err != nil {
			return 0, err
		}
	}
	p, err := d.Project(id)
	if errors.Is(err, ErrDeleted) {
		return time.Duration(MinRetention), nil
	}
	return time.Duration(p.Retention), err
}

// Rules returns those of a project, for who is about to drop traces: what is known
// after Retention was asked.
func (d *Directory) Rules(_ context.Context, id schema.ProjectID) (Rules, error) {
	p, err := d.Project(id)
	if errors.Is(err, ErrDeleted) {
		return Rules{}, nil
	}
	return p.Rules, err
}

// Resolve returns the project that a name or an alias means. Returns
// schema.ErrBadProject for a text that is neither, and ErrAmbiguous.
func (d *Directory) Resolve(spelling string) (schema.ProjectID, error) {
	id, err := schema.ParseProjectID(spelling)
	if err == nil {
		return id, nil
	}
	if s := d.current.Load(); s != nil {
		if meant, ok := s.aliases[spelling]; ok && meant == All {
			return "", fmt.Errorf("%q %w", spelling, ErrAmbiguous)
		} else if ok {
			return meant, nil
		}
	}
	return "", err
}

// Authenticate returns the key whose secret this is. If public is not empty it
// has to be the other half of the pair. The key belongs to the directory: read
// only. Returns ErrDenied, and ErrUnavailable if what is known is older than
// MaxStale.
func (d *Directory) Authenticate(public, secret string) (*Key, error) {
	s := d.current.Load()
	if s == nil || clock.Since(s.begun) > MaxStale {
		return nil, ErrUnavailable
	}
	k := s.keys[keyIDOf(secret)]
	known := k != nil
	if !known {
		k = &nobody
	}
	if !k.opens(secret) || !known || public != "" && public != k.Public() {
		return nil, ErrDenied
	}
	if k.Project == All {
		return k, nil
	}
	switch p, err := d.Project(k.Project); {
	case errors.Is(err, ErrDeleted):
		return nil, ErrDenied
	case err != nil:
		return nil, err
	case !p.Created: // keys outlive no project, whatever became of its settings
		return nil, ErrDenied
	}
	return k, nil
}
