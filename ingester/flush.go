package ingester

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// cutIfOlder ends the open batch with a marker when its first message is older
// than age and nothing of the log is still unread. It returns whether it did.
func (p *partition) cutIfOlder(ctx context.Context, age time.Duration) (bool, error) {
	stream := p.builder.log.Stream(p.id)
	p.mu.Lock()
	first, opened, open := p.openBatch()
	p.mu.Unlock()
	if !open || time.Since(opened) < age {
		return false, nil
	}
	state, err := stream.State(ctx)
	if err != nil {
		return false, err
	}
	p.mu.Lock()
	current := p.caughtUp(stream.Epoch(), state)
	p.mu.Unlock()
	if !current {
		return false, nil
	}
	_, err = p.publishCut(ctx, stream, first)
	return err == nil, err
}

// emptyIfOlder lets a log that has been idle for an age keep no spans: a purge keeps
// the cut, which may carry some. A marker, a batch of its own, takes its place.
func (p *partition) emptyIfOlder(ctx context.Context, age time.Duration) error {
	stream := p.builder.log.Stream(p.id)
	p.mu.Lock()
	first, due := p.stored+1, !p.keptAt.IsZero() && p.applied == p.stored && time.Since(p.keptAt) >= age
	p.mu.Unlock()
	if !due {
		return nil
	}
	state, err := stream.State(ctx)
	if err != nil || state.Last >= first {
		return err
	}
	_, err = p.publishCut(ctx, stream, first)
	return err
}

// publishCut appends a cut marker. Its id names the batch, so that of several
// deciders one makes it; a second one would only end an empty batch. A log that
// is full takes no marker either. That passes when an earlier batch is stored,
// but if there is none, nothing would ever leave the log: then room is made.
func (p *partition) publishCut(ctx context.Context, stream wal.Stream, first uint64) (uint64, error) {
	position, err := stream.Publish(ctx, wal.CutMarker(), wal.CutID(first))
	for try := 0; try < maxRooms && errors.Is(err, wal.ErrFull) && p.isOldest(first); try++ {
		if err := stream.MakeRoom(ctx); err != nil {
			return 0, err
		}
		position, err = stream.Publish(ctx, wal.CutMarker(), wal.CutID(first))
	}
	if err != nil {
		return 0, fmt.Errorf("publish a cut marker: %w", err)
	}
	return position, nil
}

// maxRooms bounds how often room for one marker is made before the next tick:
// messages of receivers may take it first.
const maxRooms = 5

// isOldest reports whether everything before the batch that begins at first is
// in blocks.
func (p *partition) isOldest(first uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stored+1 == first
}

// openBatch describes the open batch, if one holds a message. REQUIRES: p.mu.
func (p *partition) openBatch() (first uint64, opened time.Time, ok bool) {
	if len(p.segments) == 0 {
		return 0, time.Time{}, false
	}
	seg := p.segments[len(p.segments)-1]
	seg.mu.RLock()
	defer seg.mu.RUnlock()
	return seg.first, seg.opened, !seg.closed
}

// flush ends the open batch now and waits until everything up to there is in
// blocks.
func (p *partition) flush(ctx context.Context) error {
	stream := p.builder.log.Stream(p.id)
	state, err := stream.State(ctx)
	if err != nil {
		return err
	}
	var first uint64
	var open bool
	if err := p.wait(ctx, func() bool {
		first, _, open = p.openBatch()
		return p.caughtUp(stream.Epoch(), state)
	}); err != nil {
		return err
	}
	until := state.Last
	if open {
		if until, err = p.publishCut(ctx, stream, first); err != nil {
			return err
		}
	}
	return p.wait(ctx, func() bool { return p.epoch != stream.Epoch() || p.stored >= until })
}

// tail is a project's part of the segments that reach beyond after, and of
// what follows them in the log as state describes it.
func (p *partition) tail(project schema.ProjectID, stream wal.Stream, state wal.State, after uint64) catalog.Tail {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoch != stream.Epoch() || !p.started || p.skipping {
		return p.builder.tails.Whole(project, stream, state)
	}
	tail := catalog.Tail{Epoch: p.epoch, From: p.from}
	next := max(p.applied+1, p.from)
	for _, seg := range p.segments {
		v := seg.view(project)
		if next = max(next, v.last+1); v.last > after {
			tail.Segments = append(tail.Segments, v)
		}
	}
	tail.Unread = p.builder.tails.Unread(project, stream, next, state.Last)
	return tail
}

// storedSize is what the stored batches hold in memory.
func (p *partition) storedSize() (bytes, spans int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, seg := range p.segments {
		if seg.storedAt.IsZero() {
			break
		}
		bytes += seg.bytes
		spans += seg.spans()
	}
	return bytes, spans
}
