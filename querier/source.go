package querier

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/querier/jobs"
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
func (q *Querier) sources(ctx context.Context, joined *catalog.Joined, within timeRange) ([]engine.Source, error) {
	held, err := q.erasedIn(ctx, joined, within.overlaps)
	return q.sourcesOf(joined, held, schema.AllTraces(), within), err
}

// sourcesOf are the same, with some of their traces.
func (q *Querier) sourcesOf(joined *catalog.Joined, held reaches, traces schema.Traces, within timeRange) []engine.Source {
	sources := make([]engine.Source, 0, len(joined.Blocks)+len(joined.Segments))
	for _, name := range joined.Blocks {
		if within.overlaps(name) {
			sources = append(sources, q.blockOf(name, traces, joined.Oldest[name.Project], held[name]))
		}
	}
	for _, segment := range joined.Segments {
		if traces.IsRange() { // its partition is one of the job's
			sources = append(sources, engine.Within(segment, traces, traces.First == schema.TraceID{}))
		} else {
			sources = append(sources, segment)
		}
	}
	return sources
}

// blockOf is a block with some of its traces, and of them what does not end before
// oldest and is not erased. Its rows count in the first of the jobs that read it.
func (q *Querier) blockOf(name schema.BlockName, traces schema.Traces, oldest uint64, erased *erasure.Reach) engine.Source {
	var source engine.Source = &blockSource{cache: q.blocks, name: name, derive: q.spans.Of(name.Project)}
	if name.MinStart < oldest {
		source = engine.NewUnexpired(source, oldest)
	}
	if erased != nil {
		source = engine.NewUnerased(source, erased.UpTo)
	}
	if !traces.IsRange() && name.Partitions >= traces.Partitions {
		return source
	}
	first := traces.First == schema.TraceID{} && traces.Partition <= name.Partition
	return engine.Within(source, traces, first)
}

// sourcesBeside are those of a slice of a range. Blocks outside of the range, up
// to a margin, are asked for what they find of the traces that reach into the
// slice; those of other slices have their turn.
func (q *Querier) sourcesBeside(
	ctx context.Context, joined *catalog.Joined, traces schema.Traces, slice, within timeRange, margin time.Duration,
) ([]engine.Source, error) {
	near := within.widen(margin)
	beside := func(name schema.BlockName) bool { return near.overlaps(name) && !within.overlaps(name) }
	held, err := q.erasedIn(ctx, joined, func(name schema.BlockName) bool { return slice.overlaps(name) || beside(name) })
	if err != nil {
		return nil, err
	}
	sources := q.sourcesOf(joined, held, traces, slice)
	for _, name := range joined.Blocks {
		if slice.overlaps(name) {
			continue
		}
		source := q.blockOf(name, traces, joined.Oldest[name.Project], held[name])
		if beside(name) {
			sources = append(sources, engine.Beside(source, name.MinStart >= within.end))
		} else if reach := reachOf(joined, name); reach != nil { // whether it holds any is not worth a look
			sources = append(sources, engine.LookupUnerased(source, reach.UpTo, strings.Join(reach.Names(), " ")))
		} else {
			sources = append(sources, engine.LookupOnly(source))
		}
	}
	return sources, nil
}

// widen moves both ends of a range apart.
func (r timeRange) widen(by time.Duration) timeRange {
	if r == (timeRange{}) {
		return r
	}
	margin := uint64(max(by, 0)) //nolint:gosec // not negative
	end := r.end + margin
	if end < margin {
		end = math.MaxUint64
	}
	return timeRange{r.start - min(r.start, margin), end}
}

var (
	_ engine.Summarizer     = (*blockSource)(nil)
	_ engine.Lister         = (*blockSource)(nil)
	_ engine.FragmentSource = (*blockSource)(nil)
	_ engine.Tabulator      = (*blockSource)(nil)
	_ engine.Fixed          = (*blockSource)(nil)
	_ engine.KeyFinder      = (*blockSource)(nil)
	_ engine.Totaler        = (*blockSource)(nil)
)

// blockSource reads one block, which it opens when first asked.
type blockSource struct {
	cache  *block.Readers
	name   schema.BlockName
	derive engine.Derive
	known  atomic.Pointer[block.Reader] // once it was opened
}

func (s *blockSource) open(ctx context.Context) (*block.Reader, error) {
	if reader := s.known.Load(); reader != nil {
		return reader, nil
	}
	reader, err := s.cache.Open(ctx, s.name)
	if err == nil {
		s.known.Store(reader)
	}
	return reader, err
}

// Scan yields the rows that the block's reader yields.
func (s *blockSource) Scan(ctx context.Context, filter *vec.Filter, columns vec.Columns) iter.Seq2[[]schema.Span, error] {
	return yieldFrom(ctx, s, func(r *block.Reader) iter.Seq2[[]schema.Span, error] { return r.Scan(ctx, filter, columns) })
}

// Find yields the traces that the block's reader yields.
func (s *blockSource) Find(ctx context.Context, filter *vec.Filter) iter.Seq2[[]vec.Hit, error] {
	return yieldFrom(ctx, s, func(r *block.Reader) iter.Seq2[[]vec.Hit, error] { return r.Find(ctx, filter) })
}

// MayHold asks the block's filter. A block of another partition is not even
// opened.
func (s *blockSource) MayHold(ctx context.Context, id schema.TraceID) (bool, error) {
	if !s.ofPartition(id) {
		return false, nil
	}
	reader, err := s.open(ctx)
	return err == nil && reader.MayContain(id), err
}

