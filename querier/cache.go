package querier

import (
	"container/list"
	"context"
	"sync"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// blockCache keeps the most recently used blocks open: their footers and
// filters. Of their pages those that were used last are in a cache of its own. Safe for concurrent use.
type blockCache struct {
	bucket   objstore.Bucket
	maxBytes int64
	pages    *block.Cache
	metrics  *metrics

	mu     sync.Mutex
	bytes  int64                              // of all readers
	byName map[schema.BlockName]*list.Element // of *cachedBlock
	recent list.List                          // most recently used first
}

type cachedBlock struct {
	name   schema.BlockName
	reader *block.Reader
	bytes  int64 // when it was used last
}

func newBlockCache(bucket objstore.Bucket, maxBytes int64, pages *block.Cache, m *metrics) *blockCache {
	return &blockCache{
		bucket: bucket, maxBytes: maxBytes, pages: pages, metrics: m, byName: make(map[schema.BlockName]*list.Element),
	}
}

// open returns the block's reader. Two callers that miss at the same time both
// fetch the tail, and one of the readers is kept.
func (c *blockCache) open(ctx context.Context, name schema.BlockName) (*block.Reader, error) {
	if r := c.lookup(name); r != nil {
		c.metrics.blockHits.Inc()
		return r, nil
	}
	c.metrics.blocks.Inc()
	r, err := c.pages.Open(ctx, c.bucket, name.Key())
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byName[name]; ok {
		return e.Value.(*cachedBlock).reader, nil
	}
	kept := &cachedBlock{name, r, r.Bytes()}
	c.byName[name] = c.recent.PushFront(kept)
	c.bytes += kept.bytes
	c.shrink()
	return r, nil
}

func (c *blockCache) lookup(name schema.BlockName) *block.Reader {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byName[name]
	if !ok {
		return nil
	}
	c.recent.MoveToFront(e)
	kept := e.Value.(*cachedBlock)
	if now := kept.reader.Bytes(); now != kept.bytes { // it grows as it is used
		c.bytes += now - kept.bytes
		kept.bytes = now
		c.shrink()
	}
	return kept.reader
}

// shrink drops what was used least recently. REQUIRES: c.mu.
func (c *blockCache) shrink() {
	for c.bytes > c.maxBytes {
		c.remove(c.recent.Back())
	}
	c.metrics.blockBytes.Set(float64(c.bytes))
}

// forget drops a block that is gone or was replaced.
func (c *blockCache) forget(name schema.BlockName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byName[name]; ok {
		c.remove(e)
		c.metrics.blockBytes.Set(float64(c.bytes))
	}
}

// remove drops an element. REQUIRES: c.mu.
func (c *blockCache) remove(e *list.Element) {
	c.recent.Remove(e)
	gone := e.Value.(*cachedBlock)
	delete(c.byName, gone.name)
	c.bytes -= gone.bytes
}
