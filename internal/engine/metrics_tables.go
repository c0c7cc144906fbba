package engine

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// tabulates reports whether sources can count for the query.
func (q *metricsLeaf) tabulates() bool {
	return q.compare != nil && q.compare.filter != nil && !q.plan.trace && q.plan.row.sure
}

// tables lets sources count the rows of traces that are in one place, or of
// which it is known what the whole says of its rows, the root and the number of
// children. It returns the traces that have others.
func (p *gathering) tables(ctx context.Context) ([]schema.TraceID, error) {
	held, err := p.held(ctx)
	if err != nil {
		return nil, err
	}
	apart, err := p.openTraces(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.add(apart); err != nil {
		return nil, err
	}
	split, folded, err := p.split(ctx, held)
	if err != nil {
		return nil, err
	}
	apart = append(apart, split...)
	for _, ids := range p.beside {
		apart = append(apart, ids...)
	}
	var tabulators []int
	for i, source := range p.sources {
		if held[i] == nil {
			continue
		}
		if _, ok := source.(Tabulator); ok {
			tabulators = append(tabulators, i)
			continue
		}
		apart = append(apart, held[i].IDs...)
		if err := p.addFound(ctx, source); err != nil {
			return nil, err
		}
	}
	apart = sortedIDs(apart)
	tables := make([]*compareTable, min(len(tabulators), p.opts.Concurrency, runtime.GOMAXPROCS(0)))
	for i := range tables {
		o := p.take()
		defer func() { p.free <- o }()
		into, ok := o.(*compareObserver)
		if !ok {
			return nil, fmt.Errorf("%w: a table of %s", traceql.ErrUnsupported, p.leaf.op)
		}
		tables[i] = &compareTable{compareObserver: into}
	}
	err = p.each(ctx, len(tabulators), func(ctx context.Context, i int) error {
		table := tables[i%len(tables)]
		i = tabulators[i]
		source, _ := p.sources[i].(Tabulator)
		return p.tabulate(ctx, table, source, apart, folded[i])
	})
	return p.sorted(), err
}

// mayBeElsewhere returns the traces that sources may have that are not searched.
func (p *gathering) mayBeElsewhere(ctx context.Context, ids []schema.TraceID) (list []schema.TraceID, err error) {
	for _, source := range p.sources {
		if _, ok := source.(lookupOnly); !ok {
			continue
		}
		for i, id := range ids {
			if i%waveTraces == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			ok, err := source.MayHold(ctx, id)
			if err != nil {
				return nil, fmt.Errorf("look up traces: %w", err)
			}
			if ok {
				list = append(list, id)
			}
		}
	}
	return list, nil
}

// addFound adds the traces that a source finds.
func (p *gathering) addFound(ctx context.Context, source Source) error {
	var ids []schema.TraceID
	for hits, err := range find(ctx, source, &p.leaf.plan.row) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("find traces: %w", err)
		}
		for i := range hits {
			ids = append(ids, hits[i].ID)
		}
	}
	return p.add(ids)
}

func (p *gathering) tabulate(
	ctx context.Context, table *compareTable, source Tabulator, apart []schema.TraceID, folded []vec.Folded,
) error {
	left, err := source.Tabulate(ctx, &vec.Tabulation{
		Filter: p.leaf.plan.row.filter, Selection: p.leaf.compare.filter, Except: apart, Folded: folded,
		After: p.grid.after(), Until: p.grid.until(), Cell: table.cellOf, Cells: table.cells(),
		MaxValues: maxCompareValues, MaxText: maxCompareText,
	}, table)
	if err != nil {
		return fmt.Errorf("tabulate: %w", err)
	}
	return p.add(left)
}

// cellOf is where a span counts, negative for nowhere.
func (o *compareObserver) cellOf(startNanos uint64, selected bool) int32 {
	step := o.run.grid.at(startNanos)
	if step < 0 {
		return -1
	}
	which := sideBaseline
	if selected && o.leaf.compare.selects(startNanos) {
		which = sideSelection
	}
	return o.cell(which, int32(step)) //nolint:gosec // below the number of steps
}

// compareTable gives an observer what some sources have counted, which do so at
// once: an observer for each would have to be merged.
type compareTable struct {
	mu sync.Mutex
	*compareObserver
}

var _ vec.Table = (*compareTable)(nil)

// TellsApart is false for a field that was given up.
func (t *compareTable) TellsApart(field vec.Field) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	label, _ := t.labelled(field, schema.Value{})
	_, many := t.run.many.Load(label)
	return !many
}

