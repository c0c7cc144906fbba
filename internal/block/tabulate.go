package block

import (
	"context"
	"fmt"
	"slices"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Tabulate counts the values of all fields of the rows for which the filter of a
// tabulation holds, but not of traces that are to be left out, or whose rows
// have to be folded or do not make a tree: it returns which of these have a row
// for which the filter holds. It reads one column after the other, and of long
// texts no more than it takes to see that they are. The first error of the
// table ends it and is returned. Other errors are those of Scan.
func (r *Reader) Tabulate(ctx context.Context, t *vec.Tabulation, table vec.Table) (left []schema.TraceID, err error) {
	defer r.guard("tabulate", &err)
	s := &sampler{
		walker:   walker{reader: r, filter: t.Filter},
		sampling: &vec.Sampling{After: t.After, Until: t.Until, Except: t.Except, Folded: t.Folded},
	}
	for {
		g, selected, err := s.walker.next(ctx, func(*rowGroup) bool { return false })
		if err != nil {
			return nil, fmt.Errorf("tabulate block: %w", err)
		}
		if g == nil {
			return s.left, nil
		}
		if g.group.maxEnd <= t.After || g.group.minStart > t.Until {
			continue
		}
		if err := g.keepAllSections(ctx); err != nil {
			return nil, fmt.Errorf("tabulate block: %w", err)
		}
		if err := s.leaveOut(ctx, g, selected); err != nil {
			return nil, fmt.Errorf("tabulate block: %w", err)
		}
		tab := &tabulator{groupReader: g, Tabulation: t, table: table, tally: newTally(t.Cells)}
		strange, err := tab.run(ctx, selected)
		if err != nil {
			return nil, fmt.Errorf("tabulate block: %w", err)
		}
		s.left = append(s.left, strange...)
		slices.SortFunc(s.left, compareIDs)
	}
}

// tabulator counts in one row group.
type tabulator struct {
	*groupReader
	*vec.Tabulation

	table   vec.Table
	counted vec.Bitmap
	cells   []int32 // by row
	tasks   []task  // of the rows that count
	traces  []tracePlace
	tally   *tally
	counter counter
	labels  labels // of the column that is counted
	value   values
	derived values

	part        vec.Bitmap // of a page
	slotScratch []int32
	wordScratch []uint64
}

func (t *tabulator) run(ctx context.Context, selected vec.Bitmap) (strange []schema.TraceID, err error) {
	kin, err := t.kinship(ctx)
	if err != nil {
		return nil, err
	}
	if strange, err = t.placeTraces(kin, selected); err != nil {
		return nil, err
	}
	if err := t.place(ctx, selected); err != nil || len(t.tasks) == 0 {
		return strange, err
	}
	t.countChildren(kin)
	if err := t.tally.give(vec.Field{Scope: vec.ScopeIntrinsic, Key: vec.ChildCount}, t.table); err != nil {
		return nil, err
	}
	for _, f := range []func(context.Context) error{
		t.intrinsics, t.roots, t.resources, t.scopes, t.attributes, t.others, t.members,
	} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := f(ctx); err != nil {
			return nil, err
		}
	}
	return strange, nil
}

// place finds out in which cells the rows count.
func (t *tabulator) place(ctx context.Context, selected vec.Bitmap) error {
	s := t.reader.newSelector(t.ordinal, t.Selection)
	if err := s.keep(ctx, s.dictionaries()); err != nil {
		return err
	}
	chosen := selected.Clone()
	if err := s.narrow(ctx, chosen); err != nil {
		return err
	}
	t.counted, t.cells = selected, make([]int32, t.group.rows())
	c := t.fixed(colStart)
	return t.eachTask(ctx, tasksOf(t.group.pages, selected), []int{c}, func(task *task) error {
		if err := t.load(&t.value, c, task.rows); err != nil {
			return err
		}
		kept := task.rows[:0]
		for i, row := range task.rows {
			if cell := t.Cell(t.value.words[i], chosen.Has(int(row))); cell >= 0 {
				kept = append(kept, row)
				t.cells[row] = cell
			} else {
				t.counted.Unset(int(row))
			}
		}
		if task.rows = kept; len(kept) > 0 {
			t.tasks = append(t.tasks, *task)
		}
		return nil
	})
}

// eachTask fetches the pages that tasks need of columns, some tasks at a time,
// and calls f with each.
func (g *groupReader) eachTask(ctx context.Context, tasks []task, columns []int, f func(*task) error) error {
	for len(tasks) > 0 {
		wanted := g.missingDictionaries(columns)
		var size int64
		n := 0
		for ; n < len(tasks) && (n == 0 || size < windowBytes); n++ {
			for _, c := range columns {
				g.eachRef(c, &tasks[n], func(ref pageRef) {
					wanted = append(wanted, ref.extent())
					size += int64(ref.size)
				})
			}
		}
		if err := g.fetch(ctx, wanted); err != nil {
			return err
		}
		for i := range tasks[:n] {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := f(&tasks[i]); err != nil {
				return err
			}
		}
		tasks = tasks[n:]
	}
	return nil
}

