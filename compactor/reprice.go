package compactor

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// derivedBlocks says which blocks of a project are as what follows from their rows is
// derived today. Blocks never change: each is asked once for a request.
type derivedBlocks struct {
	asked   project.Reprice
	current map[schema.BlockName]bool
	done    bool // nothing was left to do
}

// planReprice plans that blocks which a project wants to be priced anew are written
// anew, one by one, in the next generation, unless there is something else to do with
// them first.
func (c *Compactor) planReprice(ctx context.Context, v *view, plan *Plan) error {
	if c.retention == nil {
		return nil
	}
	asked := c.retention.Reprice(v.project)
	if asked == nil || asked.Table != c.prices(v.project).Version() {
		delete(c.derived, v.project)
		return nil
	}
	known := c.derived[v.project]
	if known == nil || known.asked != *asked {
		known = &derivedBlocks{asked: *asked, current: make(map[schema.BlockName]bool)}
		c.derived[v.project] = known
	}
	if known.done {
		return nil
	}
	busy := blocksOf(plan.Merges)
	for _, jobs := range [][]Job{plan.Rewrites, plan.Sifts} {
		for name := range blocksOf(jobs) {
			busy[name] = true
		}
	}
	for i := range plan.Deletions {
		busy[plan.Deletions[i].BlockName] = true
	}
	left := 0
	for _, b := range visibleOf(v.blocks) {
		if b.Spans == 0 || !asked.Reaches(b.MinStart, b.MaxEnd) {
			continue
		}
		current, ok := known.current[b.BlockName]
		if !ok {
			var err error
			if current, err = c.isCurrent(ctx, b.BlockName, asked.Table); err != nil {
				return err
			}
			known.current[b.BlockName] = current
		}
		if current {
			continue
		}
		left++
		if !busy[b.BlockName] && b.Last <= floorOf(v.floors, &b.BlockName, v.listed).Position {
			job := newJob(b.Level, []*Listed{b})
			job.Output.Generation, job.Reprice = b.Generation+1, true
			plan.Reprices = append(plan.Reprices, job)
		}
	}
	if left == 0 {
		known.done, known.current = true, nil
		c.logger.Info("spans are priced anew", slog.String("project", string(v.project)), slog.String("table", asked.Table))
	}
	return nil
}

// visibleOf are the blocks that no other one covers.
func visibleOf(blocks []Listed) (list []*Listed) {
	names := make([]schema.BlockName, len(blocks))
	byName := make(map[schema.BlockName]*Listed, len(blocks))
	for i := range blocks {
		names[i] = blocks[i].BlockName
		byName[names[i]] = &blocks[i]
	}
	for _, name := range schema.Visible(names) {
		list = append(list, byName[name])
	}
	return list
}

// isCurrent asks a block. One that is gone need not be written anew: what covers it
// is listed next time.
func (c *Compactor) isCurrent(ctx context.Context, name schema.BlockName, table string) (bool, error) {
	reader, err := c.readers.Open(ctx, name)
	var current bool
	if err == nil {
		current, err = Current(ctx, reader, table)
	}
	if isGone(err) {
		c.readers.Forget(name)
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("ask %s by what it was derived: %w", name.Key(), err)
	}
	return current, nil
}

// Current reports whether what follows from the rows of a block was derived by the
// rules of this version, and by a table of prices if anything does.
func Current(ctx context.Context, r *block.Reader, table string) (bool, error) {
	by, some, err := r.Derivation(ctx)
	if err != nil {
		return false, err
	}
	return by.Norm == llm.Version && (!some || len(by.Tables) == 1 && by.Tables[0] == table), nil
}

// rederiveBytes is about how much of a block is in memory at once, as OTLP.
const rederiveBytes = 32 << 20

// rederive writes the rows of a block into the spool, derived anew, as blocks of some
// of the rows each, which together make the block.
func (c *Compactor) rederive(ctx context.Context, sp *spool, input *block.Reader, opts *block.MergeOptions) (parts []*block.Reader, err error) {
	name := input.Name()
	prices := c.prices(name.Project)
	d := rederiver{spool: sp, name: name, derive: llm.New(prices), by: block.Derivation{Norm: llm.Version, Tables: []string{prices.Version()}}}
	for chunk, err := range input.Scan(ctx, &vec.Filter{Op: vec.OpTrue}, vec.AllColumns()) {
		if err != nil {
			return nil, err
		}
		for i := range chunk {
			if err := d.add(ctx, &chunk[i]); err != nil {
				return nil, err
			}
		}
		opts.Progress(0)
	}
	err = d.flush(ctx)
	return d.parts, err
}

type rederiver struct {
	spool  *spool
	name   schema.BlockName
	derive *llm.Normalizer
	by     block.Derivation

	rows  []schema.Span
	bytes int
	parts []*block.Reader
}

func (d *rederiver) add(ctx context.Context, row *schema.Span) error {
	own := row.Detached()
	own.Derived = d.derive.Derive(&own)
	d.rows = append(d.rows, own)
	if d.bytes += otlp.SizeHint(&own); d.bytes < rederiveBytes {
		return nil
	}
	return d.flush(ctx)
}

// flush makes a block of the rows. They are in the order of blocks.
func (d *rederiver) flush(ctx context.Context) error {
	if len(d.rows) == 0 {
		return nil
	}
	o, err := block.EncodeDerived(d.name.Project, d.by, d.rows)
	if err != nil {
		return err
	}
	name := d.name
	name.Open, name.MinStart, name.MaxEnd = o.Open, o.MinStart, o.MaxEnd
	name.Spans, name.TailBytes = uint64(o.Spans), uint64(o.TailBytes) //nolint:gosec // not negative
	local := &spooled{spool: d.spool, start: d.spool.end, object: objstore.Object{Key: name.Key(), Size: int64(len(o.Data))}}
	if n, err := d.spool.Write(o.Data); err != nil || n < len(o.Data) {
		return fmt.Errorf("write to the spool: %w", orShort(err))
	}
	r, err := block.Open(ctx, local, name.Key())
	if err != nil {
		return err
	}
	d.parts, d.rows, d.bytes = append(d.parts, r), nil, 0
	return nil
}

func orShort(err error) error {
	if err == nil {
		return io.ErrShortWrite
	}
	return err
}
