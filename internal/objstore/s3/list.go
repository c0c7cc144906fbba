package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/spanlake/spanlake/internal/objstore"
)

// errOrder: going on would lose objects without a trace.
var errOrder = errors.New("the server does not list keys in their order: it cannot be used")

// List implements objstore.Bucket. It asks for a page at a time. Objects that
// other programs made are left out if their keys are none: some tools store
// empty ones that end in a slash, in place of folders.
func (b *Bucket) List(ctx context.Context, opts objstore.ListOptions) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		for entry, err := range b.entries(ctx, opts) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(objstore.Object{}, fmt.Errorf("list %s%s/%s: %w", Scheme, b.opts.Bucket, opts.Prefix, err))
				return
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// entries is List without its wrapping of errors.
func (b *Bucket) entries(ctx context.Context, opts objstore.ListOptions) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		last := ""
		for page, err := range b.pages(ctx, opts) {
			if err != nil {
				yield(objstore.Object{}, err)
				return
			}
			for _, entry := range merge(page) {
				switch {
				case entry.Key < last:
					yield(objstore.Object{}, fmt.Errorf("%w (%q after %q)", errOrder, entry.Key, last))
					return
				case entry.Key == last, entry.Key <= opts.StartAfter:
					continue // a folder can end a page and begin the next, or hold StartAfter
				}
				last = entry.Key
				if !yield(entry, nil) {
					return
				}
			}
		}
	}
}

// pages yields what the server answers to opts.
func (b *Bucket) pages(ctx context.Context, opts objstore.ListOptions) iter.Seq2[*s3.ListObjectsV2Output, error] {
	return func(yield func(*s3.ListObjectsV2Output, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(nil, err)
			return
		}
		if !possible(opts.Prefix) {
			return
		}
		input := b.listInput(opts)
		for {
			page, err := b.client.ListObjectsV2(ctx, input)
			if err != nil {
				yield(nil, b.translate(ctx, err, nil))
				return
			}
			if !yield(page, nil) || !aws.ToBool(page.IsTruncated) {
				return
			}
			if aws.ToString(page.NextContinuationToken) == "" {
				yield(nil, errors.New("the server broke off a listing and does not say where"))
				return
			}
			input.ContinuationToken, input.StartAfter = page.NextContinuationToken, nil
		}
	}
}

func (b *Bucket) listInput(opts objstore.ListOptions) *s3.ListObjectsV2Input {
	input := &s3.ListObjectsV2Input{Bucket: &b.opts.Bucket, MaxKeys: aws.Int32(int32(b.opts.PageKeys))} //nolint:gosec // at most 1000
	if opts.Prefix != "" {
		input.Prefix = &opts.Prefix
	}
	if after := sendable(opts.StartAfter); after != "" {
		input.StartAfter = &after
	}
	if opts.Delimiter {
		input.Delimiter = aws.String("/")
	}
	return input
}

// possible reports whether a key may begin with prefix, as far as it matters
// to a server.
func possible(prefix string) bool {
	key := prefix
	if key == "" || strings.HasSuffix(key, "/") {
		key += "k"
	}
	return objstore.CheckKey(key) == nil
}

// sendable is as much of text as is UTF-8. Nothing else can be sent, and
// what is missing only makes a listing begin earlier.
func sendable(text string) string {
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)) || r < 0x20 {
			return text[:i]
		}
	}
	return text
}

// merge returns the objects and the folders of a page in one order, those that
// can be ours.
func merge(page *s3.ListObjectsV2Output) []objstore.Object {
	entries := make([]objstore.Object, 0, len(page.Contents)+len(page.CommonPrefixes))
	for _, o := range page.Contents {
		if key := aws.ToString(o.Key); objstore.CheckKey(key) == nil {
			entries = append(entries, newObject(key, aws.ToInt64(o.Size), o.ETag, o.LastModified))
		}
	}
	if len(page.CommonPrefixes) == 0 {
		return entries // in the server's order, which is checked
	}
	for _, p := range page.CommonPrefixes {
		if folder := aws.ToString(p.Prefix); objstore.CheckKey(strings.TrimSuffix(folder, "/")) == nil {
			entries = append(entries, objstore.Object{Key: folder})
		}
	}
	slices.SortFunc(entries, func(x, y objstore.Object) int { return cmp.Compare(x.Key, y.Key) })
	return entries
}
