//go:build unix

package fs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// tryLock takes the exclusive lock of an open file. It is held until the file
// is closed, at the latest by the end of the process. Reports false when
// somebody else has it.
func tryLock(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// lockFolder waits for the lock of a folder, alone or together with others,
// and returns what holds it until it is closed.
func lockFolder(dir string, alone bool) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	how := unix.LOCK_SH
	if alone {
		how = unix.LOCK_EX
	}
	for {
		switch err := unix.Flock(int(f.Fd()), how); {
		case err == nil:
			return f, nil
		case !errors.Is(err, unix.EINTR):
			return nil, errors.Join(&fs.PathError{Op: "lock", Path: dir, Err: err}, f.Close())
		}
	}
}

func inode(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino
	}
	return 0
}
