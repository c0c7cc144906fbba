package tail

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
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

var (
	_ catalog.Segment       = (*part)(nil)
	_ engine.FragmentSource = (*part)(nil)
)

// chunkRows bounds what a scan yields at once.
const chunkRows = 4096

// errStopped ends reading when nobody wants more.
var errStopped = errors.New("the scan was stopped")

// Range implements catalog.Segment.
func (p *part) Range() (first, last uint64) { return p.first, p.last }

// Scan yields the rows for which the filter holds, in the order of the log and
// with all columns. A chunk's memory is not used again: rows may be kept, at
// the cost of keeping their message.
func (p *part) Scan(ctx context.Context, filter *vec.Filter, _ vec.Columns) iter.Seq2[[]schema.Span, error] {
	return func(yield func([]schema.Span, error) bool) {
		decide := engine.NewRows()
		err := p.readAll(ctx, func(rows []schema.Span) error {
			for chunk := range slices.Chunk(rows, chunkRows) {
				selected, err := decide.Select(chunk, filter)
				if err != nil {
					return err
				}
				kept := chunk[:0]
				for i := selected.Next(0); i < len(chunk); i = selected.Next(i + 1) {
					kept = append(kept, chunk[i])
				}
				if len(kept) > 0 && !yield(kept, nil) {
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

// Find yields the traces with rows for which the filter holds, by their ids, when it
// has read everything: a trace is not over before. Rows are not compared with each
// other, so no hit is folded.
func (p *part) Find(ctx context.Context, filter *vec.Filter) iter.Seq2[[]vec.Hit, error] {
	return func(yield func([]vec.Hit, error) bool) {
		found := make(map[schema.TraceID]vec.Hit)
		for rows, err := range p.Scan(ctx, filter, vec.Columns{}) {
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range rows {
				s := &rows[i]
				h := found[s.TraceID]
				h.ID, h.LastNanos = s.TraceID, max(h.LastNanos, s.StartNanos)
				h.Matched++
				found[s.TraceID] = h
			}
		}
		if len(found) > 0 {
			yield(slices.SortedFunc(maps.Values(found), func(a, b vec.Hit) int { return schema.CompareTraceIDs(a.ID, b.ID) }), nil)
		}
	}
}

// MayHold is false if a scan has seen that there are no rows of the trace.
func (p *part) MayHold(_ context.Context, id schema.TraceID) (bool, error) {
	x := p.index.Load()
	return x == nil || x.full() || len(x.ranges(id)) > 0, nil
}

// Spans is the number of the project's rows that a scan has seen, 0 before.
func (p *part) Spans() int {
	if x := p.index.Load(); x != nil {
		return x.rows
	}
	return 0
}

// OpenTraces are the traces with pieces of spans. If no scan has got to the end yet,
// the log is read for it.
func (p *part) OpenTraces(ctx context.Context) ([]schema.TraceID, error) {
	x := p.index.Load()
	if x == nil {
		if err := p.readAll(ctx, func([]schema.Span) error { return nil }); err != nil {
			return nil, err
		}
		x = p.index.Load()
	}
	return x.open, nil
}

// Derive derives of a span of pieces.
func (p *part) Derive(span *schema.Span) []byte { return p.reader.spans.Of(p.project)(span) }

// Traces returns the rows of traces with all columns.
func (p *part) Traces(ctx context.Context, ids []schema.TraceID, _ vec.Columns) ([]schema.Span, error) {
	var spans []schema.Span
	for page, err := range p.pages(ctx, ids...) {
		if err != nil {
			return nil, err
		}
		spans = append(spans, page...)
	}
	slices.SortStableFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	return spans, nil
}

// TracePages yields the rows of a trace in the order of the log, which is always
// the same, with all columns and some megabytes at a time. The receiver owns them.
// While it does not want more, nothing is read.
func (p *part) TracePages(ctx context.Context, id schema.TraceID) iter.Seq2[[]schema.Span, error] {
	return p.pages(ctx, id)
}

// pageBytes is about how much a page has, as OTLP. To begin with the next one takes
// three requests to the server.
const pageBytes = 4 << 20

func (p *part) pages(ctx context.Context, ids ...schema.TraceID) iter.Seq2[[]schema.Span, error] {
	return func(yield func([]schema.Span, error) bool) {
		ranges := []span{{p.first, p.last}}
		x := p.index.Load()
		if x != nil && !x.full() {
			ranges = x.ranges(ids...)
		}
		wanted := make(map[schema.TraceID]struct{}, len(ids))
		for _, id := range ids {
			wanted[id] = struct{}{}
		}
		seen := new(index)
		for _, r := range ranges {
			for r.first <= r.last {
				page, last, err := p.page(ctx, r, wanted, seen)
				if err != nil {
					yield(nil, err)
					return
				}
				if len(page) > 0 && !yield(page, nil) {
					return
				}
				r.first = last + 1
			}
		}
		if x == nil {
			p.index.Store(seen.finish())
		}
	}
}

// page reads rows of traces from a range until there are enough, and returns the
// position up to which they are.
func (p *part) page(
	ctx context.Context, r span, wanted map[schema.TraceID]struct{}, seen *index,
) (page []schema.Span, last uint64, err error) {
	size := 0
	err = p.read(ctx, r.first, r.last, func(position uint64, rows []schema.Span) error {
		seen.add(position, rows)
		for i := range rows {
			if _, ok := wanted[rows[i].TraceID]; ok {
				page = append(page, rows[i].Detached())
				size += otlp.SizeHint(&rows[i])
			}
		}
		if size >= pageBytes {
			last = position
			return errStopped
		}
		return nil
	})
	if errors.Is(err, errStopped) {
		return page, last, nil
	}
	return page, r.last, err
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
		p.index.Store(x.finish())
	}
	return err
}

// read gives f the rows of each message from first to last that has some.
func (p *part) read(ctx context.Context, first, last uint64, f func(position uint64, rows []schema.Span) error) error {
	if err := p.reader.acquire(ctx); err != nil {
		return err
	}
	defer p.reader.release()
	decoder, derive := otlp.NewDecoder(), llm.New(p.reader.prices(p.project))
	err := p.stream.ReadRange(ctx, first, last, func(msg wal.Message) error {
		p.reader.messages.Inc()
		rows, err := p.rows(ctx, decoder, msg)
		if err != nil || len(rows) == 0 {
			return err
		}
		for i := range rows {
			derive.Apply(&rows[i])
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
