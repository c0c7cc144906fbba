package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/s3"
	"github.com/spanlake/spanlake/schema"
)

// errNoPlace is returned for an argument that names neither a bucket nor
// anything in one.
var errNoPlace = errors.New("want a key or a prefix of keys (" + schema.BlocksPrefix + "…), the path of a file or folder, or s3://… or file://…")

// locate opens the bucket that an argument names and returns the beginning of
// keys that it selects there: a whole key of a block, a prefix of keys, or
// schema.BlocksPrefix for the whole bucket. A key or prefix is of the bucket
// that the flags choose; a path or URL says itself where its bucket ends.
func (b *bucketFlags) locate(ctx context.Context, arg string, e env) (bucket objstore.Bucket, release func(), prefix string, err error) {
	if strings.HasPrefix(arg, schema.BlocksPrefix) {
		bucket, release, err = b.open(ctx, e)
		return bucket, release, arg, err
	}
	var url, parameters string
	switch {
	case strings.HasPrefix(arg, s3.Scheme):
		url, parameters, _ = strings.Cut(arg, "?")
	case strings.HasPrefix(arg, fileScheme):
		url = asFolder(strings.TrimPrefix(arg, fileScheme))
	default:
		path, err := filepath.Abs(arg)
		if err != nil {
			return nil, nil, "", err
		}
		url = asFolder(filepath.ToSlash(path))
	}
	url, prefix = cutBucket(url)
	if url == "" {
		return nil, nil, "", &usageError{fmt.Errorf("%s: %w", arg, errNoPlace)}
	}
	if parameters != "" {
		url += "?" + parameters
	}
	bucket, release, err = app.OpenBucket(ctx, &app.Config{Bucket: url})
	return bucket, release, prefix, err
}

const fileScheme = "file://"

// asFolder makes a path a URL that ends in a slash if it is a folder's.
func asFolder(path string) string {
	if info, err := os.Stat(filepath.FromSlash(path)); err == nil && info.IsDir() {
		path = strings.TrimSuffix(path, "/") + "/"
	}
	return fileScheme + path
}

// cutBucket cuts a URL into that of the bucket and the beginning of keys in it.
// The bucket is "" if it is a file's URL, and not that of a block or a folder
// of blocks.
func cutBucket(url string) (bucket, prefix string) {
	const border = "/" + schema.BlocksPrefix
	for i := strings.Index(url, border); i >= 0; {
		if _, err := schema.ParseBlockName(url[i+1:]); err == nil {
			return url[:i], url[i+1:] // a project may be called blocks
		}
		next := strings.Index(url[i+1:], border)
		if next < 0 {
			break
		}
		i += 1 + next
	}
	if i := strings.LastIndex(url, border); i >= 0 {
		return url[:i], url[i+1:]
	}
	if strings.HasPrefix(url, fileScheme) && !isBucket(strings.TrimPrefix(url, fileScheme)) {
		return "", ""
	}
	return strings.TrimSuffix(url, "/"), schema.BlocksPrefix
}

// isBucket reports whether a folder has blocks.
func isBucket(folder string) bool {
	info, err := os.Stat(filepath.Join(filepath.FromSlash(folder), filepath.FromSlash(schema.BlocksPrefix)))
	return err == nil && info.IsDir()
}
