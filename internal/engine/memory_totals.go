package engine

import (
	"context"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

var _ Totaler = (*Memory)(nil)

// Totals adds up a number over the rows of each trace for which the filter holds.
func (m *Memory) Totals(ctx context.Context, filter *vec.Filter, number vec.Column) (*vec.Totals, error) {
	fields := newMemorySampler(&vec.Sampling{Number: number}).number
	totals := &vec.Totals{Pure: true}
	places := make(map[schema.TraceID]int)
	for chunk, err := range m.chunks(ctx, filter) {
		if err != nil {
			return nil, err
		}
		for i := chunk.selected.Next(0); i < len(chunk.spans); i = chunk.selected.Next(i + 1) {
			span := &chunk.spans[i]
			v := firstOf(fields, span)
			if v.Kind != schema.KindInt && v.Kind != schema.KindDouble {
				totals.Pure = totals.Pure && v.Kind == schema.KindEmpty
				continue
			}
			at, ok := places[span.TraceID]
			if !ok {
				at = len(totals.Of)
				places[span.TraceID] = at
				totals.Of = append(totals.Of, vec.Total{ID: span.TraceID})
			}
			if v.Kind == schema.KindInt {
				totals.Of[at].AddInt(v.Int)
			} else {
				totals.Of[at].AddFloat(v.Double)
			}
		}
	}
	slices.SortFunc(totals.Of, func(a, b vec.Total) int { return compareTraceIDs(a.ID, b.ID) })
	return totals, nil
}
