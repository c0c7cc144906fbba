package s3_test

import (
	"bytes"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/s3"
	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
)

// TestRecorder: every kind of request that a Bucket makes is told by its name, the
// permission that it takes, and what it counts as.
func TestRecorder(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	name := server.Bucket(t)
	server.KeepVersions(t, name)
	recorder := s3test.Record(t, s3test.StartLifecycle(t, server).Endpoint)
	bucket := open(t, recorder.URL(name), small)
	for _, test := range []struct {
		operation, key, action, class string
		count                         int
		do                            func()
	}{
		{"PutObject", "a/b", "s3:PutObject", http.MethodPut, 1, func() { put(t, bucket, "a/b", "x") }},
		{"GetObject", "a/b", "s3:GetObject", http.MethodGet, 1, func() { get(t, bucket, "a/b") }},
		{"HeadObject", "a/b", "s3:GetObject", http.MethodGet, 1, func() {
			_, err := bucket.Stat(t.Context(), "a/b")
			require.NoError(t, err)
		}},
		{"ListObjectsV2", "a/", "s3:ListBucket", "LIST", 1, func() { keys(t, bucket, objstore.ListOptions{Prefix: "a/"}) }},
		{"DeleteObject", "a/b", "s3:DeleteObject", http.MethodDelete, 1, func() { require.NoError(t, bucket.Delete(t.Context(), "a/b")) }},
		{"CreateMultipartUpload", "a/c", "s3:PutObject", http.MethodPut, 1, func() { put(t, bucket, "a/c", string(content(14<<20))) }},
		{"UploadPart", "a/c", "s3:PutObject", http.MethodPut, 3, nil},
		{"CompleteMultipartUpload", "a/c", "s3:PutObject", http.MethodPut, 1, nil},
		{"AbortMultipartUpload", "a/d", "s3:AbortMultipartUpload", http.MethodDelete, 1, func() {
			broken := &brokenAfter{bytes.NewReader(content(14 << 20)), 11 << 20, func() error { return errBody }}
			require.ErrorIs(t, bucket.Put(t.Context(), "a/d", broken, objstore.PutOptions{}), errBody)
		}},
		{"ListObjectVersions", "a/", "s3:ListBucketVersions", "LIST", 2, func() {
			_, err := bucket.PurgeVersions(t.Context(), "a/", func(key string, _ bool) bool { return key == "a/c" })
			require.NoError(t, err)
		}},
		{"DeleteObjectVersion", "a/c", "s3:DeleteObjectVersion", http.MethodDelete, 1, nil},
		{"PutBucketLifecycleConfiguration", "", "s3:PutLifecycleConfiguration", http.MethodPut, 1, func() {
			require.NoError(t, bucket.SetLifecycle(t.Context(), "ours-", []objstore.LifecycleRule{{ID: "ours-1", Prefix: "a/", ExpireDays: 3}}))
		}},
		{"GetBucketLifecycleConfiguration", "", "s3:GetLifecycleConfiguration", http.MethodGet, 1, nil},
	} {
		if test.do != nil {
			require.NotContains(t, recorder.Take(), s3test.Call{})
			test.do()
		}
		want := s3test.Call{Operation: test.operation, Bucket: name, Key: test.key}
		got := slices.DeleteFunc(recorder.Calls(), func(c s3test.Call) bool { return c != want })
		require.Len(t, got, test.count, test.operation)
		require.Equal(t, test.action, want.Action())
		require.Equal(t, test.class, want.Class())
	}
	opts, _, err := s3.ParseURL(recorder.URL(name))
	require.NoError(t, err)
	require.Equal(t, recorder.Endpoint, opts.Endpoint)
}
