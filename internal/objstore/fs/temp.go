package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// tmpFolder is hidden: it begins with a dot, as no segment of a key does.
const tmpFolder = ".tmp"

// tempFile is a complete, durable file without its final name. Its lock tells
// other processes that the writer is alive; the system drops it when it dies.
type tempFile struct {
	path string
	file *os.File // holds the lock
}

// writeTemp writes body to a new file in dir and syncs it.
func writeTemp(ctx context.Context, dir string, body io.Reader) (*tempFile, error) {
	t, err := createTemp(dir)
	if err != nil {
		return nil, err
	}
	if err := t.fill(ctx, body); err != nil {
		t.discard()
		return nil, err
	}
	return t, nil
}

// createTemp returns a locked file. Between its creation and its locking
// removeStale of another process may take it for a dead one's: then the next.
func createTemp(dir string) (*tempFile, error) {
	for range maxVanished {
		f, err := os.CreateTemp(dir, "put-*")
		if err != nil {
			return nil, err
		}
		t := &tempFile{path: f.Name(), file: f}
		switch ours, err := t.claim(); {
		case err != nil:
			t.discard()
			return nil, fmt.Errorf("lock %s: %w", t.path, err)
		case ours:
			return t, nil
		}
		t.discard()
	}
	return nil, fmt.Errorf("temporary file removed %d times", maxVanished)
}

// claim locks the file and reports whether it still has its name.
func (t *tempFile) claim() (bool, error) {
	if ok, err := tryLock(t.file); !ok || err != nil {
		return false, err
	}
	opened, err := t.file.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(opened, named), err
}

func (t *tempFile) fill(ctx context.Context, body io.Reader) error {
	if err := t.file.Chmod(fileMode); err != nil {
		return err
	}
	if err := copyPieces(ctx, t.file, body); err != nil {
		return err
	}
	// The system's own stamp may be the same for all writes of some
	// milliseconds, too coarse for an ETag. Setting it has its full resolution.
	if err := os.Chtimes(t.path, time.Time{}, time.Now()); err != nil {
		return err
	}
	return t.file.Sync()
}

func copyPieces(ctx context.Context, w io.Writer, r io.Reader) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := io.CopyN(w, r, pieceBytes)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// discard closes the file and removes its temporary name, if it has it still.
// What remains after an error is invisible, and removed by a later Open.
func (t *tempFile) discard() {
	_ = os.Remove(t.path)
	_ = t.file.Close()
}

// removeStale removes the files in dir that no living process is writing.
func removeStale(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := removeIfStale(filepath.Join(dir, entry.Name())); ignoreGone(err) != nil {
			return err
		}
	}
	return nil
}

func removeIfStale(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	// With the lock in hand: its writer can no longer come to publish it.
	if stale, err := tryLock(f); !stale || err != nil {
		return err
	}
	return os.Remove(path)
}
