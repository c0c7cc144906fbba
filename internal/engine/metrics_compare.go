package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// maxCompareValues is the number of values of an attribute up to which compare
// tells them apart: more are ids or texts, of which none says much. It is no
// less than traceql.MaxTopN.
const maxCompareValues = 1000

// maxCompareText is how many bytes a value may have so that its field's values
// are told apart. Longer ones are texts: prompts, answers, stack traces.
const maxCompareText = 256

// Labels of compare's series.
const (
	labelMetaType  = "__meta_type"
	labelMetaError = "__meta_error"
	tooManyValues  = "__too_many_values__"
)

// comparing are the arguments of compare.
type comparing struct {
	selection            condition
	filter               *vec.Filter // the same for sources, nil if they can not tell
	topN                 int
	startNanos, endNanos uint64 // both 0: any time
}

func newComparing(c *traceql.Compare) (*comparing, error) {
	compiler := newCompiler()
	selection, err := compiler.exact(c.Selection.Expr)
	if err != nil {
		return nil, err
	}
	compared := &comparing{selection: selection, topN: c.TopN, startNanos: c.StartNanos, endNanos: c.EndNanos}
	filter, err := compiler.filter(c.Selection.Expr, modeMay)
	if !compiler.loose && !compiler.partsOf(c.Selection.Expr).has(partTrace) {
		compared.filter = filter
	}
	return compared, err
}

// selects reports whether a span that starts then can be selected.
func (c *comparing) selects(startNanos uint64) bool {
	return c.startNanos == 0 && c.endNanos == 0 || startNanos > c.startNanos && startNanos <= c.endNanos
}

// side says which of its two groups a span is in.
type side uint8

const (
	sideBaseline side = iota
	sideSelection
	numSides
)

// String is the value of the label that names the side.
func (s side) String() string { return [numSides]string{"baseline", "selection"}[s] }

// comparedField counts the values of one field.
type comparedField struct {
	label   string
	numbers map[string]int32
	values  []schema.Value
	counts  []cellCounts // by value, of cells: side and step
	totals  []uint64     // by side and step
	tooMany bool
}

// compareObserver counts, for every field, how often it has which value.
type compareObserver struct {
	leaf *metricsLeaf
	run  *metricsRun

	fields  map[string]*comparedField // by label
	frame   *frame                    // of the selection, whose conditions are others
	spans   spanFields
	scratch []byte
}

func newCompareObserver(q *metricsLeaf, r *metricsRun) *compareObserver {
	return &compareObserver{leaf: q, run: r, fields: make(map[string]*comparedField), frame: newFrame()}
}

func (o *compareObserver) span(f *frame, step int32) error {
	which := sideBaseline
	o.frame.trace = f.trace
	o.frame.setRow(int32(f.row)) //nolint:gosec // a trace fits memory
	if o.leaf.compare.selects(f.span.StartNanos) && o.leaf.compare.selection(o.frame) {
		which = sideSelection
	}
	for _, v := range o.spans.of(f) {
		field, err := o.field(v.label)
		if err != nil {
			return err
		}
		if err := o.count(field, v.value, which, step); err != nil {
			return err
		}
	}
	return nil
}

// giveUp forgets the values of a field: there are too many, or too long ones.
func (o *compareObserver) giveUp(f *comparedField) {
	f.tooMany = true
	f.numbers, f.values, f.counts = nil, nil, nil
	o.run.many.Store(f.label, true)
}

// field finds what is counted under a label.
func (o *compareObserver) field(label string) (*comparedField, error) {
	field := o.fields[label]
	if field != nil {
		return field, nil
	}
	label = strings.Clone(label)
	field = &comparedField{
		label: label, numbers: make(map[string]int32),
		totals: make([]uint64, o.cells()),
	}
	o.fields[label] = field
	if len(o.fields) > o.run.opts.MaxSeries {
		return nil, ErrTooManySeries
	}
	return field, o.run.budget.take(groupBytes + len(label) + cellBytes*len(field.totals))
}

func (o *compareObserver) count(field *comparedField, v schema.Value, which side, step int32) error {
	cell := o.cell(which, step)
	field.totals[cell]++
	n, err := o.value(field, v)
	if err != nil || n < 0 {
		return err
	}
	return o.run.budget.take(field.counts[n].add(cell, 1, o.cells()))
}

