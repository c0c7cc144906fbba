package block

import (
	"container/list"
	"context"
	"sync"
)

// maxPartBytes is the largest page that is cached: those of content are read
// for the few rows that are shown, and would push everything else out.
const maxPartBytes = 256 << 10

// partOverhead is about what the cache itself needs for a part.
const partOverhead = 256

// Cache keeps parts of blocks as queries use them, verified and decompressed:
// dictionaries, tables of traces, and pages of columns other than content. It
// keeps those that were used last, and is shared by all the readers that it
// opens. It is safe for concurrent use.
type Cache struct {
	maxBytes int64

	mu      sync.Mutex
	readers uint64 // that were opened
	parts   map[partKey]*list.Element
	recent  list.List // of *part, the ones used last first; see cached
	lookups uint64
	stats   CacheStats
}

// CacheStats are what a Cache holds, and how it was used since it was made.
type CacheStats struct {
	Bytes        int64 // about the memory of the parts
	Hits, Misses uint64
}

// partKey names a part: parts begin at different offsets.
type partKey struct {
	reader uint64
	offset int64
}

type part struct {
	key   partKey
	moved uint64 // at which lookup it was moved to the front
	value any    // *pageView, *dictionary or *traceSection; never written to
	bytes int64
}

// NewCache returns a cache of up to maxBytes.
func NewCache(maxBytes int64) *Cache {
	return &Cache{maxBytes: maxBytes, parts: make(map[partKey]*list.Element)}
}

// Open is as the function of that name. Blocks that are read again and again
// are read from the cache.
func (c *Cache) Open(ctx context.Context, bucket Ranger, key string) (*Reader, error) {
	r, err := Open(ctx, bucket, key)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readers++
	r.cache, r.number = c, c.readers
	return r, nil
}

// Stats describes the cache as it is now.
func (c *Cache) Stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// cached returns the part that begins at an offset, nil if it is not there.
// Moving a part to the front touches its neighbours: one that cannot have gone
// far since stays where it is, so that order is right to a quarter of the parts.
func (r *Reader) cached(offset int64) any {
	c := r.cache
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lookups++
	e, ok := c.parts[partKey{r.number, offset}]
	if !ok {
		c.stats.Misses++
		return nil
	}
	c.stats.Hits++
	p := e.Value.(*part)
	if c.lookups-p.moved > uint64(len(c.parts)/4) {
		c.recent.MoveToFront(e)
		p.moved = c.lookups
	}
	return p.value
}

// remember keeps a part for later, which nobody may write to any more.
func (r *Reader) remember(offset int64, value any, bytes int) {
	c := r.cache
	if c == nil || int64(bytes) > c.maxBytes/8 {
		return
	}
	p := &part{key: partKey{r.number, offset}, value: value, bytes: int64(bytes) + partOverhead}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.parts[p.key]; ok {
		return
	}
	p.moved = c.lookups
	c.parts[p.key] = c.recent.PushFront(p)
	c.stats.Bytes += p.bytes
	for c.stats.Bytes > c.maxBytes {
		last := c.recent.Back()
		gone := c.recent.Remove(last).(*part)
		delete(c.parts, gone.key)
		c.stats.Bytes -= gone.bytes
	}
}
