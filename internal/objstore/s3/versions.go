package s3

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/spanlake/spanlake/internal/objstore"
)

var _ objstore.Versioned = (*Bucket)(nil)

// version is one of a key, or a mark of its deletion.
type version struct {
	key, id string
	current bool
}

// PurgeVersions implements objstore.Versioned. It needs the permissions
// s3:ListBucketVersions and s3:DeleteObjectVersion, also of a bucket without
// versions.
func (b *Bucket) PurgeVersions(ctx context.Context, prefix string, purge func(key string, current bool) bool) (int, error) {
	n, err := b.purge(ctx, prefix, purge)
	if isStatus(err, http.StatusNotImplemented) {
		return n, objstore.ErrNoVersions
	}
	if err != nil {
		err = fmt.Errorf("purge versions of %s%s/%s (which takes s3:ListBucketVersions and s3:DeleteObjectVersion): %w",
			Scheme, b.opts.Bucket, prefix, b.translate(ctx, err, nil))
	}
	return n, err
}

func (b *Bucket) purge(ctx context.Context, prefix string, purge func(key string, current bool) bool) (n int, err error) {
	input := &s3.ListObjectVersionsInput{Bucket: &b.opts.Bucket, Prefix: &prefix, MaxKeys: aws.Int32(int32(b.opts.PageKeys))} //nolint:gosec // at most 1000
	var list []version // of the last key: more of it may follow
	for {
		page, err := b.client.ListObjectVersions(ctx, input)
		if err != nil {
			return n, err
		}
		for _, v := range versionsOf(page) {
			if len(list) > 0 && list[0].key != v.key {
				if n, err = b.purgeKey(ctx, list, n); err != nil {
					return n, err
				}
				list = list[:0]
			}
			if purge(v.key, v.current) {
				list = append(list, v)
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return b.purgeKey(ctx, list, n)
		}
		input.KeyMarker, input.VersionIdMarker = page.NextKeyMarker, page.NextVersionIdMarker
	}
}

// versionsOf are those of a page by key, those of a key the newest first, as the
// server lists each of its two kinds.
func versionsOf(page *s3.ListObjectVersionsOutput) []version {
	type dated struct {
		version
		at int64
	}
	var all []dated
	for _, v := range page.Versions {
		at := aws.ToTime(v.LastModified).UnixNano()
		all = append(all, dated{version{aws.ToString(v.Key), aws.ToString(v.VersionId), aws.ToBool(v.IsLatest)}, at})
	}
	for _, v := range page.DeleteMarkers {
		at := aws.ToTime(v.LastModified).UnixNano()
		all = append(all, dated{version{aws.ToString(v.Key), aws.ToString(v.VersionId), aws.ToBool(v.IsLatest)}, at})
	}
	slices.SortStableFunc(all, func(x, y dated) int {
		if c := cmp.Compare(x.key, y.key); c != 0 || x.current == y.current {
			return cmp.Or(c, cmp.Compare(y.at, x.at))
		} else if x.current {
			return -1
		}
		return 1
	})
	list := make([]version, len(all))
	for i := range all {
		list[i] = all[i].version
	}
	return list
}

// purgeKey removes versions of one key, the oldest first.
func (b *Bucket) purgeKey(ctx context.Context, list []version, n int) (int, error) {
	for _, v := range slices.Backward(list) {
		_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.opts.Bucket, Key: &v.key, VersionId: &v.id})
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
