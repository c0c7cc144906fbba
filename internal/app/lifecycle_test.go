package app_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/s3"
	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
	"github.com/spanlake/spanlake/internal/project"
)

const theirs = `<Rule><ID>theirs</ID><Status>Enabled</Status><Filter><Prefix>logs/</Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule>`

// The rules of a bucket on S3 follow the projects, and "explain retention" knows
// who deletes what.
func TestLifecycleOnS3(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	rules := s3test.StartLifecycle(t, server)
	rules.Put(`<LifecycleConfiguration>`+theirs+`</LifecycleConfiguration>`, "")
	url, dir := rules.URL(server.Bucket(t)+"/some/prefix"), t.TempDir()

	p := start(t, "-data-dir", dir, "-bucket", url, "-compactor.enabled=false")
	p.export(t, traceA, "first")
	require.Equal(t, http.StatusNoContent, p.api(t, http.MethodPost, "/flush").code)
	require.NoError(t, p.stop())
	kept := project.Retention(30 * 24 * time.Hour)
	opts, prefix, err := s3.ParseURL(url)
	require.NoError(t, err)
	bucket, err := s3.Open(t.Context(), opts)
	require.NoError(t, err)
	defer bucket.Close()
	require.NoError(t, project.NewRegistry(objstore.Prefixed(bucket, prefix)).Create(t.Context(), "default", project.Settings{Retention: &kept}))

	explain := func(args ...string) string {
		t.Helper()
		cfg := load(t, append([]string{"-data-dir", dir, "-bucket", url}, args...)...)
		e, err := app.Enforcement(t.Context(), &cfg, "default")
		require.NoError(t, err)
		return e.Text(kept)
	}
	compact := func(args ...string) {
		t.Helper()
		_, err := app.CompactOnce(t.Context(), load(t, append([]string{"-data-dir", dir, "-bucket", url}, args...)...), slog.New(slog.DiscardHandler), nil)
		require.NoError(t, err)
	}
	for _, owner := range []string{"off", "terraform"} {
		compact("-compactor.lifecycle=" + owner)
		_, _, puts := rules.Document()
		require.Zero(t, puts, owner)
	}
	require.Contains(t, explain("-compactor.lifecycle=off"), "no lifecycle rule of the bucket is for them (-compactor.lifecycle=off)")

	rules.Deny(http.MethodPut, true)
	compact() // merging and deleting go on
	rules.Deny(http.MethodPut, false)
	for range 2 {
		compact()
	}
	text, _, puts := rules.Document()
	require.Equal(t, 1, puts, "once, for nothing has changed since")
	all := s3test.Rules(t, text)
	require.Len(t, all, 6)
	require.Contains(t, all["spanlake-eec2e6e3-media-default"], "<Prefix>some/prefix/media/default/</Prefix>")
	require.Contains(t, all["spanlake-eec2e6e3-media-default"], "<Days>33</Days>")
	require.Contains(t, all["spanlake-eec2e6e3-project-default"], "<Prefix>some/prefix/blocks/default/</Prefix>")
	require.Contains(t, all["spanlake-eec2e6e3-project-default"], "<Days>33</Days>")
	require.Contains(t, all["theirs"], "<Prefix>logs/</Prefix>")
	require.Contains(t, explain(), `rule "spanlake-eec2e6e3-project-default", 33 days after they were stored (-compactor.lifecycle=compactor)`)
	require.NotContains(t, explain(), "BEFORE")

	rules.Put(`<LifecycleConfiguration><Rule><ID>rash</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><Expiration><Days>29</Days></Expiration></Rule></LifecycleConfiguration>`, "")
	require.Contains(t, explain(), "THAT IS BEFORE THE RETENTION IS OVER")
	rules.Deny(http.MethodGet, true)
	require.Contains(t, explain(), "s3:GetLifecycleConfiguration")

	cfg := load(t, "-data-dir", dir, "-bucket", server.URL(server.Bucket(t)))
	e, err := app.Enforcement(t.Context(), &cfg, "default")
	require.NoError(t, err)
	require.Equal(t, app.Enforced{}, e, "the server has no such rules")
}
