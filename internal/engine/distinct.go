package engine

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// distinct is a bounded set that several scans fill. Safe for concurrent use.
type distinct[T comparable] struct {
	limit    int // items, 0 for any number
	maxBytes int
	isFull   atomic.Bool

	mu    sync.Mutex
	items map[T]struct{}
	bytes int
}

func newDistinct[T comparable](limit, maxBytes int) *distinct[T] {
	return &distinct[T]{limit: limit, maxBytes: maxBytes, items: make(map[T]struct{})}
}

// add puts an item of the given size into the set if there is room.
func (d *distinct[T]) add(item T, bytes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.items[item]; ok || d.isFull.Load() {
		return
	}
	if d.bytes+bytes > d.maxBytes {
		d.isFull.Store(true)
		return
	}
	d.items[item] = struct{}{}
	d.bytes += bytes
	if len(d.items) == d.limit {
		d.isFull.Store(true)
	}
}

// full reports whether nothing more will be added.
func (d *distinct[T]) full() bool { return d.isFull.Load() }

func (d *distinct[T]) all() []T {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.items))
}

// local is the part of a distinct that one scan knows, which spares it the
// lock for what it has seen before.
type local[T comparable] struct {
	shared *distinct[T]
	seen   map[T]struct{}
}

func newLocal[T comparable](shared *distinct[T]) *local[T] {
	return &local[T]{shared: shared, seen: make(map[T]struct{})}
}

// has reports whether there is nothing to do for the item.
func (l *local[T]) has(item T) bool {
	if l.shared.full() {
		return true
	}
	_, ok := l.seen[item]
	return ok
}

// known is has, also of what other scans have seen.
func (l *local[T]) known(item T) bool {
	if l.has(item) {
		return true
	}
	l.shared.mu.Lock()
	defer l.shared.mu.Unlock()
	_, ok := l.shared.items[item]
	return ok
}

// add keeps the item, so its texts must not share memory with a row.
func (l *local[T]) add(item T, bytes int) {
	l.seen[item] = struct{}{}
	l.shared.add(item, bytes)
}

// onceEach remembers a bounded number of pointers: rows share what they point
// to, and it is looked at once. Forgetting some only costs time.
type onceEach[T any] struct {
	seen map[*T]struct{}
	last *T
}

// first reports whether p was not seen before.
func (o *onceEach[T]) first(p *T) bool {
	if p == o.last {
		return false
	}
	o.last = p
	if _, ok := o.seen[p]; ok {
		return false
	}
	if o.seen == nil || len(o.seen) >= maxCached {
		o.seen = make(map[*T]struct{})
	}
	o.seen[p] = struct{}{}
	return true
}
