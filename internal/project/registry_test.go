package project_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/fs"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

func put(t *testing.T, b objstore.Bucket, key, content string) {
	t.Helper()
	require.NoError(t, b.Put(t.Context(), key, strings.NewReader(content), objstore.PutOptions{}))
}

func retention(d time.Duration) *project.Retention {
	r := project.Retention(d)
	return &r
}

func TestRegistry(t *testing.T) {
	ctx, bucket := t.Context(), mem.New()
	r := project.NewRegistry(bucket)
	_, err := r.Settings(ctx, "shop")
	require.ErrorIs(t, err, project.ErrNotFound)
	change := func(s *project.Settings) error {
		s.Retention = retention(time.Hour)
		return nil
	}
	_, err = r.Update(ctx, "shop", false, change)
	require.ErrorIs(t, err, project.ErrNotFound)

	require.NoError(t, r.Create(ctx, "shop", project.Settings{Aliases: []string{"The Shop"}}))
	require.ErrorIs(t, r.Create(ctx, "shop", project.Settings{}), project.ErrExists)
	require.ErrorIs(t, r.Create(ctx, "other", project.Settings{Aliases: []string{"The Shop"}}), project.ErrInvalid)
	require.ErrorIs(t, r.Create(ctx, "other", project.Settings{Aliases: []string{"shop"}}), project.ErrInvalid)
	s, err := r.Update(ctx, "shop", false, change)
	require.NoError(t, err)
	require.Equal(t, "1h", s.Retention.String())
	again, err := r.Settings(ctx, "shop")
	require.NoError(t, err)
	require.Equal(t, s, again)
	require.Equal(t, []string{"The Shop"}, again.Aliases)
	require.Equal(t, project.OwnerAPI, again.ManagedBy)

	_, err = r.Update(ctx, "made", true, change)
	require.NoError(t, err)
	put(t, bucket, "projects/tf/settings.json", `{"managed_by":"terraform"}`)
	_, err = r.Update(ctx, "tf", true, change)
	require.ErrorIs(t, err, project.ErrManaged)
	require.ErrorIs(t, r.Delete(ctx, "tf"), project.ErrManaged)

	put(t, bucket, "projects/No/settings.json", `{}`)
	ids, err := r.List(ctx)
	require.NoError(t, err)
	require.Equal(t, []schema.ProjectID{"made", "shop", "tf"}, ids)
}

