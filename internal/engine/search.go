package engine

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/schema"
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
	InspectedSpans  uint64        // rows that were compared with the query
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
// It works in two phases. The rows of all sources are compared with the query
// one by one, which gives candidates, each with an upper bound of its start.
// That misses no trace: folding picks one of a span's rows as it is, so a span
// that matches in the whole trace does so in the row that stays, and what
// depends on other rows counts as true here (Plan.Match). Then candidates are
// put together and judged, newest first, until no other can displace the ones
// that were found.
func Search(ctx context.Context, plan *Plan, partitions [][]Source, opts SearchOptions) (*SearchResult, error) {
	opts.setDefaults()
	candidates, inspected, err := scanAll(ctx, plan, partitions, opts.Concurrency)
	if err != nil {
		return nil, err
	}
	best := newest{limit: opts.Limit}
	result := &SearchResult{InspectedSpans: inspected}
	for wave := range slices.Chunk(candidates, opts.Concurrency) {
		if best.full() && comparePlaces(best.last(), wave[0].place) < 0 {
			break
		}
		result.InspectedTraces += uint64(len(wave))
		if err := judge(ctx, plan, partitions, wave, &best, opts); err != nil {
			return nil, err
		}
	}
	result.Traces = best.results()
	return result, nil
}

// judge puts the candidates of a wave together and offers those that match.
func judge(
	ctx context.Context, plan *Plan, partitions [][]Source, wave []candidate, best *newest, opts SearchOptions,
) error {
	traces := make([]*traceFacts, len(wave))
	matches := make([][]int, len(wave))
	group, ctx := errgroup.WithContext(ctx)
	for i, c := range wave {
		group.Go(func() (err error) {
			traces[i], err = assemble(ctx, c.id, partitions[c.partition])
			if t := traces[i]; err == nil && t != nil && t.overlaps(opts.StartNanos, opts.EndNanos) {
				matches[i] = plan.match(t)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, t := range traces {
		if len(matches[i]) == 0 {
			continue
		}
		at := place{startNanos: t.startNanos, id: t.id}
		if !best.full() || comparePlaces(at, best.last()) < 0 {
			best.add(at, plan.result(t, matches[i], opts.SpansPerSpanSet))
		}
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

func (n *newest) results() []TraceResult { return n.traces }

// candidate is a trace with a row that may match. Its true start is at most
// that of its place.
type candidate struct {
	place
	partition int
}

// scanAll compares every row with the plan. It returns the candidates in the
// order of their places, and the number of rows.
func scanAll(ctx context.Context, plan *Plan, partitions [][]Source, concurrency int) ([]candidate, uint64, error) {
	type task struct {
		partition int
		source    Source
	}
	var tasks []task
	for i, sources := range partitions {
		for _, s := range sources {
			tasks = append(tasks, task{i, s})
		}
	}
	bounds := make([]map[schema.TraceID]uint64, len(tasks))
	counts := make([]uint64, len(tasks))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i, t := range tasks {
		group.Go(func() (err error) {
			bounds[i], counts[i], err = scan(ctx, plan, t.source)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, 0, err
	}
	merged := make(map[schema.TraceID]candidate)
	var rows uint64
	for i, found := range bounds {
		rows += counts[i]
		for id, start := range found {
			c, ok := merged[id]
			if !ok || start > c.startNanos {
				merged[id] = candidate{place{start, id}, tasks[i].partition}
			}
		}
		bounds[i] = nil
	}
	candidates := make([]candidate, 0, len(merged))
	for _, c := range merged {
		candidates = append(candidates, c)
	}
	slices.SortFunc(candidates, func(a, b candidate) int { return comparePlaces(a.place, b.place) })
	return candidates, rows, nil
}

// scan returns, for each trace, the latest start among its rows that may match.
// A trace starts no later than that: of a trace in the answer at least one of
// these rows stays when it is folded. The earliest start would not do, since
// its row may be a discarded one that says otherwise than the row that stays.
func scan(ctx context.Context, plan *Plan, source Source) (map[schema.TraceID]uint64, uint64, error) {
	f := plan.frame()
	defer plan.release(f)
	found := make(map[schema.TraceID]uint64)
	var rows uint64
	for chunk, err := range source.Scan(ctx, Request{Plan: plan, Columns: plan.columns}) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, 0, err
		}
		rows += uint64(len(chunk))
		for i := range chunk {
			s := &chunk[i]
			f.setSpan(s)
			if !plan.may(f) {
				continue
			}
			found[s.TraceID] = max(found[s.TraceID], s.StartNanos)
		}
	}
	return found, rows, nil
}
