package engine

import "context"

// selectStage passes on what it gets: which fields are returned is settled
// when the plan is made.
func selectStage(_ context.Context, _ *frame, in []spanset) ([]spanset, error) { return in, nil }
