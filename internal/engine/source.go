package engine

import (
	"context"
	"iter"

	"github.com/spanlake/spanlake/schema"
)

// Source is one block, or the live part of one partition. Its methods are
// called from several goroutines.
type Source interface {
	// Scan yields every row for which req.Plan.Match may be true, in chunks.
	// It may leave out what it knows not to match and yield what does not.
	// Columns outside of req.Columns may be empty. A chunk is valid until the
	// next iteration; rows with one Resource or Scope pointer share what it
	// points to for good. The first error ends the scan and the search.
	Scan(ctx context.Context, req Request) iter.Seq2[[]schema.Span, error]
	// Trace returns every row of the trace with all columns, in the order of
	// schema.Compare, not folded; none if it has none. The caller owns the
	// slice.
	Trace(ctx context.Context, id schema.TraceID) ([]schema.Span, error)
}

// Request says what a scan is for.
type Request struct {
	Plan    *Plan
	Columns Columns // those of the plan
}

// LookupOnly is s without its Scan: for a source that matters only because it
// may hold rows of traces that were found elsewhere.
func LookupOnly(s Source) Source { return lookupOnly{s} }

type lookupOnly struct{ Source }

func (lookupOnly) Scan(context.Context, Request) iter.Seq2[[]schema.Span, error] {
	return func(func([]schema.Span, error) bool) {}
}
