package host

import (
	"context"
	"fmt"
	"time"
)

const (
	// stopMargin before the deadline of an invocation nothing is begun any more:
	// what is at hand is finished in that time.
	stopMargin = time.Minute
	// giveUpMargin before it what is at hand is given up, to say so.
	giveUpMargin = 5 * time.Second
	// leastTime has to be left for work.
	leastTime = 5 * time.Second
	// longest is how long an invocation may take at most.
	longest = 15 * time.Minute
)

// Work returns the context of an invocation's work, and when the last piece of it
// may begin. The caller calls end in the end. It is an error if there is no time
// for any.
func Work(ctx context.Context) (work context.Context, until time.Time, end context.CancelFunc, err error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(longest)
	}
	until = deadline.Add(-stopMargin)
	if left := time.Until(until); left < leastTime {
		return nil, until, nil, fmt.Errorf("%s are left, of which the last %s are for finishing: give the function a timeout of %s or more",
			time.Until(deadline).Round(time.Second), stopMargin, 2*stopMargin)
	}
	work, end = context.WithDeadline(ctx, deadline.Add(-giveUpMargin))
	return work, until, end, nil
}
