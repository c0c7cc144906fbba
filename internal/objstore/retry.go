package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"time"
)

// RetryOptions are how often and how soon Retry repeats. A zero field has its
// default.
type RetryOptions struct {
	// Attempts is the largest number of tries in all, 5 by default.
	Attempts int
	// MinDelay is the longest wait before the first repetition, 100 ms by
	// default. It doubles with every further one.
	MinDelay time.Duration
	// MaxDelay bounds every wait, 5 s by default.
	MaxDelay time.Duration
}

func (o *RetryOptions) setDefaults() {
	if o.Attempts <= 0 {
		o.Attempts = 5
	}
	if o.MinDelay <= 0 {
		o.MinDelay = 100 * time.Millisecond
	}
	if o.MaxDelay <= 0 {
		o.MaxDelay = 5 * time.Second
	}
}

// Retry returns bucket with operations repeated after errors that are
// ErrTransient, until they succeed, fail otherwise, or use up their attempts;
// the last error is returned. Waits are random, so that many clients do not
// come back at once. A listing goes on where it broke off, with all attempts
// anew after every entry.
//
// When a Put with a condition is repeated, ErrExist or ErrChanged may mean that
// the first attempt stored the object and only its reply was lost.
func Retry(bucket Bucket, opts RetryOptions) Bucket {
	opts.setDefaults()
	return &retry{bucket: bucket, opts: opts}
}

type retry struct {
	bucket Bucket
	opts   RetryOptions
}

func (b *retry) Put(ctx context.Context, key string, body io.ReadSeeker, opts PutOptions) error {
	return b.do(ctx, func() error {
		return b.bucket.Put(ctx, key, body, opts) // rewinds body
	})
}

func (b *retry) Get(ctx context.Context, key string, opts GetOptions) (data []byte, object Object, err error) {
	err = b.do(ctx, func() (err error) {
		data, object, err = b.bucket.Get(ctx, key, opts)
		return err
	})
	return data, object, err
}

func (b *retry) List(ctx context.Context, opts ListOptions) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		opts := opts // an iteration must not move the start of the next
		for attempt := 1; ; attempt++ {
			var failed error
			for object, err := range b.bucket.List(ctx, opts) {
				if err != nil {
					failed = err
					break
				}
				if !yield(object, nil) {
					return
				}
				opts.StartAfter, attempt = object.Key, 1
			}
			if failed == nil {
				return
			}
			if err := b.wait(ctx, attempt, failed); err != nil {
				yield(Object{}, err)
				return
			}
		}
	}
}

func (b *retry) Delete(ctx context.Context, key string) error {
	return b.do(ctx, func() error { return b.bucket.Delete(ctx, key) })
}

func (b *retry) Stat(ctx context.Context, key string) (object Object, err error) {
	err = b.do(ctx, func() (err error) {
		object, err = b.bucket.Stat(ctx, key)
		return err
	})
	return object, err
}

func (b *retry) do(ctx context.Context, operation func() error) error {
	for attempt := 1; ; attempt++ {
		err := operation()
		if err == nil {
			return nil
		}
		if err := b.wait(ctx, attempt, err); err != nil {
			return err
		}
	}
}

// wait returns nil after a while if the attempt that failed with err is to be
// repeated, else the error to return.
func (b *retry) wait(ctx context.Context, attempt int, err error) error {
	if !errors.Is(err, ErrTransient) || attempt >= b.opts.Attempts {
		return err
	}
	timer := time.NewTimer(b.delay(attempt))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	if ctxErr := ctx.Err(); ctxErr != nil {
		return fmt.Errorf("%w: %w", ctxErr, err)
	}
	return nil
}

// delay is anything up to MinDelay doubled with every attempt: spreading over
// the whole time parts clients that failed together best.
func (b *retry) delay(attempt int) time.Duration {
	limit := b.opts.MinDelay
	for i := 1; i < attempt && limit < b.opts.MaxDelay; i++ {
		limit *= 2
	}
	return rand.N(min(limit, b.opts.MaxDelay)) + 1
}
