package host

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/settings"
)

// countedBucket counts listings, and has none while it is away.
type countedBucket struct {
	objstore.Bucket

	lists int
	away  bool
}

func (b *countedBucket) List(ctx context.Context, opts objstore.ListOptions) iter.Seq2[objstore.Object, error] {
	b.lists++
	if b.away {
		return func(yield func(objstore.Object, error) bool) { yield(objstore.Object{}, errors.New("away")) }
	}
	return b.Bucket.List(ctx, opts)
}

// TestRefresh: the projects are read when an invocation comes, as rarely as the
// interval says, and keys are not taken on what is too old.
func TestRefresh(t *testing.T) {
	for _, test := range []struct {
		mode   string
		denied bool // when the bucket has been away for too long
	}{{access.ModeKeys, true}, {access.ModeNone, false}} {
		t.Run(test.mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bucket := &countedBucket{Bucket: mem.New(), away: true}
				cfg := &AccessConfig{Auth: settings.Auth{Mode: test.mode}, Projects: settings.Projects{RefreshInterval: 5 * time.Second}}
				a := NewAccess(cfg, bucket, slog.New(slog.DiscardHandler))
				refresh := func(after time.Duration, denied bool) {
					t.Helper()
					time.Sleep(after)
					require.Equal(t, denied, a.refresh(t.Context()) != nil)
				}
				refresh(0, test.denied) // never read
				bucket.away = false
				refresh(0, false)
				read := bucket.lists
				refresh(5*time.Second-1, false)
				require.Equal(t, read, bucket.lists)
				refresh(1, false)
				require.Greater(t, bucket.lists, read)
				bucket.away = true
				refresh(project.MaxStale, false)
				refresh(1, test.denied)
				bucket.away = false
				refresh(0, false)
			})
		})
	}
}

// TestAnswer: an answer has less time than its invocation, and what is given at most.
func TestAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct{ invocation, most, want time.Duration }{
			{20 * time.Second, 28 * time.Second, 19500 * time.Millisecond},
			{time.Minute, 28 * time.Second, 28 * time.Second},
			{time.Minute, 0, 59500 * time.Millisecond},
			{0, 28 * time.Second, 28 * time.Second},
		} {
			ctx := t.Context()
			if test.invocation > 0 {
				invocation, cancel := context.WithTimeout(ctx, test.invocation)
				defer cancel()
				ctx = invocation
			}
			ctx, cancel := Answer(ctx, test.most)
			defer cancel()
			end, ok := ctx.Deadline()
			require.True(t, ok)
			require.Equal(t, test.want, time.Until(end))
			time.Sleep(test.want)
			synctest.Wait()
			require.ErrorIs(t, context.Cause(ctx), ErrOutOfTime)
		}
		ctx, cancel := Answer(t.Context(), 0)
		defer cancel()
		_, ok := ctx.Deadline()
		require.False(t, ok)
	})
}
