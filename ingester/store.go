package ingester

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/grafana/dskit/backoff"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// UndecodablePrefix is where messages that no builder could decode are kept.
const UndecodablePrefix = "undecodable/"

// store writes closed batches in the order of the log and purges each from the
// log only when all of it is in the bucket. A crash between the two stores the
// same objects again. The last batch is begun before begin ends.
func (p *partition) store(ctx, begin context.Context) {
	for begin.Err() == nil {
		seg, err := p.nextToStore(begin)
		if err != nil {
			return
		}
		p.storeSegment(ctx, begin, seg)
		p.release(seg)
	}
}

// nextToStore waits for the oldest closed batch that is not stored.
func (p *partition) nextToStore(ctx context.Context) (*segment, error) {
	err := p.wait(ctx, func() bool {
		i := slices.IndexFunc(p.segments, func(seg *segment) bool { return seg.waits })
		if i < 0 {
			return false
		}
		p.storing = p.segments[i]
		return true
	})
	return p.storing, err // nobody else writes it
}

// release ends the work on a batch. If that became void meanwhile, its memory
// is free only now.
func (p *partition) release(seg *segment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.storing == seg && !slices.Contains(p.segments, seg) {
		p.builder.memory.give(seg.bytes)
	}
	p.storing = nil
}

// storeSegment tries until it succeeds, the run that read seg is void, or begin
// has ended.
func (p *partition) storeSegment(ctx, begin context.Context, seg *segment) {
	retry := backoff.New(begin, backoff.Config{MinBackoff: 100 * time.Millisecond, MaxBackoff: 10 * time.Second})
	for retry.Ongoing() && p.holds(seg) {
		err := p.commit(ctx, seg)
		if err == nil {
			p.committed(seg)
			return
		}
		if ctx.Err() == nil {
			p.builder.metrics.storeFailures.Inc()
			p.setTrouble(err)
			p.logger.Error("storing a batch failed, trying again",
				slog.Uint64("first", seg.first), slog.Uint64("last", seg.last), slog.Any("err", err))
		}
		retry.Wait()
	}
}

func (p *partition) holds(seg *segment) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.segments, seg)
}

// commit stores every block of the batch, then purges up to its cut, which
// stays in the log to tell where the next batch begins.
func (p *partition) commit(ctx context.Context, seg *segment) error {
	for _, project := range seg.projectIDs() {
		if err := p.storeBlock(ctx, seg, project); err != nil {
			return err
		}
	}
	for _, d := range seg.damaged {
		if err := p.storeDamaged(ctx, seg, d); err != nil {
			return err
		}
	}
	if err := seg.stream.Purge(ctx, seg.last); err != nil {
		return fmt.Errorf("purge the log up to %d: %w", seg.last, err)
	}
	return nil
}

func (p *partition) storeBlock(ctx context.Context, seg *segment, project schema.ProjectID) error {
	object, err := p.encode(ctx, seg, project)
	if err != nil {
		return fmt.Errorf("encode the block of project %s: %w", project, err)
	}
	if object.Spans == 0 {
		return nil
	}
	name := schema.BlockName{
		Project: project, Partition: p.id, Partitions: p.builder.log.Partitions(), Epoch: seg.stream.Epoch(),
		First: seg.first, Last: seg.last, LogNanos: seg.logNanos,
		MinStart: object.MinStart, MaxEnd: object.MaxEnd, Spans: uint64(object.Spans), TailBytes: uint64(object.TailBytes),
		Open: object.Open,
	}
	if err := p.put(ctx, name.Key(), object.Data); err != nil {
		return err
	}
	m := p.builder.metrics
	m.storedSpans.WithLabelValues(string(project)).Add(float64(object.Spans))
	m.storedBlocks.WithLabelValues(string(project)).Inc()
	m.storedBytes.WithLabelValues(string(project)).Add(float64(len(object.Data)))
	p.builder.stored.add(Stored{Blocks: 1, Spans: object.Spans, Bytes: int64(len(object.Data))})
	p.logger.Debug("block stored", slog.String("project", string(project)), slog.String("block", name.Key()),
		slog.Int("spans", object.Spans), slog.Int("bytes", len(object.Data)))
	return nil
}

