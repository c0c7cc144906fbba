package objstore_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/objstore/objstoretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A decorator keeps the whole contract.
func TestContract(t *testing.T) {
	for _, test := range []struct {
		name     string
		decorate func(objstore.Bucket) objstore.Bucket
	}{
		{"prefixed", func(b objstore.Bucket) objstore.Bucket { return objstore.Prefixed(b, "p") }},
		{"retry", func(b objstore.Bucket) objstore.Bucket { return objstore.Retry(b, objstore.RetryOptions{}) }},
		{"retry of a failing bucket", func(b objstore.Bucket) objstore.Bucket {
			return objstore.Retry(&failing{Bucket: b, every: 3}, objstore.RetryOptions{Attempts: 50, MinDelay: 1})
		}},
		{"instrument", func(b objstore.Bucket) objstore.Bucket { return objstore.Instrument(b, prometheus.NewRegistry()) }},
		{"all", func(b objstore.Bucket) objstore.Bucket {
			b = objstore.Retry(objstore.Instrument(b, prometheus.NewRegistry()), objstore.RetryOptions{})
			return objstore.Prefixed(objstore.Prefixed(b, "outer"), "inner")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			objstoretest.Run(t, func(*testing.T) objstore.Bucket { return test.decorate(mem.New()) })
		})
	}
}

// failing fails every so many calls, before they have done anything: a Put
// after it has read its body, a listing before any of its entries.
type failing struct {
	objstore.Bucket

	every int64
	calls atomic.Int64
}

func (b *failing) fail() error {
	if call := b.calls.Add(1); call%b.every == 0 {
		return fmt.Errorf("call %d: %w", call, objstore.ErrTransient)
	}
	return nil
}

func (b *failing) Put(ctx context.Context, key string, body io.ReadSeeker, opts objstore.PutOptions) error {
	if err := b.fail(); err != nil {
		if _, readErr := io.Copy(io.Discard, body); readErr != nil {
			return readErr
		}
		return err
	}
	return b.Bucket.Put(ctx, key, body, opts)
}

func (b *failing) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	if err := b.fail(); err != nil {
		return nil, objstore.Object{}, err
	}
	return b.Bucket.Get(ctx, key, opts)
}

func (b *failing) List(ctx context.Context, opts objstore.ListOptions) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		for object, err := range b.Bucket.List(ctx, opts) {
			if failed := b.fail(); failed != nil {
				yield(objstore.Object{}, failed)
				return
			}
			if !yield(object, err) {
				return
			}
		}
	}
}

func (b *failing) Delete(ctx context.Context, key string) error {
	if err := b.fail(); err != nil {
		return err
	}
	return b.Bucket.Delete(ctx, key)
}

func (b *failing) Stat(ctx context.Context, key string) (objstore.Object, error) {
	if err := b.fail(); err != nil {
		return objstore.Object{}, err
	}
	return b.Bucket.Stat(ctx, key)
}
