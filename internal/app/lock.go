package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/grafana/dskit/services"
	"golang.org/x/sys/unix"
)

const (
	dirMode      = 0o750
	lockFile     = "lock"
	lockFileMode = 0o640
	maxPidBytes  = 32
)

// newFolder returns the service that keeps other processes out of the data
// folder. The operating system frees the lock when the process dies, and the
// file stays: to remove it would let two processes lock two files of one name.
func newFolder(dir string) services.Service {
	var lock *os.File
	return services.NewIdleService(func(context.Context) (err error) {
		lock, err = lockFolder(dir)
		return err
	}, func(error) error {
		if lock == nil {
			return nil
		}
		return lock.Close()
	})
}

func lockFolder(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("create the data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, lockFileMode)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) //nolint:gosec // descriptors are small
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		err = inUse(dir, f)
	case err == nil:
		err = writePid(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func inUse(dir string, f *os.File) error {
	pid, err := io.ReadAll(io.LimitReader(f, maxPidBytes))
	if err != nil || len(pid) == 0 {
		pid = []byte("unknown")
	}
	return fmt.Errorf("data folder %s is in use by another spanlake process (pid %s): stop it or choose another -data-dir", dir, pid)
}

// writePid is for the message to the next process only.
func writePid(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	return err
}
