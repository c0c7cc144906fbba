package engine

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Within is s with only some of its traces, for a query of which several parts
// read the same source. counts says that this is the part in which its rows
// count as searched, which should be one of them.
func Within(s Source, traces schema.Traces, counts bool) Source {
	w := within{s, &traces, counts}
	if columnar, ok := s.(columnar); ok {
		return withinColumns{w, columnar}
	}
	return w
}

// columnar is a Source that can do all that queries in parts ask for.
type columnar interface {
	Summarizer
	Fixed
	Tabulator
	Totaler
	Timed
}

type within struct {
	Source

	traces *schema.Traces
	counts bool
}

// Scan leaves out the rows of other traces.
func (s within) Scan(ctx context.Context, filter *vec.Filter, columns vec.Columns) iter.Seq2[[]schema.Span, error] {
	return keepOnly(s.Source.Scan(ctx, filter, columns), func(span *schema.Span) bool { return s.traces.Has(span.TraceID) })
}

// Find leaves out other traces.
func (s within) Find(ctx context.Context, filter *vec.Filter) iter.Seq2[[]vec.Hit, error] {
	return keepOnly(s.Source.Find(ctx, filter), func(hit *vec.Hit) bool { return s.traces.Has(hit.ID) })
}

// MayHold is false for other traces.
func (s within) MayHold(ctx context.Context, id schema.TraceID) (bool, error) {
	if !s.traces.Has(id) {
		return false, nil
	}
	return s.Source.MayHold(ctx, id)
}

// Spans is the number of rows of the source, of all traces, in the part that
// counts them.
func (s within) Spans() int {
	if !s.counts {
		return 0
	}
	return s.Source.Spans()
}

// OpenTraces leaves out other traces.
func (s within) OpenTraces(ctx context.Context) ([]schema.TraceID, error) {
	open, err := openTraces(ctx, s.Source)
	return s.inside(open), err
}

// Derive is the source's.
func (s within) Derive(span *schema.Span) []byte { return deriveOf(s.Source, span) }

// inside returns the ids of these traces.
func (s within) inside(ids []schema.TraceID) []schema.TraceID {
	return slices.DeleteFunc(slices.Clone(ids), func(id schema.TraceID) bool { return !s.traces.Has(id) })
}

type withinColumns struct {
	within

	columns columnar
}

var _ columnar = withinColumns{}

// Identity is that of the source and of the traces.
func (s withinColumns) Identity() string {
	t := s.traces
	return fmt.Sprintf("%s %d of %d %s-%s", s.columns.Identity(), t.Partition, t.Partitions, t.First, t.Last)
}

// Summaries is the source's.
func (s withinColumns) Summaries(
	ctx context.Context, ids []schema.TraceID, filter *vec.Filter, columns vec.Columns, few int,
) ([]vec.Summary, error) {
	return s.columns.Summaries(ctx, ids, filter, columns, few)
}

// Totals is the source's.
func (s withinColumns) Totals(ctx context.Context, filter *vec.Filter, number vec.Column) (*vec.Totals, error) {
	return s.columns.Totals(ctx, filter, number)
}

// Times are those of the source, of all traces.
func (s withinColumns) Times() (first, last uint64) { return s.columns.Times() }

// Held leaves out other traces.
func (s withinColumns) Held(ctx context.Context) (*vec.Held, error) {
	held, err := s.columns.Held(ctx)
	if err != nil {
		return nil, err
	}
	return &vec.Held{IDs: s.inside(held.IDs), Unfolded: s.inside(held.Unfolded)}, nil
}

// SpanIDs is the source's.
func (s withinColumns) SpanIDs(ctx context.Context, ids []schema.TraceID) (*vec.SpanIDs, error) {
	return s.columns.SpanIDs(ctx, ids)
}

// Sample leaves out the rows of other traces.
func (s withinColumns) Sample(
	ctx context.Context, sampling *vec.Sampling, yield func(*vec.Samples) error,
) ([]schema.TraceID, error) {
	narrow := *sampling
	var err error
	if narrow.Except, err = s.withOutside(ctx, sampling.Except); err != nil {
		return nil, err
	}
	left, err := s.columns.Sample(ctx, &narrow, yield)
	return s.inside(left), err
}

// Tabulate leaves out the rows of other traces.
func (s withinColumns) Tabulate(ctx context.Context, t *vec.Tabulation, table vec.Table) ([]schema.TraceID, error) {
	narrow := *t
	var err error
	if narrow.Except, err = s.withOutside(ctx, t.Except); err != nil {
		return nil, err
	}
	left, err := s.columns.Tabulate(ctx, &narrow, table)
	return s.inside(left), err
}

// withOutside adds the source's other traces to some of these.
func (s withinColumns) withOutside(ctx context.Context, except []schema.TraceID) ([]schema.TraceID, error) {
	held, err := s.columns.Held(ctx)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(except)
	for _, id := range held.IDs {
		if !s.traces.Has(id) {
			all = append(all, id)
		}
	}
	return sortedIDs(all), nil
}
