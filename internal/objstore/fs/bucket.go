// Package fs is a bucket in a folder of a local filesystem. An object is a
// plain file whose path below the folder is its key, so that other programs
// can read the bucket directly. Any number of processes of one machine may use
// a folder at the same time.
//
// Names that begin with a dot are no objects: the folder .tmp holds what is
// being written. The filesystem must tell upper from lower case, rename
// atomically and support hard links; the whole folder is on one filesystem.
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

var _ objstore.Bucket = (*Bucket)(nil)

const (
	// Not readable by others: spans hold prompts and personal data.
	dirMode  = 0o750
	fileMode = 0o640

	// Between two pieces of this size a read or write looks whether its
	// context is done: a fraction of a second even on a slow disk.
	pieceBytes = 4 << 20
)

// Bucket is a folder. Use Open. It holds no open files between calls and need
// not be closed.
type Bucket struct {
	root    string // absolute
	tmp     string // of files that are being written
	readDir func(string) ([]fs.DirEntry, error)
}

// Open returns the bucket in folder dir, which is created when it is missing,
// and removes what dead processes left half written there.
func Open(dir string) (*Bucket, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", dir, err)
	}
	b := &Bucket{root: root, tmp: filepath.Join(root, tmpFolder), readDir: os.ReadDir}
	if err := makeFolders(b.tmp); err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", dir, err)
	}
	if err := removeStale(b.tmp); err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", dir, err)
	}
	return b, nil
}

// OpenExisting returns the bucket in a folder that exists, and changes nothing
// there: for programs that only read. A Put fails in a folder that no Open has
// seen.
func OpenExisting(dir string) (*Bucket, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", dir, err)
	}
	if info, err := os.Stat(root); err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("open bucket %s: not a folder", root)
	}
	return &Bucket{root: root, tmp: filepath.Join(root, tmpFolder), readDir: os.ReadDir}, nil
}

// makeFolders is a durable os.MkdirAll.
func makeFolders(dir string) error {
	var missing []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		missing = append(missing, d)
	}
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	for _, d := range missing {
		if err := syncDir(filepath.Dir(d)); err != nil {
			return err
		}
	}
	return nil
}

// Get implements objstore.Bucket. All bytes and the description are those of
// one file, also while another process replaces the object.
func (b *Bucket) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	data, object, err := b.get(ctx, key, opts)
	if err != nil {
		return nil, objstore.Object{}, fmt.Errorf("get %s: %w", key, translate(err))
	}
	return data, object, nil
}

func (b *Bucket) get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	if err := check(ctx, key); err != nil {
		return nil, objstore.Object{}, err
	}
	f, err := os.Open(b.path(key))
	if err != nil {
		return nil, objstore.Object{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, objstore.Object{}, err
	}
	object, err := describe(key, info)
	if err != nil {
		return nil, objstore.Object{}, err
	}
	if opts.IfMatch != "" && opts.IfMatch != object.ETag {
		return nil, objstore.Object{}, objstore.ErrChanged
	}
	start, end, err := opts.Range(object.Size)
	if err != nil {
		return nil, objstore.Object{}, err
	}
	data, err := readRange(ctx, f, start, end)
	return data, object, err
}

func readRange(ctx context.Context, f *os.File, start, end int64) ([]byte, error) {
	data := make([]byte, end-start)
	for done := 0; done < len(data); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		piece := data[done:min(done+pieceBytes, len(data))]
		n, err := f.ReadAt(piece, start+int64(done))
		if n < len(piece) {
			// Objects are never truncated, so this is a damaged disk.
			return nil, fmt.Errorf("read at %d: %w", start+int64(done+n), errors.Join(io.ErrUnexpectedEOF, err))
		}
		done += n
	}
	return data, nil
}

// Stat implements objstore.Bucket.
func (b *Bucket) Stat(ctx context.Context, key string) (objstore.Object, error) {
	object, err := b.stat(ctx, key)
	if err != nil {
		return objstore.Object{}, fmt.Errorf("stat %s: %w", key, translate(err))
	}
	return object, nil
}

func (b *Bucket) stat(ctx context.Context, key string) (objstore.Object, error) {
	if err := check(ctx, key); err != nil {
		return objstore.Object{}, err
	}
	info, err := os.Stat(b.path(key))
	if err != nil {
		return objstore.Object{}, err
	}
	return describe(key, info)
}

func (b *Bucket) path(key string) string {
	return filepath.Join(b.root, filepath.FromSlash(key))
}

// describe returns ErrNotExist for what is not a file.
func describe(key string, info fs.FileInfo) (objstore.Object, error) {
	if !info.Mode().IsRegular() {
		return objstore.Object{}, objstore.ErrNotExist
	}
	return objstore.Object{Key: key, Size: info.Size(), ETag: etag(info), ModTime: info.ModTime()}, nil
}

// etag tells two contents of a key apart. The inode alone would not, it may be
// used again; the time is that of the put, in full resolution (see Put).
func etag(info fs.FileInfo) string {
	return fmt.Sprintf("%x-%x-%x", inode(info), info.Size(), info.ModTime().UnixNano())
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return objstore.CheckKey(key)
}

// translate adds the bucket's error to the system's.
func translate(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %w", objstore.ErrNotExist, err)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ESTALE):
		return fmt.Errorf("%w: %w", objstore.ErrTransient, err)
	default:
		return err
	}
}
