package host

import (
	"context"
	"errors"
	"time"
)

// answerMargin is kept of a function's own timeout to say that it is over.
const answerMargin = 500 * time.Millisecond

// ErrOutOfTime is the cause of contexts of Answer that have ended.
var ErrOutOfTime = errors.New("the invocation has no more time (the function's timeout in Lambda)")

// Answer is ctx for an answer that is to be there before the invocation's time is
// over, and before most has passed if that is not 0.
func Answer(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	end := deadline.Add(-answerMargin)
	if longest := time.Now().Add(most); most > 0 && (!ok || longest.Before(end)) {
		end, ok = longest, true
	}
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadlineCause(ctx, end, ErrOutOfTime)
}
