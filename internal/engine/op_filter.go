package engine

import (
	"context"

	"github.com/spanlake/spanlake/traceql"
)

// rowsBetweenChecks is how many spans are judged before a stage looks whether
// the query was given up: some milliseconds, whatever the condition.
const rowsBetweenChecks = 1024

// filterStage keeps the spans for which a condition holds, and of scores those of
// which it speaks.
func (c *compiler) filterStage(s *traceql.SpansetFilter) (stage, error) {
	holds, err := c.exact(s.Expr)
	return filterSpans(withoutScores(s.Expr, holds)), err
}

func filterSpans(holds condition) stage {
	return func(ctx context.Context, f *frame, in []spanset) ([]spanset, error) {
		var out []spanset
		for _, set := range in {
			rows, err := filterRows(ctx, f, set.rows, holds)
			if err != nil {
				return nil, err
			}
			if set.rows = rows; len(rows) > 0 {
				out = append(out, set)
			}
		}
		return out, nil
	}
}

func filterRows(ctx context.Context, f *frame, rows []int32, holds condition) ([]int32, error) {
	var kept []int32
	for i, row := range rows {
		if i%rowsBetweenChecks == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if f.setRow(row); holds(f) {
			kept = append(kept, row)
		}
	}
	return kept, nil
}
