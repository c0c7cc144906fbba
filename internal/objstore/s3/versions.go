package s3

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/spanlake/spanlake/internal/objstore"
)

var _ objstore.Versioned = (*Bucket)(nil)

// version is one of a key, or a mark of its deletion.
type version struct {
	key, id string
	at      time.Time
	latest  bool
	mark    bool
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
	most := int32(b.opts.PageKeys) //nolint:gosec // at most 1000
	input := &s3.ListObjectVersionsInput{Bucket: &b.opts.Bucket, Prefix: &prefix, MaxKeys: &most}

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
			again := func(o version) bool { return o.id == v.id } // a page may begin with the last one of another
			if !slices.ContainsFunc(list, again) && purge(v.key, v.latest && !v.mark) {
				list = append(list, v)
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return b.purgeKey(ctx, list, n)
		}
		input.KeyMarker, input.VersionIdMarker = page.NextKeyMarker, page.NextVersionIdMarker
	}
}

// versionsOf are those of a page by key, those of a key the latest first: whatever
// it is, an earlier one must not take its place.
func versionsOf(page *s3.ListObjectVersionsOutput) []version {
	list := make([]version, 0, len(page.Versions)+len(page.DeleteMarkers))
	for _, v := range page.Versions {
		list = append(list, version{aws.ToString(v.Key), aws.ToString(v.VersionId), aws.ToTime(v.LastModified), aws.ToBool(v.IsLatest), false})
	}
	for _, v := range page.DeleteMarkers {
		list = append(list, version{aws.ToString(v.Key), aws.ToString(v.VersionId), aws.ToTime(v.LastModified), aws.ToBool(v.IsLatest), true})
	}
	slices.SortStableFunc(list, func(x, y version) int {
		c := strings.Compare(x.key, y.key)
		switch {
		case c != 0:
			return c
		case x.latest:
			return -1
		case y.latest:
			return 1
		}
		return y.at.Compare(x.at)
	})
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
