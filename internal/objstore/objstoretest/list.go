package objstoretest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
)

// legalKeys are what adapters are tempted to escape, fold or cut. They are
// sorted.
func legalKeys() []string {
	keys := []string{
		"0", "UPPER", "upper", "a b", "a+b", "a%2Fb", "a%", "a&b=c;d", "a?b#c", "a\\b", "a:b", "a*", "a\"b'c", "<a>", "{a}", "a|b", "a~", "~a",
		"-a", "_a", "a.", "a..b", "a...", "tmp", "con", "$HOME", "`id`", "a,b", "a=b", "@a", "!a", "^a", "(a)", "[a]",
		"été", "日本語/スパン", "a\u00a0b", "a\u2028b", "😀/🎉", "e\u0301",
		"blocks/p/2026-01-02/p0of16/1-1-9_L0g0_1_2-3_4_5.parquet",
		strings.Repeat("s", objstore.MaxSegmentBytes),
		strings.Repeat(strings.Repeat("k", 127)+"/", 8)[:objstore.MaxKeyBytes-100], // leaves room for a prefix
		strings.Repeat("d/", 200) + "deep",
	}
	slices.Sort(keys)
	return keys
}

func testLegalKeys(t *testing.T, b objstore.Bucket) {
	keys := legalKeys()
	for _, key := range keys {
		put(t, b, key, "content of "+key)
	}
	listed, err := list(t.Context(), b, objstore.ListOptions{})
	require.NoError(t, err)
	require.Equal(t, keys, listed)
	for _, key := range keys {
		require.Equal(t, "content of "+key, get(t, b, key))
		listed, err := list(t.Context(), b, objstore.ListOptions{Prefix: key})
		require.NoError(t, err)
		require.Contains(t, listed, key)
	}
	for _, key := range keys {
		require.NoError(t, b.Delete(t.Context(), key))
	}
	listed, err = list(t.Context(), b, objstore.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, listed)
}

func testBadKeys(t *testing.T, b objstore.Bucket) {
	put(t, b, "a", "")
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/./b", ".tmp/x", "a/.hidden", "a\x00", "\x00", "a\nb", "a\x7f", "a\xff",
		strings.Repeat("s", objstore.MaxSegmentBytes+1), strings.Repeat("k/", objstore.MaxKeyBytes/2) + "k",
	} {
		require.ErrorIs(t, b.Put(t.Context(), key, strings.NewReader(""), objstore.PutOptions{}), objstore.ErrBadKey, "%q", key)
		require.ErrorIs(t, b.Delete(t.Context(), key), objstore.ErrBadKey, "%q", key)
		_, _, err := b.Get(t.Context(), key, objstore.GetOptions{})
		require.ErrorIs(t, err, objstore.ErrBadKey, "%q", key)
		_, err = b.Stat(t.Context(), key)
		require.ErrorIs(t, err, objstore.ErrBadKey, "%q", key)
	}
	for _, prefix := range []string{"/", "//", ".", "..", "../", "./", "a/../", "a//", "/a", ".tmp/", "\x00", "a\x00/"} {
		listed, err := list(t.Context(), b, objstore.ListOptions{Prefix: prefix})
		require.NoError(t, err, "%q", prefix)
		require.Empty(t, listed, "%q", prefix)
	}
}

// tree has names that sort differently as folders and as keys.
var tree = []string{
	"a!x", "a-b", "a/b", "a/b-c", "a/bb/c", "a/c/-", "a/c/d/e", "a/c/d0", "a/d", "a0", "ab/c", "b", "c/d/e/f", "c/e", "c0/x", "d",
}

func testListOrder(t *testing.T, b objstore.Bucket) {
	keys, err := list(t.Context(), b, objstore.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, keys)
	for i := range tree {
		put(t, b, tree[(i*7)%len(tree)], "") // in another order
	}
	keys, err = list(t.Context(), b, objstore.ListOptions{})
	require.NoError(t, err)
	require.Equal(t, tree, keys)
}

func testListOptions(t *testing.T, b objstore.Bucket) {
	for _, key := range tree {
		put(t, b, key, "")
	}
	borders := []string{"", "a", "a-", "a-b", "a.", "a/", "a/b", "a/b-", "a/c", "a/c/", "a/c/d", "a/c/d/", "a/c/d/e", "a0", "ab", "b/", "c", "c/d/e/", "c0", "d", "e", "zz/"}
	for _, prefix := range borders {
		for _, after := range append(borders, "a/c/d/zz", "\xff") {
			for _, delimiter := range []bool{false, true} {
				opts := objstore.ListOptions{Prefix: prefix, StartAfter: after, Delimiter: delimiter}
				keys, err := list(t.Context(), b, opts)
				require.NoError(t, err)
				require.Equal(t, expected(opts), keys, "%+v", opts)
			}
		}
	}
}

// expected is the listing of tree, worked out the plain way.
func expected(opts objstore.ListOptions) (keys []string) {
	for _, key := range tree {
		rest, ok := strings.CutPrefix(key, opts.Prefix)
		if folder, _, found := strings.Cut(rest, "/"); found && opts.Delimiter {
			key = opts.Prefix + folder + "/"
		}
		if ok && key > opts.StartAfter && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

func testListRepeat(t *testing.T, b objstore.Bucket) {
	var want []string
	for i := range 50 {
		key := fmt.Sprintf("r/%d/%02d", i/10, i)
		want = append(want, key)
		put(t, b, key, "")
	}
	seq := b.List(t.Context(), objstore.ListOptions{Prefix: "r/"})
	for stop := range want {
		var keys []string
		for object, err := range seq {
			require.NoError(t, err)
			keys = append(keys, object.Key)
			if len(keys) > stop {
				break
			}
		}
		require.Equal(t, want[:stop+1], keys)
	}
	// Page by page, as a caller would go on later.
	var keys []string
	for range want {
		after := ""
		if len(keys) > 0 {
			after = keys[len(keys)-1]
		}
		for object, err := range b.List(t.Context(), objstore.ListOptions{StartAfter: after}) {
			require.NoError(t, err)
			keys = append(keys, object.Key)
			break
		}
	}
	require.Equal(t, want, keys)
}

func testListDescribes(t *testing.T, b objstore.Bucket) {
	for i, key := range tree {
		put(t, b, key, strings.Repeat("x", i))
	}
	for object, err := range b.List(t.Context(), objstore.ListOptions{}) {
		require.NoError(t, err)
		stat, err := b.Stat(t.Context(), object.Key)
		require.NoError(t, err)
		require.Equal(t, stat.Size, object.Size)
		require.Equal(t, stat.ETag, object.ETag, "a listing's ETag can be pinned")
		require.WithinDuration(t, stat.ModTime, object.ModTime, 0)
	}
	for object, err := range b.List(t.Context(), objstore.ListOptions{Prefix: "a", Delimiter: true}) {
		require.NoError(t, err)
		if strings.HasSuffix(object.Key, "/") {
			require.Equal(t, objstore.Object{Key: object.Key}, object)
		}
	}
}
