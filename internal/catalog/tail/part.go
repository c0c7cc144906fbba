package tail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// part is a project's part of a range of the log, for one query. Every scan
// and lookup reads the log anew; the first that gets to the end leaves an
// index, so that the lookups after it read only the messages they need.
type part struct {
	reader      *Reader
	project     schema.ProjectID
	stream      wal.Stream
	first, last uint64
	index       atomic.Pointer[index]
}

var _ catalog.Segment = (*part)(nil)

// chunkRows bounds what a scan yields at once.
const chunkRows = 4096

// errStopped ends reading when nobody wants more.
var errStopped = errors.New("the scan was stopped")

// Range implements catalog.Segment.
func (p *part) Range() (first, last uint64) { return p.first, p.last }

// Scan yields every row, in the order of the log. A chunk's memory is not used
// again: rows may be kept, at the cost of keeping their message.
func (p *part) Scan(ctx context.Context, _ engine.Request) iter.Seq2[[]schema.Span, error] {
	return func(yield func([]schema.Span, error) bool) {
		err := p.readAll(ctx, func(rows []schema.Span) error {
			for chunk := range slices.Chunk(rows, chunkRows) {
				if !yield(chunk, nil) {
					return errStopped
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// Trace returns the trace's rows in the order of blocks.
func (p *part) Trace(ctx context.Context, id schema.TraceID) ([]schema.Span, error) {
	var spans []schema.Span
	collect := func(rows []schema.Span) error {
		for i := range rows {
			if rows[i].TraceID == id {
				spans = append(spans, detach(rows[i]))
			}
		}
		return nil
	}
	if err := p.lookUp(ctx, id, collect); err != nil {
		return nil, err
	}
	slices.SortStableFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	return spans, nil
}

// lookUp gives f at least the rows of every message that has some of the trace.
func (p *part) lookUp(ctx context.Context, id schema.TraceID, f func([]schema.Span) error) error {
	x := p.index.Load()
	if x == nil || x.full() {
		return p.readAll(ctx, f)
	}
	for _, r := range x.ranges(id) {
		if err := p.read(ctx, r.first, r.last, func(_ uint64, rows []schema.Span) error { return f(rows) }); err != nil {
			return err
		}
	}
	return nil
}

// readAll gives f the rows of each message, and leaves an index if there is none.
func (p *part) readAll(ctx context.Context, f func([]schema.Span) error) error {
	if p.index.Load() != nil {
		return p.read(ctx, p.first, p.last, func(_ uint64, rows []schema.Span) error { return f(rows) })
	}
	x := new(index)
	err := p.read(ctx, p.first, p.last, func(position uint64, rows []schema.Span) error {
		x.add(position, rows)
		return f(rows)
	})
	if err == nil {
		p.index.Store(x)
	}
	return err
}

// read gives f the rows of each message from first to last that has some.
func (p *part) read(ctx context.Context, first, last uint64, f func(position uint64, rows []schema.Span) error) error {
	if err := p.reader.acquire(ctx); err != nil {
		return err
	}
	defer p.reader.release()
	decoder := otlp.NewDecoder()
	err := p.stream.ReadRange(ctx, first, last, func(msg wal.Message) error {
		p.reader.messages.Inc()
		rows, err := p.rows(ctx, decoder, msg)
		if err != nil || len(rows) == 0 {
			return err
		}
		return f(msg.Position, rows)
	})
	if errors.Is(err, wal.ErrReset) || errors.Is(err, wal.ErrEpochEnded) || errors.Is(err, objstore.ErrNotExist) {
		return fmt.Errorf("%w: positions %d to %d: %w", catalog.ErrStale, first, last, err)
	}
	return err
}

// rows decodes the project's part of a message. What cannot be decoded has no
// rows here either: builders keep it raw, outside of blocks.
func (p *part) rows(ctx context.Context, decoder *otlp.Decoder, msg wal.Message) ([]schema.Span, error) {
	payload, err := wal.DecodePayload(msg.Payload)
	if err != nil {
		return nil, nil //nolint:nilerr // see above
	}
	var rows []schema.Span
	for _, e := range payload.Entries {
		if e.Project != p.project {
			continue
		}
		wire, err := Redeem(ctx, p.reader.bucket, e)
		if err != nil {
			return nil, fmt.Errorf("read a claimed object: %w", err)
		}
		if more, err := decoder.Decode(wire, msg.Position, rows); err == nil {
			rows = more
		}
	}
	return rows, nil
}

// detach returns a row that does not keep its message in memory.
func detach(s schema.Span) schema.Span {
	s.Name = strings.Clone(s.Name)
	s.StatusMessage = strings.Clone(s.StatusMessage)
	s.TraceState = strings.Clone(s.TraceState)
	for _, field := range []*[]byte{&s.Attributes, &s.Events, &s.Links, &s.Rest} {
		*field = bytes.Clone(*field)
	}
	return s
}
