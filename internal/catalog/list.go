package catalog

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// blocks yields the names of all blocks below prefix. Keys that are no block's
// go to skipped.
func blocks(ctx context.Context, bucket objstore.Bucket, prefix string, skipped func(key string, err error)) iter.Seq2[schema.BlockName, error] {
	return func(yield func(schema.BlockName, error) bool) {
		for object, err := range bucket.List(ctx, objstore.ListOptions{Prefix: prefix}) {
			if err != nil {
				yield(schema.BlockName{}, err)
				return
			}
			name, err := schema.ParseBlockName(object.Key)
			if err != nil {
				skipped(object.Key, err)
				continue
			}
			if !yield(name, nil) {
				return
			}
		}
	}
}

// skipKeys is how many keys of a project's days that are not asked for are read along
// before the others are passed by: a listing shows as many in a request.
const skipKeys = 1000

// blocksFrom yields the blocks of all projects and days of which the first message
// was published at a time or later, by the log's clock, and some that are older. It
// takes at most twice the requests of a listing of all blocks, and of a project with
// many days little more than those that are asked for.
func blocksFrom(ctx context.Context, bucket objstore.Bucket, from time.Time) iter.Seq2[schema.BlockName, error] {
	if now := time.Now(); from.After(now) {
		from = now // the log's clock was ahead, and may have been put right since
	}
	oldest := time.Unix(0, 0)
	if !from.IsZero() {
		oldest = from.Add(-clockMargin).Truncate(24 * time.Hour) // of UTC
	}
	return func(yield func(schema.BlockName, error) bool) {
		for after, more := "", true; more; {
			after, more = someFrom(ctx, bucket, after, oldest, yield)
		}
	}
}

// someFrom yields blocks behind a key of a day, and of later ones, that begins at a time. If many others
// of a project come first it returns the key behind which to go on.
func someFrom(ctx context.Context, bucket objstore.Bucket, after string, oldest time.Time, yield func(schema.BlockName, error) bool) (next string, more bool) {
	passed, project := 0, schema.ProjectID("")
	for object, err := range bucket.List(ctx, objstore.ListOptions{Prefix: schema.BlocksPrefix, StartAfter: after}) {
		if err != nil {
			yield(schema.BlockName{}, err)
			return "", false
		}
		name, err := schema.ParseBlockName(object.Key)
		switch {
		case err != nil: // no block's
		case name.LogNanos < uint64(oldest.UnixNano()): //nolint:gosec // not before 1970
			if name.Project != project {
				passed, project = 0, name.Project
			}
			if passed++; passed == skipKeys {
				return schema.DayPrefix(project, oldest), true
			}
		case !yield(name, nil):
			return "", false
		}
	}
	return "", false
}

// Covered reports whether a block of any project holds the position of the
// partition's stream, which was published at a time. Blocks of before are looked at
// when those of about then, and after, do not hold it.
func Covered(ctx context.Context, bucket objstore.Bucket, partition, partitions int, epoch, position uint64, at time.Time) (bool, error) {
	for _, from := range []time.Time{at, {}} {
		for name, err := range blocksFrom(ctx, bucket, from) {
			if err != nil {
				return false, fmt.Errorf("list the blocks of partition %d: %w", partition, err)
			}
			if name.ContainsPosition(partition, partitions, epoch, position) {
				return true, nil
			}
		}
	}
	return false, nil
}

// Highest returns the highest position of each partition's stream that a block of any
// project holds whose first message was published at a time or later; zero is any
// time. It is 0 when there is none. Those of older blocks may count. The streams are
// those of the epochs, one for each partition of a log: it is a wal.CoveredFunc, by
// one listing.
func Highest(ctx context.Context, bucket objstore.Bucket, epochs []uint64, from time.Time) ([]uint64, error) {
	highest := make([]uint64, len(epochs))
	for name, err := range blocksFrom(ctx, bucket, from) {
		if err != nil {
			return nil, fmt.Errorf("list the blocks: %w", err)
		}
		if p := name.Partition; name.Partitions == len(epochs) && name.Epoch == epochs[p] {
			highest[p] = max(highest[p], name.Last)
		}
	}
	return highest, nil
}
