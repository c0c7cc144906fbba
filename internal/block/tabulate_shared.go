package block

import (
	"context"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// resources counts the attributes of resources, each resource once.
func (t *tabulator) resources(ctx context.Context) error {
	return t.messages(ctx, colResource, func(wire []byte, counts []uint32) error {
		return t.table.Attributes(vec.ScopeResource, otlp.ResourceAttributes(&schema.Resource{Wire: wire}), counts)
	})
}

// scopes counts the attributes of instrumentation scopes, likewise.
func (t *tabulator) scopes(ctx context.Context) error {
	return t.messages(ctx, colScope, func(wire []byte, counts []uint32) error {
		return t.table.Attributes(vec.ScopeInstrumentation, otlp.ScopeAttributes(&schema.Scope{Wire: wire}), counts)
	})
}

// messages counts the messages of a column of the catalogue.
func (t *tabulator) messages(ctx context.Context, id columnID, f func(wire []byte, counts []uint32) error) error {
	c, at := t.fixed(id), 0
	t.counter.reset(t.Cells)
	if t.chunk(c).absent {
		for _, cell := range t.cells {
			t.counter.add(0, cell)
		}
		return f(nil, t.counter.of(0))
	}
	numbers := make(map[string]int) // of messages that are in no dictionary, and of none
	var wires []string
	err := t.eachTask(ctx, t.tasks, []int{c}, func(task *task) error {
		if err := t.load(&t.value, c, task.rows); err != nil {
			return err
		}
		for i := range task.rows {
			if d := t.value.dict; d != nil && t.value.codes[i] != noCode {
				t.counter.add(int(t.value.codes[i])+1, t.cells[at])
			} else {
				wire := t.value.text(i)
				n, ok := numbers[string(wire)]
				if !ok {
					n = len(wires)
					wires = append(wires, string(wire))
					numbers[wires[n]] = n
				}
				t.counter.add(-n, t.cells[at]) // 0, -1, ...: beside the dictionary's
			}
			at++
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.counter.each(func(n int, counts []uint32) error {
		if n > 0 {
			d, err := t.dictionary(c)
			if err != nil {
				return err
			}
			return f(d.texts[n-1], counts)
		}
		return f([]byte(wires[-n]), counts)
	})
}

// roots counts the names and services of the roots of the rows' traces.
func (t *tabulator) roots(ctx context.Context) error {
	var roots []int32 // by row, -1 for none
	var rows []int32  // of the roots, each once
	for _, row := range t.rows {
		s, err := t.readSection(t.group.sectionOf(int(row)))
		if err != nil {
			return err
		}
		trace := s.traceOf(int(row))
		root := int(s.table.roots[trace] >> 1)
		if root == 0 {
			roots = append(roots, -1)
			continue
		}
		at := int32(min(s.first[trace]+root-1, s.first[trace+1]-1))
		if len(rows) == 0 || rows[len(rows)-1] != at {
			rows = append(rows, at)
		}
		roots = append(roots, int32(len(rows)-1))
	}
	for key, column := range map[string]string{vec.RootName: vec.Name, vec.RootService: vec.ServiceName} {
		if err := t.rootField(ctx, vec.Field{Scope: vec.ScopeIntrinsic, Key: key}, column, roots, rows); err != nil {
			return err
		}
	}
	return nil
}

func (t *tabulator) rootField(ctx context.Context, field vec.Field, column string, roots, rows []int32) error {
	c := t.newCoder(vec.Column{{Scope: vec.ScopeIntrinsic, Key: column}})
	columns := c.appendColumns(nil)
	wanted := t.missingDictionaries(columns)
	for _, column := range columns {
		t.eachRowPage(column, &task{rows: rows}, func(ref pageRef) { wanted = append(wanted, ref.extent()) })
	}
	if err := t.fetch(ctx, wanted); err != nil {
		return err
	}
	codes, err := c.codes(t.groupReader, rows)
	if err != nil {
		return err
	}
	t.counter.reset(t.Cells)
	none := int(c.dictionary.Text(""))
	for i, root := range roots {
		code := none
		if root >= 0 {
			code = int(codes[root])
		}
		t.counter.add(code, t.cells[i])
	}
	t.labels = labels{}
	if t.labels.grow(c.dictionary); t.isMany(c.dictionary) {
		t.counter.join()
		return t.table.Many(field, t.counter.of(0))
	}
	return t.counter.each(func(code int, counts []uint32) error {
		return t.table.Value(field, c.dictionary.Values[code], counts)
	})
}

// findChildren counts the children of the selected rows. It clears, and
// returns, traces in which parents are a circle, or two rows have one id.
func (t *tabulator) findChildren(ctx context.Context, selected vec.Bitmap) (strange []schema.TraceID, err error) {
	whole := vec.NewBitmap(t.group.rows())
	type trace struct {
		id         schema.TraceID
		first, end int
	}
	var traces []trace
	for i := range t.group.traces {
		s, err := t.readSection(i)
		if err != nil {
			return nil, err
		}
		for k := range s.traces() {
			if !encoding.AnyBit(selected, s.first[k], s.first[k+1]) {
				continue
			}
			traces = append(traces, trace{s.id(k), s.first[k], s.first[k+1]})
			for row := s.first[k]; row < s.first[k+1]; row++ {
				whole.Set(row)
			}
		}
	}
	ids := make([]uint64, 0, t.group.rows())
	parents := make([]uint64, 0, t.group.rows())
	columns := []int{t.fixed(colSpanID)}
	if c := t.fixed(colParentSpanID); !t.chunk(c).absent {
		columns = append(columns, c)
	}
	err = t.eachTask(ctx, tasksOf(t.group.pages, whole), columns, func(task *task) error {
		if err := t.load(&t.value, columns[0], task.rows); err != nil {
			return err
		}
		ids = append(ids, t.value.words...)
		if len(columns) == 1 {
			parents = append(parents, make([]uint64, len(task.rows))...)
			return nil
		}
		if err := t.load(&t.value, columns[1], task.rows); err != nil {
			return err
		}
		parents = append(parents, t.value.words...) // 0 for null
		return nil
	})
	if err != nil {
		return nil, err
	}
	var kin family
	for _, tr := range traces {
		n := tr.end - tr.first
		counts, ok := kin.count(ids[:n], parents[:n])
		ids, parents = ids[n:], parents[n:]
		for i := range n {
			row := tr.first + i
			switch {
			case !ok:
				selected.Unset(row)
			case selected.Has(row):
				t.children = append(t.children, int64(counts[i]))
			}
		}
		if !ok {
			strange = append(strange, tr.id)
		}
	}
	return strange, nil
}

// countChildren counts the rows by their children.
func (t *tabulator) countChildren(context.Context) error {
	d := vec.NewDictionary()
	t.counter.reset(t.Cells)
	for i, n := range t.children {
		t.counter.add(int(d.Int(n)), t.cells[i])
	}
	field := vec.Field{Scope: vec.ScopeIntrinsic, Key: vec.ChildCount}
	t.labels = labels{}
	if t.labels.grow(d); t.isMany(d) {
		t.counter.join()
		return t.table.Many(field, t.counter.of(0))
	}
	return t.counter.each(func(code int, counts []uint32) error { return t.table.Value(field, d.Values[code], counts) })
}

// family counts the children of the spans of one trace after another.
type family struct {
	counts  []int32
	parents []int32 // by span, -1 for none
	byID    map[uint64]int32
}

// count is false if two spans have one id, or one is its own ancestor.
func (k *family) count(ids, parents []uint64) ([]int32, bool) {
	if k.byID == nil {
		k.byID = make(map[uint64]int32)
	}
	clear(k.byID)
	clear(resize(&k.counts, len(ids)))
	resize(&k.parents, len(ids))
	for i, id := range ids {
		if _, again := k.byID[id]; again {
			return nil, false
		}
		k.byID[id] = int32(i)
	}
	for i, id := range parents {
		k.parents[i] = -1
		if id == 0 {
			continue
		}
		if p, ok := k.byID[id]; ok {
			k.parents[i] = p
			k.counts[p]++
		}
	}
	for i := range ids {
		at := int32(i)
		for steps := 0; at >= 0; at = k.parents[at] {
			if steps++; steps > len(ids) {
				return nil, false
			}
			if at < int32(i) {
				break // it was followed before
			}
		}
	}
	return k.counts, true
}
