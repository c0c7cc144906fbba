package engine

import (
	"math"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// sampleObserver is an observer that takes columns of rows.
type sampleObserver interface {
	observer

	// beginSamples says that what follows is of another source, or of traces
	// that were put together: in an order of its own.
	beginSamples()
	samples(s *vec.Samples) error
}

// setSampling finds out whether columns are enough for the query.
func (q *metricsLeaf) setSampling() {
	if q.whole || q.compare != nil || q.plan.trace || !q.plan.row.sure {
		return
	}
	s := &vec.Sampling{Filter: q.plan.row.filter}
	for i := range q.by {
		column := q.by[i].column()
		if column == nil {
			return
		}
		s.Groups = append(s.Groups, column)
	}
	if q.field != nil {
		if s.Number = q.field.numbers(); s.Number == nil {
			return
		}
	}
	for i := range q.shown {
		s.Shown = append(s.Shown, q.shown[i].column())
	}
	q.sampling = s
}

// column is where sources have the field, nil if they do not know it.
func (f *metricsField) column() vec.Column {
	switch e := f.expr.(type) {
	case *traceql.Attribute:
		return attributeColumn(e)
	case *traceql.Intrinsic:
		switch e.ID {
		case traceql.IntrinsicName, traceql.IntrinsicKind, traceql.IntrinsicStatus, traceql.IntrinsicStatusMessage,
			traceql.IntrinsicInstrumentationName, traceql.IntrinsicInstrumentationVersion:
			return vec.Column{{Scope: vec.ScopeIntrinsic, Key: rowIntrinsic(e.ID)}}
		default:
		}
	}
	return nil
}

// numbers is where sources have the numbers of the field.
func (f *metricsField) numbers() vec.Column {
	switch e := f.expr.(type) {
	case *traceql.Attribute:
		return attributeColumn(e)
	case *traceql.Intrinsic:
		if e.ID == traceql.IntrinsicDuration {
			return vec.Column{{Scope: vec.ScopeIntrinsic, Key: vec.Duration}}
		}
	}
	return nil
}

func attributeColumn(a *traceql.Attribute) vec.Column {
	if isCounted(a) {
		return nil
	}
	switch a.Scope {
	case traceql.ScopeNone:
		return vec.Column{{Scope: vec.ScopeSpan, Key: a.Name}, {Scope: vec.ScopeResource, Key: a.Name}}
	case traceql.ScopeSpan:
		return vec.Column{{Scope: vec.ScopeSpan, Key: a.Name}}
	case traceql.ScopeResource:
		return vec.Column{{Scope: vec.ScopeResource, Key: a.Name}}
	case traceql.ScopeInstrumentation:
		return vec.Column{{Scope: vec.ScopeInstrumentation, Key: a.Name}}
	case traceql.ScopeEvent, traceql.ScopeLink,
		traceql.ScopeParent, traceql.ScopeParentSpan, traceql.ScopeParentResource:
	}
	return nil
}

// labelOfSample is label for a value that a source gave.
func (f *metricsField) labelOfSample(v schema.Value) schema.Value {
	switch e := f.expr.(type) {
	case *traceql.Intrinsic:
		switch e.ID {
		case traceql.IntrinsicStatus:
			return labelOfStatic(traceql.NewStatus(int32(v.Int))) //nolint:gosec // was an int32
		case traceql.IntrinsicKind:
			return labelOfStatic(traceql.NewKind(int32(v.Int))) //nolint:gosec // was an int32
		default:
		}
	case *traceql.Attribute:
		ofResource := e.Scope == traceql.ScopeResource || e.Scope == traceql.ScopeNone
		if v.Kind == schema.KindEmpty && e.Name == serviceName && ofResource {
			return schema.Value{Kind: schema.KindString}
		}
	}
	return labelOf(v)
}

// sampleState is what an observer keeps between the samples of one source.
type sampleState struct {
	steps, groups []int32
	dictionaries  []*vec.Dictionary // that codes belong to
	byCode        []int32           // groups of the codes of one dictionary, less than 0: unknown
	byCodes       map[[maxBy]uint32]int32
	lastCodes     [maxBy]uint32
	lastGroup     int32
}

// maxBy is the largest number of fields to group by.
const maxBy = 5

func (o *groupObserver) beginSamples() {
	o.exemplars.begin()
	o.state.dictionaries = nil
}

// samples takes rows by columns.
func (o *groupObserver) samples(s *vec.Samples) error {
	st := &o.state
	st.steps = o.run.grid.appendSteps(st.steps[:0], s.Starts)
	if err := o.groupSamples(s); err != nil {
		return err
	}
	if o.leaf.field == nil {
		o.countSamples(st.steps, st.groups)
	} else {
		o.measureSamples(st.steps, st.groups, &s.Numbers)
	}
	if err := o.run.budget.take(o.tally.bytes()); err != nil {
		return err
	}
	return o.offerSamples(s)
}

// appendSteps appends the step of every start, negative for none.
func (g *grid) appendSteps(dst []int32, starts []uint64) []int32 {
	// Rows of one trace mostly fall into one step.
	low, high, step := uint64(1), uint64(0), int32(-1) // (low, high] is the step's
	for _, start := range starts {
		if start <= low || start > high {
			step = int32(g.at(start)) //nolint:gosec // below the number of steps
			if step < 0 {
				low, high = 1, 0
			} else {
				high = g.timeOf(int(step))
				low = high - g.step
			}
		}
		dst = append(dst, step)
	}
	return dst
}

// groupSamples finds the groups of rows that are in a step.
func (o *groupObserver) groupSamples(s *vec.Samples) error {
	st := &o.state
	st.groups = append(st.groups[:0], make([]int32, len(s.Starts))...)
	o.forgetCodes(s.Groups)
	switch len(s.Groups) {
	case 0:
		return o.groupAll(s)
	case 1:
		return o.groupByOne(s)
	default:
		return o.groupByMany(s)
	}
}

// forgetCodes forgets what codes mean if they are of other dictionaries now.
func (o *groupObserver) forgetCodes(list []vec.Codes) {
	st := &o.state
	same := len(st.dictionaries) == len(list)
	for i := 0; same && i < len(list); i++ {
		same = st.dictionaries[i] == list[i].Dictionary
	}
	if same {
		return
	}
	st.dictionaries = st.dictionaries[:0:0]
	for _, codes := range list {
		st.dictionaries = append(st.dictionaries, codes.Dictionary)
	}
	st.byCode, st.byCodes, st.lastGroup = st.byCode[:0], make(map[[maxBy]uint32]int32), -1
}

func (o *groupObserver) groupAll(s *vec.Samples) error {
	for i := range s.Starts {
		if o.state.steps[i] >= 0 {
			_, err := o.group(nil)
			return err
		}
	}
	return nil
}

func (o *groupObserver) groupByOne(s *vec.Samples) error {
	st, codes := &o.state, s.Groups[0]
	for len(st.byCode) < len(codes.Dictionary.Values) {
		st.byCode = append(st.byCode, -1)
	}
	for i, code := range codes.Codes {
		if st.steps[i] < 0 {
			continue
		}
		group := st.byCode[code]
		if group < 0 {
			o.values[0] = o.leaf.by[0].labelOfSample(codes.Dictionary.Values[code])
			var err error
			if group, err = o.group(o.values); err != nil {
				return err
			}
			st.byCode[code] = group
		}
		st.groups[i] = group
	}
	return nil
}

func (o *groupObserver) groupByMany(s *vec.Samples) error {
	st := &o.state
	for i := range s.Starts {
		if st.steps[i] < 0 {
			continue
		}
		var codes [maxBy]uint32
		for k := range s.Groups {
			codes[k] = s.Groups[k].Codes[i]
		}
		if codes != st.lastCodes || st.lastGroup < 0 {
			group, ok := st.byCodes[codes]
			if !ok {
				for k := range s.Groups {
					o.values[k] = o.leaf.by[k].labelOfSample(s.Groups[k].Dictionary.Values[codes[k]])
				}
				var err error
				if group, err = o.group(o.values); err != nil {
					return err
				}
				st.byCodes[codes] = group
			}
			st.lastCodes, st.lastGroup = codes, group
		}
		st.groups[i] = st.lastGroup
	}
	return nil
}

// countSamples counts rows.
func (o *groupObserver) countSamples(steps, groups []int32) {
	t, ok := o.tally.(*countTally)
	if !ok {
		return // every other function measures
	}
	for i, step := range steps {
		if step >= 0 {
			t.cells[int(groups[i])*t.steps+int(step)]++
		}
	}
}

// measureSamples adds the numbers of rows.
func (o *groupObserver) measureSamples(steps, groups []int32, numbers *vec.Numbers) {
	for i, step := range steps {
		if step < 0 {
			continue
		}
		if n, ok := numberOfSample(numbers, i); ok {
			o.tally.add(groups[i], step, n, true)
		}
	}
}

func numberOfSample(numbers *vec.Numbers, i int) (quantity, bool) {
	switch numbers.Kinds[i] {
	case vec.Int:
		return quantity{i: int64(numbers.Words[i])}, true //nolint:gosec // its bits
	case vec.Float:
		f := math.Float64frombits(numbers.Words[i])
		return quantity{isFloat: true, f: f}, !math.IsNaN(f)
	case vec.NoNumber:
	}
	return quantity{}, false
}

// offerSamples offers rows as exemplars.
func (o *groupObserver) offerSamples(s *vec.Samples) error {
	if len(o.exemplars.slots) == 0 {
		return nil
	}
	for i, step := range o.state.steps {
		if step < 0 || !o.exemplars.wants(step) {
			continue
		}
		var n quantity
		if o.leaf.field != nil {
			var ok bool
			if n, ok = numberOfSample(&s.Numbers, i); !ok {
				continue
			}
		}
		id, err := s.Trace(i)
		if err != nil {
			return err
		}
		group := o.state.groups[i]
		e := exemplar{group: group, values: o.groups.labels[group]}
		e.TraceID, e.StartNanos, e.step = id, s.Starts[i], step
		e.Value = n.float() / unit(o.leaf.isDuration())
		if !o.exemplars.before(&e, s.Sorted) {
			continue
		}
		values, err := s.Show(i)
		if err != nil {
			return err
		}
		for k, v := range values {
			if v = o.leaf.shown[k].labelOfSample(v); v.Kind != schema.KindEmpty {
				e.Labels = append(e.Labels, schema.Attribute{Key: o.leaf.shown[k].key, Value: v})
			}
		}
		o.exemplars.offer(e)
	}
	return nil
}
