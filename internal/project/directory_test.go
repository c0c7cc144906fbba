package project_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// moody is a bucket that counts, and fails when it is told to.
type moody struct {
	objstore.Bucket

	away       atomic.Bool
	gets, list atomic.Int64
}

var errAway = errors.New("the bucket is away")

func (b *moody) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	if b.gets.Add(1); b.away.Load() {
		return nil, objstore.Object{}, errAway
	}
	return b.Bucket.Get(ctx, key, opts)
}

func (b *moody) List(ctx context.Context, opts objstore.ListOptions) iter.Seq2[objstore.Object, error] {
	if b.list.Add(1); b.away.Load() {
		return func(yield func(objstore.Object, error) bool) { yield(objstore.Object{}, errAway) }
	}
	return b.Bucket.List(ctx, opts)
}

func directory(b objstore.Bucket) *project.Directory {
	return project.NewDirectory(b, project.Options{
		Retention: project.Retention(48 * time.Hour), Limits: project.Limits{QueryBytes: 1000, AttributeBytes: 10},
		Registerer: prometheus.NewRegistry(),
	})
}

func TestDirectorySees(t *testing.T) {
	ctx, bucket := t.Context(), &moody{Bucket: mem.New()}
	r, d := project.NewRegistry(bucket), directory(bucket)
	_, err := d.Project("shop")
	require.ErrorIs(t, err, project.ErrUnavailable, "nothing was read yet")
	require.NoError(t, d.Refresh(ctx))
	p, err := d.Project("shop")
	require.NoError(t, err)
	require.Equal(t, project.Project{
		ID: "shop", Retention: project.Retention(48 * time.Hour), Limits: project.Limits{QueryBytes: 1000, AttributeBytes: 10},
	}, p)

	require.NoError(t, r.Create(ctx, "shop", project.Settings{
		Retention: retention(0), Limits: project.Limits{QueryBytes: project.Unlimited, ConcurrentQueries: 3}, Aliases: []string{"The Shop"},
	}))
	require.NoError(t, d.Refresh(ctx))
	p, err = d.Project("shop")
	require.NoError(t, err)
	require.Equal(t, project.Project{ID: "shop", Limits: project.Limits{AttributeBytes: 10, ConcurrentQueries: 3}, Created: true}, p)

	read := bucket.gets.Load()
	require.NoError(t, d.Refresh(ctx))
	require.Equal(t, read, bucket.gets.Load(), "what has not changed is not read again")
	_, err = r.Update(ctx, "shop", false, func(s *project.Settings) error {
		s.Retention = retention(time.Hour)
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, d.Refresh(ctx))
	kept, err := d.Retention(ctx, "shop")
	require.NoError(t, err)
	require.Equal(t, time.Hour, kept)

	require.NoError(t, r.Delete(ctx, "shop"))
	require.NoError(t, d.Refresh(ctx))
	_, err = d.Project("shop")
	require.ErrorIs(t, err, project.ErrDeleted)
	kept, err = d.Retention(ctx, "shop")
	require.NoError(t, err)
	require.Equal(t, time.Minute, kept, "what is left of a deleted project goes soon")
}

func TestResolve(t *testing.T) {
	ctx, bucket := t.Context(), mem.New()
	d := directory(bucket)
	for key, text := range map[string]string{
		"one": `{"managed_by":"api","aliases":["Team A","Both","Both"]}`, "two": `{"managed_by":"api","aliases":["Both","Team ü"]}`,
		"gone": `{"managed_by":"api","aliases":["Gone"],"deleted_at":"2026-01-01T00:00:00Z"}`, "bad": `{"aliases":["Bad"]}`,
	} {
		put(t, bucket, "projects/"+key+"/settings.json", text)
	}
	require.NoError(t, d.Refresh(ctx))
	for _, test := range []struct {
		spelling string
		want     schema.ProjectID
		err      error
	}{
		{"one", "one", nil},
		{"never-created", "never-created", nil},
		{"Team A", "one", nil},
		{"Team ü", "two", nil},
		{"team A", "", schema.ErrBadProject},
		{"Both", "", project.ErrAmbiguous},
		{"Gone", "", schema.ErrBadProject},
		{"Bad", "", schema.ErrBadProject},
		{"", "", schema.ErrBadProject},
		{"../one", "", schema.ErrBadProject},
		{"_all", "", schema.ErrBadProject},
		{"one/../two", "", schema.ErrBadProject},
	} {
		got, err := d.Resolve(test.spelling)
		require.ErrorIs(t, err, test.err, test.spelling)
		require.Equal(t, test.want, got, test.spelling)
	}
	_, err := d.Project("bad")
	require.ErrorIs(t, err, project.ErrSettings, "not the defaults, which may keep more or less")
	_, err = d.Retention(ctx, "bad")
	require.ErrorIs(t, err, project.ErrSettings, "nothing may be deleted")
}

func TestAuthenticate(t *testing.T) {
	ctx, bucket := t.Context(), mem.New()
	r, d := project.NewRegistry(bucket), directory(bucket)
	require.NoError(t, r.Create(ctx, "shop", project.Settings{}))
	k, secret, err := r.AddKey(ctx, "shop", "grafana", []project.Scope{project.ScopeQuery})
	require.NoError(t, err)
	other, otherSecret, err := r.AddKey(ctx, project.All, "", []project.Scope{project.ScopeAdmin})
	require.NoError(t, err)
	require.NoError(t, d.Refresh(ctx))
	got, err := d.Authenticate("", secret)
	require.NoError(t, err)
	require.Equal(t, k, *got)
	got, err = d.Authenticate(k.Public(), secret)
	require.NoError(t, err)
	require.Equal(t, k, *got)
	got, err = d.Authenticate("", otherSecret)
	require.NoError(t, err)
	require.Equal(t, project.All, got.Project)
	last := byte('a')
	if strings.HasSuffix(secret, "a") {
		last = 'b'
	}
	for name, pair := range map[string][2]string{
		"nothing": {"", ""}, "only the public half": {k.Public(), ""}, "the public half twice": {k.Public(), k.Public()},
		"halves of two keys": {other.Public(), secret}, "last letter": {"", secret[:len(secret)-1] + string(last)},
		"secret of one, id of another": {"", strings.Replace(secret, k.ID, other.ID, 1)},
		"upper case":                   {"", strings.ToUpper(secret)}, "longer": {"", secret + "a"}, "shorter": {"", secret[:len(secret)-1]},
		"unknown id": {"", "sk-sl-aaaaaaaaaaaaaaaa-" + secret[len(secret)-52:]}, "the digest": {"", k.SHA256},
	} {
		_, err := d.Authenticate(pair[0], pair[1])
		require.ErrorIs(t, err, project.ErrDenied, name)
	}

	// Copied to another project's folder, a key is none.
	data, _, err := bucket.Get(ctx, "projects/shop/keys/"+k.ID+".json", objstore.GetOptions{})
	require.NoError(t, err)
	require.NoError(t, r.RevokeKey(ctx, "shop", k.ID))
	require.NoError(t, r.Create(ctx, "victim", project.Settings{}))
	put(t, bucket, "projects/victim/keys/"+k.ID+".json", string(data))
	put(t, bucket, "projects/_all/keys/"+k.ID+".json", string(data))
	require.NoError(t, d.Refresh(ctx))
	_, err = d.Authenticate("", secret)
	require.ErrorIs(t, err, project.ErrDenied, "revoked")

	_, secret, err = r.AddKey(ctx, "victim", "", []project.Scope{project.ScopeQuery})
	require.NoError(t, err)
	require.NoError(t, d.Refresh(ctx))
	_, err = d.Authenticate("", secret)
	require.NoError(t, err)
	put(t, bucket, "projects/victim/settings.json", `{"managed_by":"api","deleted_at":"2026-01-01T00:00:00Z"}`)
	require.NoError(t, d.Refresh(ctx))
	_, err = d.Authenticate("", secret)
	require.ErrorIs(t, err, project.ErrDenied, "of a deleted project")
	require.NoError(t, bucket.Delete(ctx, "projects/victim/settings.json"))
	require.NoError(t, d.Refresh(ctx))
	_, err = d.Authenticate("", secret)
	require.ErrorIs(t, err, project.ErrDenied, "of no project")
}

// TestBucketAway: keys are refused once it is too long ago that they were read,
// settings stay as they were.
func TestBucketAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := &moody{Bucket: mem.New()}
		r, d := project.NewRegistry(bucket), directory(bucket)
		require.NoError(t, r.Create(t.Context(), "shop", project.Settings{Retention: retention(time.Hour)}))
		_, secret, err := r.AddKey(t.Context(), "shop", "", []project.Scope{project.ScopeQuery})
		require.NoError(t, err)
		require.NoError(t, d.Refresh(t.Context()))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			d.Run(ctx, project.RefreshInterval)
		}()
		defer func() {
			stop()
			<-ended
		}()
		time.Sleep(10*project.RefreshInterval + time.Second)
		bucket.away.Store(true)
		time.Sleep(project.MaxStale - 2*time.Second)
		_, err = d.Authenticate("", secret)
		require.NoError(t, err)
		time.Sleep(3 * time.Second)
		_, err = d.Authenticate("", secret)
		require.ErrorIs(t, err, project.ErrUnavailable)
		p, err := d.Project("shop")
		require.NoError(t, err)
		require.Equal(t, project.Retention(time.Hour), p.Retention)
		_, err = d.Retention(t.Context(), "shop")
		require.ErrorIs(t, err, errAway, "nothing may be deleted")

		bucket.away.Store(false)
		time.Sleep(project.RefreshInterval + time.Second)
		_, err = d.Authenticate("", secret)
		require.NoError(t, err)
	})
}

// TestRetentionIsFresh: who deletes asks for many projects, and the bucket is
// looked at no more often than it has to be.
func TestRetentionIsFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := &moody{Bucket: mem.New()}
		d := directory(bucket)
		for range 5 {
			_, err := d.Retention(t.Context(), "shop")
			require.NoError(t, err)
		}
		require.EqualValues(t, 1, bucket.list.Load())
		time.Sleep(project.RefreshInterval + 1)
		_, err := d.Retention(t.Context(), "shop")
		require.NoError(t, err)
		require.EqualValues(t, 2, bucket.list.Load())
	})
}

func TestLargeObject(t *testing.T) {
	bucket := mem.New()
	d := directory(bucket)
	fill := func(n int) {
		text := `{"managed_by":"api"}`
		put(t, bucket, "projects/shop/settings.json", text+strings.Repeat(" ", n-len(text)))
		require.NoError(t, d.Refresh(t.Context()))
	}
	fill(64 << 10)
	_, err := d.Project("shop")
	require.NoError(t, err)
	fill(64<<10 + 1)
	_, err = d.Project("shop")
	require.ErrorIs(t, err, project.ErrSettings)
}
