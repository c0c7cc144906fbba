package objstore

import (
	"context"
	"errors"
)

// ErrNoVersions means that the bucket keeps nothing of what was replaced or deleted.
var ErrNoVersions = errors.New("the bucket keeps no versions")

// Versioned is a Bucket that may keep what was replaced or deleted, so that Delete
// is not the end of it.
type Versioned interface {
	Bucket
	// PurgeVersions removes for good the versions of the keys with a prefix for
	// which purge is true, marks of deletion too, the oldest of each key first:
	// when it is cut short what Get returns is the same. current is the one that
	// Get returns, if any. It returns how many they were. Returns ErrNoVersions
	// if the store knows none.
	PurgeVersions(ctx context.Context, prefix string, purge func(key string, current bool) bool) (int, error)
}

// PurgeVersions is that of a bucket that is Versioned, ErrNoVersions of others.
func PurgeVersions(ctx context.Context, b Bucket, prefix string, purge func(key string, current bool) bool) (int, error) {
	if v, ok := b.(Versioned); ok {
		return v.PurgeVersions(ctx, prefix, purge)
	}
	return 0, ErrNoVersions
}

var (
	_ Versioned = (*retry)(nil)
	_ Versioned = (*prefixed)(nil)
	_ Versioned = (*instrumented)(nil)
)

// PurgeVersions repeats all of it, which does no harm.
func (b *retry) PurgeVersions(ctx context.Context, prefix string, purge func(string, bool) bool) (n int, err error) {
	err = b.do(ctx, func() error {
		more, err := PurgeVersions(ctx, b.bucket, prefix, purge)
		n += more
		return err
	})
	return n, err
}

func (b *prefixed) PurgeVersions(ctx context.Context, prefix string, purge func(string, bool) bool) (int, error) {
	return PurgeVersions(ctx, b.bucket, b.prefix+prefix, func(key string, current bool) bool {
		return purge(key[len(b.prefix):], current)
	})
}

func (b *instrumented) PurgeVersions(ctx context.Context, prefix string, purge func(string, bool) bool) (int, error) {
	end := b.metrics.begin(opPurge)
	n, err := PurgeVersions(ctx, b.bucket, prefix, purge)
	if errors.Is(err, ErrNoVersions) {
		end(nil) // is an answer
	} else {
		end(err)
	}
	return n, err
}
