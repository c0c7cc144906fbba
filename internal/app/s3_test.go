package app_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/s3"
	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
	"github.com/spanlake/spanlake/schema"
)

// blockKeys are the blocks of a bucket on S3.
func blockKeys(t *testing.T, url string) (keys []string) {
	t.Helper()
	opts, prefix, err := s3.ParseURL(url)
	require.NoError(t, err)
	bucket, err := s3.Open(t.Context(), opts)
	require.NoError(t, err)
	defer bucket.Close()
	for object, err := range objstore.Prefixed(bucket, prefix).List(t.Context(), objstore.ListOptions{Prefix: schema.BlocksPrefix}) {
		require.NoError(t, err)
		keys = append(keys, object.Key)
	}
	return keys
}

// Spans go through one process on S3, and another one on another machine, with
// nothing but the bucket, answers.
func TestS3(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	url := server.URL(server.Bucket(t) + "/some/prefix")
	p := start(t, "-data-dir", t.TempDir(), "-bucket", url)
	p.export(t, traceA, "first")
	require.Equal(t, []string{"first"}, p.spanNames(t, traceA), "live")
	require.Equal(t, http.StatusNoContent, p.api(t, http.MethodPost, "/flush").code)
	require.Len(t, blockKeys(t, url), 1)
	require.Equal(t, []string{"first"}, p.spanNames(t, traceA), "stored")
	require.NoError(t, p.stop())

	p = start(t, "-data-dir", t.TempDir(), "-bucket", url)
	require.Equal(t, []string{"first"}, p.spanNames(t, traceA))
	got := p.api(t, http.MethodGet, "/api/search?q=%7B%20resource.service.name%20%3D%20%22shop%22%20%7D&start=1699999999&end=1700000002")
	require.Equal(t, http.StatusOK, got.code, string(got.body))
	require.Contains(t, string(got.body), traceA)
}

// While the bucket is away spans are taken in and can be read. They are stored
// when it is back.
func TestS3IsAway(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	url, dir := server.URL(server.Bucket(t)), t.TempDir()
	p := start(t, "-data-dir", dir, "-bucket", url)
	p.export(t, traceA, "before")
	server.Stop()
	const traceC = "cccccccccccccccccccccccccccccccc"
	p.export(t, traceC, "while it is away")
	var flush errgroup.Group
	flush.Go(func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+p.APIAddr().String()+"/flush", http.NoBody)
		if err != nil {
			return err
		}
		resp, err := p.client.Do(req)
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusNoContent {
			err = fmt.Errorf("flush: %s", resp.Status)
		}
		return errors.Join(err, resp.Body.Close())
	})
	eventually(t, func() bool {
		metrics := string(p.api(t, http.MethodGet, "/metrics").body)
		return strings.Contains(metrics, `spanlake_objstore_errors_total{operation="put",reason="transient"}`)
	})
	server.Restart(t)
	require.NoError(t, flush.Wait())
	require.NotEmpty(t, blockKeys(t, url))
	require.NoError(t, p.stop())

	// A process that starts without its bucket waits for it.
	server.Stop()
	p = launch(t, "-data-dir", dir, "-bucket", url)
	eventually(t, func() bool { return p.APIAddr() != nil })
	got := p.api(t, http.MethodGet, "/ready")
	require.Equal(t, http.StatusServiceUnavailable, got.code)
	require.Contains(t, string(got.body), "bucket is starting")
	server.Restart(t)
	require.NoError(t, p.AwaitReady(t.Context()))
	require.Equal(t, []string{"before"}, p.spanNames(t, traceA))
	require.Equal(t, []string{"while it is away"}, p.spanNames(t, traceC))
	require.NoError(t, p.stop())

	server.Stop()
	p = launch(t, "-data-dir", dir, "-bucket", url)
	eventually(t, func() bool { return p.APIAddr() != nil })
	require.NoError(t, p.stop(), "a process that waits for its bucket can be stopped")
}

func TestS3FailedStart(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	err := fails(t, "-data-dir", t.TempDir(), "-bucket", server.URL("not-there"))
	require.EqualError(t, err, "open the bucket: list s3://not-there/: bucket not-there does not exist: create it, or name another one")

	url := server.URL(server.Bucket(t))
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2hunter2")
	err = fails(t, "-data-dir", t.TempDir(), "-bucket", url)
	require.ErrorContains(t, err, "check the credentials: SignatureDoesNotMatch")
	require.NotContains(t, err.Error(), "hunter2")
}
