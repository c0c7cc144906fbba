package objstore_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
)

func TestPrefixedStaysInItsPart(t *testing.T) {
	whole := mem.New()
	part := objstore.Prefixed(whole, "a/b")
	for _, key := range []string{"a/a", "a/b-", "a/b/x", "a/b/y/z", "a/b0", "x"} {
		require.NoError(t, whole.Put(t.Context(), key, strings.NewReader(key), objstore.PutOptions{}))
	}
	require.Equal(t, []string{"x", "y/z"}, keys(t, part, objstore.ListOptions{}))
	require.Equal(t, []string{"y/z"}, keys(t, part, objstore.ListOptions{StartAfter: "x"}))
	require.Equal(t, []string{"x", "y/"}, keys(t, part, objstore.ListOptions{Delimiter: true}))
	require.Empty(t, keys(t, part, objstore.ListOptions{Prefix: "../"}))

	data, object, err := part.Get(t.Context(), "y/z", objstore.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "a/b/y/z", string(data))
	require.Equal(t, "y/z", object.Key)
	_, err = part.Stat(t.Context(), "../a")
	require.ErrorIs(t, err, objstore.ErrBadKey)
	require.NoError(t, part.Delete(t.Context(), "x"))
	require.Equal(t, []string{"a/a", "a/b-", "a/b/y/z", "a/b0", "x"}, keys(t, whole, objstore.ListOptions{}))
}

func TestPrefixedByNothing(t *testing.T) {
	whole := mem.New()
	require.Same(t, whole, objstore.Prefixed(whole, ""))
}

func keys(t *testing.T, b objstore.Bucket, opts objstore.ListOptions) (keys []string) {
	t.Helper()
	for object, err := range b.List(t.Context(), opts) {
		require.NoError(t, err)
		keys = append(keys, object.Key)
	}
	return keys
}
