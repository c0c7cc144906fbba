//go:build sdk

package e2e_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const (
	sdkPrograms = "sdk/js"
	sdkNode     = 20 // the oldest version that the programs run on
)

// sdkFolder makes a folder with the programs and the SDKs that they import. These
// lie in the user's cache, where npm puts them when they are missing: one process,
// while others wait.
func sdkFolder(t *testing.T) string {
	t.Helper()
	requireNode(t)
	pinned, err := filepath.Glob(sdkPrograms + "/*/package.json")
	require.NoError(t, err)
	require.NotEmpty(t, pinned)
	pinned = append(pinned, sdkPrograms+"/package.json", sdkPrograms+"/package-lock.json", sdkPrograms+"/.npmrc")
	hash := sha256.New()
	for _, file := range pinned {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		_, _ = fmt.Fprintf(hash, "%s %d\n%s", file, len(content), content)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	installed := filepath.Join(cache, "spanlake-test", fmt.Sprintf("sdk-%x", hash.Sum(nil)[:6]))
	installSDKs(t, installed, pinned)

	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(sdkPrograms)))
	modules, err := filepath.Glob(installed + "/*/node_modules")
	require.NoError(t, err)
	for _, from := range append(modules, installed+"/node_modules") {
		name, err := filepath.Rel(installed, from)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(from, filepath.Join(dir, name)))
	}
	return dir
}

// requireNode fails if there is no Node.js, no npm, or one that is too old.
func requireNode(t *testing.T) {
	t.Helper()
	const need = "the tests with real SDKs (make sdk) need Node.js %d or later and npm on the PATH: install them, or run make test, which does without: %v"
	version, err := exec.CommandContext(t.Context(), "node", "--version").Output()
	require.NoError(t, err, need, sdkNode, err)
	major, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(version)), "v"), ".")
	number, err := strconv.Atoi(major)
	require.NoError(t, err, need, sdkNode, string(version))
	require.GreaterOrEqual(t, number, sdkNode, need, sdkNode, "this is "+string(version))
	_, err = exec.LookPath("npm")
	require.NoError(t, err, need, sdkNode, err)
}

// installSDKs has npm install what is pinned, unless it did. What was begun and not
// finished is begun anew.
func installSDKs(t *testing.T, dir string, pinned []string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o750))
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	require.NoError(t, err)
	defer lock.Close()
	require.NoError(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX)) //nolint:gosec // descriptors are small
	done := filepath.Join(dir, "installed")
	if _, err := os.Stat(done); err == nil {
		return
	}
	for _, file := range pinned {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		name, err := filepath.Rel(sdkPrograms, file)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o750))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "npm", "ci", "--prefer-offline", "--loglevel=error")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "install the SDKs in %s: %s", dir, out)
	require.NoError(t, os.WriteFile(done, nil, 0o600))
}
