package engine

import (
	"context"
	"fmt"

	"github.com/spanlake/spanlake/internal/wire"
)

// MetricsQuery is a metrics query over a range. Its parts may be gathered
// anywhere, each from the sources of other traces, and are added up: what is
// not exact in parts, quantiles, math and ranking, is done once at the end.
// Safe for concurrent use.
type MetricsQuery struct {
	plan   *MetricsPlan
	leaves []*metricsLeaf
	grid   grid
	opts   MetricsOptions
}

// Range is QueryRange in parts. Returns ErrTooManySteps.
func (p *MetricsPlan) Range(opts MetricsOptions) (*MetricsQuery, error) {
	opts.setDefaults()
	q := p.over(opts, rangeGrid(opts.StartNanos, opts.EndNanos, opts.StepNanos, opts.NowNanos))
	if q.grid.steps > opts.MaxSteps {
		return nil, fmt.Errorf("%w: %d", ErrTooManySteps, q.grid.steps)
	}
	return q, nil
}

// Instant is QueryInstant in parts.
func (p *MetricsPlan) Instant(opts MetricsOptions) *MetricsQuery {
	opts.setDefaults()
	opts.Exemplars = 0
	return p.over(opts, instantGrid(opts.StartNanos, opts.EndNanos))
}

func (p *MetricsPlan) over(opts MetricsOptions, g grid) *MetricsQuery {
	if p.exemplars >= 0 {
		opts.Exemplars = min(opts.Exemplars, p.exemplars)
	}
	if opts.ToNanos > 0 {
		g = g.within(opts.FromNanos, opts.ToNanos)
	}
	return &MetricsQuery{plan: p, leaves: p.root.leaves(nil), grid: g, opts: opts}
}

// Times is the range of start times that the query looks at, both ends included.
func (q *MetricsQuery) Times() (first, last uint64) { return q.grid.after() + 1, q.grid.until() }

// start is an execution that has seen nothing. Its memory is bounded on its own.
func (q *MetricsQuery) start() *metricsRun {
	return &metricsRun{grid: q.grid, opts: q.opts, budget: newBudget(q.opts.MaxBytes), observed: make(map[*metricsLeaf]observer, len(q.leaves))}
}

// MetricsPart is what the functions of a query have seen of some traces.
type MetricsPart struct {
	InspectedSpans uint64 // rows of the sources that were searched

	query *MetricsQuery
	run   *metricsRun
}

// Gather reads a part: all traces that are in the sources.
func (q *MetricsQuery) Gather(ctx context.Context, partitions [][]Source) (*MetricsPart, error) {
	p := &MetricsPart{query: q, run: q.start()}
	p.run.partitions = partitions
	if q.grid.steps == 0 {
		return p, nil
	}
	for _, leaf := range q.leaves {
		var err error
		if p.run.observed[leaf], err = gatherSpans(ctx, p.run, leaf); err != nil {
			return nil, err
		}
	}
	for _, sources := range partitions {
		for _, source := range sources {
			p.InspectedSpans += uint64(source.Spans()) //nolint:gosec // a count
		}
	}
	p.run.partitions = nil
	return p, nil
}

// Append encodes a part for Parse.
func (p *MetricsPart) Append(dst []byte) []byte {
	dst = wire.AppendUint(dst, p.InspectedSpans)
	for _, leaf := range p.query.leaves {
		if o := p.run.observed[leaf]; o != nil {
			dst = o.encode(dst)
		}
	}
	return dst
}

// Parse reads a part that was gathered elsewhere for the same query. Returns
// wire.ErrMessage for what is none, and the errors of limits.
func (q *MetricsQuery) Parse(data []byte) (*MetricsPart, error) {
	p := &MetricsPart{query: q, run: q.start()}
	r := wire.NewReader(data)
	p.InspectedSpans = r.Uint()
	for _, leaf := range q.leaves {
		if q.grid.steps == 0 {
			break
		}
		o := leaf.newObserver(p.run)
		if err := o.decode(r); err != nil {
			return nil, fmt.Errorf("read a part of a metrics query: %w", err)
		}
		p.run.observed[leaf] = o
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("read a part of a metrics query: %w", err)
	}
	return p, nil
}

// MetricsSum adds up parts of which no two have seen the same trace, or counted
// the same samples. It serves one goroutine.
type MetricsSum struct {
	query *MetricsQuery
	all   *MetricsPart // nil before the first
	spans uint64
}

// Sum is the sum of no parts yet.
func (q *MetricsQuery) Sum() *MetricsSum { return &MetricsSum{query: q} }

// Add adds a part of the query, which belongs to the sum from then on. Returns
// the errors of limits.
func (s *MetricsSum) Add(p *MetricsPart) error {
	s.spans += p.InspectedSpans
	if s.all == nil {
		s.all = p
		return nil
	}
	for _, leaf := range s.query.leaves {
		if o := s.all.run.observed[leaf]; o != nil {
			if err := o.merge(p.run.observed[leaf]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Result is the answer of all parts so far, to which others may still be added.
func (s *MetricsSum) Result() (*MetricsResult, error) {
	g := s.query.grid
	result := &MetricsResult{Times: make([]uint64, g.steps), InspectedSpans: s.spans}
	for i := range result.Times {
		result.Times[i] = g.timeOf(i)
	}
	if g.steps == 0 {
		return result, nil
	}
	run := s.query.start()
	if s.all != nil {
		run = s.all.run
	}
	for _, leaf := range s.query.leaves {
		if run.observed[leaf] == nil {
			run.observed[leaf] = leaf.newObserver(run)
		}
	}
	series, err := s.query.plan.root.series(run)
	if err != nil {
		return nil, err
	}
	result.Series = finish(series)
	return result, nil
}

// Stepwise reports whether it is worth while to count some samples first, and
// these are final then, though samples of series that are only in other steps,
// zeros, may come beside them: a rank depends on these zeros, and a comparison shows
// values that are frequent in all steps together. A query that puts traces together
// would do that for each of the steps that they reach into.
func (q *MetricsQuery) Stepwise() bool { return !q.grid.instant && q.plan.root.stepwise() }

// Between leaves only the samples that begin in [startNanos, endNanos), without
// exemplars, and the series that have one.
func (q *MetricsQuery) Between(r *MetricsResult, startNanos, endNanos uint64) *MetricsResult {
	g := q.grid.within(startNanos, endNanos)
	cut := &MetricsResult{Times: r.Times[g.from:g.to], InspectedSpans: r.InspectedSpans}
	for _, s := range r.Series {
		s.Values, s.Exemplars = s.Values[g.from:g.to], nil
		if s.hasPoints() {
			cut.Series = append(cut.Series, s)
		}
	}
	return cut
}

// run is the query in one part.
func (q *MetricsQuery) run(ctx context.Context, partitions [][]Source) (*MetricsResult, error) {
	part, err := q.Gather(ctx, partitions)
	if err != nil {
		return nil, err
	}
	sum := q.Sum()
	if err := sum.Add(part); err != nil {
		return nil, err
	}
	return sum.Result()
}
