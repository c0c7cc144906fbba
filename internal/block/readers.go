package block

import (
	"container/list"
	"context"
	"sync"

	"github.com/spanlake/spanlake/schema"
)

// Readers keeps the blocks that were used last open: their footers and filters. Of
// their pages those that were used last are in a cache of its own. It is safe for
// concurrent use.
type Readers struct {
	bucket   Ranger
	maxBytes int64
	pages    *Cache

	mu     sync.Mutex
	stats  ReadersStats
	byName map[schema.BlockName]*list.Element // of *openBlock
	recent list.List                          // most recently used first
}

// ReadersStats are what Readers hold, and how they were used since they were made.
type ReadersStats struct {
	Bytes        int64 // memory of all readers
	Hits, Misses uint64
}

type openBlock struct {
	name   schema.BlockName
	reader *Reader
	bytes  int64 // when it was used last
}

// NewReaders returns readers of a bucket's blocks, of up to maxBytes together, whose
// pages are kept in a cache.
func NewReaders(bucket Ranger, maxBytes int64, pages *Cache) *Readers {
	return &Readers{bucket: bucket, maxBytes: maxBytes, pages: pages, byName: make(map[schema.BlockName]*list.Element)}
}

// Open returns the block's reader. Two callers that miss at the same time both
// fetch the tail, and one of the readers is kept. Errors are those of the function
// of that name.
func (c *Readers) Open(ctx context.Context, name schema.BlockName) (*Reader, error) {
	if r := c.lookup(name); r != nil {
		return r, nil
	}
	r, err := c.pages.Open(ctx, c.bucket, name.Key())
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byName[name]; ok {
		return e.Value.(*openBlock).reader, nil
	}
	kept := &openBlock{name, r, r.Bytes()}
	c.byName[name] = c.recent.PushFront(kept)
	c.stats.Bytes += kept.bytes
	c.shrink()
	return r, nil
}

func (c *Readers) lookup(name schema.BlockName) *Reader {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byName[name]
	if !ok {
		c.stats.Misses++
		return nil
	}
	c.stats.Hits++
	c.recent.MoveToFront(e)
	kept := e.Value.(*openBlock)
	if now := kept.reader.Bytes(); now != kept.bytes { // it grows as it is used
		c.stats.Bytes += now - kept.bytes
		kept.bytes = now
		c.shrink()
	}
	return kept.reader
}

// shrink drops what was used least recently. REQUIRES: c.mu.
func (c *Readers) shrink() {
	for c.stats.Bytes > c.maxBytes {
		c.remove(c.recent.Back())
	}
}

// Forget drops a block that is gone or was replaced.
func (c *Readers) Forget(name schema.BlockName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byName[name]; ok {
		c.remove(e)
	}
}

// remove drops an element. REQUIRES: c.mu.
func (c *Readers) remove(e *list.Element) {
	c.recent.Remove(e)
	gone := e.Value.(*openBlock)
	delete(c.byName, gone.name)
	c.stats.Bytes -= gone.bytes
}

// Stats describes the readers as they are now.
func (c *Readers) Stats() ReadersStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}
