package objstore_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
)

func TestRetryGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &failing{Bucket: mem.New(), every: 1}
		b := objstore.Retry(inner, objstore.RetryOptions{Attempts: 4, MinDelay: time.Second, MaxDelay: 3 * time.Second})
		start := time.Now()
		_, err := b.Stat(t.Context(), "k")
		require.ErrorIs(t, err, objstore.ErrTransient)
		require.ErrorContains(t, err, "call 4", "the last error")
		require.Equal(t, int64(4), inner.calls.Load())
		// Three waits: at most 1, 2 and 3 seconds, never none.
		waited := time.Since(start)
		require.Positive(t, waited)
		require.LessOrEqual(t, waited, 6*time.Second+3)

		put := b.Put(t.Context(), "k", strings.NewReader("v"), objstore.PutOptions{})
		require.ErrorIs(t, put, objstore.ErrTransient)
		require.Equal(t, int64(8), inner.calls.Load(), "every operation has its own attempts")
	})
}

func TestRetryDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &failing{Bucket: mem.New(), every: 1}
		b := objstore.Retry(inner, objstore.RetryOptions{})
		require.ErrorIs(t, b.Delete(t.Context(), "k"), objstore.ErrTransient)
		require.Equal(t, int64(5), inner.calls.Load())
	})
}

func TestRetryLeavesOtherErrors(t *testing.T) {
	inner := &failing{Bucket: mem.New(), every: 1 << 60}
	b := objstore.Retry(inner, objstore.RetryOptions{})
	_, _, err := b.Get(t.Context(), "absent", objstore.GetOptions{})
	require.ErrorIs(t, err, objstore.ErrNotExist)
	require.Equal(t, int64(1), inner.calls.Load())
}

func TestRetryEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &failing{Bucket: mem.New(), every: 1}
		b := objstore.Retry(inner, objstore.RetryOptions{Attempts: 1 << 30, MinDelay: time.Hour, MaxDelay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Hour)
		defer cancel()
		_, err := b.Stat(ctx, "k")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, objstore.ErrTransient, "what it was waiting for")
	})
}

func TestRetryListsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := mem.New()
		want := []string{"a", "b/c", "b/d", "e", "f/g", "h"}
		for _, key := range want {
			require.NoError(t, bucket.Put(t.Context(), key, strings.NewReader(""), objstore.PutOptions{}))
		}
		for every := int64(2); every < 8; every++ {
			// With two attempts in all, it is progress that gives new ones.
			b := objstore.Retry(&failing{Bucket: bucket, every: every}, objstore.RetryOptions{Attempts: 2})
			require.Equal(t, want, keys(t, b, objstore.ListOptions{}))
			require.Equal(t, []string{"a", "b/", "e", "f/", "h"}, keys(t, b, objstore.ListOptions{Delimiter: true}))
			seq := b.List(t.Context(), objstore.ListOptions{})
			for range 2 { // from the start again
				count := 0
				for _, err := range seq {
					require.NoError(t, err)
					count++
				}
				require.Len(t, want, count)
			}
		}
		b := objstore.Retry(&failing{Bucket: bucket, every: 1}, objstore.RetryOptions{Attempts: 3})
		entries := 0
		var last error
		for _, err := range b.List(t.Context(), objstore.ListOptions{}) {
			entries, last = entries+1, err
		}
		require.Equal(t, 1, entries, "an error comes once")
		require.ErrorIs(t, last, objstore.ErrTransient)
	})
}
