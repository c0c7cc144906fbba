package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/grafana/dskit/services"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/fs"
	"github.com/spanlake/spanlake/internal/objstore/s3"
)

// bucketRetryDelay is between two looks at a bucket that cannot be reached at
// the start. Each has attempts and waits of its own.
const bucketRetryDelay = time.Second

// bucketPlace is what -bucket names: a folder, or else a bucket on S3.
type bucketPlace struct {
	dir    string
	s3     s3.Options
	prefix string // of the keys, within s3
}

// bucketPlace reads -bucket.
func (c *Config) bucketPlace() (bucketPlace, error) {
	if c.Bucket == "" {
		return bucketPlace{dir: filepath.Join(c.DataDir, "bucket")}, nil
	}
	if strings.HasPrefix(c.Bucket, s3.Scheme) {
		opts, prefix, err := s3.ParseURL(c.Bucket)
		if err != nil {
			return bucketPlace{}, fmt.Errorf("bucket: %w", err) // not the URL: see ParseURL
		}
		return bucketPlace{s3: opts, prefix: prefix}, nil
	}
	dir, ok := strings.CutPrefix(c.Bucket, "file://")
	if !ok || !filepath.IsAbs(dir) {
		return bucketPlace{}, fmt.Errorf("bucket %q: want s3://bucket/prefix or file:///absolute/path", maskURL(c.Bucket))
	}
	return bucketPlace{dir: filepath.Clean(dir)}, nil
}

// String is the place for a person to read.
func (p bucketPlace) String() string {
	if p.dir != "" {
		return absolute(p.dir)
	}
	place := s3.Scheme + p.s3.Bucket
	if p.prefix != "" {
		place += "/" + p.prefix
	}
	if p.s3.Endpoint != "" {
		place += " at " + p.s3.Endpoint
	}
	return place
}

// openedBucket is a bucket that was opened.
type openedBucket struct {
	objstore.Bucket

	close func()
	// lifecycle is the store's bucket, whose keys begin with root; nil for a folder.
	lifecycle *s3.Bucket
	root      string
}

var _ objstore.Versioned = (*openedBucket)(nil)

// PurgeVersions is the bucket's, which its interface does not show.
func (b *openedBucket) PurgeVersions(ctx context.Context, prefix string, purge func(key string, current bool) bool) (int, error) {
	return objstore.PurgeVersions(ctx, b.Bucket, prefix, purge)
}

// open opens the bucket. A folder is opened by openFolder.
func (p bucketPlace) open(ctx context.Context, openFolder func(dir string) (*fs.Bucket, error)) (*openedBucket, error) {
	if p.dir != "" {
		folder, err := openFolder(p.dir)
		if err != nil {
			return nil, err
		}
		return &openedBucket{Bucket: folder, close: func() {}}, nil
	}
	bucket, err := s3.Open(ctx, p.s3)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", p.s3.Bucket, err)
	}
	o := &openedBucket{Bucket: objstore.Prefixed(bucket, p.prefix), close: bucket.Close, lifecycle: bucket}
	if p.prefix != "" {
		o.root = p.prefix + "/"
	}
	return o, nil
}

// newBucket opens the bucket. Metrics are outermost: they tell what callers see.
func (a *App) newBucket() services.Service {
	release := func() {}
	return services.NewIdleService(func(ctx context.Context) error {
		place, err := a.cfg.bucketPlace()
		if err != nil {
			return err
		}
		if a.opened, err = place.open(ctx, fs.Open); err != nil {
			return err
		}
		a.bucket = objstore.Instrument(objstore.Retry(a.opened, objstore.RetryOptions{}), a.reg)
		if err := a.awaitBucket(ctx); err != nil {
			a.opened.close()
			return err
		}
		release = a.opened.close
		return nil
	}, func(error) error {
		release()
		return nil
	})
}

// OpenBucket opens the bucket that a configuration names for a program that
// only reads, beside a process that may be running: it creates nothing and
// takes no lock. The caller calls release in the end.
func OpenBucket(ctx context.Context, cfg *Config) (bucket objstore.Bucket, release func(), err error) {
	return openBucket(ctx, cfg, fs.OpenExisting)
}

func openBucket(ctx context.Context, cfg *Config, openFolder func(string) (*fs.Bucket, error)) (bucket objstore.Bucket, release func(), err error) {
	place, err := cfg.bucketPlace()
	if err != nil {
		return nil, nil, err
	}
	opened, err := place.open(ctx, openFolder)
	if err != nil {
		return nil, nil, err
	}
	return objstore.Retry(opened, objstore.RetryOptions{}), opened.close, nil
}

// CreateBucket is OpenBucket for a program that writes: a folder is created if
// there is none yet.
func CreateBucket(ctx context.Context, cfg *Config) (bucket objstore.Bucket, release func(), err error) {
	return openBucket(ctx, cfg, fs.Open)
}

// awaitBucket returns when the bucket can be listed: a name or a credential
// that is wrong fails the start, while a store that is away is waited for, as
// the log is.
func (a *App) awaitBucket(ctx context.Context) error {
	for {
		err := listOne(ctx, a.bucket)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, objstore.ErrTransient):
			return fmt.Errorf("open the bucket: %w", err)
		}
		a.logger.Warn("bucket cannot be reached yet", slog.Any("err", err))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(bucketRetryDelay):
		}
	}
}

// listOne asks for the first key only.
func listOne(ctx context.Context, bucket objstore.Bucket) error {
	for _, err := range bucket.List(ctx, objstore.ListOptions{}) {
		return err
	}
	return nil
}