// encode makes the block of a project's rows, when it is its turn.
func (p *partition) encode(ctx context.Context, seg *segment, project schema.ProjectID) (*block.Object, error) {
	select {
	case p.builder.encoding <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.builder.encoding }()
	rows, by := seg.rows(project)
	return block.EncodeDerived(project, by, rows...)
}

// storeDamaged keeps what could not be decoded, for a person to look at.
func (p *partition) storeDamaged(ctx context.Context, seg *segment, d damaged) error {
	key := fmt.Sprintf("%sp%dof%d/%d-%d", UndecodablePrefix, p.id, p.builder.log.Partitions(), seg.stream.Epoch(), d.position)
	if d.part >= 0 {
		key += fmt.Sprintf("-%d", d.part)
	}
	if err := p.put(ctx, key, d.raw); err != nil {
		return err
	}
	p.builder.metrics.undecodable.Inc()
	p.logger.Error("a message could not be decoded and was kept raw",
		slog.Uint64("position", d.position), slog.String("key", key), slog.Any("err", d.err))
	return nil
}

// put stores an object whose content follows from its key. That another
// builder was faster is as good.
func (p *partition) put(ctx context.Context, key string, data []byte) error {
	err := p.builder.bucket.Put(ctx, key, bytes.NewReader(data), objstore.PutOptions{IfNotExist: true})
	if err != nil && !errors.Is(err, objstore.ErrExist) {
		return fmt.Errorf("store %s: %w", key, err)
	}
	return nil
}

// committed records that seg is in blocks and lets memory go. If a reset has
// made its run void meanwhile, p.stored speaks of another one.
func (p *partition) committed(seg *segment) {
	p.mu.Lock()
	if slices.Contains(p.segments, seg) {
		p.trouble = nil
		seg.storedAt = time.Now()
		p.stored = seg.last
		p.keptAt = time.Time{}
		if seg.cutSpans {
			p.keptAt = seg.storedAt
		}
		p.storing = nil
		p.settle(seg)
		p.notify()
	}
	p.mu.Unlock()
	p.builder.trim()
}

// settle notes that a batch does not wait for its blocks any more.
// REQUIRES: p.mu.
func (p *partition) settle(seg *segment) {
	if seg.waits {
		seg.waits = false
		p.builder.memory.batchDone()
	}
}

// markStored does the same for batches that another builder has stored: all
// that lie below the log's floor.
func (p *partition) markStored(floor uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, seg := range p.segments {
		if seg.closed && seg.last <= floor && seg.storedAt.IsZero() {
			seg.storedAt = time.Now()
			p.settle(seg)
			p.stored = max(p.stored, seg.last)
		}
	}
	p.notify()
}

// dropOldest forgets the oldest batch in memory if it is stored and below the
// log's floor. A batch that is the log's very first message stays: the floor
// does not pass it before the next batch is stored (wal.State.Floor).
func (p *partition) dropOldest(before time.Time) (bytes int, dropped bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.segments) == 0 {
		return 0, false
	}
	seg := p.segments[0]
	if seg.storedAt.IsZero() || !seg.storedAt.Before(before) || p.stored == 1 {
		return 0, false
	}
	p.segments = slices.Clone(p.segments[1:]) // queries may hold the old slice
	p.from = seg.last + 1
	p.builder.memory.give(seg.bytes)
	return seg.bytes, true
}

// projectIDs lists the projects that have rows in the batch, sorted.
func (s *segment) projectIDs() []schema.ProjectID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ids := make([]schema.ProjectID, 0, len(s.projects))
	for id := range s.projects {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
