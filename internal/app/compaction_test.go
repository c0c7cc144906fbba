package app_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/fs"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// What a project's own retention says goes physically, the rest stays: of other
// projects, and what is younger.
func TestCompactOnceDeletesWhatHasExpired(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, start(t, "-data-dir="+dir, "-compactor.enabled=false").stop())

	bucket, err := fs.OpenExisting(filepath.Join(dir, "bucket"))
	require.NoError(t, err)
	retention := project.Retention(48 * time.Hour)
	require.NoError(t, project.NewRegistry(bucket).Create(t.Context(), "short", project.Settings{Retention: &retention}))
	var keys []string
	for i, b := range []struct {
		project schema.ProjectID
		age     time.Duration
		stays   bool
	}{
		{"short", 4 * 24 * time.Hour, false},
		{"short", 24 * time.Hour, true},
		{"others", 4 * 24 * time.Hour, true},
	} {
		made, err := block.Encode(b.project)
		require.NoError(t, err)
		name := schema.BlockName{
			Project: b.project, Partitions: 1, Epoch: 1, First: uint64(i + 1), Last: uint64(i + 1), //nolint:gosec // small
			LogNanos: uint64(time.Now().Add(-b.age).UnixNano()), TailBytes: uint64(made.TailBytes), //nolint:gosec // positive
		}
		require.NoError(t, bucket.Put(t.Context(), name.Key(), bytes.NewReader(made.Data), objstore.PutOptions{}))
		stored := time.Now().Add(-b.age)
		require.NoError(t, os.Chtimes(filepath.Join(dir, "bucket", name.Key()), stored, stored))
		if b.stays {
			keys = append(keys, name.Key())
		}
	}

	sum, err := app.CompactOnce(t.Context(), load(t, "-data-dir="+dir), slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	require.Equal(t, 1, sum.Expired)
	var left []string
	for object, err := range bucket.List(t.Context(), objstore.ListOptions{Prefix: schema.BlocksPrefix}) {
		require.NoError(t, err)
		left = append(left, object.Key)
	}
	slices.Sort(keys)
	require.Equal(t, keys, left)
}
