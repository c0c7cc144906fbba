package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrLocked means that another process, or another server of this one, uses the folder.
var ErrLocked = errors.New("folder is in use by another process")

// dirLock keeps others out of a folder. The operating system frees it when the
// process dies in whatever way.
type dirLock struct {
	once sync.Once
	file *os.File
	err  error
}

func lockDir(dir string) (*dirLock, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil { //nolint:gosec // descriptors are small
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, fmt.Errorf("lock %s: %w", dir, errors.Join(err, f.Close()))
	}
	return &dirLock{file: f}, nil
}

// release frees the folder; the second call does nothing. The file stays: to
// remove it would let two processes lock two files of one name.
func (l *dirLock) release() error {
	l.once.Do(func() { l.err = l.file.Close() })
	return l.err
}
