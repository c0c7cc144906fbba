package engine

import (
	"container/heap"
	"context"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/traceql"
)

// answer keeps the traces that come first, as many as are wanted.
type answer struct {
	plan      *Plan
	opts      *SearchOptions
	inspected uint64 // traces that were put together
	entries   entries
}

// entry is a trace of the answer.
type entry struct {
	rank
	trace TraceResult
	// pending, if not nil, is where the rest of what the answer says of the
	// trace has to be read.
	pending *candidate
}

// entries is a heap, the one that comes last on top.
type entries struct {
	order *ordering
	list  []entry
}

// Len is heap.Interface's.
func (e *entries) Len() int { return len(e.list) }

// Less is heap.Interface's.
func (e *entries) Less(i, j int) bool { return e.order.compare(e.list[i].rank, e.list[j].rank) > 0 }

// Swap is heap.Interface's.
func (e *entries) Swap(i, j int) { e.list[i], e.list[j] = e.list[j], e.list[i] }

// Push is heap.Interface's.
func (e *entries) Push(x any) { e.list = append(e.list, x.(entry)) } //nolint:forcetypeassert // of this file only

// Pop is heap.Interface's.
func (e *entries) Pop() any {
	last := len(e.list) - 1
	x := e.list[last]
	e.list[last] = entry{}
	e.list = e.list[:last]
	return x
}

// missing is how many more traces are wanted before any is let go.
func (a *answer) missing() int { return a.opts.Limit - len(a.entries.list) }

// enough reports whether no trace that begins there or earlier is wanted. In
// another order than by time that is never known.
func (a *answer) enough(next place) bool { return a.plan.order == nil && !a.wants(rank{place: next}) }

// wants reports whether a trace of that rank would be kept.
func (a *answer) wants(at rank) bool {
	return a.missing() > 0 || a.plan.order.compare(a.entries.list[0].rank, at) >= 0
}

func (a *answer) add(e entry) {
	a.entries.order = a.plan.order
	heap.Push(&a.entries, e)
	if len(a.entries.list) > a.opts.Limit {
		heap.Pop(&a.entries)
	}
}

// take judges a trace.
func (a *answer) take(ctx context.Context, t sighted) (bool, error) {
	a.inspected++
	at := rank{place: place{startNanos: t.startNanos, id: t.id}}
	if a.enough(at.place) {
		return false, nil
	}
	sets, err := a.plan.spansets(ctx, t.traceFacts)
	if err != nil || len(sets) == 0 {
		return false, err
	}
	if a.plan.order != nil {
		if at.value = a.plan.rankingValue(t.traceFacts, sets); !a.wants(at) {
			return false, nil
		}
	}
	e := entry{rank: at}
	if t.whole {
		e.trace = a.plan.result(t.traceFacts, sets, a.opts.SpansPerSpanSet)
	} else {
		c := *t.candidate
		e.pending = &c
	}
	a.add(e)
	return true, nil
}

// takeSummary takes what a source says of a trace that it knows all about.
func (a *answer) takeSummary(ctx context.Context, s *vec.Summary) error {
	a.inspected++
	at := rank{place: place{startNanos: s.StartNanos, id: s.ID}}
	if s.Matched == 0 || a.enough(at.place) {
		return nil
	}
	if !a.plan.trace && a.plan.order == nil {
		a.add(entry{rank: at, trace: a.plan.summaryResult(s)})
		return nil
	}
	t := &traceFacts{id: s.ID, spans: s.Spans}
	sets, err := a.plan.spansets(ctx, t)
	if err != nil || len(sets) == 0 {
		return err
	}
	if a.plan.order != nil {
		if at.value = a.plan.rankingValue(t, sets); !a.wants(at) {
			return nil
		}
	}
	head := *s
	head.Spans = nil // the plan says which
	r := a.plan.summaryResult(&head)
	r.SpanSets = a.plan.spanSets(t, sets, a.opts.SpansPerSpanSet)
	a.add(entry{rank: at, trace: r})
	return nil
}

// complete reads what is missing of the traces in the answer.
func (a *answer) complete(ctx context.Context, h *hunt) error {
	var pending []*entry
	var wave []candidate
	for i := range a.entries.list {
		if e := &a.entries.list[i]; e.pending != nil {
			pending, wave = append(pending, e), append(wave, *e.pending)
		}
	}
	for len(wave) > 0 {
		n := min(len(wave), maxWave)
		list, err := h.assemble(ctx, wave[:n], h.columns)
		if err != nil {
			return err
		}
		for i, t := range list {
			if t == nil {
				continue
			}
			sets, err := a.plan.spansets(ctx, t)
			if err != nil {
				return err
			}
			if len(sets) > 0 {
				pending[i].trace, pending[i].pending = a.plan.result(t, sets, a.opts.SpansPerSpanSet), nil
			}
		}
		pending, wave = pending[n:], wave[n:]
	}
	return nil
}

// traces are those of the answer, in its order, and what they rank by if that
// is not their time.
func (a *answer) traces() (traces []TraceResult, values []traceql.Static) {
	list := a.entries.list
	slices.SortFunc(list, func(x, y entry) int { return a.plan.order.compare(x.rank, y.rank) })
	for i := range list {
		if list[i].pending != nil {
			continue // it has just expired
		}
		traces = append(traces, list[i].trace)
		if a.plan.order != nil {
			values = append(values, list[i].value)
		}
	}
	return traces, values
}
