package engine

import (
	"container/list"
	"crypto/sha256"
	"sync"

	"github.com/spanlake/spanlake/schema"
)

// Tallies remembers what metrics queries have counted in sources that never
// change: a dashboard asks the same again and again, of a range that moves. It is
// bounded by bytes: what was used last stays. It is safe for concurrent use.
//
// A key holds all that a count depends on, see tallyKey. So nothing in it is ever
// out of date: a source that is replaced has another identity, and one that is
// gone is not asked for.
type Tallies struct {
	most int64

	mu     sync.Mutex
	byKey  map[[sha256.Size]byte]*list.Element // of *tallyPart
	recent list.List                           // most recently used first
	stats  TalliesStats
}

// TalliesStats are what Tallies has done so far.
type TalliesStats struct {
	Bytes                   int64 // taken now
	Hits, Misses, Evictions uint64
}

// NewTallies remembers nothing yet, and never more than so many bytes.
func NewTallies(most int64) *Tallies {
	return &Tallies{most: most, byKey: make(map[[sha256.Size]byte]*list.Element)}
}

// Stats tells what was done so far.
func (t *Tallies) Stats() TalliesStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stats
}

// tallyPart is what a query has counted in one source. It is never written to
// once it is remembered.
type tallyPart struct {
	key       [sha256.Size]byte
	labels    [][]schema.Value // of groups
	tally     tally
	exemplars []exemplar       // some of each step
	left      []schema.TraceID // that the source did not tell about
	bytes     int64
}

func (t *Tallies) lookup(key [sha256.Size]byte) *tallyPart {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, ok := t.byKey[key]
	if !ok {
		t.stats.Misses++
		return nil
	}
	t.stats.Hits++
	t.recent.MoveToFront(e)
	return e.Value.(*tallyPart)
}

// add remembers a part, unless it is larger than all there may be.
func (t *Tallies) add(part *tallyPart) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.byKey[part.key]; ok || part.bytes > t.most {
		return
	}
	t.byKey[part.key] = t.recent.PushFront(part)
	t.stats.Bytes += part.bytes
	for t.stats.Bytes > t.most {
		e := t.recent.Back()
		gone := e.Value.(*tallyPart)
		t.recent.Remove(e)
		delete(t.byKey, gone.key)
		t.stats.Bytes -= gone.bytes
		t.stats.Evictions++
	}
}
