package querier

import (
	"context"
	"time"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/wire"
	"github.com/spanlake/spanlake/schema"
)

// searchQuestion asks for the newest traces in a slice of a range.
type searchQuestion struct {
	plan          *engine.Plan
	query         string // the parameters that it was compiled from
	within, slice timeRange
	margin        time.Duration
	opts          engine.SearchOptions
}

func (s *searchQuestion) searched() timeRange { return s.slice }

func (s *searchQuestion) sources(ctx context.Context, q *Querier, p *part) ([]engine.Source, error) {
	return q.sourcesBeside(ctx, p.joined, p.traces, s.slice, s.within, s.margin)
}

func (s *searchQuestion) run(ctx context.Context, sources []engine.Source) (answer, error) {
	// One group: a source says itself whether a trace is of its partition.
	return notNil(engine.Search(ctx, s.plan, [][]engine.Source{sources}, s.opts))
}

func (s *searchQuestion) parse(encoded []byte) (answer, error) {
	return notNil(engine.ParseSearchResult(encoded))
}

func (s *searchQuestion) fill(j *wire.Job) {
	j.Kind, j.Query, j.Margin = wire.KindSearch, s.query, s.margin
	j.Within, j.Slice = [2]uint64{s.within.start, s.within.end}, [2]uint64{s.slice.start, s.slice.end}
	j.Limit, j.SpansPerSpanSet = s.opts.Limit, s.opts.SpansPerSpanSet
}

// metricsQuestion asks what the functions of a metrics query see.
type metricsQuestion struct {
	plan    *engine.MetricsPlan
	metrics *engine.MetricsQuery
	query   string    // the parameters that it was compiled from
	within  timeRange // of all samples
	margin  time.Duration
	opts    engine.MetricsOptions
	instant bool
}

func newMetricsQuestion(
	plan *engine.MetricsPlan, query string, within timeRange, margin time.Duration, opts engine.MetricsOptions, instant bool,
) (*metricsQuestion, error) {
	m := &metricsQuestion{plan: plan, query: query, within: within, margin: margin, opts: opts, instant: instant}
	if instant {
		m.metrics = plan.Instant(opts)
		return m, nil
	}
	var err error
	m.metrics, err = plan.Range(opts)
	return m, err
}

// slices asks for some samples after the others, the newest first, cut as
// timeSlices does. Each has all sources, of which only those are scanned that
// have spans that count: a span may be in two of them.
func (m *metricsQuestion) slices(blocks []schema.BlockName, size int) ([]*metricsQuestion, error) {
	var list []*metricsQuestion
	for _, slice := range timeSlices(blocks, m.searched(), size) {
		opts := m.opts
		opts.FromNanos, opts.ToNanos = slice.start, slice.end
		ask, err := newMetricsQuestion(m.plan, m.query, m.within, m.margin, opts, m.instant)
		if err != nil {
			return nil, err
		}
		if first, last := ask.metrics.Times(); first <= last {
			list = append(list, ask)
		}
	}
	return list, nil
}

func (m *metricsQuestion) searched() timeRange {
	first, last := m.metrics.Times()
	return timeRange{first, last + 1}
}

func (m *metricsQuestion) sources(ctx context.Context, q *Querier, p *part) ([]engine.Source, error) {
	return q.sourcesBeside(ctx, p.joined, p.traces, m.within, m.within, m.margin)
}

func (m *metricsQuestion) run(ctx context.Context, sources []engine.Source) (answer, error) {
	return notNil(m.metrics.Gather(ctx, [][]engine.Source{sources}))
}

func (m *metricsQuestion) parse(encoded []byte) (answer, error) {
	return notNil(m.metrics.Parse(encoded))
}

func (m *metricsQuestion) fill(j *wire.Job) {
	j.Kind, j.Query, j.Margin = wire.KindMetricsRange, m.query, m.margin
	if m.instant {
		j.Kind = wire.KindMetricsInstant
	}
	j.Within, j.Slice = [2]uint64{m.within.start, m.within.end}, [2]uint64{m.opts.StartNanos, m.opts.EndNanos}
	j.Counted = [2]uint64{m.opts.FromNanos, m.opts.ToNanos}
	j.StepNanos, j.NowNanos, j.Exemplars = m.opts.StepNanos, m.opts.NowNanos, m.opts.Exemplars
	j.MaxSteps, j.MaxSeries, j.MaxBytes = m.opts.MaxSteps, m.opts.MaxSeries, m.opts.MaxBytes
}

// notNil is an answer, or none with an error.
func notNil[T answer](found T, err error) (answer, error) {
	if err != nil {
		return nil, err
	}
	return found, nil
}
