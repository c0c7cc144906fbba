package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/objstoretest"
	"github.com/spanlake/spanlake/internal/objstore/s3"
	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns the bucket of a URL, with changes to its options.
func open(t *testing.T, url string, change ...func(*s3.Options)) *s3.Bucket {
	t.Helper()
	opts, _, err := s3.ParseURL(url)
	require.NoError(t, err)
	for _, f := range change {
		f(&opts)
	}
	b, err := s3.Open(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(b.Close)
	return b
}

// small makes little data go the way of much.
func small(o *s3.Options) { o.PartBytes, o.PageKeys, o.MaxPartDelay = 5<<20, 3, time.Millisecond }

func TestContract(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	for _, test := range []struct {
		name     string
		decorate func(objstore.Bucket) objstore.Bucket
		change   []func(*s3.Options)
	}{
		{"bare", func(b objstore.Bucket) objstore.Bucket { return b }, nil},
		{"decorated, in small parts and pages", func(b objstore.Bucket) objstore.Bucket {
			b = objstore.Instrument(objstore.Retry(b, objstore.RetryOptions{}), prometheus.NewRegistry())
			return objstore.Prefixed(b, "some/prefix")
		}, []func(*s3.Options){small}},
	} {
		t.Run(test.name, func(t *testing.T) {
			objstoretest.Run(t, func(t *testing.T) objstore.Bucket {
				t.Helper()
				name := server.Bucket(t)
				var b objstore.Bucket = open(t, server.URL(name), test.change...)
				switch path.Base(t.Name()) {
				case "put_and_delete":
					// The server keeps objects in folders of a filesystem. One
					// that a Delete leaves empty it removes, under the hands of
					// a Put, unless the folder was made. No Bucket lists these.
					server.MakeFolder(t, name, "f/0/g")
					server.MakeFolder(t, name, "f/1/g")
				case "whole_objects":
					b = &unmixed{Bucket: b}
				}
				return test.decorate(b)
			})
		})
	}
}

// unmixed lets no Get overlap a Put that replaces: the server reads an object's
// ETag by name, and then its content by name, which may be another one's.
type unmixed struct {
	objstore.Bucket

	mu sync.RWMutex
}

func (b *unmixed) Put(ctx context.Context, key string, body io.ReadSeeker, opts objstore.PutOptions) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Bucket.Put(ctx, key, body, opts)
}

func (b *unmixed) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.Bucket.Get(ctx, key, opts)
}

func TestFoldersOfOtherTools(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	name := server.Bucket(t)
	server.MakeFolder(t, name, "a")
	server.MakeFolder(t, name, "a/b")
	b := open(t, server.URL(name), small)
	put(t, b, "a/b/c", "content")
	put(t, b, "a/d", "content")
	require.Equal(t, []string{"a/b/c", "a/d"}, keys(t, b, objstore.ListOptions{}))
	require.Equal(t, []string{"a/b/", "a/d"}, keys(t, b, objstore.ListOptions{Prefix: "a/", Delimiter: true}))
}

// content is not compressible into a pattern that a mixed-up part would keep.
func content(size int) []byte {
	data := make([]byte, size)
	state := uint32(size)
	for i := range data {
		state = state*1664525 + 1013904223
		data[i] = byte(state >> 24)
	}
	return data
}

func TestLargeObjects(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	name := server.Bucket(t)
	// Retried, because a server that refuses a body before it has read it may
	// break the connection before the refusal has arrived.
	b := objstore.Retry(open(t, server.URL(name), small), objstore.RetryOptions{Attempts: 30, MinDelay: 10 * time.Millisecond, MaxDelay: 100 * time.Millisecond})
	for _, size := range []int{5 << 20, 5<<20 + 1, 10 << 20, 41 << 20} {
		data, key := content(size), fmt.Sprintf("large/%d", size)
		require.NoError(t, b.Put(t.Context(), key, bytes.NewReader(data), objstore.PutOptions{IfNotExist: true}))
		got, object, err := b.Get(t.Context(), key, objstore.GetOptions{})
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got), "%d bytes", size)
		require.Equal(t, int64(size), object.Size)
		got, _, err = b.Get(t.Context(), key, objstore.GetOptions{Offset: 5<<20 - 10, Length: 20, IfMatch: object.ETag})
		require.NoError(t, err)
		require.Equal(t, data[5<<20-10:min(size, 5<<20+10)], got)
		require.ErrorIs(t, b.Put(t.Context(), key, bytes.NewReader(data), objstore.PutOptions{IfNotExist: true}), objstore.ErrExist)
		require.NoError(t, b.Put(t.Context(), key, bytes.NewReader(data[1:]), objstore.PutOptions{}))
		after, err := b.Stat(t.Context(), key)
		require.NoError(t, err)
		require.NotEqual(t, object.ETag, after.ETag)
	}
	require.Empty(t, server.Uploads(t, name))
}

func TestLargeObjectFromFile(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	b := open(t, server.URL(server.Bucket(t)), small)
	name := filepath.Join(t.TempDir(), "body")
	data := content(12 << 20)
	require.NoError(t, os.WriteFile(name, data, 0o600))
	for _, size := range []int64{12 << 20, 1 << 20} {
		require.NoError(t, os.Truncate(name, size))
		file, err := os.Open(name)
		require.NoError(t, err)
		require.NoError(t, b.Put(t.Context(), "file", file, objstore.PutOptions{}))
		require.NoError(t, file.Close(), "the body stays the caller's")
		got, _, err := b.Get(t.Context(), "file", objstore.GetOptions{})
		require.NoError(t, err)
		require.True(t, bytes.Equal(data[:size], got))
	}
}

