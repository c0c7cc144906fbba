package block

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/objstore"
)

const (
	// mergeGapBytes is what is read along rather than asked for separately: a
	// request to S3 takes as long as about half a megabyte more.
	mergeGapBytes = 512 << 10
	// fetchConcurrency bounds the requests of one lookup or scan in flight.
	fetchConcurrency = 8
)

// extent is a range of an object.
type extent struct{ offset, end int64 }

// mergeExtents sorts extents and joins those with small gaps between them. It
// works in place.
func mergeExtents(list []extent) []extent {
	slices.SortFunc(list, func(a, b extent) int { return cmp.Compare(a.offset, b.offset) })
	merged := list[:0]
	for _, x := range list {
		if n := len(merged); n > 0 && x.offset-merged[n-1].end <= mergeGapBytes {
			merged[n-1].end = max(merged[n-1].end, x.end)
			continue
		}
		merged = append(merged, x)
	}
	return merged
}

// pieces are the fetched parts of an object, by offset.
type pieces []piece

type piece struct {
	offset int64
	data   []byte
}

// at returns the bytes of a page, nil if they were not fetched.
func (p pieces) at(ref pageRef) []byte {
	i, found := slices.BinarySearchFunc(p, ref.offset, func(x piece, offset int64) int { return cmp.Compare(x.offset, offset) })
	if !found {
		i--
	}
	if i < 0 {
		return nil
	}
	from := ref.offset - p[i].offset
	if from+int64(ref.size) > int64(len(p[i].data)) {
		return nil
	}
	return p[i].data[from:][:ref.size:ref.size]
}

// fetch reads extents of the object that Open saw.
func (r *Reader) fetch(ctx context.Context, list []extent) (pieces, error) {
	list = mergeExtents(list)
	fetched := make(pieces, len(list))
	if len(list) == 1 {
		return fetched, r.fetchOne(ctx, list[0], &fetched[0])
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fetchConcurrency)
	for i, x := range list {
		group.Go(func() error { return r.fetchOne(ctx, x, &fetched[i]) })
	}
	return fetched, group.Wait()
}

func (r *Reader) fetchOne(ctx context.Context, x extent, into *piece) error {
	data, _, err := r.get(ctx, x, "pages")
	if err != nil {
		return err
	}
	*into = piece{offset: x.offset, data: data}
	return nil
}

// get reads one extent of the object that Open saw, all of it.
func (r *Reader) get(ctx context.Context, x extent, section string) ([]byte, objstore.Object, error) {
	data, object, err := r.bucket.Get(ctx, r.key, objstore.GetOptions{Offset: x.offset, Length: x.end - x.offset, IfMatch: r.etag})
	switch {
	case errors.Is(err, objstore.ErrRange), err == nil && int64(len(data)) != x.end-x.offset:
		return nil, object, r.corrupt(section, x.offset, errTruncated, hintRestore)
	case err != nil:
		return nil, object, fmt.Errorf("read block %s: %w", r.key, err)
	}
	return data, object, nil
}
