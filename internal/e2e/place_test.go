package e2e_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/fs"
	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
)

// place is where servers store their blocks.
type place struct {
	url     string   // for -bucket
	env     []string // of the servers
	dir     string   // empty: on S3
	gateway *s3test.Server
}

// inFolder is a folder that is made when it is needed.
func inFolder(dir string) place {
	return place{url: "file://" + filepath.ToSlash(dir), dir: dir}
}

// onS3 starts an S3 server and makes a bucket.
func onS3(t *testing.T) place {
	t.Helper()
	gateway := s3test.Start(t)
	return place{url: gateway.URL(gateway.Bucket(t) + "/some/prefix"), env: s3test.Env(), gateway: gateway}
}

// open opens the bucket to look into it until the test ends. On S3 it sets
// environment variables, so that the test must not be parallel.
func (p place) open(t *testing.T) objstore.Bucket {
	t.Helper()
	if p.gateway == nil {
		bucket, err := fs.Open(p.dir)
		require.NoError(t, err)
		return bucket
	}
	s3test.Setenv(t)
	cfg, err := app.Load([]string{"-bucket=" + p.url}, func(string) (string, bool) { return "", false })
	require.NoError(t, err)
	bucket, release, err := app.OpenBucket(t.Context(), &cfg)
	require.NoError(t, err)
	t.Cleanup(release)
	return bucket
}