// Traces returns the block's rows of traces. A block of another partition is
// not even opened.
func (s *blockSource) Traces(ctx context.Context, ids []schema.TraceID, columns vec.Columns) ([]schema.Span, error) {
	if !slices.ContainsFunc(ids, s.ofPartition) {
		return nil, nil
	}
	reader, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	spans, err := reader.Traces(ctx, ids, columns)
	s.forgetIfGone(err)
	return spans, err
}

// Summaries asks the block's reader.
func (s *blockSource) Summaries(
	ctx context.Context, ids []schema.TraceID, filter *vec.Filter, columns vec.Columns, few int,
) ([]vec.Summary, error) {
	reader, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	list, err := reader.Summaries(ctx, ids, filter, columns, few)
	s.forgetIfGone(err)
	return list, err
}

// OpenTraces asks the block's reader.
func (s *blockSource) OpenTraces(ctx context.Context) ([]schema.TraceID, error) {
	reader, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	return reader.OpenTraces(ctx)
}

// Derive derives of a span that was sent in pieces.
func (s *blockSource) Derive(span *schema.Span) []byte { return s.derive(span) }

// Times are those of the block's name.
func (s *blockSource) Times() (first, last uint64) { return s.name.MinStart, s.name.MaxEnd }

// Keys asks the block's reader.
func (s *blockSource) Keys(ctx context.Context, scope vec.Scope) ([]string, bool, error) {
	reader, err := s.open(ctx)
	if err != nil {
		return nil, false, err
	}
	keys, ok, err := reader.Keys(ctx, scope)
	s.forgetIfGone(err)
	return keys, ok, err
}

// KeysOf asks the block's reader.
func (s *blockSource) KeysOf(ctx context.Context, q *vec.KeyQuery) (int, error) {
	reader, err := s.open(ctx)
	if err != nil {
		return 0, err
	}
	rows, err := reader.KeysOf(ctx, q)
	s.forgetIfGone(err)
	return rows, err
}

// Totals asks the block's reader.
func (s *blockSource) Totals(ctx context.Context, filter *vec.Filter, number vec.Column) (*vec.Totals, error) {
	reader, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	totals, err := reader.Totals(ctx, filter, number)
	s.forgetIfGone(err)
	return totals, err
}

// Distinct asks the block's reader.
func (s *blockSource) Distinct(ctx context.Context, field vec.Field, yield func(*schema.Span) bool) (bool, error) {
	reader, err := s.open(ctx)
	if err != nil {
		return false, err
	}
	ok, err := reader.Distinct(ctx, field, yield)
	s.forgetIfGone(err)
	return ok, err
}

// Held asks the block's reader.
func (s *blockSource) Held(ctx context.Context) (*vec.Held, error) {
	reader, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	held, err := reader.Held(ctx)
	s.forgetIfGone(err)
	return held, err
}

// SpanIDs asks the block's reader.
func (s *blockSource) SpanIDs(ctx context.Context, ids []schema.TraceID) (*vec.SpanIDs, error) {
	reader, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	list, err := reader.SpanIDs(ctx, ids)
	s.forgetIfGone(err)
	return list, err
}

// Sample asks the block's reader.
func (s *blockSource) Sample(
	ctx context.Context, sampling *vec.Sampling, yield func(*vec.Samples) error,
) ([]schema.TraceID, error) {
	reader, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	left, err := reader.Sample(ctx, sampling, func(samples *vec.Samples) error {
		if err := jobs.Yield(ctx); err != nil {
			return err
		}
		return yield(samples)
	})
	s.forgetIfGone(err)
	return left, err
}

// Tabulate asks the block's reader.
func (s *blockSource) Tabulate(ctx context.Context, t *vec.Tabulation, table vec.Table) ([]schema.TraceID, error) {
	reader, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	left, err := reader.Tabulate(ctx, t, yielding{table, ctx})
	s.forgetIfGone(err)
	return left, err
}

// yielding is a table that lets other projects have their turn.
type yielding struct {
	vec.Table

	ctx context.Context //nolint:containedctx // of one call
}

// Value yields first.
func (y yielding) Value(field vec.Field, v schema.Value, counts []uint32) error {
	if err := jobs.Yield(y.ctx); err != nil {
		return err
	}
	return y.Table.Value(field, v, counts)
}

// One yields first.
func (y yielding) One(field vec.Field, v schema.Value, cell int32) error {
	if err := jobs.Yield(y.ctx); err != nil {
		return err
	}
	return y.Table.One(field, v, cell)
}

// Members yields first.
func (y yielding) Members(events, links []byte, cell int32) error {
	if err := jobs.Yield(y.ctx); err != nil {
		return err
	}
	return y.Table.Members(events, links, cell)
}

// Identity is the block's key, and which object it is once it was opened.
func (s *blockSource) Identity() string {
	if reader := s.known.Load(); reader != nil {
		return reader.Identity()
	}
	return s.name.Key()
}

// Spans is the number of rows.
func (s *blockSource) Spans() int { return int(s.name.Spans) } //nolint:gosec // a block fits memory

func (s *blockSource) ofPartition(id schema.TraceID) bool {
	return id.Partition(s.name.Partitions) == s.name.Partition
}

func (s *blockSource) forgetIfGone(err error) {
	if errors.Is(err, objstore.ErrNotExist) || errors.Is(err, objstore.ErrChanged) {
		s.cache.Forget(s.name)
	}
}

// yieldFrom opens the block and yields what its reader yields.
func yieldFrom[T any](ctx context.Context, s *blockSource, all func(*block.Reader) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		reader, err := s.open(ctx)
		if err != nil {
			var none T
			yield(none, err)
			return
		}
		for chunk, err := range all(reader) {
			s.forgetIfGone(err)
			if !yield(chunk, err) || err != nil {
				return
			}
			if err := jobs.Yield(ctx); err != nil {
				yield(chunk, err)
				return
			}
		}
	}
}