// field counts the values of one field.
func (t *tabulator) field(ctx context.Context, field vec.Field) error {
	c := t.newCoder(vec.Column{field})
	if len(c.parts) == 0 {
		return nil
	}
	if done, err := t.whole(ctx, field, c.parts); done || err != nil {
		return err
	}
	t.counter.reset(t.Cells)
	t.labels = labels{}
	many := false
	err := t.eachTask(ctx, t.tasks, c.appendColumns(nil), func(task *task) error {
		if many {
			return t.countPresent(ctx, c, task.rows)
		}
		if err := t.countCodes(ctx, c, task.rows); err != nil {
			return err
		}
		if many = t.labels.count > t.MaxValues || c.dictionary.Longest > t.MaxText; many {
			t.counter.join()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if many {
		return t.table.Many(field, t.counter.of(0))
	}
	return t.counter.each(func(code int, counts []uint32) error {
		return t.table.Value(field, c.dictionary.Values[code], counts)
	})
}

func (t *tabulator) countCodes(ctx context.Context, c *coder, rows []int32) error {
	if err := t.fetchTextsOf(ctx, c.appendColumns(nil), rows); err != nil {
		return err
	}
	codes, err := c.codes(t.groupReader, rows)
	if err != nil {
		return err
	}
	t.labels.grow(c.dictionary)
	for i, code := range codes {
		if t.labels.is[code] {
			t.counter.add(int(code), t.cells[rows[i]])
		}
	}
	return nil
}

// labels says which values of a dictionary count as such: not the empty one,
// nor bytes and maps.
type labels struct {
	is    []bool // by number
	count int
}

// grow looks at the values that are new.
func (l *labels) grow(d *vec.Dictionary) {
	for _, v := range d.Values[len(l.is):] {
		is := isLabel(v)
		if l.is = append(l.is, is); is {
			l.count++
		}
	}
}

func isLabel(v schema.Value) bool {
	switch v.Kind {
	case schema.KindArray:
		return len(v.Array) > 0
	case schema.KindEmpty, schema.KindBytes, schema.KindMap:
		return false
	case schema.KindString, schema.KindBool, schema.KindInt, schema.KindDouble:
	}
	return true
}

// countPresent counts the rows that have a value, whichever.
func (t *tabulator) countPresent(ctx context.Context, c *coder, rows []int32) error {
	if err := t.fetchTextsOf(ctx, c.lookedAt(t.groupReader), rows); err != nil {
		return err
	}
	present, err := c.present(t.groupReader, rows)
	for i, is := range present {
		if is {
			t.counter.add(0, t.cells[rows[i]])
		}
	}
	return err
}

// intrinsics counts those that are columns of their own.
func (t *tabulator) intrinsics(ctx context.Context) error {
	for _, key := range [...]string{vec.Name, vec.Kind, vec.StatusCode, vec.StatusMessage, vec.ScopeName, vec.ScopeVersion} {
		if err := t.field(ctx, vec.Field{Scope: vec.ScopeIntrinsic, Key: key}); err != nil {
			return err
		}
	}
	return nil
}

// attributes counts the attributes of spans that have a column.
func (t *tabulator) attributes(ctx context.Context) error {
	for _, key := range t.columnKeys() {
		if err := t.field(ctx, vec.Field{Scope: vec.ScopeSpan, Key: key}); err != nil {
			return err
		}
	}
	return nil
}

// columnKeys are the keys of spans' attributes that have a column.
func (g *groupReader) columnKeys() (keys []string) {
	for _, from := range [...]owner{ownerSpan, ownerDerived} {
		for _, c := range g.reader.columns.shredded[from] {
			if !g.chunk(c).absent {
				keys = append(keys, g.column(c).attribute.key)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// others counts the attributes of spans that have no column, row by row.
func (t *tabulator) others(ctx context.Context) error {
	var columns []int
	for _, id := range [...]columnID{colAttributes, colDerived} {
		if c := t.fixed(id); !t.chunk(c).absent {
			columns = append(columns, c)
		}
	}
	if len(columns) == 0 {
		return nil
	}
	keys := t.columnKeys()
	var seen []string
	return t.eachTask(ctx, t.tasks, columns, func(task *task) error {
		sent, err := t.loadIfAny(&t.value, colAttributes, task)
		if err != nil {
			return err
		}
		derived, err := t.loadIfAny(&t.derived, colDerived, task)
		if err != nil {
			return err
		}
		for i, row := range task.rows {
			seen = seen[:0]
			for _, from := range [...]*values{derived, sent} {
				if from == nil {
					continue
				}
				for key, v := range otlp.Attributes(from.text(i)) {
					if _, ok := slices.BinarySearch(keys, key); ok || slices.Contains(seen, key) {
						continue
					}
					seen = append(seen, key)
					if err := t.table.One(vec.Field{Scope: vec.ScopeSpan, Key: key}, v, t.cells[row]); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}

// loadIfAny loads a column of the catalogue, and returns nil if it is absent.
func (t *tabulator) loadIfAny(v *values, id columnID, task *task) (*values, error) {
	c := t.fixed(id)
	if t.chunk(c).absent {
		return nil, nil
	}
	return v, t.load(v, c, task.rows)
}

// members hands out the events and links of rows that have some.
func (t *tabulator) members(ctx context.Context) error {
	var columns []int
	for _, id := range [...]columnID{colEvents, colLinks} {
		if c := t.fixed(id); !t.chunk(c).absent {
			columns = append(columns, c)
		}
	}
	if len(columns) == 0 {
		return nil
	}
	return t.eachTask(ctx, t.tasks, columns, func(task *task) error {
		events, err := t.loadIfAny(&t.value, colEvents, task)
		if err != nil {
			return err
		}
		links, err := t.loadIfAny(&t.derived, colLinks, task)
		if err != nil {
			return err
		}
		for i, row := range task.rows {
			var e, l []byte
			if events != nil {
				e = events.text(i)
			}
			if links != nil {
				l = links.text(i)
			}
			if len(e)+len(l) > 0 {
				if err := t.table.Members(e, l, t.cells[row]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
