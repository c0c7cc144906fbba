package engine

import (
	"context"
	"iter"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Source is one block, or the live part of one partition. Its methods are
// called from several goroutines.
type Source interface {
	// Scan yields the rows for which the filter holds, and may yield others,
	// in chunks. What columns leave out may be empty. A chunk is valid until
	// the next iteration; rows with one Resource or Scope pointer share what
	// it points to for good. The first error ends the scan.
	Scan(ctx context.Context, filter *vec.Filter, columns vec.Columns) iter.Seq2[[]schema.Span, error]
	// Find yields the traces with rows for which the filter holds, and may
	// yield others that are not folded, in the order of their ids and each
	// once. A chunk is valid until the next iteration.
	Find(ctx context.Context, filter *vec.Filter) iter.Seq2[[]vec.Hit, error]
	// MayHold is false if the source has no row of the trace.
	MayHold(ctx context.Context, id schema.TraceID) (bool, error)
	// Traces returns every row of the traces, whose ids are in ascending
	// order, in the order of schema.Compare, not folded. What columns leave
	// out may be empty. The caller owns the slice.
	Traces(ctx context.Context, ids []schema.TraceID, columns vec.Columns) ([]schema.Span, error)
	// Spans is the number of rows, as far as it is known without a scan.
	Spans() int
}

// Summarizer is a Source that can tell of traces what an answer says of them
// without handing out all their rows.
type Summarizer interface {
	Source
	// Summaries describes traces that no other source has, whose ids are in
	// ascending order: each with as many of its rows at most as few says for
	// which the filter holds. It leaves out those that it cannot tell about
	// without their rows. The caller owns the result.
	Summaries(ctx context.Context, ids []schema.TraceID, filter *vec.Filter, columns vec.Columns, few int) ([]vec.Summary, error)
}

// Timed is a Source that knows the times of its rows.
type Timed interface {
	// Times are the earliest start and the latest start or end of all rows.
	Times() (first, last uint64)
}

// Lister is a Source that can tell keys and values of all its rows without
// reading them. Its methods are false if it can not: then the rows must be
// read.
type Lister interface {
	Source
	Timed
	// Keys returns the keys that attributes of the scope have in any row.
	Keys(ctx context.Context, scope vec.Scope) ([]string, bool, error)
	// Distinct yields rows that have between them all values of the field
	// that the source's rows have, and no others. A row is valid during the
	// call, what its strings and pointers share for good.
	Distinct(ctx context.Context, field vec.Field, yield func(*schema.Span) bool) (bool, error)
}

// KeyFinder is a Source that can tell the keys of attributes in some of its rows
// without reading these.
type KeyFinder interface {
	Source
	// KeysOf answers a query, and returns the number of rows it is about.
	KeysOf(ctx context.Context, q *vec.KeyQuery) (rows int, err error)
}

// Sampler is a Source that can give out columns of its rows instead of rows.
type Sampler interface {
	Source
	// Held lists the traces. The caller only reads it.
	Held(ctx context.Context) (*vec.Held, error)
	// SpanIDs returns the span ids of all rows of traces, whose ids are in
	// ascending order.
	SpanIDs(ctx context.Context, ids []schema.TraceID) (*vec.SpanIDs, error)
	// Sample yields the rows for which the filter of the sampling holds, and
	// no others, except those of traces that are to be left out or whose rows
	// have to be folded: it returns which of these have a row for which the
	// filter holds. The first error of yield ends it and is returned.
	Sample(ctx context.Context, sampling *vec.Sampling, yield func(*vec.Samples) error) ([]schema.TraceID, error)
}

// Tabulator is a Sampler that can count the values of all fields.
type Tabulator interface {
	Sampler
	// Tabulate counts the rows for which the filter of the tabulation holds,
	// except those of traces that are to be left out, whose rows have to be
	// folded, or whose parents make no tree: it returns which of these have
	// a row for which the filter holds. The first error of the table ends it.
	Tabulate(ctx context.Context, t *vec.Tabulation, table vec.Table) ([]schema.TraceID, error)
}

// LookupOnly is s without what it finds, as if it had no rows to search: for a
// source that matters only because it may hold rows of traces that were found
// elsewhere.
func LookupOnly(s Source) Source { return lookupOnly{s} }

type lookupOnly struct{ Source }

func (lookupOnly) Scan(context.Context, *vec.Filter, vec.Columns) iter.Seq2[[]schema.Span, error] {
	return func(func([]schema.Span, error) bool) {}
}

func (lookupOnly) Spans() int { return 0 }

func (lookupOnly) Find(context.Context, *vec.Filter) iter.Seq2[[]vec.Hit, error] {
	return func(func([]vec.Hit, error) bool) {}
}
