package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spanlake/spanlake/internal/objstore"
)

// maxVanished bounds how often a Put starts again because a Delete took the
// folder away that it had just made. One such race is rare already.
const maxVanished = 1000

// Put implements objstore.Bucket. The order survives a crash at any point:
//
//	write .tmp/x    a leftover is never visible, and removed by Open
//	fsync .tmp/x    the content is there before the name is
//	rename to key   atomic; link when the key must be new, which is exclusive
//	fsync folders   the name, and the folders on its way, are there for good
func (b *Bucket) Put(ctx context.Context, key string, body io.ReadSeeker, opts objstore.PutOptions) error {
	if err := b.put(ctx, key, body, opts); err != nil {
		return fmt.Errorf("put %s: %w", key, translatePut(err))
	}
	return nil
}

func (b *Bucket) put(ctx context.Context, key string, body io.ReadSeeker, opts objstore.PutOptions) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	path := b.path(key)
	if opts.IfNotExist {
		// Only to spare the writing: linking decides.
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
			return errors.Join(objstore.ErrExist, b.syncFolders(path))
		}
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("rewind body: %w", err)
	}
	tmp, err := writeTemp(ctx, b.tmp, body)
	if err != nil {
		return err
	}
	defer tmp.discard()
	if err := ctx.Err(); err != nil {
		return err
	}
	err = b.publishLocked(tmp.path, path, opts)
	if err != nil && !errors.Is(err, objstore.ErrExist) {
		return err
	}
	// Also for an object that exists: whoever put it may not have come this
	// far, and the caller will rely on it.
	return errors.Join(err, b.syncFolders(path))
}

// publishLocked publishes while no other process compares and replaces, and
// alone if it does so itself. The system has no rename that compares.
func (b *Bucket) publishLocked(tmp, path string, opts objstore.PutOptions) error {
	lock, err := lockFolder(b.tmp, opts.IfMatch != "")
	if err != nil {
		return err
	}
	defer lock.Close()
	if opts.IfMatch != "" {
		info, err := os.Lstat(path)
		if ignoreGone(err) != nil {
			return err
		}
		if err != nil || !info.Mode().IsRegular() || etag(info) != opts.IfMatch {
			return objstore.ErrChanged
		}
	}
	return b.publish(tmp, path, opts)
}

// publish gives the file its name, and makes the folders for it. It starts
// again when a Delete removes one of them in between because it was empty.
func (b *Bucket) publish(tmp, path string, opts objstore.PutOptions) error {
	move := os.Rename
	if opts.IfNotExist {
		move = os.Link
	}
	for range maxVanished {
		err := os.MkdirAll(filepath.Dir(path), dirMode)
		if err == nil {
			err = move(tmp, path)
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, fs.ErrNotExist):
			continue
		case errors.Is(err, fs.ErrExist), errors.Is(err, syscall.EISDIR):
			info, statErr := os.Lstat(path)
			switch {
			case statErr != nil: // gone again
				continue
			case !info.IsDir():
				return objstore.ErrExist
			case syscall.Rmdir(path) != nil:
				return fmt.Errorf("%w: a folder has this name: %w", objstore.ErrBadKey, err)
			}
		default:
			return err
		}
	}
	return fmt.Errorf("%w: folder removed %d times", objstore.ErrTransient, maxVanished)
}

// syncFolders makes the name of path durable: its entry in its folder, the
// folder's entry in the one above, and so on. It does not leave out folders
// that were there before: another process may have made them just now and not
// have come to sync them. A folder that is gone was emptied by a Delete, and
// the object with it.
func (b *Bucket) syncFolders(path string) error {
	for path != b.root {
		path = filepath.Dir(path)
		if err := syncDir(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// syncDir makes the entries of a folder durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// translatePut differs from translate because a missing file is not a missing
// object here.
func translatePut(err error) error {
	switch {
	case errors.Is(err, objstore.ErrBadKey):
		return err
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: lies under an object: %w", objstore.ErrBadKey, err)
	case errors.Is(err, fs.ErrNotExist):
		return err
	default:
		return translate(err)
	}
}

// Delete implements objstore.Bucket. It also removes the folders that the
// object leaves empty; the system refuses to remove any other, so that no
// object can be lost.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := b.delete(ctx, key); err != nil {
		return fmt.Errorf("delete %s: %w", key, translate(err))
	}
	return nil
}

func (b *Bucket) delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	path := b.path(key)
	if info, err := os.Lstat(path); err != nil || info.IsDir() {
		return ignoreGone(err)
	}
	if err := b.unlink(path); err != nil {
		return ignoreGone(&fs.PathError{Op: "unlink", Path: path, Err: err})
	}
	dir := filepath.Dir(path)
	if err := syncDir(dir); ignoreGone(err) != nil {
		return err
	}
	for dir != b.root && syscall.Rmdir(dir) == nil {
		dir = filepath.Dir(dir)
	}
	return nil
}

// unlink removes a file, and not a folder as os.Remove would, while nobody
// compares and replaces.
func (b *Bucket) unlink(path string) error {
	lock, err := lockFolder(b.tmp, false)
	if ignoreGone(err) != nil {
		return err
	}
	if err == nil { // else no Open has seen the folder: nobody writes there
		defer lock.Close()
	}
	return syscall.Unlink(path)
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return err
}
