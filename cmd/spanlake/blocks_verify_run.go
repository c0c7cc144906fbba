package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

const (
	// heldBytes is the largest object that is read as a whole, so that no byte
	// is asked for twice.
	heldBytes = 64 << 20
	// verifyAttempts is how often an object is begun anew because it was
	// replaced, which no block should ever be by other content.
	verifyAttempts = 3
)

// verifyRun verifies blocks.
type verifyRun struct {
	bucket      objstore.Bucket
	rows        bool
	concurrency int
	hold        int64 // objects up to so many bytes are read as a whole
	out         *verifyOutput

	mu      sync.Mutex
	done    []blockEntry // that were verified
	damaged []damagedBlock
	failed  []failedBlock
	gone    []goneBlock
}

// blocks verifies blocks until the context ends.
func (v *verifyRun) blocks(ctx context.Context, list []blockEntry) error {
	v.out.expect(list)
	var group errgroup.Group
	group.SetLimit(v.concurrency)
	for _, b := range list {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			v.block(ctx, b)
			return nil
		})
	}
	_ = group.Wait() // what goes wrong is in the report
	return ctx.Err()
}

// block verifies one block and keeps the result.
func (v *verifyRun) block(ctx context.Context, b blockEntry) {
	steps := int64(1)
	if v.rows {
		steps = 2
	}
	work := v.out.begin(b, steps)
	defer work.end()
	var err error
	for range verifyAttempts {
		if err = v.attempt(ctx, b, work); !errors.Is(err, objstore.ErrChanged) {
			break
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	damage := block.Damage(err)
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, objstore.ErrNotExist):
		v.gone = append(v.gone, goneBlock{Key: b.Key, Spans: b.Spans})
	case len(damage) > 0:
		v.damaged = append(v.damaged, damagedBlock{Key: b.Key, Spans: b.Spans, CoveredBy: b.CoveredBy, Damage: damageReports(damage)})
		v.out.damaged(&v.damaged[len(v.damaged)-1])
	case err != nil:
		v.failed = append(v.failed, failedBlock{b.Key, err.Error()})
		v.out.failed(&v.failed[len(v.failed)-1])
	default:
		v.done = append(v.done, b)
	}
}

// attempt reads a block once.
func (v *verifyRun) attempt(ctx context.Context, b blockEntry, work *verifyWork) error {
	var source block.Ranger = v.bucket
	if b.Bytes <= v.hold {
		data, object, err := v.bucket.Get(ctx, b.Key, objstore.GetOptions{})
		if err != nil {
			return fmt.Errorf("read block %s: %w", b.Key, err)
		}
		source = held{data, object}
	}
	r, err := block.Open(ctx, source, b.Key)
	if err != nil {
		return err
	}
	if err := r.Verify(ctx, work.read); err != nil || !v.rows {
		return err
	}
	return r.VerifyRows(ctx, work.compared)
}

// held is an object in memory.
type held struct {
	data   []byte
	object objstore.Object
}

// Get implements block.Ranger.
func (h held) Get(_ context.Context, _ string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	start, end, err := opts.Range(int64(len(h.data)))
	if err != nil {
		return nil, h.object, err
	}
	return h.data[start:end:end], h.object, nil
}

// maxRelists bounds how often the bucket is listed again: merges go on.
const maxRelists = 3

// replacements looks for what has become of blocks that vanished, and verifies
// that.
func (v *verifyRun) replacements(ctx context.Context, known []listed, filter blockFilter) error {
	seen := map[string]bool{}
	for _, b := range known {
		seen[b.Key()] = true
	}
	filter.prefix = "" // a merge has a name of its own
	for range maxRelists {
		now, _, err := listBlocks(ctx, v.bucket, filter)
		if err != nil {
			return err
		}
		fresh := v.coverGone(now, seen)
		if len(fresh) == 0 {
			break
		}
		if err := v.blocks(ctx, fresh); err != nil {
			return err
		}
	}
	for i := range v.gone {
		v.out.gone(&v.gone[i])
	}
	return nil
}

// coverGone notes which blocks hold what vanished, and returns those that were
// not seen yet.
func (v *verifyRun) coverGone(now []listed, seen map[string]bool) (fresh []blockEntry) {
	all := slices.Clone(now)
	for i := range v.gone {
		if name, err := schema.ParseBlockName(v.gone[i].Key); err == nil {
			all = append(all, listed{BlockName: name})
		}
	}
	cover := newCover(all)
	there := map[string]listed{}
	for _, b := range now {
		there[b.Key()] = b
	}
	for i := range v.gone {
		g := &v.gone[i]
		name, err := schema.ParseBlockName(g.Key)
		if err != nil {
			continue
		}
		by := cover.of(name)
		b, ok := there[by.Key()]
		if g.CoveredBy = ""; !ok {
			continue
		}
		g.CoveredBy = by.Key()
		if !seen[g.CoveredBy] {
			seen[g.CoveredBy] = true
			fresh = append(fresh, newBlockEntry(b))
		}
	}
	return fresh
}

// report sorts what was found.
func (v *verifyRun) report() *verifyReport {
	r := &verifyReport{
		RowsCompared: v.rows, Blocks: len(v.done) + len(v.damaged),
		Damaged: append([]damagedBlock{}, v.damaged...), Failed: append([]failedBlock{}, v.failed...), Gone: append([]goneBlock{}, v.gone...),
	}
	for i := range v.done {
		r.Good.add(&v.done[i])
	}
	slices.SortFunc(r.Damaged, func(a, b damagedBlock) int { return cmp.Compare(a.Key, b.Key) })
	slices.SortFunc(r.Failed, func(a, b failedBlock) int { return cmp.Compare(a.Key, b.Key) })
	slices.SortFunc(r.Gone, func(a, b goneBlock) int { return cmp.Compare(a.Key, b.Key) })
	return r
}
