package fs

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
)

// A listing reads only folders that can hold what it is asked for, and those
// only when it comes to them.
func TestListReadsOnlyWhatItNeeds(t *testing.T) {
	b, err := Open(t.TempDir())
	require.NoError(t, err)
	for _, key := range []string{"a/x/1", "b/x/1", "b/y/1", "b/y/2", "b/z/1", "c/1"} {
		require.NoError(t, b.Put(t.Context(), key, strings.NewReader(""), objstore.PutOptions{}))
	}
	var read []string
	b.readDir = func(dir string) ([]fs.DirEntry, error) {
		folder, err := filepath.Rel(b.root, dir)
		require.NoError(t, err)
		read = append(read, folder)
		return os.ReadDir(dir)
	}
	for _, test := range []struct {
		name    string
		opts    objstore.ListOptions
		stop    int // after so many entries, 0 for none
		entries []string
		read    []string
	}{
		{
			name: "folder", opts: objstore.ListOptions{Prefix: "b/y/"},
			entries: []string{"b/y/1", "b/y/2"}, read: []string{"b/y"},
		},
		{
			name: "part of a name", opts: objstore.ListOptions{Prefix: "b/y"},
			entries: []string{"b/y/1", "b/y/2"}, read: []string{"b", "b/y"},
		},
		{
			name: "start", opts: objstore.ListOptions{StartAfter: "b/y/1"},
			entries: []string{"b/y/2", "b/z/1", "c/1"}, read: []string{".", "b", "b/y", "b/z", "c"},
		},
		{
			name: "start between folders", opts: objstore.ListOptions{Prefix: "b/", StartAfter: "b/y0"},
			entries: []string{"b/z/1"}, read: []string{"b", "b/z"},
		},
		{
			name: "stop", stop: 2,
			entries: []string{"a/x/1", "b/x/1"}, read: []string{".", "a", "a/x", "b", "b/x"},
		},
		{
			name: "folders", opts: objstore.ListOptions{Delimiter: true, StartAfter: "a/"},
			entries: []string{"b/", "c/"}, read: []string{".", "b", "b/x", "c"}, // the latter to see that they are not empty
		},
		{name: "nothing", opts: objstore.ListOptions{Prefix: "d/e/f"}, read: []string{"d/e"}},
		{name: "outside", opts: objstore.ListOptions{Prefix: "../x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			read = nil
			var entries []string
			for object, err := range b.List(t.Context(), test.opts) {
				require.NoError(t, err)
				entries = append(entries, object.Key)
				if len(entries) == test.stop {
					break
				}
			}
			require.Equal(t, test.entries, entries)
			require.Equal(t, test.read, read)
		})
	}
}
