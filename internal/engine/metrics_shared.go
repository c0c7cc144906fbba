package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// sharedIDs returns the traces that are in more than one list, in ascending
// order.
func sharedIDs(lists []*vec.Held) (shared []schema.TraceID) {
	var queue [][]schema.TraceID // what is left of each list
	total := 0
	for _, l := range lists {
		if l != nil && len(l.IDs) > 0 {
			queue = append(queue, l.IDs)
			total += len(l.IDs)
		}
	}
	if len(queue) < 2 {
		return nil
	}
	all := make([]schema.TraceID, 0, total)
	for _, ids := range queue {
		all = append(all, ids...)
	}
	slices.SortFunc(all, compareTraceIDs)
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] && (len(shared) == 0 || shared[len(shared)-1] != all[i]) {
			shared = append(shared, all[i])
		}
	}
	return shared
}

// repeatedIDs returns those of shared traces of which a span is in more than
// one source. Of the others each row is a span, wherever it is.
func (p *gathering) repeatedIDs(ctx context.Context, held []*vec.Held, shared []schema.TraceID) (repeated []schema.TraceID, err error) {
	for part := range slices.Chunk(shared, sharedChunk) {
		lists := make([]spanList, len(held))
		err := p.each(ctx, len(held), func(ctx context.Context, i int) (err error) {
			if held[i] != nil {
				lists[i], err = listSpans(ctx, p.sources[i], held[i], part)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		var spans []uint64
		for i, id := range part {
			again := false
			spans = spans[:0]
			for k := range lists {
				var known bool
				spans, known = lists[k].take(spans, int32(i)) //nolint:gosec // few
				again = again || !known
			}
			if again || hasRepeated(spans) {
				repeated = append(repeated, id)
			}
		}
	}
	return repeated, nil
}

// sharedChunk is of how many traces the spans are compared at once.
const sharedChunk = 1 << 14

// spanList are the spans that a source has of some traces.
type spanList struct {
	places  []int32 // of the traces in the whole list
	unknown bool    // the source can not tell
	*vec.SpanIDs
}

// listSpans asks a source about those of the traces that it holds.
func listSpans(ctx context.Context, source Source, held *vec.Held, traces []schema.TraceID) (l spanList, err error) {
	var ids []schema.TraceID
	rest := held.IDs
	for i, id := range traces {
		at, found := slices.BinarySearchFunc(rest, id, compareTraceIDs)
		if rest = rest[at:]; found {
			ids, l.places = append(ids, id), append(l.places, int32(i)) //nolint:gosec // few
		}
	}
	if l, ok := source.(lookupOnly); ok {
		source = l.Source
	}
	sampler, ok := source.(Sampler)
	if !ok || len(ids) == 0 {
		l.unknown, l.SpanIDs = true, &vec.SpanIDs{}
		return l, nil
	}
	if l.SpanIDs, err = sampler.SpanIDs(ctx, ids); err != nil {
		return l, fmt.Errorf("list spans: %w", err)
	}
	return l, nil
}

// take appends the spans of a trace, of which it is asked in their order. It is
// false if there are some that are not known.
func (l *spanList) take(spans []uint64, trace int32) ([]uint64, bool) {
	if len(l.places) == 0 || l.places[0] != trace {
		return spans, true
	}
	l.places = l.places[1:]
	if l.unknown {
		return spans, false
	}
	n := l.Counts[0]
	spans = append(spans, l.IDs[:n]...)
	l.Counts, l.IDs = l.Counts[1:], l.IDs[n:]
	return spans, true
}

// fewCompared is up to how many ids all pairs are compared.
const fewCompared = 32

// hasRepeated reports whether two are the same. It changes their order.
func hasRepeated(ids []uint64) bool {
	if len(ids) > fewCompared {
		slices.Sort(ids)
		for i := 1; i < len(ids); i++ {
			if ids[i] == ids[i-1] {
				return true
			}
		}
		return false
	}
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			return true
		}
	}
	return false
}
