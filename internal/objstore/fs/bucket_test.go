package fs_test

import (
	"io"
	iofs "io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/fs"
	"github.com/spanlake/spanlake/internal/objstore/objstoretest"
)

func open(t *testing.T, dir string) *fs.Bucket {
	t.Helper()
	b, err := fs.Open(dir)
	require.NoError(t, err)
	return b
}

func put(t *testing.T, b *fs.Bucket, key, content string) {
	t.Helper()
	require.NoError(t, b.Put(t.Context(), key, strings.NewReader(content), objstore.PutOptions{}))
}

func list(t *testing.T, b *fs.Bucket, opts objstore.ListOptions) (keys []string) {
	t.Helper()
	for object, err := range b.List(t.Context(), opts) {
		require.NoError(t, err)
		keys = append(keys, object.Key)
	}
	return keys
}

func TestContract(t *testing.T) {
	objstoretest.Run(t, func(t *testing.T) objstore.Bucket {
		t.Helper()
		return open(t, t.TempDir())
	})
}

func TestObjectsAreFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	b := open(t, dir)
	put(t, b, "blocks/p/x.parquet", "content")
	content, err := os.ReadFile(filepath.Join(dir, "blocks", "p", "x.parquet"))
	require.NoError(t, err)
	require.Equal(t, "content", string(content))

	// And they stay when the folder is opened again.
	again := open(t, dir)
	require.Equal(t, []string{"blocks/p/x.parquet"}, list(t, again, objstore.ListOptions{}))
}

func TestSpansAreNotForEveryone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bucket")
	put(t, open(t, dir), "a/b", "secret")
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry iofs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o007, path)
		return nil
	}))
}

func TestOpenRefusesAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err := fs.Open(path)
	require.ErrorContains(t, err, "open bucket")
}

// Who only reads leaves no traces: neither below a folder nor of one.
func TestOpenExistingChangesNothing(t *testing.T) {
	dir := t.TempDir()
	_, err := fs.OpenExisting(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, iofs.ErrNotExist)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	_, err = fs.OpenExisting(filepath.Join(dir, "file"))
	require.ErrorContains(t, err, "not a folder")

	b, err := fs.OpenExisting(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"file"}, list(t, b, objstore.ListOptions{}))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)

	put(t, open(t, dir), "a", "content")
	content, _, err := b.Get(t.Context(), "a", objstore.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "content", string(content))
}

func TestLongestKey(t *testing.T) {
	b := open(t, t.TempDir())
	key := strings.Repeat(strings.Repeat("k", 127)+"/", 8)[:objstore.MaxKeyBytes-1] + "e"
	require.Len(t, key, objstore.MaxKeyBytes)
	put(t, b, key, "far down")
	require.Equal(t, []string{key}, list(t, b, objstore.ListOptions{}))
	require.NoError(t, b.Delete(t.Context(), key))
}

// What no Put has made is no object, and does no harm.
func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	put(t, b, "a/object", "")
	for _, name := range []string{".hidden", "a/.DS_Store", ".tmp/put-1", ".git/config", "a/line\nfeed", "a/no\xffutf8"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o750))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "empty", "folder"), 0o750))
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "loop")))
	require.Equal(t, []string{"a/object"}, list(t, b, objstore.ListOptions{}))
	require.Equal(t, []string{"a/"}, list(t, b, objstore.ListOptions{Delimiter: true}))

	// An empty folder, as a crash within Delete leaves it, is in nobody's way.
	for _, opts := range []objstore.PutOptions{{}, {IfNotExist: true}} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "empty", "folder"), 0o750))
		require.NoError(t, b.Put(t.Context(), "empty/folder", strings.NewReader("x"), opts))
		require.NoError(t, b.Delete(t.Context(), "empty/folder"))
	}
}

func TestFolderAndObjectOfOneName(t *testing.T) {
	b := open(t, t.TempDir())
	put(t, b, "a", "object")
	put(t, b, "b/c", "object")
	for _, opts := range []objstore.PutOptions{{}, {IfNotExist: true}} {
		require.ErrorIs(t, b.Put(t.Context(), "a/x", strings.NewReader(""), opts), objstore.ErrBadKey)
		require.ErrorIs(t, b.Put(t.Context(), "a/x/y", strings.NewReader(""), opts), objstore.ErrBadKey)
		require.ErrorIs(t, b.Put(t.Context(), "b", strings.NewReader(""), opts), objstore.ErrBadKey)
	}
	require.Equal(t, []string{"a", "b/c"}, list(t, b, objstore.ListOptions{}))
}

func TestTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	tmp := filepath.Join(dir, ".tmp")
	require.NoError(t, os.WriteFile(filepath.Join(tmp, "put-stale"), []byte("half an obj"), 0o600))
	// A Put at work, in the middle of its body: opening the bucket once more
	// leaves its file alone, and removes the other one.
	body := &hooked{Reader: strings.NewReader("content")}
	body.hook = func() {
		require.Len(t, names(t, tmp), 2)
		open(t, dir)
		require.Len(t, names(t, tmp), 1)
		require.NotContains(t, names(t, tmp), "put-stale")
		require.Empty(t, list(t, b, objstore.ListOptions{}), "not visible yet")
	}
	require.NoError(t, b.Put(t.Context(), "a/b", body, objstore.PutOptions{}))
	require.Equal(t, []string{"a/b"}, list(t, b, objstore.ListOptions{}))
	require.Empty(t, names(t, tmp))
}

// hooked calls hook before its first byte is read.
type hooked struct {
	*strings.Reader
	hook func()
}

func (h *hooked) Read(p []byte) (int, error) {
	if h.hook != nil {
		h.hook()
		h.hook = nil
	}
	return h.Reader.Read(p)
}

// WriteTo would go around Read.
func (h *hooked) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, struct{ io.Reader }{h}) }
