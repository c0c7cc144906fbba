package querier

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/schema"
)

// Erasures tells which rows of a project no query may show.
type Erasures interface {
	Pending(ctx context.Context, project schema.ProjectID) (*erasure.Pending, error)
}

// pendingOf asks for what is pending in projects.
func (q *Querier) pendingOf(ctx context.Context, projects []schema.ProjectID) (map[schema.ProjectID]*erasure.Pending, error) {
	if q.erasures == nil {
		return nil, nil
	}
	all := make(map[schema.ProjectID]*erasure.Pending)
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(q.cfg.Concurrency)
	for _, id := range projects {
		group.Go(func() error {
			pending, err := q.erasures.Pending(ctx, id)
			if pending != nil {
				mu.Lock()
				defer mu.Unlock()
				all[id] = pending
			}
			return err
		})
	}
	return all, group.Wait()
}

// unerased leaves out of segments, of a log with so many partitions, what is to be
// gone. Blocks are decided when they are read.
func unerased(joined *catalog.Joined, partitions int) *catalog.Joined {
	if len(joined.Erased) == 0 {
		return joined
	}
	kept := *joined
	kept.Parts, kept.Segments = slices.Clone(joined.Parts), nil
	for i := range kept.Parts {
		part := &kept.Parts[i]
		part.Segments = slices.Clone(part.Segments)
		for k, s := range part.Segments {
			first, _ := s.Range()
			at := erasure.Place{Partition: part.Partition, Partitions: partitions, Epoch: part.Floor.Epoch}
			if reach := joined.Erased[part.Project].At(at, first); reach != nil {
				part.Segments[k] = siftedSegment{engine.NewUnerased(s, reach.UpTo), s}
			}
		}
		kept.Segments = append(kept.Segments, part.Segments...)
	}
	return &kept
}

// reachOf is how far erasures reach in a block, nil if they do not.
func reachOf(joined *catalog.Joined, name schema.BlockName) *erasure.Reach {
	return joined.Erased[name.Project].At(erasure.PlaceOf(&name), name.First)
}

// reaches are those of the blocks that have a trace with rows to be gone.
type reaches map[schema.BlockName]*erasure.Reach

// erasedIn finds these among some blocks. What it finds of a block is remembered,
// so that an erasure costs one look at each.
func (q *Querier) erasedIn(ctx context.Context, joined *catalog.Joined, read func(schema.BlockName) bool) (reaches, error) {
	if len(joined.Erased) == 0 {
		return nil, nil
	}
	found := make(reaches)
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(q.cfg.Concurrency)
	for _, name := range joined.Blocks {
		reach := reachOf(joined, name)
		if reach == nil || !read(name) {
			continue
		}
		group.Go(func() error {
			holds, err := q.holdsErased(ctx, name, reach)
			if holds {
				mu.Lock()
				found[name] = reach
				mu.Unlock()
			}
			return err
		})
	}
	return found, group.Wait()
}

// holdsErased reports whether a block has a trace with rows to be gone.
func (q *Querier) holdsErased(ctx context.Context, name schema.BlockName, reach *erasure.Reach) (holds bool, err error) {
	for r := range reach.Requests() {
		key := erasedBlock{name, r.ID}
		has, known := q.erased.lookup(key)
		if !known {
			if has, err = q.holdsTraces(ctx, name, r.Traces); err != nil {
				return false, err
			}
			q.erased.add(key, has)
		}
		holds = holds || has
	}
	return holds, nil
}

// holdsTraces reports whether a block has one of some traces.
func (q *Querier) holdsTraces(ctx context.Context, name schema.BlockName, ids []schema.TraceID) (bool, error) {
	source := &blockSource{cache: q.blocks, name: name, derive: q.spans.Of(name.Project)}
	reader, err := source.open(ctx)
	if err != nil {
		return false, err
	}
	if !slices.ContainsFunc(ids, func(id schema.TraceID) bool { return source.ofPartition(id) && reader.MayContain(id) }) {
		return false, nil
	}
	held, err := source.Held(ctx) // of many traces the filter is wrong about some
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(ids, func(id schema.TraceID) bool {
		_, found := slices.BinarySearchFunc(held.IDs, id, schema.CompareTraceIDs)
		return found
	}), nil
}

// erasedBlocks remembers which blocks, that never change, have traces of which
// erasures. The zero value knows nothing. Safe for concurrent use.
type erasedBlocks struct {
	mu    sync.Mutex
	known map[erasedBlock]bool
}

type erasedBlock struct {
	name    schema.BlockName
	request string
}

// maxErasedBlocks bounds what is remembered: some 16 MB.
const maxErasedBlocks = 1 << 16

func (e *erasedBlocks) lookup(key erasedBlock) (holds, known bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	holds, known = e.known[key]
	return holds, known
}

func (e *erasedBlocks) add(key erasedBlock, holds bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.known == nil || len(e.known) >= maxErasedBlocks {
		e.known = make(map[erasedBlock]bool)
	}
	e.known[key] = holds
}
