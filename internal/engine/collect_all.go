package engine

import (
	"cmp"
	"context"
	"math"
	"runtime"
	"slices"
)

// origin is a source that is searched.
type origin struct {
	Source

	candidate candidate // what all of its candidates are like
	last      uint64    // no row starts later
	searched  bool
}

// stepGrowth is how many times more sources are searched in the next step.
const stepGrowth = 4

// collectAll searches the sources, those with the newest rows first, and returns
// how many rows they have. After the first few it judges what they have found: when
// that is an answer, sources that have only older rows are not searched. A trace
// with a row in one of these begins no later than that row.
func (h *hunt) collectAll(ctx context.Context) (rows uint64, err error) {
	list := h.origins()
	left := list
	for step := h.firstStep(list); len(left) > 0; step *= stepGrowth {
		part := left[:min(step, len(left))]
		left = left[len(part):]
		group, groupCtx := newGroup(ctx, h.concurrency)
		for _, o := range part {
			group.Go(groupCtx, func(ctx context.Context) error {
				if o.searched = !h.passed(ctx, o.last); !o.searched {
					return nil
				}
				return h.collect(ctx, o.Source, o.candidate)
			})
		}
		if err := group.Wait(); err != nil {
			return 0, err
		}
		if len(left) > 0 {
			if err := h.settleEarly(ctx); err != nil {
				return 0, err
			}
		}
	}
	for _, o := range list {
		if o.searched {
			rows += uint64(o.Spans()) //nolint:gosec // a count, which some sources know only now
		}
	}
	return rows, nil
}

// origins are the sources, the newest first.
func (h *hunt) origins() (list []*origin) {
	for p, sources := range h.partitions {
		for i, s := range sources {
			o := &origin{Source: s, candidate: candidate{partition: int32(p), source: int32(i)}, last: math.MaxUint64} //nolint:gosec // few
			if timed, ok := s.(Timed); ok {
				_, o.last = timed.Times()
			}
			list = append(list, o)
		}
	}
	slices.SortStableFunc(list, func(a, b *origin) int { return cmp.Compare(b.last, a.last) })
	return list
}

// firstStep is how many sources are searched before what they find is judged: all
// if nothing can be enough, else as many as keep the processors busy.
func (h *hunt) firstStep(list []*origin) int {
	if h.limit == 0 || h.plan.order != nil {
		return len(list)
	}
	unknown := 0
	for unknown < len(list) && list[unknown].last == math.MaxUint64 {
		unknown++
	}
	return unknown + min(h.concurrency, 2*runtime.GOMAXPROCS(0))
}

// passed reports whether no trace that begins at a time or earlier is wanted.
func (h *hunt) passed(ctx context.Context, at uint64) bool {
	h.lock(ctx)
	defer h.mu.Unlock()
	return h.beyond(place{startNanos: at})
}

// settleEarly judges the newest candidates if there may be enough of them.
func (h *hunt) settleEarly(ctx context.Context) error {
	h.lock(ctx)
	defer h.mu.Unlock()
	if h.missing() > min(len(h.queue), maxEarly) {
		return nil
	}
	return h.settle(ctx, maxEarly)
}
