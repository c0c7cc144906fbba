package engine

import (
	"context"
	"slices"
	"sync"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// hunt looks for traces with a row that may match, puts them together and hands
// them out, newest first as far as that is known.
//
// A candidate's place in the answer is first an upper bound: a trace starts no
// later than the latest of its rows in the source that found it, since of a
// trace in the answer at least one row that matches stays when it is folded.
// (The earliest start would not do: its row may be a discarded one that says
// otherwise than the row that stays.) When its turn comes the other sources
// are asked whether they may have rows of it. If none has, what the source
// said of its times is the truth, and a trace out of range or further down is
// not read now.
type hunt struct {
	plan        *Plan
	partitions  [][]Source
	columns     vec.Columns // to read of the traces
	concurrency int
	startNanos  uint64 // the range that a trace must reach into
	endNanos    uint64 // 0 means no end
	minRoom     int    // candidates to keep before some are settled
	repeats     *Repeats

	// missing is about how many more traces are wanted.
	missing func() int
	// enough reports whether no trace at this place or behind it is wanted.
	enough func(place) bool
	// take gets the traces that reach into the range, one after the other,
	// and tells whether it wants them. An error ends the hunt.
	take func(context.Context, sighted) (bool, error)
	// light, if not nil, is what take needs to decide.
	light *vec.Columns
	// takeSummary, if not nil, gets those of which a summary is enough, each
	// with few at most of the rows that the plan's head is true for.
	takeSummary func(context.Context, *vec.Summary) error
	few         int
	certain     bool // that a summary with such rows is taken
	limit       int  // of traces wanted, 0 if all are

	mu     sync.Mutex
	queue  candidates
	parts  map[schema.TraceID]part
	ranked []ranked // the first of those that are found for sure, if there is an order
	room   int      // minRoom or more
	judged map[schema.TraceID]struct{}
	picky  bool   // few of the last traces were taken
	tight  int    // length of the queue from which on it is worth tightening
	bound  *place // no trace behind it is wanted, nil while none is known
}

// candidate is a trace with a row that may match.
type candidate struct {
	place
	times     vec.Hit // as far as source knows
	partition int32
	source    int32   // that found it
	holders   []int32 // sources that may have rows of it, nil while it is not known
	doubt     doubt
}

// candidates is a heap, the newest on top.
type candidates []candidate

func (c candidates) before(i, k int) bool { return comparePlaces(c[i].place, c[k].place) < 0 }

// heapify puts candidates in any order into that of a heap.
func (c candidates) heapify() {
	for i := len(c)/2 - 1; i >= 0; i-- {
		c.sink(i)
	}
}

// sink moves candidate i down to where it belongs.
func (c candidates) sink(i int) {
	for {
		top := 2*i + 1
		if top >= len(c) {
			return
		}
		if top+1 < len(c) && c.before(top+1, top) {
			top++
		}
		if !c.before(top, i) {
			return
		}
		c[i], c[top] = c[top], c[i]
		i = top
	}
}

func (c *candidates) push(x candidate) {
	*c = append(*c, x)
	h := *c
	for i := len(h) - 1; i > 0 && h.before(i, (i-1)/2); i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
}

// pop takes the newest. REQUIRES: there is one.
func (c *candidates) pop() candidate {
	h := *c
	last := len(h) - 1
	x := h[0]
	h[0], h[last] = h[last], candidate{}
	*c = h[:last]
	c.sink(0)
	return x
}

const (
	// maxQueue is how many candidates are collected before the newest of them
	// are judged, so that the others can be let go: about 10 MB.
	maxQueue = 1 << 16
	// maxEarly is how many traces are read for that at most. With a query
	// that few of the candidates fulfil it does not help, and then room grows.
	maxEarly = 256
)

// run finds all candidates, then judges them until there are enough. It
// returns the number of rows that were searched.
func (h *hunt) run(ctx context.Context) (rows uint64, err error) {
	h.room, h.tight = h.minRoom, minTight
	h.judged = make(map[schema.TraceID]struct{})
	h.parts = make(map[schema.TraceID]part)
	if h.partitions, err = (neighbours{h.concurrency, h.repeats}).look(ctx, h.partitions); err != nil {
		return 0, err
	}
	if rows, err = h.collectAll(ctx); err != nil {
		return 0, err
	}
	h.lock(ctx)
	defer h.mu.Unlock()
	h.settleParts()
	return rows, h.settle(ctx, len(h.queue))
}

// lock waits for the others' leave to change the hunt. Who has it may wait for
// turns, which those who wait must not have.
func (h *hunt) lock(ctx context.Context) {
	if h.mu.TryLock() {
		return
	}
	back := away(ctx)
	h.mu.Lock()
	back()
}

// add queues hits, except those that cannot be in the answer any more.
func (h *hunt) add(ctx context.Context, hits []vec.Hit, origin candidate) error {
	h.lock(ctx)
	defer h.mu.Unlock()
	for _, hit := range hits {
		c := origin
		c.place = place{hit.LastNanos, hit.ID}
		c.times = hit
		if !h.beyond(c.place) {
			h.queue = append(h.queue, c)
		}
	}
	if h.certain && len(h.queue) >= h.tight {
		if err := h.tighten(ctx); err != nil {
			return err
		}
	}
	if len(h.queue) < h.room {
		return nil
	}
	return h.makeRoom(ctx)
}

// makeRoom judges some candidates so that others can be let go. REQUIRES: h.mu.
func (h *hunt) makeRoom(ctx context.Context) error {
	most := maxEarly
	if h.plan.order != nil {
		most = len(h.queue) // all have to be judged in any case
	}
	err := h.settle(ctx, most)
	h.room = max(h.minRoom, 2*len(h.queue))
	return err
}

// beyond reports whether no trace at this place or behind it is wanted.
func (h *hunt) beyond(at place) bool {
	return h.bound != nil && comparePlaces(*h.bound, at) < 0 || h.enough(at)
}

// minTight is how many candidates it takes at least before it is worth to look
// which of them are out of the question.
const minTight = 512

// tighten lets go of candidates behind as many as are wanted that are sure to
// be in the answer: they match, and their place is known, because one source
// has all of the trace. It reads no trace. REQUIRES: h.mu, h.certain.
func (h *hunt) tighten(ctx context.Context) error {
	most := h.missing()
	h.tight = max(minTight, 2*len(h.queue))
	if most > len(h.queue)/2 {
		return nil
	}
	h.queue.heapify()
	var first []candidate
	for sure := 0; sure < most && len(h.queue) > 0; {
		if h.queue[0].holders == nil {
			if err := h.locate(ctx, max(most-sure, minAsk)); err != nil {
				return err
			}
			continue
		}
		c := h.queue.pop()
		first = append(first, c)
		if c.alone() {
			sure++
		}
		if sure == most {
			h.bound, h.queue = &c.place, nil
		}
	}
	h.queue = append(h.queue, first...)
	h.tight = max(minTight, 2*len(h.queue))
	return nil
}

// alone reports whether a source says all there is to say of the trace's times.
// REQUIRES: it is known which sources have rows of it.
func (c *candidate) alone() bool { return len(c.holders) == 1 && c.times.Folded }

// How many traces are read at once at most, and how many summaries, which take
// much less memory.
const (
	maxWave      = 256
	maxSummaries = 4096
)

// settle judges candidates until there are enough, at most about most of them.
// What cannot be in the answer leaves the queue. REQUIRES: h.mu.
func (h *hunt) settle(ctx context.Context, most int) error {
	h.queue.heapify()
	limit := maxWave
	if h.certain {
		limit = maxSummaries
	}
	for step := h.concurrency; most > 0; step *= 2 {
		wave, err := h.wave(ctx, min(max(step, h.missing()), most, limit))
		if err != nil || len(wave) == 0 {
			return err
		}
		most -= len(wave)
		if err := h.judge(ctx, wave); err != nil {
			return err
		}
	}
	return nil
}

// wave takes the next candidates out of the queue.
func (h *hunt) wave(ctx context.Context, size int) ([]candidate, error) {
	var wave []candidate
	for ask := max(size, minAsk); len(h.queue) > 0 && len(wave) < size; {
		switch top := &h.queue[0]; {
		case h.beyond(top.place):
			h.queue = nil
		case top.holders == nil:
			if err := h.locate(ctx, ask); err != nil {
				return nil, err
			}
			ask = min(2*ask, maxAsk)
		default:
			c := h.queue.pop()
			if h.once(c.times.ID) {
				wave = append(wave, c)
			}
		}
	}
	return wave, nil
}

// once reports whether a trace has not been judged, and that it is now.
func (h *hunt) once(id schema.TraceID) bool {
	_, done := h.judged[id]
	h.judged[id] = struct{}{}
	return !done
}

// How many candidates sources are asked about at once: few where the first
// ones will do, many where most turn out to be out of range.
const (
	minAsk = 16
	maxAsk = 4096
)

// locate asks all sources about the first candidates in the queue, and puts
// them where they belong then.
func (h *hunt) locate(ctx context.Context, most int) error {
	var asked []candidate
	for len(asked) < most && len(h.queue) > 0 && h.queue[0].holders == nil && !h.beyond(h.queue[0].place) {
		if c := h.queue.pop(); !h.wasJudged(c.times.ID) {
			asked = append(asked, c)
		}
	}
	if err := h.ask(ctx, asked); err != nil {
		return err
	}
	for _, c := range asked {
		if h.doubtful(&c) {
			continue
		}
		if c.alone() {
			if !reaches(c.times.StartNanos, c.times.EndNanos, h.startNanos, h.endNanos) {
				continue
			}
			c.startNanos = c.times.StartNanos
		}
		h.queue.push(c)
	}
	return nil
}

func (h *hunt) wasJudged(id schema.TraceID) bool {
	_, ok := h.judged[id]
	return ok
}

// ask fills in the holders.
func (h *hunt) ask(ctx context.Context, asked []candidate) error {
	group, groupCtx := newGroup(ctx, h.concurrency)
	answers := make([][][]bool, len(h.partitions)) // by partition, source, candidate
	for p, sources := range h.partitions {
		answers[p] = make([][]bool, len(sources))
		for i, source := range sources {
			if len(sources) == 1 { // it has found all of its partition's
				answers[p][i] = slices.Repeat([]bool{true}, len(asked))
				continue
			}
			group.Go(groupCtx, func(ctx context.Context) (err error) {
				answers[p][i], err = holds(ctx, source, asked, p, i)
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i := range asked {
		for source, answer := range answers[asked[i].partition] {
			if answer[i] {
				asked[i].holders = append(asked[i].holders, int32(source)) //nolint:gosec // few
			}
		}
	}
	return nil
}

// holds tells which of the candidates the source may have rows of.
func holds(ctx context.Context, source Source, asked []candidate, partition, index int) ([]bool, error) {
	answers := make([]bool, len(asked))
	for i := range asked {
		if i%rowsBetweenChecks == 0 {
			if err := yield(ctx); err != nil {
				return nil, err
			}
		}
		if int(asked[i].partition) != partition {
			continue
		}
		if int(asked[i].source) == index {
			answers[i] = true
			continue
		}
		var err error
		if answers[i], err = source.MayHold(ctx, asked[i].times.ID); err != nil {
			return nil, err
		}
	}
	return answers, nil
}
