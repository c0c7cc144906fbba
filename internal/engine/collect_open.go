package engine

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// collectOpen adds the traces of a source whose rows do not tell what their
// spans are. Where they stand in the answer is bounded: such a span begins when one
// of its pieces says that it begins or ends, or when one was sent that says neither,
// so a trace begins no later than the latest time that its rows say anywhere. Each
// source that is searched adds the trace with what its own rows say.
func (h *hunt) collectOpen(ctx context.Context, source Source, origin candidate) error {
	if _, ok := source.(FragmentSource); !ok {
		return nil
	}
	open, err := openTraces(ctx, source)
	if err != nil || len(open) == 0 {
		return err
	}
	hits, err := openHits(ctx, source, open)
	if err != nil {
		return err
	}
	for _, s := range h.partitions[origin.partition] {
		if _, ok := s.(lookupOnly); !ok {
			continue
		}
		if err := boundBy(ctx, s, hits); err != nil {
			return err
		}
	}
	return h.add(ctx, hits, origin)
}

// openHits are open traces of a source as hits of which only is known that the trace
// does not begin later than LastNanos, as far as the source tells.
func openHits(ctx context.Context, source Source, open []schema.TraceID) ([]vec.Hit, error) {
	last := make(map[schema.TraceID]uint64, len(open))
	// Sources that know the times yield open traces whatever the filter.
	for hits, err := range source.Find(ctx, &vec.Filter{Op: vec.OpFalse}) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("find open traces: %w", err)
		}
		for i := range hits {
			last[hits[i].ID] = hits[i].EndNanos
		}
	}
	list := make([]vec.Hit, len(open))
	for i, id := range open {
		// Pieces may say nothing: then it is when they were sent.
		list[i] = vec.Hit{ID: id, LastNanos: cmp.Or(last[id], lastOfSource(source)), EndNanos: math.MaxUint64}
	}
	return list, nil
}

// lastOfSource is the latest time of a source's rows, the end of time if it does not
// know.
func lastOfSource(s Source) uint64 {
	if l, ok := s.(lookupOnly); ok {
		s = l.Source
	}
	if timed, ok := s.(Timed); ok {
		_, last := timed.Times()
		return last
	}
	return math.MaxUint64
}

// boundBy lets open traces begin as late as the rows of a source that may have some
// of them but is not searched.
func boundBy(ctx context.Context, source Source, hits []vec.Hit) error {
	last := lastOfSource(source)
	for i := range hits {
		if hits[i].LastNanos >= last {
			continue
		}
		if i%rowsBetweenChecks == 0 {
			if err := yield(ctx); err != nil {
				return err
			}
		}
		has, err := source.MayHold(ctx, hits[i].ID)
		if err != nil {
			return fmt.Errorf("look up open traces: %w", err)
		}
		if has {
			hits[i].LastNanos = last
		}
	}
	return nil
}
