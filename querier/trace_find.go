package querier

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// traceInMemory is up to which size a trace is put together in memory before
// any of it is sent. Larger ones are read twice: once to learn which rows are in
// the answer, and again to send them.
const traceInMemory = 32 << 20

// foundTrace is a trace as it is shown.
type foundTrace struct {
	spans   []schema.Span // of a small one
	survey  *survey       // of a large one, else nil
	message string        // why it is not whole, "" if it is
	cut     bool          // it is beyond the limit
	derived bool          // shown with derived attributes

	again func(context.Context) (*foundTrace, error) // finds it anew
}

// findTrace reads the rows of a trace, each span once. The sources are all that
// may have some.
func (q *Querier) findTrace(ctx context.Context, sources []engine.Source, id schema.TraceID, filter *traceFilter) (*foundTrace, error) {
	most := q.traceInMemory
	if limit := int64(q.cfg.MaxTraceBytes); limit > 0 { //nolint:gosec // Config.Validate bounds it
		most = min(most, limit)
	}
	spans, err := q.collectTrace(ctx, sources, id, most)
	if errors.Is(err, errLarge) {
		return q.surveyTrace(ctx, sources, id, filter)
	}
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	var derive engine.Derive
	if slices.ContainsFunc(spans, func(s schema.Span) bool { return s.Fragment != schema.FragmentNone }) {
		if derive, err = engine.DeriveOf(ctx, sources, id); err != nil {
			return nil, err
		}
	}
	found := &foundTrace{}
	found.spans, found.message = filter.apply(engine.Fold(spans, derive))
	return found, nil
}

// errLarge means that a trace does not fit.
var errLarge = errors.New("the trace is large")

// collectTrace reads the rows of a trace from every source at once, or returns
// errLarge if they are more bytes than that.
func (q *Querier) collectTrace(ctx context.Context, sources []engine.Source, id schema.TraceID, most int64) ([]schema.Span, error) {
	parts := make([][]schema.Span, len(sources))
	var bytes, ahead atomic.Int64
	notTooMuch := func(n int64) error {
		if ahead.Add(n) > most {
			return errLarge
		}
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(q.cfg.Concurrency)
	for i, source := range sources {
		group.Go(func() error {
			for page, err := range tracePages(ctx, source, id, notTooMuch) {
				if err != nil {
					return err
				}
				if bytes.Add(sizeOf(page)) > most {
					return errLarge
				}
				parts[i] = append(parts[i], page...)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(parts...), nil
}

// sizeOf is about how long spans are as OTLP.
func sizeOf(spans []schema.Span) (n int64) {
	for i := range spans {
		n += int64(otlp.SizeHint(&spans[i]))
	}
	return n
}

// paged is a source outside of memory that reads a trace bit by bit, in an order that
// does not change.
type paged interface {
	TracePages(ctx context.Context, id schema.TraceID) iter.Seq2[[]schema.Span, error]
}

// tracePages yields the rows of a trace that a source has, in their order and in
// slices that are valid until the next iteration. What is in memory anyway comes
// at once. ahead may refuse what is about to be read, see block.Reader.TracePages.
func tracePages(
	ctx context.Context, source engine.Source, id schema.TraceID, ahead func(bytes int64) error,
) iter.Seq2[[]schema.Span, error] {
	if s, ok := source.(*blockSource); ok {
		if !s.ofPartition(id) {
			return func(func([]schema.Span, error) bool) {}
		}
		return yieldFrom(ctx, s, func(r *block.Reader) iter.Seq2[[]schema.Span, error] {
			return r.TracePages(ctx, id, vec.AllColumns(), ahead)
		})
	}
	switch s := source.(type) {
	case *engine.Sieve:
		return s.Left(tracePages(ctx, s.Source(), id, ahead))
	case siftedSegment:
		return tracePages(ctx, s.Sieve, id, ahead)
	case paged:
		return s.TracePages(ctx, id)
	}
	return func(yield func([]schema.Span, error) bool) {
		spans, err := source.Traces(ctx, []schema.TraceID{id}, vec.AllColumns())
		if err != nil || len(spans) > 0 {
			yield(spans, err)
		}
	}
}
