package engine

import (
	"bytes"
	"context"
	"iter"
	"slices"

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
	test := &h.plan.leaves[h.plan.need.leaf].rowTest
	totals, err := h.totalsOf(ctx, source)
	if err != nil {
		return err
	}
	if totals != nil {
		return h.collectWeighed(ctx, source, origin, test, totals)
	}
	for hits, err := range find(ctx, source, test) {
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

// sighting is what one source says of a trace.
type sighting struct {
	hit  vec.Hit
	seen leafSet // there are rows
	rows int     // of the counted leaf
}

// has are the leaves of which there are rows enough.
func (s *sighting) has(p *Plan) leafSet { return p.enough(s.seen, s.rows) }

// enough leaves out the counted leaf if there are too few rows of it. Of any
// other leaf that wants several rows one has to do.
func (p *Plan) enough(seen leafSet, rows int) leafSet {
	if p.counted >= 0 && rows < p.leaves[p.counted].least {
		seen &^= 1 << p.counted
	}
	return seen
}

// sightingChunk is how many sightings are added at once.
const sightingChunk = 1024

// collectSightings asks the source for every leaf, and adds the traces that
// have what they need in it. Of the others it keeps what it saw, for what
// other sources may have.
func (h *hunt) collectSightings(ctx context.Context, source Source, origin candidate) error {
	streams := make([]hitStream, len(h.plan.leaves))
	for i := range streams {
		streams[i].next, streams[i].stop = iter.Pull2(find(ctx, source, &h.plan.leaves[i].rowTest))
		defer streams[i].stop()
	}
	var chunk []sighting
	for {
		s, err := h.nextSighting(ctx, streams)
		if err != nil {
			return err
		}
		if done := s.seen == 0; done || len(chunk) == sightingChunk {
			if err := h.addSightings(ctx, chunk, origin); err != nil || done {
				return err
			}
			chunk = chunk[:0]
		}
		chunk = append(chunk, s)
	}
}

// hitStream are the hits of a leaf, in the order of trace ids.
type hitStream struct {
	next func() ([]vec.Hit, error, bool)
	stop func()
	hits []vec.Hit // what is left of the last chunk
	done bool
}

// fill gets hits if there are none left.
func (s *hitStream) fill(ctx context.Context) error {
	for len(s.hits) == 0 && !s.done {
		hits, err, ok := s.next()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		s.hits, s.done = hits, !ok
	}
	return nil
}

// nextSighting joins what the leaves say of the next trace. It has seen nothing
// after the last one.
func (h *hunt) nextSighting(ctx context.Context, streams []hitStream) (s sighting, err error) {
	for i := range streams {
		if err := streams[i].fill(ctx); err != nil {
			return s, err
		}
		if streams[i].done {
			continue
		}
		hit := &streams[i].hits[0]
		order := bytes.Compare(hit.ID[:], s.hit.ID[:])
		if s.seen != 0 && order > 0 {
			continue
		}
		if s.seen == 0 || order < 0 {
			s = sighting{hit: *hit}
		}
		s.add(i, hit)
		if i == h.plan.counted {
			s.rows += hit.Matched
		}
	}
	for i := range streams {
		if !streams[i].done && streams[i].hits[0].ID == s.hit.ID {
			streams[i].hits = streams[i].hits[1:]
		}
	}
	return s, nil
}

func (s *sighting) add(leaf int, hit *vec.Hit) {
	last := max(s.hit.LastNanos, hit.LastNanos)
	if hit.Folded {
		s.hit = *hit
	}
	s.hit.LastNanos = last
	s.seen |= 1 << leaf
}

// addSightings queues the traces that have what they need.
func (h *hunt) addSightings(ctx context.Context, list []sighting, origin candidate) error {
	lacking, err := h.dropAlone(ctx, list, origin)
	if err != nil {
		return err
	}
	h.lock(ctx)
	defer h.mu.Unlock()
	for i := range list {
		s := &list[i]
		c := origin
		c.place = place{s.hit.LastNanos, s.hit.ID}
		c.times = s.hit
		switch {
		case h.beyond(c.place):
		case h.plan.need.holds(s.has(h.plan)):
			h.queue = append(h.queue, c)
		case lacking[i]:
			h.addPart(c, s)
		}
	}
	if len(h.queue) >= h.room {
		return h.makeRoom(ctx)
	}
	return nil
}

// fewSources is up to how many sources all are asked about a trace at once that
// lacks something; of more it is cheaper to keep what each of them saw.
const fewSources = 16

// dropAlone tells which of the traces lack something that other sources may
// have.
func (h *hunt) dropAlone(ctx context.Context, list []sighting, origin candidate) ([]bool, error) {
	lacking := make([]bool, len(list))
	sources := h.partitions[origin.partition]
	for i := range list {
		if i%rowsBetweenChecks == 0 {
			if err := yield(ctx); err != nil {
				return nil, err
			}
		}
		if h.plan.need.holds(list[i].has(h.plan)) {
			continue
		}
		lacking[i] = len(sources) > fewSources
		for k := 0; k < len(sources) && !lacking[i]; k++ {
			if k == int(origin.source) {
				continue
			}
			var err error
			if lacking[i], err = sources[k].MayHold(ctx, list[i].hit.ID); err != nil {
				return nil, err
			}
		}
	}
	return lacking, nil
}

// part is what several sources say of a trace, each of which lacks something.
type part struct {
	candidate

	seen   leafSet
	rows   int
	queued bool
}

// maxParts bounds the traces that are kept for want of something that other
// sources may have: about 20 MB.
const maxParts = 1 << 17

// addPart notes what a source saw of a trace, and queues the trace once it has
// all that it needs. REQUIRES: h.mu.
func (h *hunt) addPart(c candidate, s *sighting) {
	p, ok := h.parts[c.times.ID]
	if !ok {
		if len(h.parts) >= maxParts {
			h.releaseParts(doubtAlone)
		}
		p.candidate = c
	}
	p.seen |= s.seen
	p.rows += s.rows
	p.startNanos = max(p.startNanos, c.startNanos)
	p.times.LastNanos = max(p.times.LastNanos, c.times.LastNanos)
	if !p.queued && h.plan.need.holds(h.plan.enough(p.seen, p.rows)) {
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
		p.doubt = d
		h.queue = append(h.queue, p.candidate)
	}
	clear(h.parts)
}

// settleParts decides what is left of the parts when all sources have been
// asked. REQUIRES: h.mu.
func (h *hunt) settleParts() {
	if h.unsearched() {
		h.releaseParts(doubtSearched)
	}
	clear(h.parts)
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
// latest start is known of the hits.
func findRows(ctx context.Context, source Source, test *rowTest) iter.Seq2[[]vec.Hit, error] {
	return func(yield func([]vec.Hit, error) bool) {
		f := newFrame()
		places := make(map[schema.TraceID]int)
		var hits []vec.Hit
		for chunk, err := range source.Scan(ctx, test.filter, shownColumns(test.fields...)) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(nil, err)
				return
			}
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
		}
		yieldInOrder(hits, yield)
	}
}

// yieldInOrder yields hits by trace id.
func yieldInOrder(hits []vec.Hit, yield func([]vec.Hit, error) bool) {
	slices.SortFunc(hits, func(a, b vec.Hit) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for part := range slices.Chunk(hits, hitChunk) {
		if !yield(part, nil) {
			return
		}
	}
}

// hitChunk is how many hits are handed out at once.
const hitChunk = 4096