// Of writers that all began when there was no object, one wins.
func TestLargeObjectRace(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	name := server.Bucket(t)
	b := objstore.Retry(open(t, server.URL(name), small), objstore.RetryOptions{Attempts: 20, MinDelay: time.Millisecond})
	data := content(6 << 20)
	var winner atomic.Int64
	group, ctx := errgroup.WithContext(t.Context())
	for w := range 8 {
		group.Go(func() error {
			body := append([]byte{byte(w)}, data...)
			err := b.Put(ctx, "race/object", bytes.NewReader(body), objstore.PutOptions{IfNotExist: true})
			switch {
			case err == nil:
				winner.Add(int64(w) + 1)
			case !errors.Is(err, objstore.ErrExist):
				return err
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	got, _, err := b.Get(t.Context(), "race/object", objstore.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, winner.Load()-1, int64(got[0]))
	require.True(t, bytes.Equal(data, got[1:]))
	require.Empty(t, server.Uploads(t, name), "those who lost have cleared up")
}

var errBody = errors.New("body is broken")

// brokenAfter is a body that fails once so many bytes were read, or calls what
// it is told to.
type brokenAfter struct {
	*bytes.Reader

	after int64
	fail  func() error
}

func (b *brokenAfter) Read(p []byte) (int, error) {
	if at := b.Size() - int64(b.Len()); at >= b.after {
		if err := b.fail(); err != nil {
			return 0, err
		}
	}
	return b.Reader.Read(p)
}

func TestUploadThatEndsEarly(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	name := server.Bucket(t)
	b := open(t, server.URL(name), small)
	put(t, b, "k/kept", "before")
	for _, key := range []string{"k/kept", "k/new"} {
		broken := &brokenAfter{bytes.NewReader(content(14 << 20)), 11 << 20, func() error { return errBody }}
		require.ErrorIs(t, b.Put(t.Context(), key, broken, objstore.PutOptions{}), errBody)

		ctx, cancel := context.WithCancel(t.Context())
		cancelled := &brokenAfter{bytes.NewReader(content(14 << 20)), 11 << 20, func() error { cancel(); return nil }}
		require.ErrorIs(t, b.Put(ctx, key, cancelled, objstore.PutOptions{}), context.Canceled)
		cancel()
	}
	require.Equal(t, []string{"k/kept"}, keys(t, b, objstore.ListOptions{}))
	require.Empty(t, server.Uploads(t, name))
}

func put(t *testing.T, b objstore.Bucket, key, text string) {
	t.Helper()
	require.NoError(t, b.Put(t.Context(), key, strings.NewReader(text), objstore.PutOptions{}))
}

func get(t *testing.T, b objstore.Bucket, key string) string {
	t.Helper()
	data, _, err := b.Get(t.Context(), key, objstore.GetOptions{})
	require.NoError(t, err)
	return string(data)
}

func keys(t *testing.T, b objstore.Bucket, opts objstore.ListOptions) (keys []string) {
	t.Helper()
	for object, err := range b.List(t.Context(), opts) {
		require.NoError(t, err)
		keys = append(keys, object.Key)
	}
	return keys
}

// TestPurgeVersions: of a bucket that keeps versions, those that are asked for are
// removed, and what is there stays.
func TestPurgeVersions(t *testing.T) {
	s3test.Setenv(t)
	server := s3test.Start(t)
	name := server.Bucket(t)
	server.KeepVersions(t, name)
	bucket := objstore.Prefixed(open(t, server.URL(name), small), "some/prefix")
	put := func(key, text string) {
		t.Helper()
		require.NoError(t, bucket.Put(t.Context(), key, strings.NewReader(text), objstore.PutOptions{}))
	}
	for _, key := range []string{"a/gone", "a/there", "a/whole", "b/gone"} {
		put(key, "first")
		put(key, "second")
	}
	require.NoError(t, bucket.Delete(t.Context(), "a/gone"))
	require.NoError(t, bucket.Delete(t.Context(), "b/gone"))
	n, err := objstore.PurgeVersions(t.Context(), bucket, "a/", func(key string, current bool) bool { return key == "a/whole" || !current })
	require.NoError(t, err)
	require.Equal(t, 3+1+2, n)
	kept := server.Versions(t, name)
	require.Equal(t, []string{"some/prefix/b/gone", "some/prefix/b/gone", "some/prefix/b/gone"}, kept)
	data, _, err := bucket.Get(t.Context(), "a/there", objstore.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "second", string(data))
	for _, key := range []string{"a/whole", "a/gone"} {
		_, err = bucket.Stat(t.Context(), key)
		require.ErrorIs(t, err, objstore.ErrNotExist)
	}
	// Without versions there is nothing to remove.
	plain := open(t, server.URL(server.Bucket(t)))
	require.NoError(t, plain.Put(t.Context(), "a", strings.NewReader("x"), objstore.PutOptions{}))
	n, err = objstore.PurgeVersions(t.Context(), plain, "", func(_ string, current bool) bool { return !current })
	require.NoError(t, err)
	require.Zero(t, n)
}
