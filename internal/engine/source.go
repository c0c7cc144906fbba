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
	// Scan yields the rows for which req.Filter holds, and may yield others,
	// in chunks. Columns outside of req.Columns may be empty. A chunk is valid
	// until the next iteration; rows with one Resource or Scope pointer share
	// what it points to for good. The first error ends the scan.
	Scan(ctx context.Context, req Request) iter.Seq2[[]schema.Span, error]
	// Find yields the traces with rows for which req.Filter holds, and may
	// yield others, each once.
	Find(ctx context.Context, req Request) iter.Seq2[[]Hit, error]
	// MayHold is false if the source has no row of the trace.
	MayHold(ctx context.Context, id schema.TraceID) (bool, error)
	// Traces returns every row of the traces, which are in ascending order, by
	// trace and then in the order of schema.Compare, not folded. Columns
	// outside of columns may be empty. The caller owns the slice.
	Traces(ctx context.Context, ids []schema.TraceID, columns vec.Columns) ([]schema.Span, error)
	// Spans is the number of rows.
	Spans() int
}

// Request says what a scan is for.
type Request struct {
	Filter  *vec.Filter
	Columns vec.Columns // of Scan
}

// Hit is a trace that a source found. The times are those of the source's
// rows of it, Unix nanoseconds.
type Hit struct {
	ID         schema.TraceID
	StartNanos uint64 // earliest start
	LastNanos  uint64 // latest start
	EndNanos   uint64 // latest start or end
	// Folded says that no two rows are of the same span: if no other source
	// has the trace, the times are the trace's.
	Folded bool
}

// LookupOnly is s without what it finds: for a source that matters only because
// it may hold rows of traces that were found elsewhere.
func LookupOnly(s Source) Source { return lookupOnly{s} }

type lookupOnly struct{ Source }

func (lookupOnly) Scan(context.Context, Request) iter.Seq2[[]schema.Span, error] {
	return func(func([]schema.Span, error) bool) {}
}

func (lookupOnly) Find(context.Context, Request) iter.Seq2[[]Hit, error] {
	return func(func([]Hit, error) bool) {}
}
