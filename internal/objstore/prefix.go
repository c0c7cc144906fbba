package objstore

import (
	"context"
	"io"
	"iter"
	"strings"
)

// Prefixed returns the part of bucket that lies under prefix, a key without a
// slash at its end: its keys are those of bucket without prefix and slash. An
// empty prefix returns bucket itself. Errors speak of bucket's keys, and the
// length of a key includes the prefix.
func Prefixed(bucket Bucket, prefix string) Bucket {
	if prefix == "" {
		return bucket
	}
	return &prefixed{bucket: bucket, prefix: prefix + "/"}
}

// prefixed relies on bucket to check keys: prefix and key are joined by a
// slash, so the whole is valid only if the key is.
type prefixed struct {
	bucket Bucket
	prefix string // ends in a slash
}

func (b *prefixed) Put(ctx context.Context, key string, body io.ReadSeeker, opts PutOptions) error {
	return b.bucket.Put(ctx, b.prefix+key, body, opts)
}

func (b *prefixed) Get(ctx context.Context, key string, opts GetOptions) ([]byte, Object, error) {
	data, object, err := b.bucket.Get(ctx, b.prefix+key, opts)
	return data, b.strip(object), err
}

func (b *prefixed) List(ctx context.Context, opts ListOptions) iter.Seq2[Object, error] {
	opts.Prefix = b.prefix + opts.Prefix
	if opts.StartAfter != "" {
		opts.StartAfter = b.prefix + opts.StartAfter
	}
	return func(yield func(Object, error) bool) {
		for object, err := range b.bucket.List(ctx, opts) {
			if !yield(b.strip(object), err) {
				return
			}
		}
	}
}

func (b *prefixed) Delete(ctx context.Context, key string) error {
	return b.bucket.Delete(ctx, b.prefix+key)
}

func (b *prefixed) Stat(ctx context.Context, key string) (Object, error) {
	object, err := b.bucket.Stat(ctx, b.prefix+key)
	return b.strip(object), err
}

func (b *prefixed) strip(object Object) Object {
	object.Key = strings.TrimPrefix(object.Key, b.prefix)
	return object
}
