package engine

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// perSlot is the number of exemplars of one slot.
const perSlot = 2

// exemplars keeps a few spans of every slot of time: those with the smallest
// trace ids, which are random, so that the choice does not depend on how the
// spans are spread over sources.
type exemplars struct {
	slots  [][]exemplar // ascending
	slotOf []int32      // by step
	closed []bool       // by slot: nothing that follows is wanted
}

// exemplar is a span that may be shown.
type exemplar struct {
	Exemplar

	group  int32
	values []schema.Value // of the group
}

func newExemplars(most, steps int) *exemplars {
	x := &exemplars{slotOf: make([]int32, steps)}
	count := min(steps, most/perSlot)
	x.slots, x.closed = make([][]exemplar, count), make([]bool, count)
	for i := range x.slotOf {
		x.slotOf[i] = -1
		if count > 0 {
			x.slotOf[i] = int32(i * count / steps) //nolint:gosec // few
		}
	}
	return x
}

// begin says that what is offered next may have smaller ids than what was
// offered before.
func (x *exemplars) begin() { clear(x.closed) }

// wants reports whether a span of the step may be kept.
func (x *exemplars) wants(step int32) bool {
	slot := x.slotOf[step]
	return slot >= 0 && !x.closed[slot]
}

// compareExemplars goes on until two spans look the same. One without labels is
// before the same one with its labels.
func compareExemplars(a, b *exemplar) int {
	c := cmp.Or(
		bytes.Compare(a.TraceID[:], b.TraceID[:]), cmp.Compare(a.StartNanos, b.StartNanos), cmp.Compare(a.Value, b.Value),
	)
	if c == 0 && a.group != b.group {
		c = bytes.Compare(appendGroupKey(nil, a.values), appendGroupKey(nil, b.values))
	}
	if c == 0 {
		c = compareLabels(a.Labels, b.Labels)
	}
	return c
}

// before reports whether a span is one of the first of its slot so far. If it is
// not, and ids ascend, nothing that follows until begin is.
// REQUIRES: x.wants(e.step).
func (x *exemplars) before(e *exemplar, ascend bool) bool {
	slot := x.slots[x.slotOf[e.step]]
	if len(slot) < perSlot || compareExemplars(e, &slot[perSlot-1]) < 0 {
		return true
	}
	x.closed[x.slotOf[e.step]] = ascend && bytes.Compare(e.TraceID[:], slot[perSlot-1].TraceID[:]) > 0
	return false
}

// offer keeps the span if it is one of the first of its slot. REQUIRES:
// x.wants(e.step).
func (x *exemplars) offer(e exemplar) {
	slot := &x.slots[x.slotOf[e.step]]
	i := len(*slot)
	for i > 0 && compareExemplars(&e, &(*slot)[i-1]) < 0 {
		i--
	}
	if i == perSlot {
		return
	}
	*slot = slices.Insert(*slot, i, e)
	if len(*slot) > perSlot {
		*slot = (*slot)[:perSlot]
	}
}

// merge takes those of another, whose groups have new numbers.
func (x *exemplars) merge(from *exemplars, numbers []int32) {
	x.begin()
	for _, slot := range from.slots {
		for _, e := range slot {
			e.group = numbers[e.group]
			x.offer(e)
		}
	}
}

// attach gives the spans to the series that they count in: places are those of
// each group.
func (x *exemplars) attach(q *metricsLeaf, list []Series, places [][]int) {
	for _, slot := range x.slots {
		for _, e := range slot {
			if i := nearest(q, list, places[e.group], &e); i >= 0 {
				s := &list[i]
				e.fill = q.field == nil || q.op == traceql.MetricsHistogramOverTime
				e.Labels = exemplarLabels(s.Labels, e.Labels)
				s.Exemplars = append(s.Exemplars, e.Exemplar)
			}
		}
	}
}

// nearest is the series of a group in which a span is shown, negative if in
// none: of a histogram that of its bucket, of quantiles the one that is closest.
func nearest(q *metricsLeaf, list []Series, places []int, e *exemplar) int {
	best, distance := -1, math.Inf(1)
	for _, i := range places {
		s := &list[i]
		d := 0.0
		switch extra := s.Labels[len(s.Labels)-1]; {
		case q.op == traceql.MetricsHistogramOverTime && extra.Key == labelBucket:
			if d = extra.Value.Double - e.Value; d < 0 {
				continue
			}
		case q.op == traceql.MetricsQuantileOverTime:
			d = math.Abs(s.Values[e.step] - e.Value)
		default:
		}
		if d < distance {
			best, distance = i, d
		}
	}
	return best
}

// exemplarLabels are the labels of the series that describe spans, and more.
func exemplarLabels(series, more []schema.Attribute) []schema.Attribute {
	var labels []schema.Attribute
	for _, l := range series {
		if l.Key != labelName && l.Key != labelBucket && l.Key != labelQuantile {
			labels = append(labels, l)
		}
	}
	for _, l := range more {
		if !slices.ContainsFunc(labels, func(have schema.Attribute) bool { return have.Key == l.Key }) {
			labels = append(labels, l)
		}
	}
	return labels
}

// exemplarOf describes the frame's span.
func (o *groupObserver) exemplarOf(f *frame, step, group int32, n quantity) exemplar {
	e := exemplar{group: group, values: o.groups.labels[group]}
	e.TraceID, e.StartNanos, e.step = f.span.TraceID, f.span.StartNanos, step
	e.Value = n.float() / unit(o.leaf.isDuration())
	for i := range o.leaf.shown {
		if v := o.leaf.shown[i].label(f); v.Kind != schema.KindEmpty {
			e.Labels = append(e.Labels, schema.Attribute{Key: o.leaf.shown[i].key, Value: v})
		}
	}
	return e
}
