package erasure

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/spanlake/spanlake/internal/clock"
	"github.com/spanlake/spanlake/schema"
)

const (
	// WatchInterval is how long a listing of what is pending counts: with the time
	// that a query takes to begin, a request is seen within two seconds.
	WatchInterval = time.Second
	// MaxStale is how long the last listing counts while the bucket is away.
	MaxStale = time.Minute
	// patience is how long one is waited for when there is an earlier one.
	patience = time.Second
	// maxWatched bounds the projects that are remembered: a query may name any.
	maxWatched = 4096
)

// Watch tells what is pending from listings that are at most WatchInterval old:
// one request for each project that is asked for, and second. Safe for concurrent
// use.
type Watch struct {
	store *Store

	mu       sync.Mutex
	projects map[schema.ProjectID]*watched
}

type watched struct {
	listing chan struct{} // capacity 1: held by the one who lists

	mu      sync.Mutex
	pending *Pending
	begun   time.Time // of its listing, zero before the first
}

// NewWatch watches what is in a store.
func NewWatch(store *Store) *Watch {
	return &Watch{store: store, projects: make(map[schema.ProjectID]*watched)}
}

// Pending returns what is pending in a project.
func (w *Watch) Pending(ctx context.Context, project schema.ProjectID) (*Pending, error) {
	return w.pending(ctx, project, time.Now().Add(-WatchInterval))
}

// Refresh makes this process see at once what was just stored.
func (w *Watch) Refresh(ctx context.Context, project schema.ProjectID) error {
	_, err := w.pending(ctx, project, time.Now().Add(1)) // none that has begun
	return err
}

// pending returns a listing that was begun at a time or later.
func (w *Watch) pending(ctx context.Context, project schema.ProjectID, since time.Time) (*Pending, error) {
	p := w.entry(project)
	pending, begun := p.current()
	if !clock.Before(begun, since) {
		return pending, nil
	}
	select {
	case p.listing <- struct{}{}:
		defer func() { <-p.listing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if pending, begun = p.current(); !clock.Before(begun, since) {
		return pending, nil
	}
	listCtx := ctx
	if clock.Since(begun) < MaxStale {
		var cancel context.CancelFunc
		listCtx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	now := time.Now()
	next, err := w.store.Pending(listCtx, project, pending)
	switch {
	case err == nil:
		p.set(next, now)
		return next, nil
	case ctx.Err() == nil && clock.Since(begun) < MaxStale:
		return pending, nil // the bucket is away: what is in memory is shown by what was known last
	}
	return nil, fmt.Errorf("look for erasures: %w", err)
}

func (w *Watch) entry(project schema.ProjectID) *watched {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.projects[project]
	if p == nil {
		for other := range w.projects {
			if len(w.projects) < maxWatched {
				break
			}
			delete(w.projects, other) // whoever uses it now keeps it until done
		}
		p = &watched{listing: make(chan struct{}, 1)}
		w.projects[project] = p
	}
	return p
}

func (p *watched) current() (*Pending, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pending, p.begun
}

func (p *watched) set(pending *Pending, begun time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending, p.begun = pending, begun
}
