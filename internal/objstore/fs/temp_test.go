package fs

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file that another process has taken for a dead one's, between creation and
// locking, must not be used: its name is gone, or somebody else's.
func TestClaim(t *testing.T) {
	for _, test := range []struct {
		name      string
		meanwhile func(t *testing.T, path string)
		ours      bool
	}{
		{"nothing happens", func(t *testing.T, _ string) { t.Helper() }, true},
		{"removed", func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.Remove(path))
		}, false},
		{"removed and taken again", func(t *testing.T, path string) {
			t.Helper()
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.WriteFile(path, nil, fileMode))
		}, false},
		{"about to be removed", func(t *testing.T, path string) {
			t.Helper()
			cleaner, err := os.Open(path)
			require.NoError(t, err)
			t.Cleanup(func() { cleaner.Close() })
			locked, err := tryLock(cleaner)
			require.NoError(t, err)
			require.True(t, locked)
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := os.CreateTemp(t.TempDir(), "put-*")
			require.NoError(t, err)
			defer f.Close()
			test.meanwhile(t, f.Name())
			ours, err := (&tempFile{path: f.Name(), file: f}).claim()
			require.NoError(t, err)
			require.Equal(t, test.ours, ours)
		})
	}
}
