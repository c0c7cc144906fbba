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
	// windowBytes is what is fetched at a time, except that a page per column
	// is the least. Larger windows mean fewer requests and more memory.
	windowBytes = 16 << 20
	// mergeGapBytes is what is read along rather than asked for separately: a
	// request to S3 takes as long as about half a megabyte more.
	mergeGapBytes = 512 << 10
	// alongBytes is what may be read along in all, whatever is needed;
	// otherwise no more than half of what is.
	alongBytes = 128 << 10
	// fetchConcurrency bounds the requests of one lookup or scan in flight.
	fetchConcurrency = 16
)

// extent is a range of an object.
type extent struct{ offset, end int64 }

func (p pageRef) extent() extent { return extent{p.offset, p.end()} }

func (x extent) size() int64 { return x.end - x.offset }

// mergeExtents sorts extents and joins those with small gaps between them, the
// smallest first. It works in place.
func mergeExtents(list []extent) []extent {
	slices.SortFunc(list, func(a, b extent) int { return cmp.Compare(a.offset, b.offset) })
	list = joinExtents(list, 0)
	return joinExtents(list, largestGap(list))
}

// joinExtents joins sorted extents with gaps up to a size.
func joinExtents(list []extent, gap int64) []extent {
	joined := list[:0]
	for _, x := range list {
		if n := len(joined); n > 0 && x.offset-joined[n-1].end <= gap {
			joined[n-1].end = max(joined[n-1].end, x.end)
			continue
		}
		joined = append(joined, x)
	}
	return joined
}

// largestGap is the largest gap between extents that do not touch that may be
// read along, so that all gaps up to it are not too much.
func largestGap(list []extent) int64 {
	gaps := make([]int64, 0, len(list))
	var needed int64
	for i, x := range list {
		needed += x.size()
		if i > 0 {
			gaps = append(gaps, x.offset-list[i-1].end)
		}
	}
	slices.Sort(gaps)
	var largest int64
	left := max(alongBytes, needed/2)
	for _, gap := range gaps {
		if left -= gap; left < 0 || gap > mergeGapBytes {
			break
		}
		largest = gap
	}
	return largest
}

// pieces are the fetched parts of an object, by offset. They do not overlap.
type pieces []piece

type piece struct {
	offset int64
	data   []byte
}

// with returns p and more.
func (p pieces) with(more pieces) pieces {
	all := slices.Concat(p, more)
	slices.SortStableFunc(all, func(a, b piece) int { return cmp.Compare(a.offset, b.offset) })
	return all
}

// at returns the bytes of an extent, nil if they were not fetched.
func (p pieces) at(x extent) []byte {
	i, found := slices.BinarySearchFunc(p, x.offset, func(x piece, offset int64) int { return cmp.Compare(x.offset, offset) })
	if !found {
		i--
	}
	// Two pieces overlap only where small gaps were read along.
	for ; i >= 0; i-- {
		from := x.offset - p[i].offset
		if from+x.size() <= int64(len(p[i].data)) {
			return p[i].data[from:][:x.size():x.size()]
		}
	}
	return nil
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
	data, object, err := r.bucket.Get(ctx, r.key, objstore.GetOptions{Offset: x.offset, Length: x.size(), IfMatch: r.etag})
	switch {
	case errors.Is(err, objstore.ErrRange), err == nil && int64(len(data)) != x.size():
		return nil, object, r.corrupt(section, x.offset, errTruncated, hintRestore)
	case err != nil:
		return nil, object, fmt.Errorf("read block %s: %w", r.key, err)
	}
	return data, object, nil
}
