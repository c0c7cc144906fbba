package engine

import (
	"context"
	"crypto/sha256"
	"slices"
	"sync"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Fixed is a Source whose rows never change.
type Fixed interface {
	Source
	// Identity differs from that of all other sources.
	Identity() string
}

// Repeats remembers which traces, and which with a span, are in more than one
// of some sources that never change, since queries read the same ones again and
// again. It is safe for concurrent use.
type Repeats struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte][]schema.TraceID
	bytes int
}

// maxRepeatsBytes bounds the memory: what is over it is found out again.
const maxRepeatsBytes = 8 << 20

// NewRepeats remembers nothing yet.
func NewRepeats() *Repeats {
	return &Repeats{known: make(map[[sha256.Size]byte][]schema.TraceID)}
}

func (r *Repeats) lookup(key [sha256.Size]byte) ([]schema.TraceID, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids, ok := r.known[key]
	return ids, ok
}

func (r *Repeats) add(key [sha256.Size]byte, ids []schema.TraceID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := len(key) + len(ids)*len(schema.TraceID{})
	if r.bytes += size; r.bytes > maxRepeatsBytes {
		clear(r.known)
		r.bytes = size
	}
	r.known[key] = ids
}

// identityOf names a set of sources.
func identityOf(names []string) (key [sha256.Size]byte) {
	slices.Sort(names)
	h := sha256.New()
	for _, name := range names {
		h.Write([]byte(name))
		h.Write([]byte{0})
	}
	h.Sum(key[:0])
	return key
}

// repeats returns the traces of which a span is in more than one of the held
// sources, in no order and some perhaps twice.
func (p *gathering) repeats(ctx context.Context, held []*vec.Held) ([]schema.TraceID, error) {
	fixed := make([]*vec.Held, len(held))
	var names []string
	var others []int
	for i, source := range p.sources {
		if held[i] == nil {
			continue
		}
		if f, ok := source.(Fixed); ok && p.opts.Repeats != nil {
			fixed[i], names = held[i], append(names, f.Identity())
		} else {
			others = append(others, i)
		}
	}
	var ids []schema.TraceID
	if len(names) > 1 {
		key := identityOf(names)
		known, ok := p.opts.Repeats.lookup(key)
		if !ok {
			var err error
			if known, err = p.repeatedIDs(ctx, fixed, sharedIDs(fixed)); err != nil {
				return nil, err
			}
			p.opts.Repeats.add(key, known)
		}
		ids = slices.Clone(known)
	}
	var shared []schema.TraceID
	for _, i := range others {
		for k := range held {
			if k != i && held[k] != nil {
				shared = appendShared(shared, held[i].IDs, held[k].IDs)
			}
		}
	}
	slices.SortFunc(shared, compareTraceIDs)
	more, err := p.repeatedIDs(ctx, held, slices.Compact(shared))
	return append(ids, more...), err
}

// appendShared appends the ids that are in both of two ascending lists.
func appendShared(dst, a, b []schema.TraceID) []schema.TraceID {
	if len(a) > len(b) {
		a, b = b, a
	}
	for _, id := range a {
		at, found := slices.BinarySearchFunc(b[:reach(b, id)], id, compareTraceIDs)
		if found {
			dst = append(dst, id)
		}
		if b = b[at:]; len(b) == 0 {
			break
		}
	}
	return dst
}

// reach is a length of ids up to which id stands if it does: it doubles, so
// that lists of equal length are walked through and long ones are skipped.
func reach(ids []schema.TraceID, id schema.TraceID) int {
	n := 1
	for n < len(ids) && compareTraceIDs(ids[n-1], id) < 0 {
		n *= 2
	}
	return min(n, len(ids))
}