// TestNoLostUpdate has several registries change different things at once.
func TestNoLostUpdate(t *testing.T) {
	bucket, err := fs.Open(t.TempDir())
	require.NoError(t, err)
	group, ctx := errgroup.WithContext(t.Context())
	for _, limit := range []string{
		project.LimitIngestBytes, project.LimitIngestSpans, project.LimitAttributeBytes, project.LimitConcurrentQueries, project.LimitQueryBytes,
	} {
		group.Go(func() error {
			r := project.NewRegistry(bucket)
			for value := range int64(3) {
				if _, err := r.Update(ctx, "shop", true, func(s *project.Settings) error { return s.Limits.Set(limit, value+1) }); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	s, err := project.NewRegistry(bucket).Settings(t.Context(), "shop")
	require.NoError(t, err)
	require.Equal(t, project.Limits{
		IngestBytesPerSecond: 3, IngestSpansPerSecond: 3, AttributeBytes: 3, ConcurrentQueries: 3, QueryBytes: 3,
	}, s.Limits)
}

func TestKeysOfRegistry(t *testing.T) {
	ctx, bucket := t.Context(), mem.New()
	r := project.NewRegistry(bucket)
	_, _, err := r.AddKey(ctx, "shop", "", []project.Scope{project.ScopeQuery})
	require.ErrorIs(t, err, project.ErrNotFound)
	require.NoError(t, r.Create(ctx, "shop", project.Settings{}))
	for _, scopes := range [][]project.Scope{nil, {"write"}, {project.ScopeMetrics}} {
		_, _, err = r.AddKey(ctx, "shop", "", scopes)
		require.ErrorIs(t, err, project.ErrInvalid, scopes)
	}
	_, _, err = r.AddKey(ctx, "shop", strings.Repeat("n", 129), []project.Scope{project.ScopeQuery})
	require.ErrorIs(t, err, project.ErrInvalid)

	k, secret, err := r.AddKey(ctx, "shop", strings.Repeat("n", 128), []project.Scope{project.ScopeQuery, project.ScopeIngest, project.ScopeQuery})
	require.NoError(t, err)
	require.Equal(t, []project.Scope{project.ScopeIngest, project.ScopeQuery}, k.Scopes)
	stored, _, err := bucket.Get(ctx, "projects/shop/keys/"+k.ID+".json", objstore.GetOptions{})
	require.NoError(t, err)
	require.NotContains(t, string(stored), secret, "the secret is stored nowhere")
	require.NotContains(t, string(stored), strings.SplitN(secret, "-", 4)[3])

	keys, err := r.Keys(ctx, "shop")
	require.NoError(t, err)
	require.Equal(t, []project.Key{k}, keys)
	for _, id := range []string{"", "../../blocks", k.ID + "x", strings.ToUpper(k.ID)} {
		require.ErrorIs(t, r.RevokeKey(ctx, "shop", id), project.ErrInvalid)
	}
	require.ErrorIs(t, r.RevokeKey(ctx, project.All, k.ID), project.ErrNotFound)
	require.NoError(t, r.RevokeKey(ctx, "shop", k.Public()))
	require.ErrorIs(t, r.RevokeKey(ctx, "shop", k.ID), project.ErrNotFound)
	_, _, err = r.AddKey(ctx, project.All, "prometheus", []project.Scope{project.ScopeMetrics})
	require.NoError(t, err)
}

// TestDeletedName comes back only when nothing is left of what it meant before.
func TestDeletedName(t *testing.T) {
	ctx, bucket := t.Context(), mem.New()
	r := project.NewRegistry(bucket)
	require.NoError(t, r.Create(ctx, "shop", project.Settings{}))
	_, _, err := r.AddKey(ctx, "shop", "", []project.Scope{project.ScopeQuery})
	require.NoError(t, err)
	require.NoError(t, r.Delete(ctx, "shop"))
	require.NoError(t, r.Delete(ctx, "shop"), "to finish one that was cut short")
	keys, err := r.Keys(ctx, "shop")
	require.NoError(t, err)
	require.Empty(t, keys)
	_, err = r.Update(ctx, "shop", true, func(*project.Settings) error { return nil })
	require.ErrorIs(t, err, project.ErrDeleted)
	_, _, err = r.AddKey(ctx, "shop", "", []project.Scope{project.ScopeQuery})
	require.ErrorIs(t, err, project.ErrDeleted)
	require.ErrorIs(t, r.Create(ctx, "shop", project.Settings{}), project.ErrDeleted)

	tombstone, err := r.Settings(ctx, "shop")
	require.NoError(t, err)
	inLog, logErr := true, errAway
	stored := func(_ context.Context, upTo time.Time) (bool, error) {
		require.Equal(t, tombstone.DeletedAt.Add(project.MaxStale), upTo)
		return !inLog, logErr
	}
	revive := func() error { return r.Revive(ctx, "shop", project.Settings{}, stored) }
	require.ErrorIs(t, revive(), errAway)
	logErr = nil
	require.ErrorIs(t, revive(), project.ErrDeleted)
	inLog = false
	for _, key := range []string{"blocks/shop/2026-01-01/x", "claims/shop/p0of1/1-x", "media/shop/x", "projects/shop/keys/x"} {
		put(t, bucket, key, "")
		require.ErrorIs(t, revive(), project.ErrDeleted)
		require.ErrorContains(t, revive(), key)
		require.NoError(t, bucket.Delete(ctx, key))
	}
	put(t, bucket, "blocks/shop2/2026-01-01/x", "") // another project's
	require.NoError(t, revive())
	require.ErrorIs(t, revive(), project.ErrExists)
	require.ErrorIs(t, r.Revive(ctx, "never", project.Settings{}, stored), project.ErrNotFound)
}
