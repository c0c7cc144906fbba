package engine

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// Totaler is a Source that can add up numbers of the rows of each trace without
// reading other columns.
type Totaler interface {
	Source
	// Totals adds up a number over the rows for which the filter holds, perhaps
	// of traces that the source does not find. The caller owns the result.
	Totals(ctx context.Context, filter *vec.Filter, number vec.Column) (*vec.Totals, error)
}

// totaling is what the numbers of a trace's rows say about whether the trace is
// found, or where it ranks. It counts where one source has all of the trace.
type totaling struct {
	filter *vec.Filter // holds for the rows that count, which all have the number
	number vec.Column

	// may reports whether a trace with such numbers may be found. Nil: all are.
	may func(*vec.Total) bool
	// rank, if not nil, is what a trace ranks by which is found for sure.
	rank func(*vec.Total) traceql.Static
}

// totaling finds out what numbers say about a pipeline whose head is sure. It is
// nil if that is nothing.
func (p *Plan) totaling(pipeline traceql.Pipeline) *totaling {
	if !p.head.sure || !p.rows {
		return nil
	}
	next := slices.IndexFunc(pipeline, func(s traceql.Stage) bool {
		_, ok := s.(*traceql.SpansetFilter)
		return !ok
	})
	if next >= 0 {
		if s, ok := pipeline[next].(*traceql.ScalarFilter); ok {
			return p.totalingOf(s)
		}
	}
	if p.order == nil || p.trace {
		return nil
	}
	t := p.totalingField(p.order.field)
	if t != nil {
		t.rank = p.order.valueOf
	}
	return t
}

// totalingField is of the numbers of a field.
func (p *Plan) totalingField(e traceql.FieldExpr) *totaling {
	number := (&metricsField{expr: e}).numbers()
	present := presentFilter(e)
	if number == nil || present == nil {
		return nil
	}
	return &totaling{filter: allFilters([]*vec.Filter{p.head.filter, present}), number: number}
}

// totalingOf is of a comparison of an aggregate with a literal.
func (p *Plan) totalingOf(s *traceql.ScalarFilter) *totaling {
	a, ok := s.Left.(*traceql.Aggregate)
	literal, isLiteral := s.Right.(*traceql.ScalarLiteral)
	if !ok || !isLiteral || a.Op == traceql.AggregateCount {
		return nil
	}
	t := p.totalingField(a.Expr)
	if t != nil {
		t.may = func(total *vec.Total) bool {
			least, most, ok := around(a.Op, total)
			return ok && mayCompare(s.Op, least, most, literal.Value.Number())
		}
	}
	return t
}

// rounding is more than by what an aggregate of a million numbers may differ
// from another way to compute it, as a part of the sum of their magnitudes.
const rounding = 1e-9

// around are bounds of an aggregate. It is false if there is none.
func around(op traceql.AggregateOp, t *vec.Total) (least, most float64, ok bool) {
	if t.NaNs > 0 {
		return math.Inf(-1), math.Inf(1), true
	}
	n := t.Ints + t.Floats
	if n == 0 {
		return 0, 0, false
	}
	margin := rounding * t.Magnitude
	value := t.Sum
	switch op {
	case traceql.AggregateSum:
	case traceql.AggregateAvg: // that of durations is cut off
		value, margin = value/float64(n), margin/float64(n)+1
	case traceql.AggregateMin:
		value = boundOf(t, float64(t.LeastInt), t.LeastFloat, func(a, b float64) float64 { return min(a, b) })
	case traceql.AggregateMax:
		value = boundOf(t, float64(t.MostInt), t.MostFloat, func(a, b float64) float64 { return max(a, b) })
	default:
		return math.Inf(-1), math.Inf(1), true
	}
	if math.IsNaN(value) || math.IsInf(margin, 0) { // of infinite numbers
		return math.Inf(-1), math.Inf(1), true
	}
	return value - margin, value + margin, true
}

// boundOf chooses between the bounds of ints and of floats.
func boundOf(t *vec.Total, ofInts, ofFloats float64, choose func(a, b float64) float64) float64 {
	switch {
	case t.Floats == 0:
		return ofInts
	case t.Ints == 0:
		return ofFloats
	}
	return choose(ofInts, ofFloats)
}

// mayCompare reports whether a comparison with a literal may hold for a number
// between two others.
func mayCompare(op traceql.Operator, least, most, literal float64) bool {
	switch op {
	case traceql.OpGreater:
		return most > literal
	case traceql.OpGreaterEqual:
		return most >= literal
	case traceql.OpLess:
		return least < literal
	case traceql.OpLessEqual:
		return least <= literal
	case traceql.OpEqual:
		return least <= literal && literal <= most
	default:
		return true
	}
}

