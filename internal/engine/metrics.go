package engine

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// MetricsPlan is a compiled metrics query. It is immutable and safe for
// concurrent use.
type MetricsPlan struct {
	root      metricsNode
	exemplars int // that the query asks for, negative if it does not say
}

// metricsNode makes series of what was observed: *metricsLeaf, or *metricsMath
// of others.
type metricsNode interface {
	// leaves appends the functions of spans, in the order of the query.
	leaves(list []*metricsLeaf) []*metricsLeaf
	series(r *metricsRun) ([]Series, error)
	// stepwise is MetricsQuery.Stepwise.
	stepwise() bool
}

// CompileMetrics prepares a metrics query. Returns ErrNotMetrics for a search,
// and traceql.ErrUnsupported for parts of the language that it can not
// evaluate.
func CompileMetrics(q *traceql.Query) (*MetricsPlan, error) {
	if q.Metrics == nil {
		return nil, ErrNotMetrics
	}
	root, err := compileMetrics(q.Metrics)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", q, err)
	}
	return &MetricsPlan{root: root, exemplars: exemplarsHint(q.Hints)}, nil
}

// exemplarsHint is the number of exemplars that hints allow, negative if they
// do not say.
func exemplarsHint(hints []traceql.Hint) int {
	for _, h := range hints {
		if h.Name != "exemplars" {
			continue
		}
		switch h.Value.Type {
		case traceql.TypeBool:
			if !h.Value.IsTrue() {
				return 0
			}
		case traceql.TypeInt:
			return int(min(max(h.Value.Int, 0), MaxExemplars))
		default:
		}
	}
	return -1
}

func compileMetrics(e traceql.MetricsExpr) (metricsNode, error) {
	switch e := e.(type) {
	case *traceql.MetricsQuery:
		return newMetricsLeaf(e)
	case *traceql.MetricsBinary:
		return newMetricsMath(e)
	}
	return nil, fmt.Errorf("%w: %s", traceql.ErrUnsupported, e)
}

// MaxExemplars is the largest number of exemplars of an answer.
const MaxExemplars = 100

// MetricsOptions are the range and the limits of a metrics query.
type MetricsOptions struct {
	// StartNanos and EndNanos are the range, Unix nanoseconds.
	StartNanos, EndNanos uint64
	// Only the samples that begin in [FromNanos, ToNanos) are counted, unless both
	// are 0: what is counted of others elsewhere adds up with them.
	FromNanos, ToNanos uint64
	// StepNanos is the distance of the samples of a range query, 0 for
	// DefaultStep.
	StepNanos uint64
	// NowNanos is the time of the query: a range ends with the step that it is in.
	NowNanos  uint64
	Exemplars int // at most, up to MaxExemplars
	MaxSteps  int // 0 for no limit, likewise those below
	// MaxSeries bounds the groups that a query makes.
	MaxSeries   int
	MaxBytes    int64    // of memory for groups and their samples
	Concurrency int      // sources or traces read at a time, default 1
	Repeats     *Repeats // nil to find out anew which traces are where
	Tallies     *Tallies // nil to read all sources anew
}

func (o *MetricsOptions) setDefaults() {
	orDefault := func(v *int, to int) {
		if *v <= 0 {
			*v = to
		}
	}
	orDefault(&o.MaxSteps, math.MaxInt32)
	orDefault(&o.MaxSeries, math.MaxInt32)
	orDefault(&o.Concurrency, 1)
	if o.MaxBytes <= 0 {
		o.MaxBytes = math.MaxInt64
	}
	if o.NowNanos == 0 {
		o.NowNanos = math.MaxUint64
	}
	if o.StepNanos == 0 {
		o.StepNanos = DefaultStep(o.StartNanos, o.EndNanos)
	}
	o.Exemplars = min(max(o.Exemplars, 0), MaxExemplars)
}

// MetricsResult is the answer to a metrics query.
type MetricsResult struct {
	// Times are those of the samples, Unix nanoseconds. Of an instant query
	// it is the end of the range.
	Times  []uint64
	Series []Series // in the order of their labels, each with a point at least
	// InspectedSpans is the number of rows of the sources that were searched.
	InspectedSpans uint64
}

// Series are the values of one set of labels.
type Series struct {
	Labels    []schema.Attribute // strings, ints, doubles or booleans
	Values    []float64          // by sample, NaN where there is none
	Exemplars []Exemplar

	name string // of the function, as math writes it
}

// Exemplar is a span that counts in a sample.
type Exemplar struct {
	TraceID    schema.TraceID
	StartNanos uint64 // of the span
	Value      float64
	Labels     []schema.Attribute // what else the query mentions of the span

	step int32
	fill bool // Value is that of the series
}

// QueryRange makes samples at the multiples of the step in a range. A sample
// covers the spans that start after the one before it, up to and including its
// own time; the first and the last cover whole steps too. The last one is the step
// that now is in.
//
// partitions and sources are those of Search, and so is what it promises: the
// answer depends on the rows of all the sources together alone, and rows that
// are there twice count once. Sources of which no row starts in the range
// (QueryTimes) are best given as LookupOnly.
//
// Returns ErrTooManySteps, ErrTooManySeries or ErrTooMuchMemory when a limit is
// exceeded.
func QueryRange(ctx context.Context, plan *MetricsPlan, partitions [][]Source, opts MetricsOptions) (*MetricsResult, error) {
	q, err := plan.Range(opts)
	if err != nil {
		return nil, err
	}
	return q.run(ctx, partitions)
}

// QueryInstant is QueryRange with a single sample that covers the range, both
// ends included. It has no exemplars.
func QueryInstant(ctx context.Context, plan *MetricsPlan, partitions [][]Source, opts MetricsOptions) (*MetricsResult, error) {
	return plan.Instant(opts).run(ctx, partitions)
}

// QueryTimes is the range of start times that QueryRange looks at, both ends
// included.
func QueryTimes(opts MetricsOptions) (first, last uint64) {
	opts.setDefaults()
	g := rangeGrid(opts.StartNanos, opts.EndNanos, opts.StepNanos, opts.NowNanos)
	return g.after() + 1, g.until()
}

// metricsRun is one execution of a plan, or of a part of it.
type metricsRun struct {
	grid       grid
	opts       MetricsOptions
	partitions [][]Source
	budget     *budget
	observed   map[*metricsLeaf]observer // what the functions have seen
	many       sync.Map                  // labels of fields that compare has given up
}
