package engine

import (
	"context"
	"iter"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// collect adds the traces of a source that may match, each like origin.
func (h *hunt) collect(ctx context.Context, source Source, origin candidate) error {
	if err := h.collectOpen(ctx, source, origin); err != nil {
		return err
	}
	if h.plan.need.op != needLeaf || h.plan.leaves[h.plan.need.leaf].least > 1 {
		return h.collectSightings(ctx, source, origin)
	}
	for hits, err := range find(ctx, source, &h.plan.leaves[h.plan.need.leaf].rowTest) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = h.add(ctx, hits, origin)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// collectOpen adds the traces of a source whose rows do not tell what their
// spans are.
func (h *hunt) collectOpen(ctx context.Context, source Source, origin candidate) error {
	if _, ok := source.(FragmentSource); !ok {
		return nil
	}
	open, err := openTraces(ctx, source)
	if err != nil || len(open) == 0 {
		return err
	}
	return h.add(ctx, openHits(open), origin)
}

// sighting is what one source says of a trace.
type sighting struct {
	hit    vec.Hit
	seen   leafSet // there are rows
	enough leafSet // there are as many as the leaf wants

	leaf, count int // the last one, and its rows so far
}

// collectSightings asks the source for every leaf, and adds the traces that
// have what they need in it. Of the others it keeps what it saw, for what
// other sources may have.
func (h *hunt) collectSightings(ctx context.Context, source Source, origin candidate) error {
	traces := make(map[schema.TraceID]*sighting)
	for i := range h.plan.leaves {
		l := &h.plan.leaves[i]
		for hits, err := range find(ctx, source, &l.rowTest) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			for _, hit := range hits {
				s, ok := traces[hit.ID]
				if !ok {
					s = &sighting{hit: hit, leaf: i}
					traces[hit.ID] = s
				}
				s.add(i, hit, l.least)
			}
		}
	}
	return h.addSightings(ctx, traces, origin)
}

func (s *sighting) add(leaf int, hit vec.Hit, least int) {
	last := max(s.hit.LastNanos, hit.LastNanos)
	if hit.Folded {
		s.hit = hit
	}
	s.hit.LastNanos = last
	if s.leaf != leaf {
		s.leaf, s.count = leaf, 0
	}
	s.seen |= 1 << leaf
	if s.count += hit.Matched; s.count >= least {
		s.enough |= 1 << leaf
	}
}

// addSightings queues the traces that have what they need.
func (h *hunt) addSightings(ctx context.Context, traces map[schema.TraceID]*sighting, origin candidate) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	alone := len(h.partitions[origin.partition]) == 1
	for id, s := range traces {
		c := origin
		c.place = place{s.hit.LastNanos, id}
		c.times = s.hit
		switch {
		case h.beyond(c.place):
		case h.plan.need.holds(s.enough):
			h.queue = append(h.queue, c)
		case !alone:
			h.addPart(c, s.seen)
		}
		if len(h.queue) >= h.room {
			if err := h.makeRoom(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// part is what several sources say of a trace, each of which lacks something.
type part struct {
	candidate

	seen    leafSet
	sources int
	queued  bool
}

// maxParts bounds the traces that are kept for want of something that other
// sources may have: about 20 MB.
const maxParts = 1 << 17

// addPart notes what a source saw of a trace, and queues the trace once it has
// all that it needs. REQUIRES: h.mu.
func (h *hunt) addPart(c candidate, seen leafSet) {
	p, ok := h.parts[c.times.ID]
	if !ok {
		if len(h.parts) >= maxParts {
			h.releaseParts(doubtAlone)
		}
		p.candidate = c
	}
	p.sources++
	p.seen |= seen
	p.startNanos = max(p.startNanos, c.startNanos)
	p.times.LastNanos = max(p.times.LastNanos, c.times.LastNanos)
	if p.sources > 1 && !p.queued && h.plan.need.holds(p.seen) {
		p.queued = true
		h.queue = append(h.queue, p.candidate)
	}
	h.parts[c.times.ID] = p
}

// releaseParts queues what is left of the parts, in doubt. REQUIRES: h.mu.
func (h *hunt) releaseParts(d doubt) {
	for _, p := range h.parts {
		if p.queued {
			continue
		}
		c := p.candidate
		if c.doubt = d; h.plan.need.holds(p.seen) {
			c.doubt = doubtAlone // it has too few rows of a kind
		}
		h.queue = append(h.queue, c)
	}
	clear(h.parts)
}

// settleParts decides what is left of the parts when all sources have been
// asked. REQUIRES: h.mu.
func (h *hunt) settleParts() {
	if h.unsearched() {
		h.releaseParts(doubtSearched)
		return
	}
	for id, p := range h.parts {
		if !h.plan.need.holds(p.seen) {
			delete(h.parts, id)
		}
	}
	h.releaseParts(doubtAlone)
}

// unsearched reports whether there are sources that are not searched but may
// hold rows of traces.
func (h *hunt) unsearched() bool {
	for _, sources := range h.partitions {
		for _, s := range sources {
			if _, ok := s.(lookupOnly); ok {
				return true
			}
		}
	}
	return false
}

// doubt says when a candidate is none after all.
type doubt uint8

const (
	doubtNone     doubt = iota
	doubtAlone          // if no other source has rows of it
	doubtSearched       // if only sources that were searched have
)

// doubtful reports whether the candidate is none. REQUIRES: it is known which
// sources have rows of it.
func (h *hunt) doubtful(c *candidate) bool {
	if c.doubt == doubtNone {
		return c.alone() && c.times.EndNanos-c.times.StartNanos < uint64(max(h.plan.minTrace, 0))
	}
	for _, i := range c.holders {
		if i == c.source {
			continue
		}
		if _, ok := h.partitions[c.partition][i].(lookupOnly); ok || c.doubt == doubtAlone {
			return false
		}
	}
	return true
}

// find finds the traces that have rows for which a test is true.
func find(ctx context.Context, source Source, test *rowTest) iter.Seq2[[]vec.Hit, error] {
	if test.sure {
		return source.Find(ctx, test.filter)
	}
	return findRows(ctx, source, test)
}

// findRows is find for tests that filters say too little about. Only the
// latest start is known of the hits, and a trace may be in several.
func findRows(ctx context.Context, source Source, test *rowTest) iter.Seq2[[]vec.Hit, error] {
	return func(yield func([]vec.Hit, error) bool) {
		f := newFrame()
		places := make(map[schema.TraceID]int)
		var hits []vec.Hit
		for chunk, err := range source.Scan(ctx, test.filter, shownColumns(test.fields...)) {
			if err != nil {
				yield(nil, err)
				return
			}
			clear(places)
			hits = hits[:0]
			for i := range chunk {
				s := &chunk[i]
				if f.setSpan(s); !test.may(f) {
					continue
				}
				at, ok := places[s.TraceID]
				if !ok {
					at = len(hits)
					places[s.TraceID] = at
					hits = append(hits, vec.Hit{ID: s.TraceID})
				}
				hits[at].LastNanos = max(hits[at].LastNanos, s.StartNanos)
				hits[at].Matched++
			}
			if !yield(hits, nil) {
				return
			}
		}
	}
}
