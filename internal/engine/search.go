package engine

import (
	"context"
	"math"

	"github.com/spanlake/spanlake/traceql"
)

// SearchOptions are the limits of a search.
type SearchOptions struct {
	// StartNanos and EndNanos are the range, Unix nanoseconds, end exclusive.
	// A trace qualifies if it reaches into the range; all its spans count
	// then. An EndNanos of 0 means no end.
	StartNanos, EndNanos uint64
	Limit                int      // traces, default 20
	SpansPerSpanSet      int      // default 3
	Concurrency          int      // sources or traces read at a time, default 1
	Repeats              *Repeats // nil to find out anew which traces are where
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

	values []traceql.Static // what the traces rank by, nil without an order
}

// Search finds the newest traces, by their true start, with a span that the
// plan matches. partitions[i] are the sources of one partition: all spans of a
// trace are in one of them. The answer depends only on the rows in all the
// sources together, not on how they are spread over the sources of a
// partition, and rows that are there twice count once.
//
// Which sources to give is the caller's choice. Exact answers need every
// source with rows of the traces that reach into the range; sources without rows
// in the range are best given as Beside, and as LookupOnly those so far from it
// that they hold no match of a trace that reaches into it.
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
	a := answer{plan: plan, opts: &opts}
	h := hunt{
		plan: plan, partitions: partitions, columns: plan.columns, concurrency: opts.Concurrency,
		startNanos: opts.StartNanos, endNanos: opts.EndNanos, minRoom: room,
		missing: a.missing, enough: a.enough, take: a.take, repeats: opts.Repeats, limit: opts.Limit,
	}
	if plan.trace {
		h.light = &plan.deciding
	}
	if plan.head.sure && plan.rows {
		h.takeSummary = a.takeSummary
		if h.certain = !plan.trace && plan.order == nil; h.certain {
			h.few = opts.SpansPerSpanSet
		} else {
			h.few = math.MaxInt
		}
	}
	rows, err := h.run(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.complete(ctx, &h); err != nil {
		return nil, err
	}
	result := &SearchResult{InspectedSpans: rows, InspectedTraces: a.inspected}
	result.Traces, result.values = a.traces()
	return result, nil
}
