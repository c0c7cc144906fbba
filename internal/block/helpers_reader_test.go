package block_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// requests counts what a Reader asks a bucket for.
type requests struct {
	block.Ranger

	mu     sync.Mutex
	gets   int
	bytes  int
	ranges []objstore.GetOptions
}

func (c *requests) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	data, object, err := c.Ranger.Get(ctx, key, opts)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gets++
	c.bytes += len(data)
	c.ranges = append(c.ranges, opts)
	return data, object, err
}

func (c *requests) reset() { c.gets, c.bytes, c.ranges = 0, 0, nil }

func put(tb testing.TB, bucket objstore.Bucket, key string, data []byte) {
	tb.Helper()
	require.NoError(tb, bucket.Put(tb.Context(), key, bytes.NewReader(data), objstore.PutOptions{}))
}

// memory serves one object's bytes, cheaper than a bucket.
type memory []byte

func (m memory) Get(_ context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	size := int64(len(m))
	from := opts.Offset
	if from < 0 {
		from = max(size+from, 0)
	}
	if from >= size {
		return nil, objstore.Object{}, objstore.ErrRange
	}
	to := size
	if opts.Length > 0 {
		to = min(to, from+opts.Length)
	}
	return bytes.Clone(m[from:to]), objstore.Object{Key: key, Size: size}, nil
}

// open stores an object in a new bucket and opens it.
func open(tb testing.TB, o *block.Object) (*block.Reader, *requests) {
	tb.Helper()
	bucket := mem.New()
	put(tb, bucket, keyOf(o), o.Data)
	counted := &requests{Ranger: bucket}
	r, err := block.Open(tb.Context(), counted, keyOf(o))
	require.NoError(tb, err)
	return r, counted
}

func always() *vec.Filter { return &vec.Filter{Op: vec.OpTrue} }

// scanAll returns copies of all rows.
func scanAll(ctx context.Context, r *block.Reader) ([]schema.Span, error) {
	return scan(ctx, r, always(), vec.AllColumns())
}

// scan returns copies of the rows of a scan.
func scan(ctx context.Context, r *block.Reader, filter *vec.Filter, columns vec.Columns) (spans []schema.Span, err error) {
	for rows, err := range r.Scan(ctx, filter, columns) {
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 || len(rows) > 4096 {
			return nil, fmt.Errorf("a chunk of %d rows", len(rows))
		}
		spans = append(spans, rows...)
	}
	return spans, nil
}

// find returns copies of the hits of a search.
func find(ctx context.Context, r *block.Reader, filter *vec.Filter) (hits []vec.Hit, err error) {
	for chunk, err := range r.Find(ctx, filter) {
		if err != nil {
			return nil, err
		}
		if len(chunk) == 0 || len(chunk) > 4096 {
			return nil, fmt.Errorf("a chunk of %d hits", len(chunk))
		}
		hits = append(hits, chunk...)
	}
	return hits, nil
}
