// Package objstoretest holds the contract suite of objstore.Bucket.
package objstoretest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
)

// Run checks every promise of objstore.Bucket that can be seen from within
// one process. The function open returns a bucket without any object, and
// cleans up by t.Cleanup; it is called once per subtest.
func Run(t *testing.T, open func(t *testing.T) objstore.Bucket) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, objstore.Bucket)
	}{
		{"put", testPut},
		{"put/if not exist", testIfNotExist},
		{"put/if match", testPutIfMatch},
		{"put/broken body", testBrokenBody},
		{"get/ranges", testRanges},
		{"get/ranges of an empty object", testRangesOfEmpty},
		{"get/if match", testIfMatch},
		{"get/result is the caller's", testOwnership},
		{"delete", testDelete},
		{"keys/legal", testLegalKeys},
		{"keys/bad", testBadKeys},
		{"list/order", testListOrder},
		{"list/options", testListOptions},
		{"list/stop and repeat", testListRepeat},
		{"list/describes objects", testListDescribes},
		{"context", testContext},
		{"concurrent/one winner", testOneWinner},
		{"concurrent/no lost update", testNoLostUpdate},
		{"concurrent/whole objects", testWholeObjects},
		{"concurrent/put and delete", testPutAndDelete},
		{"concurrent/list", testListWhileChanging},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func put(t *testing.T, b objstore.Bucket, key, content string) {
	t.Helper()
	require.NoError(t, b.Put(t.Context(), key, strings.NewReader(content), objstore.PutOptions{}))
}

func get(t *testing.T, b objstore.Bucket, key string) string {
	t.Helper()
	data, object, err := b.Get(t.Context(), key, objstore.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, key, object.Key)
	require.Len(t, data, int(object.Size))
	return string(data)
}

// list returns the keys that opts select.
func list(ctx context.Context, b objstore.Bucket, opts objstore.ListOptions) (keys []string, err error) {
	for object, err := range b.List(ctx, opts) {
		if err != nil {
			return keys, err
		}
		keys = append(keys, object.Key)
	}
	return keys, nil
}

func testPut(t *testing.T, b objstore.Bucket) {
	for _, key := range []string{"a", "b/c", "b/d/e"} {
		_, err := b.Stat(t.Context(), key)
		require.ErrorIs(t, err, objstore.ErrNotExist)
		before := time.Now().Add(-time.Minute) // the store's clock may differ
		put(t, b, key, "first of "+key)
		require.Equal(t, "first of "+key, get(t, b, key))
		first, err := b.Stat(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, key, first.Key)
		require.Equal(t, int64(len("first of "+key)), first.Size)
		require.NotEmpty(t, first.ETag)
		require.True(t, first.ModTime.After(before), "ModTime %s", first.ModTime)

		put(t, b, key, "other of "+key)
		require.Equal(t, "other of "+key, get(t, b, key))
		_, second, err := b.Get(t.Context(), key, objstore.GetOptions{})
		require.NoError(t, err)
		require.NotEqual(t, first.ETag, second.ETag, "same length, other content")
		stat, err := b.Stat(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, stat.ETag, second.ETag)
	}
	// The body counts from its start, wherever it stands.
	body := strings.NewReader("whole body")
	_, err := body.Seek(6, io.SeekStart)
	require.NoError(t, err)
	require.NoError(t, b.Put(t.Context(), "sought", body, objstore.PutOptions{}))
	require.Equal(t, "whole body", get(t, b, "sought"))

	for _, size := range []int{0, 1, 4<<20 - 1, 4 << 20, 9<<20 + 1} {
		content := strings.Repeat("0123456789abcde\n", size/16+1)[:size]
		put(t, b, "sized", content)
		require.Equal(t, sha256.Sum256([]byte(content)), sha256.Sum256([]byte(get(t, b, "sized"))), "of %d bytes", size)
	}
}

func testIfNotExist(t *testing.T, b objstore.Bucket) {
	create := func(content string) error {
		return b.Put(t.Context(), "x/y", strings.NewReader(content), objstore.PutOptions{IfNotExist: true})
	}
	require.NoError(t, create("one"))
	require.ErrorIs(t, create("two"), objstore.ErrExist)
	require.Equal(t, "one", get(t, b, "x/y"))
	put(t, b, "x/y", "three")
	require.Equal(t, "three", get(t, b, "x/y"))
	require.ErrorIs(t, create("four"), objstore.ErrExist)
	require.NoError(t, b.Delete(t.Context(), "x/y"))
	require.NoError(t, create("five"))
	require.Equal(t, "five", get(t, b, "x/y"))
}

func testPutIfMatch(t *testing.T, b objstore.Bucket) {
	replace := func(key, etag, content string) error {
		return b.Put(t.Context(), key, strings.NewReader(content), objstore.PutOptions{IfMatch: etag})
	}
	etag := func(key string) string {
		object, err := b.Stat(t.Context(), key)
		require.NoError(t, err)
		return object.ETag
	}
	put(t, b, "x/y", "one")
	first := etag("x/y")
	require.NoError(t, replace("x/y", first, "two"))
	require.Equal(t, "two", get(t, b, "x/y"))
	require.ErrorIs(t, replace("x/y", first, "three"), objstore.ErrChanged)
	require.Equal(t, "two", get(t, b, "x/y"))
	second := etag("x/y")
	put(t, b, "x/z", "other")
	require.ErrorIs(t, replace("x/z", second, "mixed up"), objstore.ErrChanged)
	require.NoError(t, b.Delete(t.Context(), "x/y"))
	require.ErrorIs(t, replace("x/y", second, "back again"), objstore.ErrChanged)
	_, err := b.Stat(t.Context(), "x/y")
	require.ErrorIs(t, err, objstore.ErrNotExist)
	require.ErrorIs(t, replace("never/was", second, "nothing"), objstore.ErrChanged)
}

var errBroken = errors.New("body is broken")

// brokenBody fails once n bytes have been read.
type brokenBody struct {
	*bytes.Reader
	left int
}

func (b *brokenBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errBroken
	}
	n, err := b.Reader.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func testBrokenBody(t *testing.T, b objstore.Bucket) {
	put(t, b, "a/kept", "before")
	for _, key := range []string{"a/kept", "a/new", "b/new"} {
		for _, after := range []int{0, 1, 5 << 20} {
			body := &brokenBody{bytes.NewReader(make([]byte, 6<<20)), after}
			require.ErrorIs(t, b.Put(t.Context(), key, body, objstore.PutOptions{}), errBroken)
		}
	}
	keys, err := list(t.Context(), b, objstore.ListOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{"a/kept"}, keys)
	require.Equal(t, "before", get(t, b, "a/kept"))
}

func testDelete(t *testing.T, b objstore.Bucket) {
	require.NoError(t, b.Delete(t.Context(), "never/was"))
	keys := []string{"d", "e/f", "e/g/h", "e/g/i"}
	for _, key := range keys {
		put(t, b, key, key)
		require.NoError(t, b.Delete(t.Context(), key+"/deeper"), "below an object")
		_, _, err := b.Get(t.Context(), key+"/deeper", objstore.GetOptions{})
		require.ErrorIs(t, err, objstore.ErrNotExist)
	}
	// A folder is no object.
	for _, folder := range []string{"e", "e/g"} {
		require.NoError(t, b.Delete(t.Context(), folder))
		_, err := b.Stat(t.Context(), folder)
		require.ErrorIs(t, err, objstore.ErrNotExist)
		_, _, err = b.Get(t.Context(), folder, objstore.GetOptions{})
		require.ErrorIs(t, err, objstore.ErrNotExist)
	}
	for i, key := range keys {
		require.NoError(t, b.Delete(t.Context(), key))
		require.NoError(t, b.Delete(t.Context(), key))
		_, _, err := b.Get(t.Context(), key, objstore.GetOptions{})
		require.ErrorIs(t, err, objstore.ErrNotExist)
		left, err := list(t.Context(), b, objstore.ListOptions{})
		require.NoError(t, err)
		require.Equal(t, append([]string(nil), keys[i+1:]...), left)
	}
	// Where a folder was an object may be now.
	put(t, b, "e", "an object")
	require.Equal(t, "an object", get(t, b, "e"))
}

func testContext(t *testing.T, b objstore.Bucket) {
	put(t, b, "k", "kept")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := b.Get(ctx, "k", objstore.GetOptions{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = b.Stat(ctx, "k")
	require.ErrorIs(t, err, context.Canceled)
	_, err = list(ctx, b, objstore.ListOptions{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = list(ctx, b, objstore.ListOptions{Prefix: "nothing/here"})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, b.Put(ctx, "k", strings.NewReader("new"), objstore.PutOptions{}), context.Canceled)
	require.ErrorIs(t, b.Delete(ctx, "k"), context.Canceled)
	require.Equal(t, "kept", get(t, b, "k"))

	// In the middle of a body.
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	body := &cancelling{bytes.NewReader(make([]byte, 32<<20)), cancel}
	require.ErrorIs(t, b.Put(ctx, "k", body, objstore.PutOptions{}), context.Canceled)
	require.Equal(t, "kept", get(t, b, "k"))

	// In the middle of a listing.
	put(t, b, "l", "")
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	var keys []string
	for object, err := range b.List(ctx, objstore.ListOptions{}) {
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			require.Zero(t, object)
			break
		}
		keys = append(keys, object.Key)
		cancel()
	}
	require.Equal(t, "k", keys[0])
}

// cancelling is a body whose context ends as soon as it is read.
type cancelling struct {
	*bytes.Reader
	cancel func()
}

func (c *cancelling) Read(p []byte) (int, error) {
	c.cancel()
	return c.Reader.Read(p)
}
