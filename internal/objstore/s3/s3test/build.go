package s3test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

const (
	serverPackage = "github.com/versity/versitygw/cmd/versitygw"
	serverVersion = "v1.8.0"
	serverName    = "versitygw"
)

// build returns the path of the server's program. It lies in the user's cache,
// where it is built when it is missing: by one process, while others wait.
func build(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "spanlake-test", fmt.Sprintf("%s-%s-%s-%s", serverName, serverVersion, runtime.GOOS, runtime.GOARCH))
	binary := filepath.Join(dir, serverName)
	if exists(binary) {
		return binary, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(binary) {
		return binary, nil
	}
	return binary, install(ctx, dir, binary)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// lock waits for the file's lock. The system frees it when the process dies.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil { //nolint:gosec // descriptors are small
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return func() { f.Close() }, nil
}

// install builds into a folder of its own and renames, so that nobody sees half
// a program.
func install(ctx context.Context, dir, binary string) error {
	temp, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) //nolint:errcheck // it is a cache
	cmd := exec.CommandContext(ctx, "go", "install", serverPackage+"@"+serverVersion)
	cmd.Dir = temp
	// The settings for this module's own build, such as -race, are not for it.
	cmd.Env = append(os.Environ(), "GOBIN="+temp, "GOFLAGS=-mod=mod", "CGO_ENABLED=0",
		"GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s %s: %w\n%s", serverName, serverVersion, err, out)
	}
	return os.Rename(filepath.Join(temp, serverName), binary)
}