// Value takes the rows that have a value.
func (t *compareTable) Value(field vec.Field, v schema.Value, counts []uint32) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.add(field, v, counts)
}

func (t *compareTable) add(field vec.Field, v schema.Value, counts []uint32) error {
	label, v := t.labelled(field, v)
	if v.Kind == schema.KindEmpty {
		return nil
	}
	f, err := t.field(label)
	if err != nil {
		return err
	}
	addCounts(f.totals, counts)
	n, err := t.value(f, v)
	if err != nil || n < 0 {
		return err
	}
	return t.run.budget.take(f.counts[n].addAll(counts))
}

// Many takes rows of which a field has too many values.
func (t *compareTable) Many(field vec.Field, counts []uint32) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	label, _ := t.labelled(field, schema.Value{})
	f, err := t.field(label)
	if err != nil {
		return err
	}
	t.giveUp(f)
	addCounts(f.totals, counts)
	return nil
}

// Attributes takes rows that share attributes.
func (t *compareTable) Attributes(scope vec.Scope, attributes []schema.Attribute, counts []uint32) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if scope == vec.ScopeResource {
		service := resourceValue(attributes, serviceName)
		if err := t.add(vec.Field{Scope: scope, Key: serviceName}, service, counts); err != nil {
			return err
		}
	}
	for i, a := range attributes {
		again := slices.ContainsFunc(attributes[:i], func(b schema.Attribute) bool { return b.Key == a.Key })
		if again || scope == vec.ScopeResource && a.Key == serviceName {
			continue
		}
		if err := t.add(vec.Field{Scope: scope, Key: a.Key}, a.Value, counts); err != nil {
			return err
		}
	}
	return nil
}

// resourceValue is an attribute of a resource, whose service.name is never
// absent.
func resourceValue(attributes []schema.Attribute, key string) schema.Value {
	v, _ := lookup(attributes, key)
	if key == serviceName && v.Kind == schema.KindEmpty {
		return schema.Value{Kind: schema.KindString}
	}
	return v
}

// One takes one row's value.
func (t *compareTable) One(field vec.Field, v schema.Value, cell int32) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	label, v := t.labelled(field, v)
	return t.one(label, v, cell)
}

func (t *compareTable) one(label string, v schema.Value, cell int32) error {
	if v.Kind == schema.KindEmpty {
		return nil
	}
	f, err := t.field(label)
	if err != nil {
		return err
	}
	f.totals[cell]++
	n, err := t.value(f, v)
	if err != nil || n < 0 {
		return err
	}
	return t.run.budget.take(f.counts[n].add(cell, 1, t.cells()))
}

// Members takes the events and links of one row.
func (t *compareTable) Members(events, links []byte, cell int32) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.frame.setSpan(&schema.Span{Events: events, Links: links})
	for _, v := range t.spans.members(t.frame) {
		if err := t.one(v.label, v.value, cell); err != nil {
			return err
		}
	}
	return nil
}

// labelled is the label of a field and of its value.
func (t *compareTable) labelled(field vec.Field, v schema.Value) (string, schema.Value) {
	switch field.Scope {
	case vec.ScopeResource:
		return t.spans.label(traceql.ScopeResource, field.Key), labelOf(v)
	case vec.ScopeInstrumentation:
		return t.spans.label(traceql.ScopeInstrumentation, field.Key), labelOf(v)
	case vec.ScopeIntrinsic:
		switch field.Key {
		case vec.Kind:
			return "kind", labelOfStatic(traceql.NewKind(int32(v.Int))) //nolint:gosec // was an int32
		case vec.StatusCode:
			return "status", labelOfStatic(traceql.NewStatus(int32(v.Int))) //nolint:gosec // was an int32
		}
		return intrinsicLabels()[field.Key], labelOf(v)
	case vec.ScopeSpan, vec.ScopeEvent, vec.ScopeLink:
	}
	return t.spans.label(traceql.ScopeSpan, field.Key), labelOf(v)
}

// intrinsicLabels are the labels of the other intrinsics that sources count.
func intrinsicLabels() map[string]string {
	return map[string]string{
		vec.Name: "name", vec.StatusMessage: "statusMessage",
		vec.ScopeName: "instrumentation:name", vec.ScopeVersion: "instrumentation:version",
		vec.RootName: "rootName", vec.RootService: "rootServiceName", vec.ChildCount: "span:childCount",
	}
}

func addCounts(into []uint64, counts []uint32) {
	for i, n := range counts {
		into[i] += uint64(n)
	}
}