// cell is where a span of a side and step counts, cells their number.
func (o *compareObserver) cell(which side, step int32) int32 {
	return int32(int(which)*o.run.grid.steps) + step //nolint:gosec // bounded by MaxSteps
}

func (o *compareObserver) cells() int { return int(numSides) * o.run.grid.steps }

// value is the number of a value, negative if the field has too many.
func (o *compareObserver) value(field *comparedField, v schema.Value) (int32, error) {
	if field.tooMany {
		return -1, nil
	}
	o.scratch = appendValueKey(o.scratch[:0], &v)
	if n, ok := field.numbers[string(o.scratch)]; ok {
		return n, nil
	}
	n := int32(len(field.values)) //nolint:gosec // bounded by maxCompareValues
	if n == maxCompareValues || len(v.Str) > maxCompareText {
		o.giveUp(field)
		return -1, nil
	}
	v.Str = strings.Clone(v.Str)
	field.numbers[string(o.scratch)] = n
	field.values, field.counts = append(field.values, v), append(field.counts, cellCounts{})
	return n, o.run.budget.take(groupBytes + len(v.Str) + len(o.scratch))
}

func (o *compareObserver) merge(other observer) error {
	from, _ := other.(*compareObserver)
	for label, f := range from.fields {
		field, err := o.field(label)
		if err != nil {
			return err
		}
		addAll(field.totals, f.totals)
		if f.tooMany {
			o.giveUp(field)
			continue
		}
		size := o.cells()
		for i, v := range f.values {
			n, err := o.value(field, v)
			if err != nil {
				return err
			}
			if n < 0 {
				break
			}
			if err := o.run.budget.take(field.counts[n].merge(&f.counts[i], size)); err != nil {
				return err
			}
		}
	}
	return nil
}

func addAll(into, from []uint64) {
	for i, n := range from {
		into[i] += n
	}
}

func (o *compareObserver) series() []Series {
	var list []Series
	for _, field := range o.fields {
		for which := range numSides {
			list = append(list, o.seriesOf(field, which)...)
		}
	}
	return list
}

// seriesOf are the most frequent values of a field on one side, and the total.
func (o *compareObserver) seriesOf(field *comparedField, which side) []Series {
	steps := o.run.grid.steps
	totals := field.totals[int(which)*steps:][:steps]
	if isZero(totals) {
		return nil
	}
	var list []Series
	meta := textLabel(labelMetaType, which.String())
	if field.tooMany {
		list = append(list, newCounts(totals, meta, textLabel(labelMetaError, tooManyValues),
			schema.Attribute{Key: field.label, Value: nilLabel()}))
	}
	type ranked struct {
		value schema.Attribute
		count uint64
		cells *cellCounts
	}
	var values []ranked
	from := int(which) * steps
	for i, v := range field.values {
		if count := field.counts[i].total(from, from+steps); count > 0 {
			values = append(values, ranked{schema.Attribute{Key: field.label, Value: v}, count, &field.counts[i]})
		}
	}
	slices.SortFunc(values, func(a, b ranked) int {
		if a.count != b.count {
			if a.count > b.count {
				return -1
			}
			return 1
		}
		return compareLabels([]schema.Attribute{a.value}, []schema.Attribute{b.value})
	})
	for _, v := range values[:min(len(values), o.leaf.compare.topN)] {
		list = append(list, newCounts(v.cells.all(from, from+steps), meta, v.value))
	}
	return append(list, newCounts(totals, textLabel(labelMetaType, fmt.Sprintf("%s_total", which)),
		schema.Attribute{Key: field.label, Value: nilLabel()}))
}

func isZero(counts []uint64) bool { return total(counts) == 0 }

func total(counts []uint64) (sum uint64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// newCounts is a series of counts.
func newCounts(counts []uint64, labels ...schema.Attribute) Series {
	s := Series{Labels: labels, Values: make([]float64, len(counts)), name: traceql.MetricsCompare.String()}
	for i, n := range counts {
		s.Values[i] = float64(n)
	}
	return s
}
