package engine

import (
	"context"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
)

// SearchOptions are the limits of a search.
type SearchOptions struct {
	// StartNanos and EndNanos are the range, Unix nanoseconds, end exclusive.
	// A trace qualifies if it reaches into the range; all its spans count
	// then. An EndNanos of 0 means no end.
	StartNanos, EndNanos uint64
	Limit                int // traces, default 20
	SpansPerSpanSet      int // default 3
	Concurrency          int // sources or traces read at a time, default 1
	MaxSpanSets          int // of all traces in the answer, which by() can make many of; 0 means no limit
}

func (o *SearchOptions) setDefaults() {
	if o.Limit <= 0 {
		o.Limit = 20
	}
	if o.SpansPerSpanSet <= 0 {
		o.SpansPerSpanSet = 3
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 1
	}
}

// SearchResult is the answer to a search.
type SearchResult struct {
	Traces          []TraceResult // newest first, then by id
	InspectedSpans  uint64        // rows of the sources that were searched
	InspectedTraces uint64        // traces that were put together
}

// Search finds the newest traces, by their true start, with a span that the
// plan matches. partitions[i] are the sources of one partition: all spans of a
// trace are in one of them. The answer depends only on the rows in all the
// sources together, not on how they are spread over the sources of a
// partition, and rows that are there twice count once.
//
// Which sources to give is the caller's choice. Exact answers need every
// source with rows of the traces that reach into the range; sources that can
// hold no match themselves are best given as LookupOnly.
//
// It works in two phases. Each source decides on its rows, one by one, which
// traces are candidates (hunt says in which order). That misses no trace:
// folding picks one of a span's rows as it is, so a span that matches in the
// whole trace does so in the row that stays, and what depends on other rows
// counts as true here (Plan.Match). Then candidates are put together and
// judged, newest first, until no other can displace the ones that were found.
func Search(ctx context.Context, plan *Plan, partitions [][]Source, opts SearchOptions) (*SearchResult, error) {
	return search(ctx, plan, partitions, opts, maxQueue)
}

func search(ctx context.Context, plan *Plan, partitions [][]Source, opts SearchOptions, room int) (*SearchResult, error) {
	opts.setDefaults()
	result := &SearchResult{}
	h := hunt{
		plan: plan, partitions: partitions, columns: plan.columns, concurrency: opts.Concurrency,
		startNanos: opts.StartNanos, endNanos: opts.EndNanos, minRoom: room,
	}
	answer := inOrder
	if plan.order == nil {
		answer = byTime
	}
	traces := answer(&h, &opts, result)
	var err error
	if result.InspectedSpans, err = h.run(ctx); err != nil {
		return nil, err
	}
	result.Traces = traces()
	return result, result.check(opts.MaxSpanSets)
}

// byTime makes h look for the newest traces.
func byTime(h *hunt, opts *SearchOptions, result *SearchResult) func() []TraceResult {
	plan, best := h.plan, newest{limit: opts.Limit}
	h.missing = func() int { return opts.Limit - len(best.places) }
	h.enough = func(next place) bool { return best.full() && comparePlaces(best.last(), next) < 0 }
	h.take = func(ctx context.Context, t *traceFacts) error {
		result.InspectedTraces++
		at := place{startNanos: t.startNanos, id: t.id}
		if best.full() && comparePlaces(best.last(), at) < 0 {
			return nil
		}
		sets, err := plan.spansets(ctx, t)
		if len(sets) > 0 {
			best.add(at, plan.result(t, sets, opts.SpansPerSpanSet))
		}
		return err
	}
	if plan.row.sure && !plan.trace {
		h.few = opts.SpansPerSpanSet
		h.takeSummary = func(s *vec.Summary) {
			result.InspectedTraces++
			at := place{startNanos: s.StartNanos, id: s.ID}
			if s.Matched > 0 && (!best.full() || comparePlaces(best.last(), at) >= 0) {
				best.add(at, plan.summaryResult(s))
			}
		}
	}
	return func() []TraceResult { return best.traces }
}

// inOrder makes h look at all traces for those that come first in the plan's
// order.
func inOrder(h *hunt, opts *SearchOptions, result *SearchResult) func() []TraceResult {
	plan, best := h.plan, ranking{order: h.plan.order, limit: opts.Limit}
	h.missing = func() int { return maxWave }
	h.enough = func(place) bool { return false }
	h.take = func(ctx context.Context, t *traceFacts) error {
		result.InspectedTraces++
		sets, err := plan.spansets(ctx, t)
		if len(sets) == 0 {
			return err
		}
		f := plan.frame()
		defer plan.release(f)
		f.trace = t
		if at := plan.order.rankOf(f, sets); best.wants(at) {
			best.add(at, plan.result(t, sets, opts.SpansPerSpanSet))
		}
		return nil
	}
	return best.traces
}

// check refuses an answer with more spansets than allowed. Which traces are in
// the answer does not depend on it.
func (r *SearchResult) check(most int) error {
	n := 0
	for i := range r.Traces {
		n += len(r.Traces[i].SpanSets)
	}
	if most > 0 && n > most {
		return &GroupsError{Groups: n, Limit: most}
	}
	return nil
}

// newest keeps the first traces of the answer's order.
type newest struct {
	limit  int
	places []place
	traces []TraceResult
}

func (n *newest) full() bool { return len(n.places) >= n.limit }

// last is the place that the next better one displaces. REQUIRES: n.full().
func (n *newest) last() place { return n.places[len(n.places)-1] }

func (n *newest) add(at place, t TraceResult) {
	i, _ := slices.BinarySearchFunc(n.places, at, comparePlaces)
	n.places = slices.Insert(n.places, i, at)
	n.traces = slices.Insert(n.traces, i, t)
	if len(n.places) > n.limit {
		n.places = n.places[:n.limit]
		n.traces[n.limit] = TraceResult{}
		n.traces = n.traces[:n.limit]
	}
}
