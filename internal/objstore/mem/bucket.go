// Package mem is a bucket in memory, for tests and simulations.
package mem

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spanlake/spanlake/internal/objstore"
)

var _ objstore.Bucket = (*Bucket)(nil)

// Bucket keeps its objects in memory. Use New.
type Bucket struct {
	mu      sync.RWMutex
	objects map[string]object
	puts    uint64 // makes ETags unique
}

// object is replaced whole; its data is never written to.
type object struct {
	data []byte
	info objstore.Object
}

// New returns an empty bucket.
func New() *Bucket {
	return &Bucket{objects: map[string]object{}}
}

// Put implements objstore.Bucket.
func (b *Bucket) Put(ctx context.Context, key string, body io.ReadSeeker, opts objstore.PutOptions) error {
	if err := check(ctx, key); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("put %s: rewind body: %w", key, err)
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("put %s: read body: %w", key, err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now, ok := b.objects[key]
	switch {
	case ok && opts.IfNotExist:
		return fmt.Errorf("put %s: %w", key, objstore.ErrExist)
	case opts.IfMatch != "" && opts.IfMatch != now.info.ETag:
		return fmt.Errorf("put %s: %w", key, objstore.ErrChanged)
	}
	b.puts++
	b.objects[key] = object{data: data, info: objstore.Object{
		Key: key, Size: int64(len(data)), ETag: strconv.FormatUint(b.puts, 10), ModTime: time.Now(),
	}}
	return nil
}

// Get implements objstore.Bucket.
func (b *Bucket) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	o, err := b.find(ctx, key)
	if err == nil && opts.IfMatch != "" && opts.IfMatch != o.info.ETag {
		err = objstore.ErrChanged
	}
	var start, end int64
	if err == nil {
		start, end, err = opts.Range(o.info.Size)
	}
	if err != nil {
		return nil, objstore.Object{}, fmt.Errorf("get %s: %w", key, err)
	}
	return bytes.Clone(o.data[start:end]), o.info, nil
}

// List implements objstore.Bucket.
func (b *Bucket) List(ctx context.Context, opts objstore.ListOptions) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		for _, entry := range b.entries(opts) {
			if err := ctx.Err(); err != nil {
				yield(objstore.Object{}, fmt.Errorf("list %s: %w", opts.Prefix, err))
				return
			}
			if !yield(entry, nil) {
				return
			}
		}
		// Cancelling an iteration over nothing is an error, too.
		if err := ctx.Err(); err != nil {
			yield(objstore.Object{}, fmt.Errorf("list %s: %w", opts.Prefix, err))
		}
	}
}

// entries is the whole listing as it is now, sorted.
func (b *Bucket) entries(opts objstore.ListOptions) []objstore.Object {
	b.mu.RLock()
	defer b.mu.RUnlock()
	found := map[string]objstore.Object{}
	for key, o := range b.objects {
		rest, ok := strings.CutPrefix(key, opts.Prefix)
		if !ok {
			continue
		}
		entry := o.info
		if slash := strings.IndexByte(rest, '/'); opts.Delimiter && slash >= 0 {
			entry = objstore.Object{Key: key[:len(opts.Prefix)+slash+1]}
		}
		if entry.Key > opts.StartAfter {
			found[entry.Key] = entry
		}
	}
	return slices.SortedFunc(maps.Values(found), func(x, y objstore.Object) int {
		return strings.Compare(x.Key, y.Key)
	})
}

// Delete implements objstore.Bucket.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.objects, key)
	return nil
}

// Stat implements objstore.Bucket.
func (b *Bucket) Stat(ctx context.Context, key string) (objstore.Object, error) {
	o, err := b.find(ctx, key)
	if err != nil {
		return objstore.Object{}, fmt.Errorf("stat %s: %w", key, err)
	}
	return o.info, nil
}

func (b *Bucket) find(ctx context.Context, key string) (object, error) {
	if err := check(ctx, key); err != nil {
		return object{}, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	o, ok := b.objects[key]
	if !ok {
		return object{}, objstore.ErrNotExist
	}
	return o, nil
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return objstore.CheckKey(key)
}
