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

// Repeats remembers which traces are in more than one of some sources that never
// change, and which rows of them stay when they are folded, since queries read
// the same sources again and again. It is safe for concurrent use.
type Repeats struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]*remembered
	bytes int
}

// remembered is what is known of some sources.
type remembered struct {
	ids    []schema.TraceID        // in ascending order
	folded map[string][]vec.Folded // by the identity of the source
}

// maxRepeatsBytes bounds the memory: what is over it is found out again.
const maxRepeatsBytes = 8 << 20

// NewRepeats remembers nothing yet.
func NewRepeats() *Repeats {
	return &Repeats{known: make(map[[sha256.Size]byte]*remembered)}
}

// Bytes is about the memory that it takes.
func (r *Repeats) Bytes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes
}

func (r *Repeats) lookup(key [sha256.Size]byte) (*remembered, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.known[key]
	return known, ok
}

func (r *Repeats) add(key [sha256.Size]byte, known *remembered) {
	size := len(key) + known.bytes()
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.known[key]; ok || size > maxRepeatsBytes {
		return
	}
	if r.bytes += size; r.bytes > maxRepeatsBytes {
		clear(r.known)
		r.bytes = size
	}
	r.known[key] = known
}

func (k *remembered) bytes() int {
	size := len(k.ids) * len(schema.TraceID{})
	for identity, list := range k.folded {
		size += len(identity)
		for i := range list {
			size += foldedBytes + 4*len(list[i].Out)
		}
	}
	return size
}

// foldedBytes is what a vec.Folded takes besides its rows.
const foldedBytes = 40

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

// repeats finds the traces of which a span is in more than one of the held
// sources, or several times in one that does not change: those of which it is
// known which rows stay are given to the sources, by place; the others are
// returned, in no order and some perhaps twice.
func (p *gathering) repeats(ctx context.Context, held []*vec.Held) (apart []schema.TraceID, folded [][]vec.Folded, err error) {
	fixed := make([]*vec.Held, len(held))
	folded = make([][]vec.Folded, len(held))
	names, fixable := p.identities(held)
	var others []int
	for i := range held {
		switch {
		case held[i] == nil:
		case fixable && names[i] != "":
			fixed[i] = held[i]
		default:
			others = append(others, i)
		}
	}
	if len(others) < len(held) && fixable {
		known, err := p.remember(ctx, fixed, names)
		if err != nil {
			return nil, nil, err
		}
		apart = slices.Clone(known.ids)
		for i := range fixed {
			if fixed[i] != nil {
				folded[i] = known.folded[names[i]]
			}
		}
	}
	var shared []schema.TraceID
	for _, i := range others {
		for k := range held {
			if k != i && held[k] != nil {
				shared = appendShared(shared, held[i].IDs, held[k].IDs)
			}
		}
	}
	more, err := p.repeatedIDs(ctx, held, sortedIDs(shared))
	return append(apart, more...), folded, err
}

// identities are those of the sources, "" for one that may change. It is false
// if nothing can be remembered: also of sources that are not searched it must be
// known which they are.
func (p *gathering) identities(held []*vec.Held) (names []string, fixable bool) {
	names = make([]string, len(held))
	for i, source := range p.sources {
		beside, isBeside := source.(lookupOnly)
		if isBeside {
			source = beside.Source
		}
		if f, ok := source.(Fixed); ok {
			names[i] = f.Identity()
		} else if isBeside {
			return names, false
		}
	}
	return names, p.opts.Repeats != nil
}

// remember finds out, once, what is known of the fixed sources.
func (p *gathering) remember(ctx context.Context, fixed []*vec.Held, names []string) (*remembered, error) {
	list := make([]string, 0, len(names))
	for i, name := range names {
		switch {
		case name == "":
		case fixed[i] == nil:
			list = append(list, "not searched "+name)
		default:
			list = append(list, name)
		}
	}
	key := identityOf(append(list, "folded"))
	known, ok := p.opts.Repeats.lookup(key)
	if ok {
		return known, nil
	}
	ids, err := p.repeatedIDs(ctx, fixed, sharedIDs(fixed))
	if err != nil {
		return nil, err
	}
	for _, h := range fixed {
		if h != nil {
			ids = append(ids, h.Unfolded...)
		}
	}
	if known, err = p.fold(ctx, fixed, names, sortedIDs(ids)); err != nil {
		return nil, err
	}
	p.opts.Repeats.add(key, known)
	return known, nil
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
