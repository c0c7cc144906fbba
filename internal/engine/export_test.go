package engine

import (
	"context"

	"github.com/spanlake/spanlake/schema"
)

// SearchInRoom is Search that keeps no more than about room candidates.
var SearchInRoom = search

// RunOn runs the stages of a plan on the rows of one trace.
func RunOn(ctx context.Context, p *Plan, rows []schema.Span) error {
	_, err := p.spansets(ctx, factsOf(rows[0].TraceID, rows, nil))
	return err
}

// NewLimitedRepeats remembers no more than so many bytes, and of no more traces
// which rows stay.
func NewLimitedRepeats(bytes, foldedTraces, foldedBytes int) *Repeats {
	r := NewRepeats()
	r.limits = repeatsLimits{bytes, foldedTraces, foldedBytes}
	return r
}
