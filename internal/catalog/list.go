package catalog

import (
	"context"
	"fmt"
	"iter"

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

// Covered reports whether a block of any project holds the position of the
// partition's stream.
func Covered(ctx context.Context, bucket objstore.Bucket, partition, partitions int, epoch, position uint64) (bool, error) {
	for name, err := range blocks(ctx, bucket, schema.BlocksPrefix, func(string, error) {}) {
		if err != nil {
			return false, fmt.Errorf("list the blocks of partition %d: %w", partition, err)
		}
		if name.ContainsPosition(partition, partitions, epoch, position) {
			return true, nil
		}
	}
	return false, nil
}

// Highest returns the highest position of the partition's stream that a block
// of any project holds, 0 when there is none.
func Highest(ctx context.Context, bucket objstore.Bucket, partition, partitions int, epoch uint64) (uint64, error) {
	var highest uint64
	for name, err := range blocks(ctx, bucket, schema.BlocksPrefix, func(string, error) {}) {
		if err != nil {
			return 0, fmt.Errorf("list the blocks of partition %d: %w", partition, err)
		}
		if name.ContainsPosition(partition, partitions, epoch, name.Last) {
			highest = max(highest, name.Last)
		}
	}
	return highest, nil
}
