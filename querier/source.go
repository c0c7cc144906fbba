package querier

import (
	"context"
	"errors"
	"iter"
	"math"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// timeRange is [start, end) in Unix nanoseconds. The zero value is all time.
type timeRange struct{ start, end uint64 }

const nanosPerSecond = 1_000_000_000

// secondsRange converts whole seconds. Times beyond the nanoseconds of 64 bits
// are as good as endless.
func secondsRange(start, end int64) timeRange {
	nanos := func(seconds int64) uint64 {
		if seconds > math.MaxInt64/nanosPerSecond {
			return math.MaxUint64
		}
		return uint64(seconds) * nanosPerSecond //nolint:gosec // not negative
	}
	return timeRange{nanos(start), nanos(end)}
}

// overlaps reports whether a block may hold spans in the range.
func (r timeRange) overlaps(b schema.BlockName) bool {
	return r == timeRange{} || b.Spans > 0 && b.MinStart < r.end && b.MaxEnd >= r.start
}

// sources are the blocks within the range and all live segments.
func (q *Querier) sources(joined *catalog.Joined, within timeRange) []engine.Source {
	sources := make([]engine.Source, 0, len(joined.Blocks)+len(joined.Segments))
	for _, name := range joined.Blocks {
		if within.overlaps(name) {
			sources = append(sources, &blockSource{q.blocks, name})
		}
	}
	for _, segment := range joined.Segments {
		sources = append(sources, segment)
	}
	return sources
}

// searchSources are the same, and the other blocks for the parts of the traces
// that are found.
func (q *Querier) searchSources(joined *catalog.Joined, within timeRange) []engine.Source {
	sources := q.sources(joined, within)
	for _, name := range joined.Blocks {
		if !within.overlaps(name) {
			sources = append(sources, engine.LookupOnly(&blockSource{q.blocks, name}))
		}
	}
	return sources
}

// blockSource reads one block, which it opens when first asked.
type blockSource struct {
	cache *blockCache
	name  schema.BlockName
}

// Scan yields the rows that overlap the request's time range.
func (s *blockSource) Scan(ctx context.Context, req engine.Request) iter.Seq2[[]schema.Span, error] {
	return func(yield func([]schema.Span, error) bool) {
		reader, err := s.cache.open(ctx, s.name)
		if err != nil {
			yield(nil, err)
			return
		}
		for chunk, err := range reader.Scan(ctx, scanRequest(req)) {
			s.forgetIfGone(err)
			if !yield(chunk, err) || err != nil {
				return
			}
		}
	}
}

// Trace returns the block's rows of a trace. A block of another partition is
// not even opened.
func (s *blockSource) Trace(ctx context.Context, id schema.TraceID) ([]schema.Span, error) {
	if id.Partition(s.name.Partitions) != s.name.Partition {
		return nil, nil
	}
	reader, err := s.cache.open(ctx, s.name)
	if err != nil {
		return nil, err
	}
	spans, err := reader.Trace(ctx, id)
	s.forgetIfGone(err)
	return spans, err
}

func (s *blockSource) forgetIfGone(err error) {
	if errors.Is(err, objstore.ErrNotExist) || errors.Is(err, objstore.ErrChanged) {
		s.cache.forget(s.name)
	}
}

// scanRequest asks a block for the columns of a plan. Rows outside the time
// range are read too: what counts is whether the whole trace reaches into it.
func scanRequest(req engine.Request) block.ScanRequest {
	columns := block.BaseColumns | block.ParentColumn | block.StatusMessageColumn | block.ScopeColumns
	for _, c := range []struct {
		wanted bool
		set    block.ColumnSet
	}{
		{req.Columns.Resource, block.ResourceColumn},
		{req.Columns.Attributes, block.AttributesColumn},
		{req.Columns.Events, block.EventsColumn},
		{req.Columns.Links, block.LinksColumn},
	} {
		if c.wanted {
			columns |= c.set
		}
	}
	return block.ScanRequest{Columns: columns}
}
