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

	limits repeatsLimits
}

// repeatsLimits bound what is remembered; tests lower them.
type repeatsLimits struct {
	bytes        int // of all: what is over it is found out again
	foldedTraces int // of which it is found out which rows stay, of one set of sources
	foldedBytes  int // that this may take
}

// remembered is what is known of some sources.
type remembered struct {
	ids    []schema.TraceID        // in ascending order
	folded map[string][]vec.Folded // by the identity of the source
}

// NewRepeats remembers nothing yet.
func NewRepeats() *Repeats {
	const maxBytes = 16 << 20
	return &Repeats{
		known:  make(map[[sha256.Size]byte]*remembered),
		limits: repeatsLimits{bytes: maxBytes, foldedTraces: 1 << 15, foldedBytes: maxBytes / 2},
	}
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
	if _, ok := r.known[key]; ok || size > r.limits.bytes {
		return
	}
	if r.bytes += size; r.bytes > r.limits.bytes {
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
			if k := list[i].Kin; k != nil {
				size += foldedBytes + len(k.RootName) + len(k.RootService) + 4*len(k.Children)
			}
		}
	}
	return size
}

// foldedBytes is about what a vec.Folded or vec.Kin takes besides its rows.
const foldedBytes = 64

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
	apart, folded, shared, err := p.remembered(ctx, held, p.foldRepeated, "folded")
	if err != nil {
		return nil, nil, err
	}
	if folded == nil {
		folded = make([][]vec.Folded, len(held))
	}
	more, err := p.repeatedIDs(ctx, held, shared)
	return append(apart, more...), folded, err
}

// split is repeats for all traces that have rows in several sources, of which it
// is given, too, what the whole says of its rows.
func (p *gathering) split(ctx context.Context, held []*vec.Held) (apart []schema.TraceID, folded [][]vec.Folded, err error) {
	apart, folded, shared, err := p.remembered(ctx, held, p.foldShared, "with kin")
	if err != nil {
		return nil, nil, err
	}
	if folded == nil {
		for i := range held {
			if held[i] != nil {
				elsewhere, err := p.mayBeElsewhere(ctx, held[i].IDs)
				if err != nil {
					return nil, nil, err
				}
				apart = append(apart, elsewhere...)
			}
		}
		folded = make([][]vec.Folded, len(held))
	}
	return append(apart, shared...), folded, nil
}

// remembered returns what find says of the sources that never change, which is
// asked for once, and the traces that others share with any. folded is nil if
// nothing can be remembered.
func (p *gathering) remembered(
	ctx context.Context, held []*vec.Held, find func(context.Context, *fixedSources) (*remembered, error), what string,
) (apart []schema.TraceID, folded [][]vec.Folded, shared []schema.TraceID, err error) {
	fixed, isFixed := p.fixedSources(held)
	if isFixed {
		key := fixed.identity(what)
		known, ok := p.opts.Repeats.lookup(key)
		if !ok {
			if known, err = find(ctx, fixed); err != nil {
				return nil, nil, nil, err
			}
			p.opts.Repeats.add(key, known)
		}
		apart, folded = slices.Clone(known.ids), make([][]vec.Folded, len(held))
		for i := range held {
			if fixed.held[i] != nil {
				folded[i] = known.folded[fixed.names[i]]
			}
		}
	}
	for i := range held {
		if held[i] == nil || isFixed && fixed.held[i] != nil {
			continue
		}
		for k := range held {
			if k != i && held[k] != nil {
				shared = appendShared(shared, held[i].IDs, held[k].IDs)
			}
		}
	}
	return apart, folded, sortedIDs(shared), nil
}

// fixedSources are those of a gathering that never change.
type fixedSources struct {
	names []string    // by source, "" for one that may change
	held  []*vec.Held // likewise, nil also of one that is not searched
}

// fixedSources is false if nothing can be remembered: also of sources that are
// not searched it must be known which they are.
func (p *gathering) fixedSources(held []*vec.Held) (*fixedSources, bool) {
	f := &fixedSources{names: make([]string, len(held)), held: make([]*vec.Held, len(held))}
	for i, source := range p.sources {
		beside, isBeside := source.(lookupOnly)
		if isBeside {
			source = beside.Source
		}
		if fixed, ok := source.(Fixed); ok {
			f.names[i], f.held[i] = fixed.Identity(), held[i]
		} else if isBeside {
			return nil, false
		}
	}
	return f, p.opts.Repeats != nil
}

func (f *fixedSources) identity(what string) [sha256.Size]byte {
	list := []string{what}
	for i, name := range f.names {
		switch {
		case name == "":
		case f.held[i] == nil:
			list = append(list, "not searched "+name)
		default:
			list = append(list, name)
		}
	}
	return identityOf(list)
}

// unfolded are the traces with several rows of a span in one source.
func (f *fixedSources) unfolded() (ids []schema.TraceID) {
	for _, h := range f.held {
		if h != nil {
			ids = append(ids, h.Unfolded...)
		}
	}
	return ids
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
