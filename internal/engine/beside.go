package engine

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Beside is s with only what it finds of traces that a source has which is
// searched, or one on the other side: for a source whose rows all lie before the
// range, or all after it, but near enough that traces reach from one into the
// other. In searches and metrics queries only.
func Beside(s Source, after bool) Source { return beside{s, after} }

type beside struct {
	Source

	after bool
}

// neighbours finds out which traces of the sources beside the range reach into it.
type neighbours struct {
	concurrency int
	repeats     *Repeats // nil to remember nothing
}

// look replaces the sources beside the searched ones by their rows of the traces
// that these have. Most have none.
func (n neighbours) look(ctx context.Context, all [][]Source) ([][]Source, error) {
	group, groupCtx := newGroup(ctx, n.concurrency)
	partitions := make([][]Source, len(all))
	for p, sources := range all {
		partitions[p] = slices.Clone(sources)
		for i, s := range sources {
			next, ok := s.(beside)
			if !ok {
				continue
			}
			group.Go(groupCtx, func(ctx context.Context) error {
				ids, err := n.sharedWith(ctx, next, sources)
				if err != nil {
					return fmt.Errorf("list traces that reach into the range: %w", err)
				}
				if len(ids) == 0 {
					partitions[p][i] = LookupOnly(next.Source)
				} else {
					partitions[p][i] = only{next.Source, ids}
				}
				return nil
			})
		}
	}
	return partitions, group.Wait()
}

// sharedWith returns the traces of a source that a searched one may have too,
// or one on the other side, in ascending order.
func (n neighbours) sharedWith(ctx context.Context, source beside, sources []Source) ([]schema.TraceID, error) {
	var fixed, others []Source
	for _, s := range sources {
		if b, ok := s.(beside); ok && b.after != source.after {
			s = b.Source
		}
		switch s.(type) {
		case beside, lookupOnly:
		case Fixed:
			fixed = append(fixed, s)
		default:
			others = append(others, s)
		}
	}
	ids, err := n.sharedWithFixed(ctx, source.Source, fixed)
	if err != nil || len(others) == 0 {
		return ids, err
	}
	held, err := heldBy(ctx, source.Source)
	if err != nil {
		return nil, err
	}
	ids = slices.Clone(ids)
	for _, id := range held.IDs {
		for _, s := range others {
			has, err := s.MayHold(ctx, id)
			if err != nil {
				return nil, err
			}
			if has {
				ids = append(ids, id)
				break
			}
		}
	}
	return sortedIDs(ids), nil
}

// sharedWithFixed is sharedWith for sources that never change, which is
// remembered if the source does not change either.
func (n neighbours) sharedWithFixed(ctx context.Context, source Source, fixed []Source) (ids []schema.TraceID, err error) {
	if len(fixed) == 0 {
		return nil, nil
	}
	if f, ok := source.(Fixed); ok && n.repeats != nil {
		names := make([]string, len(fixed), len(fixed)+1)
		for i, s := range fixed {
			names[i] = s.(Fixed).Identity() //nolint:forcetypeassert // by its caller
		}
		key := identityOf(append(names, "beside "+f.Identity()))
		if known, ok := n.repeats.lookup(key); ok {
			return known.ids, nil
		}
		defer func() {
			if err == nil {
				n.repeats.add(key, &remembered{ids: ids})
			}
		}()
	}
	held, err := heldBy(ctx, source)
	if err != nil {
		return nil, err
	}
	for _, s := range fixed {
		list, err := heldBy(ctx, s)
		if err != nil {
			return nil, err
		}
		ids = appendShared(ids, held.IDs, list.IDs)
	}
	return sortedIDs(ids), nil
}

// sortedIDs sorts ids and drops repetitions, in place.
func sortedIDs(ids []schema.TraceID) []schema.TraceID {
	slices.SortFunc(ids, compareTraceIDs)
	return slices.Compact(ids)
}

// only is a source with only what it finds of some traces.
type only struct {
	Source

	ids []schema.TraceID // in ascending order
}

// Only is s with only what it finds of some traces, whose ids are in ascending order.
func Only(s Source, ids []schema.TraceID) Source { return only{s, ids} }

func (s only) has(id schema.TraceID) bool {
	_, found := slices.BinarySearchFunc(s.ids, id, compareTraceIDs)
	return found
}

// Scan leaves out the rows of other traces.
func (s only) Scan(ctx context.Context, filter *vec.Filter, columns vec.Columns) iter.Seq2[[]schema.Span, error] {
	return keepOnly(s.Source.Scan(ctx, filter, columns), func(span *schema.Span) bool { return s.has(span.TraceID) })
}

// Find leaves out other traces.
func (s only) Find(ctx context.Context, filter *vec.Filter) iter.Seq2[[]vec.Hit, error] {
	return keepOnly(s.Source.Find(ctx, filter), func(hit *vec.Hit) bool { return s.has(hit.ID) })
}

// OpenTraces leaves out other traces.
func (s only) OpenTraces(ctx context.Context) ([]schema.TraceID, error) {
	open, err := openTraces(ctx, s.Source)
	kept := make([]schema.TraceID, 0, len(open))
	for _, id := range open {
		if s.has(id) {
			kept = append(kept, id)
		}
	}
	return kept, err
}

// Derive is the source's.
func (s only) Derive(span *schema.Span) []byte { return deriveOf(s.Source, span) }

// keepOnly yields those items of chunks that are wanted.
func keepOnly[T any](chunks iter.Seq2[[]T, error], wanted func(*T) bool) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		var kept []T
		for chunk, err := range chunks {
			kept = kept[:0]
			for i := range chunk {
				if wanted(&chunk[i]) {
					kept = append(kept, chunk[i])
				}
			}
			if (len(kept) > 0 || err != nil) && !yield(kept, err) {
				return
			}
		}
	}
}
