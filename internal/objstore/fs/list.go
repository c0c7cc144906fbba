package fs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/objstore"
)

// List implements objstore.Bucket. It reads one folder at a time, when the
// iteration comes to it, and only folders that can hold what opts ask for.
func (b *Bucket) List(ctx context.Context, opts objstore.ListOptions) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		folder := opts.Prefix[:strings.LastIndexByte(opts.Prefix, '/')+1]
		if folder != "" && objstore.CheckKey(strings.TrimSuffix(folder, "/")) != nil {
			return // no key begins like this, and it might lead out of the root
		}
		err := b.walk(ctx, folder, opts, func(o objstore.Object) error {
			if !yield(o, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil && !errors.Is(err, fs.SkipAll) {
			yield(objstore.Object{}, fmt.Errorf("list %s: %w", opts.Prefix, translate(err)))
		}
	}
}

// walk visits what opts select below folder, a key with a slash at its end or
// empty for the root, until visit returns an error.
func (b *Bucket) walk(ctx context.Context, folder string, opts objstore.ListOptions, visit func(objstore.Object) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := b.readFolder(folder, opts)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch {
		case !e.isFolder():
			err = visitFile(e, visit)
		case opts.Delimiter && len(e.key) > len(opts.Prefix):
			err = b.visitFolder(ctx, e.key, visit)
		default:
			err = b.walk(ctx, e.key, opts, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// entry is a file, or a folder with a slash at the end of its key.
type entry struct {
	key string
	dir fs.DirEntry
}

func (e entry) isFolder() bool { return strings.HasSuffix(e.key, "/") }

// readFolder returns the entries of folder that opts select, or that can hold
// such, in the order of the keys. With its slash a folder stands where all
// keys below it do: "a-b" comes before "a/b", though "a" does before "a-b".
func (b *Bucket) readFolder(folder string, opts objstore.ListOptions) ([]entry, error) {
	dirs, err := b.readDir(b.path(folder))
	if ignoreGone(err) != nil {
		return nil, err
	}
	entries := make([]entry, 0, len(dirs))
	for _, dir := range dirs {
		e := entry{key: folder + dir.Name(), dir: dir}
		switch {
		case strings.HasPrefix(dir.Name(), "."):
			continue
		case dir.IsDir():
			e.key += "/"
		case !dir.Type().IsRegular() || objstore.CheckKey(e.key) != nil:
			continue // not of our making
		}
		if selects(opts, e) {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(x, y entry) int { return cmp.Compare(x.key, y.key) })
	// Some filesystems show a name twice when it is replaced meanwhile.
	return slices.CompactFunc(entries, func(x, y entry) bool { return x.key == y.key }), nil
}

// selects reports whether opts select the file, or can select a key that
// begins with the folder's.
func selects(opts objstore.ListOptions, e entry) bool {
	switch {
	case e.isFolder() && strings.HasPrefix(opts.Prefix, e.key):
		return true
	case !strings.HasPrefix(e.key, opts.Prefix):
		return false
	case e.isFolder() && !opts.Delimiter && strings.HasPrefix(opts.StartAfter, e.key):
		return true
	default:
		return e.key > opts.StartAfter
	}
}

func visitFile(e entry, visit func(objstore.Object) error) error {
	info, err := e.dir.Info()
	if err != nil {
		return ignoreGone(err)
	}
	object, err := describe(e.key, info)
	if err != nil {
		return nil //nolint:nilerr // the object gave way to a folder: it is gone
	}
	return visit(object)
}

// visitFolder visits the folder as such, unless there is no object in it: a
// folder of that kind is on its way in or out.
func (b *Bucket) visitFolder(ctx context.Context, folder string, visit func(objstore.Object) error) error {
	err := b.walk(ctx, folder, objstore.ListOptions{Prefix: folder}, func(objstore.Object) error { return fs.SkipAll })
	if errors.Is(err, fs.SkipAll) {
		return visit(objstore.Object{Key: folder})
	}
	return err
}
