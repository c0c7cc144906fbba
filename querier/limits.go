package querier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/querier/jobs"
)

// limitError means that a query asks for more than it may: answered with 422,
// so that no client takes it for a failure that passes, and a text that names
// the limit.
type limitError struct{ text string }

func (e *limitError) Error() string { return e.text }

// timeoutError means that a query took longer than it may: answered with 504, as
// Tempo does, and a text that names the setting.
type timeoutError struct{ text string }

func (e *timeoutError) Error() string { return e.text }

// errOutOfTime is the cause of a context that ended because a query took too
// long, and not because the client went away.
var errOutOfTime = errors.New("out of time")

// withLimits is ctx for one query, with the time and the bytes that it has.
func (q *Querier) withLimits(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx = context.WithValue(ctx, usageKey{}, &usage{maxBytes: int64(q.cfg.MaxReadBytes)}) //nolint:gosec // Config.Validate bounds it
	return context.WithTimeoutCause(ctx, q.cfg.Timeout, errOutOfTime)
}

// limited names the limit that an error is about.
func (q *Querier) limited(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, errBudget) && usageOf(ctx).limited != "":
		used := usageOf(ctx)
		return &limitError{fmt.Sprintf("the query reads more than %d bytes of blocks, which is what project %s may (%s): narrow the time range or "+
			"the conditions, or %s", used.maxBytes, used.limited, project.LimitQueryBytes, project.Raise(used.limited, project.LimitQueryBytes))}
	case errors.Is(err, errBudget):
		return &limitError{fmt.Sprintf("the query reads more than %s of blocks (querier.max-read-bytes): "+
			"narrow the time range or the conditions", q.cfg.MaxReadBytes.String())}
	case errors.Is(err, context.DeadlineExceeded) && errors.Is(context.Cause(ctx), errOutOfTime):
		return &timeoutError{fmt.Sprintf("the query took longer than %s (querier.timeout): "+
			"narrow the time range or the conditions", q.cfg.Timeout.Round(time.Millisecond))}
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil && !errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		// Whoever asks has less time, and says why.
		return &timeoutError{fmt.Sprintf("%v: narrow the time range or the conditions", context.Cause(ctx))}
	}
	return err
}

// errBudget means that a query has read as much of blocks as it may.
var errBudget = errors.New("read budget spent")

// budgeted counts what queries read, and ends those that have read too much.
type budgeted struct{ objstore.Bucket }

// Get is the bucket's, or errBudget if the query would read more than it may.
func (b budgeted) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	u := usageOf(ctx)
	if u.maxBytes > 0 && u.bytes.Load()+max(opts.Length, 1) > u.maxBytes {
		return nil, objstore.Object{}, fmt.Errorf("read %s: %w", key, errBudget)
	}
	u.requests.Add(1)
	back := jobs.Away(ctx)
	data, object, err := b.Bucket.Get(ctx, key, opts)
	back()
	u.bytes.Add(int64(len(data)))
	return data, object, err
}
