package objstore_test

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
)

func TestCheckKey(t *testing.T) {
	longest := strings.Repeat("k", objstore.MaxSegmentBytes)
	for _, test := range []struct {
		name, key string
		legal     bool
	}{
		{"one segment", "a", true},
		{"segments", "blocks/p/2026-01-02/x.parquet", true},
		{"dots inside", "a.b/c..", true},
		{"odd characters", "a b/%2F/\\/日本", true},
		{"longest segment", longest, true},
		{"longest", strings.Repeat(longest+"/", 3) + longest, true},
		{"empty", "", false},
		{"segment too long", longest + "k", false},
		{"too long", strings.Repeat(longest+"/", 4) + "k", false},
		{"slash first", "/a", false},
		{"slash last", "a/", false},
		{"two slashes", "a//b", false},
		{"here", "a/./b", false},
		{"up", "a/../b", false},
		{"hidden", "a/.b", false},
		{"NUL", "a\x00", false},
		{"line feed", "a\nb", false},
		{"C1 control", "a\u0085b", false},
		{"no XML character", "a\ufffeb", false},
		{"no UTF-8", "a\xffb", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := objstore.CheckKey(test.key)
			if test.legal {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, objstore.ErrBadKey)
			require.Less(t, len(err.Error()), 2000, "errors do not repeat endless keys")
		})
	}
}

func FuzzCheckKey(f *testing.F) {
	for _, key := range []string{"", "a", "a/b", "/", "a//b", "../a", "a/..", ".a", "a\x00", "a\xff", "\u0085", strings.Repeat("k/", 600)} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if err := objstore.CheckKey(key); err != nil {
			require.ErrorIs(t, err, objstore.ErrBadKey)
			return
		}
		require.True(t, utf8.ValidString(key))
		require.LessOrEqual(t, len(key), objstore.MaxKeyBytes)
		require.Equal(t, key, path.Clean(key), "what a filesystem makes of it")
		require.Equal(t, "/folder/"+key, path.Join("/folder", key))
		require.NotContains(t, "/"+key, "/.")
		require.False(t, strings.ContainsAny(key, "\x00\n\r\t"))
		// Whole keys can be put together from keys, and taken apart.
		if dir, name := path.Split(key); dir != "" {
			require.NoError(t, objstore.CheckKey(strings.TrimSuffix(dir, "/")))
			require.NoError(t, objstore.CheckKey(name))
		}
	})
}

func FuzzRange(f *testing.F) {
	f.Add(int64(0), int64(0), int64(10))
	f.Add(int64(-3), int64(0), int64(2))
	f.Add(int64(1)<<62, int64(1)<<62, int64(1)<<62)
	f.Add(int64(-1)<<63, int64(0), int64(1)<<62)
	f.Fuzz(func(t *testing.T, offset, length, size int64) {
		if size < 0 {
			return
		}
		start, end, err := objstore.GetOptions{Offset: offset, Length: length}.Range(size)
		if err != nil {
			require.ErrorIs(t, err, objstore.ErrRange)
			return
		}
		require.GreaterOrEqual(t, start, int64(0))
		require.LessOrEqual(t, start, end)
		require.LessOrEqual(t, end, size)
		if length > 0 {
			require.LessOrEqual(t, end-start, length)
		}
	})
}
