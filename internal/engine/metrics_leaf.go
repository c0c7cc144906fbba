package engine

import (
	"errors"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/wire"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// ErrNotMetrics means that a query is no metrics query.
var ErrNotMetrics = errors.New("not a metrics query")

// metricsLeaf is one function of spans and what is done to its series.
type metricsLeaf struct {
	text      string // of the pipeline and the function
	plan      *Plan  // of the pipeline
	op        traceql.MetricsOp
	by        []metricsField
	field     *metricsField  // that is measured, nil for none
	shown     []metricsField // of exemplars: what else the pipeline mentions
	quantiles []float64
	compare   *comparing // of compare, else nil
	stages    []traceql.SecondStage

	whole   bool        // the fields need the trace
	columns vec.Columns // that judging and measuring a row reads

	sampling *vec.Sampling // if columns of the rows are enough, else nil
}

func newMetricsLeaf(e *traceql.MetricsQuery) (*metricsLeaf, error) {
	plan, err := Compile(&traceql.Query{Pipeline: e.Pipeline})
	if err != nil {
		return nil, err
	}
	f := e.Function
	q := &metricsLeaf{plan: plan, op: f.Op, quantiles: f.Quantiles, stages: e.Stages}
	q.text = (&traceql.MetricsQuery{Pipeline: e.Pipeline, Function: f}).String()
	c := newCompiler()
	fields := f.By
	for _, by := range f.By {
		field, err := c.newMetricsField(by)
		if err != nil {
			return nil, err
		}
		q.by = append(q.by, field)
	}
	if f.Field != nil {
		field, err := c.newMetricsField(f.Field)
		if err != nil {
			return nil, err
		}
		q.field, fields = &field, append(slices.Clip(fields), f.Field)
	}
	for _, field := range fields {
		q.whole = q.whole || c.partsOf(field).has(partTrace)
	}
	if err := q.setShown(c, e.Pipeline); err != nil {
		return nil, err
	}
	for i := range q.shown {
		fields = append(slices.Clip(fields), q.shown[i].expr)
	}
	q.columns = union(plan.columns, columnsOf(fields...))
	if f.Compare != nil {
		if q.compare, err = newComparing(f.Compare); err != nil {
			return nil, err
		}
		q.whole, q.columns = true, vec.AllColumns()
	}
	q.setSampling()
	return q, nil
}

// setShown finds what a filter mentions of a span, as far as every source can
// tell it.
func (q *metricsLeaf) setShown(c *compiler, pipeline traceql.Pipeline) error {
	if len(pipeline) != 1 {
		return nil
	}
	filter, ok := pipeline[0].(*traceql.SpansetFilter)
	if !ok {
		return nil
	}
	var err error
	eachField(filter.Expr, func(e traceql.FieldExpr) {
		if _, ok := e.(*traceql.Literal); ok || err != nil {
			return
		}
		var field metricsField
		if field, err = c.newMetricsField(e); err != nil || field.column() == nil {
			return
		}
		if !slices.ContainsFunc(q.shown, func(have metricsField) bool { return have.key == field.key }) {
			q.shown = append(q.shown, field)
		}
	})
	return err
}

// isDuration reports whether what is measured is shown in seconds.
func (q *metricsLeaf) isDuration() bool { return q.field != nil && q.field.isDuration() }

func (q *metricsLeaf) leaves(list []*metricsLeaf) []*metricsLeaf { return append(list, q) }

func (q *metricsLeaf) stepwise() bool { return !q.plan.trace && !q.whole && !ranks(q.stages) }

func (q *metricsLeaf) series(r *metricsRun) ([]Series, error) {
	return applyStages(r.observed[q].series(), q.stages)
}

// observer takes the spans that a query finds. It serves one goroutine.
type observer interface {
	// span takes the span of the frame, which starts in the step.
	span(f *frame, step int32) error
	// merge takes what another observer of the same query was given.
	merge(other observer) error
	series() []Series
	// encode appends what was given, decode takes what was appended.
	encode(dst []byte) []byte
	decode(r *wire.Reader) error
}

func (q *metricsLeaf) newObserver(r *metricsRun) observer {
	if q.compare != nil {
		return newCompareObserver(q, r)
	}
	return newGroupObserver(q, r)
}

// groupObserver keeps a tally of groups.
type groupObserver struct {
	leaf *metricsLeaf
	run  *metricsRun

	groups    *groups
	tally     tally
	exemplars *exemplars

	values []schema.Value // of the current span
	state  sampleState
}

func newGroupObserver(q *metricsLeaf, r *metricsRun) *groupObserver {
	return &groupObserver{
		leaf: q, run: r,
		groups: newGroups(), tally: q.newTally(r.grid.steps, r.grid.seconds),
		exemplars: newExemplars(r.opts.Exemplars, r.grid.steps),
		values:    make([]schema.Value, len(q.by)),
	}
}

func (o *groupObserver) span(f *frame, step int32) error {
	for i := range o.leaf.by {
		o.values[i] = o.leaf.by[i].label(f)
	}
	group, err := o.group(o.values)
	if err != nil {
		return err
	}
	var n quantity
	measured := false
	if o.leaf.field != nil {
		n, measured = o.leaf.field.number(f)
	}
	o.tally.add(group, step, n, measured)
	if o.exemplars.wants(step) && (measured || o.leaf.field == nil) {
		o.exemplars.offer(o.exemplarOf(f, step, group, n))
	}
	return o.run.budget.take(o.tally.bytes())
}

// group is the number of the group of values, which it may change.
func (o *groupObserver) group(values []schema.Value) (int32, error) {
	if len(values) > 0 && allMissing(values) {
		values[0] = nilLabel()
	}
	if group, ok := o.groups.find(values); ok {
		return group, nil
	}
	if len(o.groups.labels) >= o.run.opts.MaxSeries {
		return 0, ErrTooManySeries
	}
	group, bytes := o.groups.add(values)
	return group, o.run.budget.take(bytes + o.tally.grow())
}

func (o *groupObserver) merge(other observer) error {
	from, _ := other.(*groupObserver)
	numbers := make([]int32, len(from.groups.labels))
	for i, values := range from.groups.labels {
		var err error
		if numbers[i], err = o.group(values); err != nil {
			return err
		}
		o.tally.merge(numbers[i], from.tally, int32(i), 0) //nolint:gosec // bounded by MaxSeries
	}
	o.exemplars.merge(from.exemplars, numbers)
	return o.run.budget.take(o.tally.bytes())
}

// series writes the series of every group. A function of all spans together
// has one although there are none.
func (o *groupObserver) series() []Series {
	counts := o.leaf.op == traceql.MetricsRate || o.leaf.op == traceql.MetricsCountOverTime
	if len(o.leaf.by) == 0 && len(o.groups.labels) == 0 && counts {
		o.groups.find(nil)
		o.groups.add(nil)
		o.tally.grow()
	}
	var list []Series
	places := make([][]int, len(o.groups.labels)) // of each group's series
	for i, values := range o.groups.labels {
		labels := o.labels(values)
		o.tally.points(int32(i), func(extra schema.Attribute, points []float64) { //nolint:gosec // bounded by MaxSeries
			s := Series{Labels: labels, Values: points, name: o.leaf.op.String()}
			if extra.Key != "" {
				s.Labels = append(slices.Clip(s.Labels), extra)
			}
			if len(s.Labels) == 0 {
				s.Labels = []schema.Attribute{textLabel(labelName, s.name)}
			}
			places[i] = append(places[i], len(list))
			list = append(list, s)
		})
	}
	o.exemplars.attach(o.leaf, list, places)
	return list
}

// labels are those of a group: the values that are not missing.
func (o *groupObserver) labels(values []schema.Value) []schema.Attribute {
	labels := make([]schema.Attribute, 0, len(values)+1)
	for i, v := range values {
		if v.Kind != schema.KindEmpty {
			labels = append(labels, schema.Attribute{Key: o.leaf.by[i].key, Value: v})
		}
	}
	return labels
}

// labelName is the label of a series that has no others.
const labelName = "__name__"

func textLabel(key, text string) schema.Attribute {
	return schema.Attribute{Key: key, Value: schema.Value{Kind: schema.KindString, Str: text}}
}