// valueOf is the value that a trace ranks by whose spans have only such numbers.
func (o *ordering) valueOf(t *vec.Total) traceql.Static {
	number := traceql.NewInt
	if o.field.Type() == traceql.TypeDuration {
		number = nanos
	}
	ofInts, ofFloats := number(t.LeastInt), traceql.NewFloat(t.LeastFloat)
	if o.descending {
		ofInts, ofFloats = number(t.MostInt), traceql.NewFloat(t.MostFloat)
	}
	switch {
	case t.Ints+t.Floats == 0:
		return traceql.Static{}
	case t.Floats == 0:
		return ofInts
	case t.Ints == 0:
		return ofFloats
	}
	if order := compareValues(ofInts, ofFloats); order > 0 == o.descending {
		return ofInts
	}
	return ofFloats
}

// totalsOf asks a source, if it can tell.
func (h *hunt) totalsOf(ctx context.Context, source Source) (*vec.Totals, error) {
	t := h.plan.totals
	totaler, ok := source.(Totaler)
	if t == nil || !ok || t.rank != nil && h.limit == 0 {
		return nil, nil
	}
	totals, err := totaler.Totals(ctx, t.filter, t.number)
	if err != nil {
		return nil, fmt.Errorf("add up numbers of traces: %w", err)
	}
	return totals, nil
}

// ranked is a hit that is found for sure, and where it ranks.
type ranked struct {
	rank

	hit vec.Hit
}

// collectWeighed is collect for a source that has told totals. It leaves out the
// traces that are nowhere else and have numbers with which they are not found, or
// rank behind as many as are wanted.
func (h *hunt) collectWeighed(ctx context.Context, source Source, origin candidate, test *rowTest, totals *vec.Totals) error {
	t, of := h.plan.totals, totals.Of
	var first []ranked
	var kept []vec.Hit
	for hits, err := range find(ctx, source, test) {
		if err == nil {
			err = ctx.Err()
		}
		kept = kept[:0]
		for i := 0; i < len(hits) && err == nil; i++ {
			hit := &hits[i]
			for len(of) > 0 && compareTraceIDs(of[0].ID, hit.ID) < 0 {
				of = of[1:]
			}
			total := &vec.Total{}
			if len(of) > 0 && of[0].ID == hit.ID {
				total = &of[0]
			}
			var alone bool
			switch alone, err = h.settledBy(ctx, origin, hit, totals, total); {
			case !alone:
				kept = append(kept, *hit)
			case t.rank != nil:
				first = append(first, ranked{rank{t.rank(total), place{hit.StartNanos, hit.ID}}, *hit})
			}
		}
		if first = h.firstOf(first, 2*h.limit+minTight); err == nil {
			err = h.add(ctx, kept, origin)
		}
		if err != nil {
			return err
		}
	}
	return h.addRanked(ctx, h.firstOf(first, h.limit), origin)
}

// settledBy reports whether a total says all about a hit: that it is not found, or
// where it ranks.
func (h *hunt) settledBy(ctx context.Context, origin candidate, hit *vec.Hit, totals *vec.Totals, total *vec.Total) (bool, error) {
	t := h.plan.totals
	if !hit.Folded || t.may != nil && t.may(total) || t.rank != nil && !totals.Pure {
		return false, nil
	}
	for i, source := range h.partitions[origin.partition] {
		if i == int(origin.source) {
			continue
		}
		if has, err := source.MayHold(ctx, hit.ID); has || err != nil {
			return false, err
		}
	}
	return true, nil
}

// firstOf drops all but the first that are wanted, if there are more than so many.
func (h *hunt) firstOf(list []ranked, most int) []ranked {
	if len(list) <= most {
		return list
	}
	list = slices.DeleteFunc(list, func(r ranked) bool {
		return !reaches(r.hit.StartNanos, r.hit.EndNanos, h.startNanos, h.endNanos)
	})
	slices.SortFunc(list, func(a, b ranked) int { return h.plan.order.compare(a.rank, b.rank) })
	return list[:min(len(list), h.limit)]
}

// addRanked queues hits, and lets go of those that rank behind as many as are
// wanted.
func (h *hunt) addRanked(ctx context.Context, list []ranked, origin candidate) error {
	hits := make([]vec.Hit, len(list))
	h.lock(ctx)
	for i := range list {
		hits[i] = list[i].hit
		h.ranked = append(h.ranked, list[i])
	}
	behind := make(map[schema.TraceID]struct{})
	for _, r := range h.ranked {
		behind[r.hit.ID] = struct{}{}
	}
	h.ranked = h.firstOf(h.ranked, h.limit)
	for _, r := range h.ranked {
		delete(behind, r.hit.ID)
	}
	isBehind := func(id schema.TraceID) bool {
		_, ok := behind[id]
		return ok
	}
	h.queue = slices.DeleteFunc(h.queue, func(c candidate) bool { return isBehind(c.times.ID) })
	hits = slices.DeleteFunc(hits, func(hit vec.Hit) bool { return isBehind(hit.ID) })
	h.mu.Unlock()
	return h.add(ctx, hits, origin)
}
