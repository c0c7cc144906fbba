package main

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/project"
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
				f := &function{logger: slog.New(slog.DiscardHandler)}
				f.cfg.auth.Mode, f.cfg.projects.RefreshInterval = test.mode, 5*time.Second
				f.projects = project.NewDirectory(bucket, project.Options{Registerer: prometheus.NewRegistry()})
				refresh := func(after time.Duration, denied bool) {
					t.Helper()
					time.Sleep(after)
					require.Equal(t, denied, f.refresh(t.Context()) != nil)
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

// TestAwaitNamesTheReason: whoever waits in vain hears what is wrong with the log.
func TestAwaitNamesTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOpener(&function{})
		_, err := o.await(t.Context(), time.Second)
		require.ErrorContains(t, err, "it is being opened")
		o.handler = http.NotFoundHandler()
		close(o.opened)
		handler, err := o.await(t.Context(), time.Second)
		require.NoError(t, err)
		require.NotNil(t, handler)
	})
}
