package objstoretest

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
)

func testRanges(t *testing.T, b objstore.Bucket) {
	const content = "0123456789"
	put(t, b, "r", content)
	for offset := int64(-12); offset <= 12; offset++ {
		for length := int64(-1); length <= 12; length++ {
			checkRange(t, b, content, offset, length)
		}
	}
	for _, extreme := range [][2]int64{
		{0, math.MaxInt64}, {3, math.MaxInt64}, {math.MaxInt64, 1}, {math.MaxInt64, math.MaxInt64}, {math.MinInt64, 0},
	} {
		checkRange(t, b, content, extreme[0], extreme[1])
	}
	_, _, err := b.Get(t.Context(), "absent", objstore.GetOptions{Offset: 2, Length: 3})
	require.ErrorIs(t, err, objstore.ErrNotExist)
}

// checkRange states the rule a second time, in terms of the content.
func checkRange(t *testing.T, b objstore.Bucket, content string, offset, length int64) {
	t.Helper()
	size := int64(len(content))
	data, object, err := b.Get(t.Context(), "r", objstore.GetOptions{Offset: offset, Length: length})
	if length < 0 || offset < 0 && length != 0 || offset >= size {
		require.ErrorIs(t, err, objstore.ErrRange, "offset %d length %d", offset, length)
		return
	}
	want := content
	if offset > 0 {
		want = want[offset:]
	}
	if offset < 0 && offset >= -size {
		want = want[size+offset:]
	}
	if length > 0 && length < int64(len(want)) {
		want = want[:length]
	}
	require.NoError(t, err, "offset %d length %d", offset, length)
	require.Equal(t, want, string(data), "offset %d length %d", offset, length)
	require.Equal(t, size, object.Size, "of the whole object")
}

func testRangesOfEmpty(t *testing.T, b objstore.Bucket) {
	put(t, b, "empty", "")
	for _, opts := range []objstore.GetOptions{{}, {Length: 1}, {Length: math.MaxInt64}, {Offset: -1}, {Offset: math.MinInt64}} {
		data, object, err := b.Get(t.Context(), "empty", opts)
		require.NoError(t, err, "%+v", opts)
		require.Empty(t, data)
		require.Zero(t, object.Size)
	}
	for _, opts := range []objstore.GetOptions{{Offset: 1}, {Offset: 1, Length: 1}, {Length: -1}, {Offset: -1, Length: 1}} {
		_, _, err := b.Get(t.Context(), "empty", opts)
		require.ErrorIs(t, err, objstore.ErrRange, "%+v", opts)
	}
}

func testIfMatch(t *testing.T, b objstore.Bucket) {
	put(t, b, "m", "first")
	first, err := b.Stat(t.Context(), "m")
	require.NoError(t, err)
	pinned := objstore.GetOptions{Offset: 1, Length: 2, IfMatch: first.ETag}
	data, object, err := b.Get(t.Context(), "m", pinned)
	require.NoError(t, err)
	require.Equal(t, "ir", string(data))
	require.Equal(t, first.ETag, object.ETag)

	_, _, err = b.Get(t.Context(), "m", objstore.GetOptions{IfMatch: first.ETag + "0"})
	require.ErrorIs(t, err, objstore.ErrChanged)

	put(t, b, "m", "other")
	_, _, err = b.Get(t.Context(), "m", pinned)
	require.ErrorIs(t, err, objstore.ErrChanged)
	// The condition comes before the range.
	_, _, err = b.Get(t.Context(), "m", objstore.GetOptions{Offset: 99, IfMatch: first.ETag})
	require.ErrorIs(t, err, objstore.ErrChanged)

	require.NoError(t, b.Delete(t.Context(), "m"))
	_, _, err = b.Get(t.Context(), "m", pinned)
	require.ErrorIs(t, err, objstore.ErrNotExist)
}

func testOwnership(t *testing.T, b objstore.Bucket) {
	body := []byte("original")
	require.NoError(t, b.Put(t.Context(), "o", strings.NewReader(string(body)), objstore.PutOptions{}))
	data, _, err := b.Get(t.Context(), "o", objstore.GetOptions{})
	require.NoError(t, err)
	clear(data)
	require.Equal(t, "original", get(t, b, "o"))
}
