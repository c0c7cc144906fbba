package compactor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// minLease is how long a lease lasts at least; it is prolonged while the work goes
// on. leaseIntervals is how many intervals it lasts: those who wait look as often.
const (
	minLease       = time.Second
	leaseIntervals = 3
	// writeBytes is what is gathered before it is written to the spool.
	writeBytes = 1 << 20
)

// merge runs a job, unless someone else is at it. An input that is gone voids the
// job: whoever removed it has stored what covers it.
func (c *Compactor) merge(ctx context.Context, v *view, job *Job, s *Summary, progress func(done int64)) error {
	l := lease{c: c, name: leaseName(&job.Output)}
	if held, err := l.take(ctx); err != nil || !held {
		s.Void++
		return err
	}
	defer l.giveBack(ctx)
	started := time.Now()
	merged, err := c.run(ctx, v, job, func(done int64) {
		progress(done)
		l.prolong(ctx)
	})
	switch {
	case isGone(err), errors.Is(err, errErasedMeanwhile), errors.Is(err, errRulesChanged):
		c.metrics.merges.WithLabelValues("void").Inc()
		c.logger.Info("merge is void", slog.String("project", string(job.Output.Project)), slog.Any("err", err))
		s.Void++
		return nil
	case err != nil:
		c.metrics.merges.WithLabelValues("failed").Inc()
		return fmt.Errorf("merge %d blocks: %w", len(job.Inputs), err)
	}
	c.count(job, merged, s)
	c.logger.Info("blocks merged", slog.String("project", string(job.Output.Project)), slog.Int("partition", job.Output.Partition),
		slog.Int("level", job.Output.Level), slog.Int("inputs", len(job.Inputs)), slog.Int("spans", merged.Spans),
		slog.Int64("read_bytes", job.Bytes), slog.Int64("written_bytes", merged.Bytes), slog.Duration("duration", time.Since(started)))
	return nil
}

func (c *Compactor) count(job *Job, merged *block.Merged, s *Summary) {
	s.Dropped += merged.Dropped
	c.metrics.dropped.Add(float64(merged.Dropped))
	switch {
	case job.Reprice:
		s.Repriced++
		c.metrics.repriced.Inc()
		return
	case len(job.Inputs) == 1:
		s.Rewrites++
		c.metrics.rewrites.Inc()
		return
	}
	s.Merges++
	s.Inputs += len(job.Inputs)
	s.Read += job.Bytes
	s.Written += merged.Bytes
	s.Spans += merged.Spans
	s.Folded += merged.Folded
	m := c.metrics
	m.merges.WithLabelValues("done").Inc()
	m.inputs.Add(float64(len(job.Inputs)))
	m.inBytes.Add(float64(job.Bytes))
	m.outBytes.Add(float64(merged.Bytes))
	m.spans.Add(float64(merged.Spans))
	m.folded.Add(float64(merged.Folded))
}

// run merges the inputs of a job and stores the output, the one step that others
// see.
func (c *Compactor) run(ctx context.Context, v *view, job *Job, progress func(done int64)) (_ *block.Merged, err error) {
	done, err := c.erasures.Done(ctx, job.Output.Project)
	if err != nil {
		return nil, err
	}
	sp, err := newSpool(c.cfg.SpoolDir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sp.close()) }()
	inputs := make([]*block.Reader, len(job.Inputs))
	rows := 0
	for i := range job.Inputs {
		local, err := sp.fetch(ctx, c.bucket, &job.Inputs[i])
		if err != nil {
			return nil, err
		}
		if inputs[i], err = block.Open(ctx, local, job.Inputs[i].Key()); err != nil {
			return nil, err
		}
		rows += inputs[i].Spans()
		progress(0)
	}
	start := sp.end
	w := bufio.NewWriterSize(sp, writeBytes)
	opts := block.MergeOptions{
		Settle:   job.Settle,
		Progress: func(read int) { progress(job.Bytes * int64(read) / int64(max(rows, 1))) },
	}
	if reach := v.pending.At(erasure.PlaceOf(&job.Output), job.Output.First); reach != nil {
		opts.Drop = reach.UpTo
	}
	if job.Sift != nil {
		if err := c.sift(ctx, v, job, inputs[0], &opts); err != nil {
			return nil, err
		}
	}
	if job.Reprice {
		if inputs, err = c.rederive(ctx, sp, inputs[0], &opts); err != nil {
			return nil, err
		}
		start = sp.end
	}
	merged, err := block.Merge(ctx, w, inputs, opts)
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return nil, err
	}
	name := nameOf(job, merged)
	if job.Sift != nil {
		if err := c.stillSifts(ctx, job); err != nil {
			return nil, err
		}
	}
	return merged, c.put(ctx, v.pending, done, name, io.NewSectionReader(sp.file, start, merged.Bytes))
}

// isGone reports whether an object was removed, or replaced by another writer's.
func isGone(err error) bool {
	return errors.Is(err, objstore.ErrNotExist) || errors.Is(err, objstore.ErrChanged)
}

// errErasedMeanwhile voids a job: its output would hold what is to be gone.
var errErasedMeanwhile = errors.New("an erasure was accepted meanwhile")

// put stores the output of a job, unless an erasure was accepted since those that
// it has left out, and soon: what it replaces stays for longer than that, so that
// an erasure which is accepted now finds the output before it ends. One that is done
// may have begun and ended while the inputs were read: done are those from before.
func (c *Compactor) put(ctx context.Context, known *erasure.Pending, done []string, name schema.BlockName, body io.ReadSeeker) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DeleteAfter/2)
	defer cancel()
	now, err := c.erasures.Pending(ctx, name.Project, known)
	if err != nil {
		return err
	}
	if reach := now.At(erasure.PlaceOf(&name), name.First); reach != nil {
		for r := range reach.Requests() {
			if known.Only(r.ID) == nil {
				return fmt.Errorf("%w: %s", errErasedMeanwhile, r.ID)
			}
		}
	}
	// After those that are pending: one that ends meanwhile is in either list.
	ended, err := c.erasures.Done(ctx, name.Project)
	if err != nil {
		return err
	}
	for _, id := range ended {
		if _, before := slices.BinarySearch(done, id); !before && known.Only(id) == nil {
			return fmt.Errorf("%w, and is done: %s", errErasedMeanwhile, id)
		}
	}
	// One that is there already covers the same rows: another worker's.
	err = c.bucket.Put(ctx, name.Key(), body, objstore.PutOptions{IfNotExist: true})
	if err != nil && !errors.Is(err, objstore.ErrExist) {
		return fmt.Errorf("store %s: %w", name.Key(), err)
	}
	return nil
}

// nameOf completes the name of a job's output.
func nameOf(job *Job, m *block.Merged) schema.BlockName {
	name := job.Output
	name.Open, name.MinStart, name.MaxEnd = m.Open, m.MinStart, m.MaxEnd
	name.Spans, name.TailBytes = uint64(m.Spans), uint64(m.TailBytes) //nolint:gosec // not negative
	return name
}
