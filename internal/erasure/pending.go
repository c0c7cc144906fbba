package erasure

import (
	"iter"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// Pending are the requests of a project that are not done. It is never changed;
// nil has none.
type Pending struct {
	requests []*Request
	byTrace  map[schema.TraceID][]int32 // requests
}

// NewPending makes one of requests, which stay as they are.
func NewPending(requests []*Request) *Pending {
	if len(requests) == 0 {
		return nil
	}
	p := &Pending{requests: requests, byTrace: make(map[schema.TraceID][]int32)}
	for i, r := range requests {
		for _, id := range r.Traces {
			p.byTrace[id] = append(p.byTrace[id], int32(i)) //nolint:gosec // few
		}
	}
	return p
}

// Requests are those that are pending, by id. The caller must not change them.
func (p *Pending) Requests() []*Request {
	if p == nil {
		return nil
	}
	return p.requests
}

// At is what is pending for the positions of a place from first on, nil if
// nothing is.
func (p *Pending) At(at Place, first uint64) *Reach {
	if p == nil {
		return nil
	}
	r := &Reach{pending: p, upTo: make([]uint64, len(p.requests))}
	for i, request := range p.requests {
		if upTo := request.UpTo(at); upTo >= first {
			r.upTo[i], r.any = upTo, true
		}
	}
	if !r.any {
		return nil
	}
	return r
}

// Reach is how far requests reach in one place. Safe for concurrent use.
type Reach struct {
	pending *Pending
	upTo    []uint64 // by request
	any     bool
}

// UpTo is the last position up to which rows of a trace are to be gone, 0 for
// none: what block.MergeOptions.Drop and engine.NewUnerased ask.
func (r *Reach) UpTo(id schema.TraceID) (upTo uint64) {
	for _, i := range r.pending.byTrace[id] {
		upTo = max(upTo, r.upTo[i])
	}
	return upTo
}

// Requests yields those that reach there, in order.
func (r *Reach) Requests() iter.Seq[*Request] {
	return func(yield func(*Request) bool) {
		for i, request := range r.pending.requests {
			if r.upTo[i] > 0 && !yield(request) {
				return
			}
		}
	}
}

// Names are their ids.
func (r *Reach) Names() (names []string) {
	for request := range r.Requests() {
		names = append(names, request.ID)
	}
	return names
}

// Same reports whether nothing is pending in one that is not in the other.
func (p *Pending) Same(o *Pending) bool {
	return slices.EqualFunc(p.Requests(), o.Requests(), func(a, b *Request) bool { return a.ID == b.ID })
}

// Only is p without all requests but one.
func (p *Pending) Only(id string) *Pending {
	for _, r := range p.Requests() {
		if r.ID == id {
			return NewPending([]*Request{r})
		}
	}
	return nil
}
