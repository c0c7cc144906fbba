package block

import (
	"context"
	"fmt"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
)

// KeysOf tells the keys that attributes have in the rows that a query asks for,
// and returns the number of these. Of keys with a column it reads no values, but
// the shapes of rows, or which are null; what has others is read while there are
// keys that are not known. Errors are those of Scan.
func (r *Reader) KeysOf(ctx context.Context, q *vec.KeyQuery) (rows int, err error) {
	defer r.guard("list of keys", &err)
	w := walker{reader: r, filter: q.Filter}
	for {
		g, selected, err := w.next(ctx, func(*rowGroup) bool { return false })
		if err == nil && g != nil {
			f := keyFinder{groupReader: g, KeyQuery: q}
			err = f.run(ctx, selected)
			rows += f.rows
		}
		if err != nil {
			return rows, fmt.Errorf("list keys: %w", err)
		}
		if g == nil {
			return rows, nil
		}
	}
}

// keyFinder looks for keys in one row group.
type keyFinder struct {
	*groupReader
	*vec.KeyQuery

	tasks []task
	rows  int // of all tasks
	page  vec.Bitmap
	value values
}

func (f *keyFinder) run(ctx context.Context, selected vec.Bitmap) error {
	if err := f.narrow(ctx, selected); err != nil || f.rows == 0 {
		return err
	}
	for _, scope := range f.Scopes {
		var err error
		switch scope {
		case vec.ScopeSpan:
			err = f.ofSpans(ctx, scope)
		case vec.ScopeEvent:
			err = f.ofMembers(ctx, selected, scope, ownerEvent, colEvents, func(scope vec.Scope, stored []byte) {
				f.addOf(scope, otlp.EventMessages(stored), otlp.EventKeyValues)
			})
		case vec.ScopeLink:
			err = f.ofMembers(ctx, selected, scope, ownerLink, colLinks, func(scope vec.Scope, stored []byte) {
				f.addOf(scope, otlp.LinkMessages(stored), otlp.LinkKeyValues)
			})
		case vec.ScopeResource:
			err = f.shared(ctx, scope, colResource, func(scope vec.Scope, stored []byte) {
				f.addOf(scope, otlp.ResourceMessages(stored), otlp.ResourceKeyValues)
			})
		case vec.ScopeInstrumentation:
			err = f.shared(ctx, scope, colScope, func(scope vec.Scope, stored []byte) {
				f.addOf(scope, otlp.ScopeMessages(stored), otlp.ScopeKeyValues)
			})
		case vec.ScopeIntrinsic: // has no attributes
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// narrow leaves out the rows beside the range.
func (f *keyFinder) narrow(ctx context.Context, selected vec.Bitmap) error {
	f.tasks = tasksOf(f.group.pages, selected)
	if f.group.minStart < f.StartNanos || f.EndNanos > 0 && f.group.maxEnd >= f.EndNanos {
		if err := f.leaveOut(ctx, selected); err != nil {
			return err
		}
		f.tasks = tasksOf(f.group.pages, selected)
	}
	for i := range f.tasks {
		f.rows += len(f.tasks[i].rows)
	}
	return nil
}

func (f *keyFinder) leaveOut(ctx context.Context, selected vec.Bitmap) error {
	start, duration := f.fixed(colStart), f.fixed(colDuration)
	var starts, durations values
	return f.eachTask(ctx, f.tasks, []int{start, duration}, func(t *task) error {
		if err := f.load(&starts, start, t.rows); err != nil {
			return err
		}
		if err := f.load(&durations, duration, t.rows); err != nil {
			return err
		}
		for i, row := range t.rows {
			first, _ := starts.word(i)
			length, _ := durations.word(i)
			if max(first, first+length) < f.StartNanos || f.EndNanos > 0 && first >= f.EndNanos {
				selected.Unset(int(row))
			}
		}
		return nil
	})
}

// ofSpans looks for the keys of attributes of spans, and of derived ones: shapes
// say in which columns they are.
func (f *keyFinder) ofSpans(ctx context.Context, scope vec.Scope) error {
	w := f.reader.wanted(vec.Columns{Attributes: true})
	for _, wanted := range [...]*wantedAttributes{&w.spans, &w.derived} {
		var a assembler
		if a.init(f.groupReader, wanted); a.absent {
			continue
		}
		shapes := []int{f.fixed(a.shape)}
		err := f.growing(ctx, func() []int {
			if len(f.unknownColumns(scope, a.owner)) == 0 {
				return nil
			}
			return shapes
		}, func(t *task) error {
			err := a.loadShapes(f.groupReader, t)
			for _, c := range a.inUse {
				f.add(scope, f.column(c).attribute.key)
			}
			return err
		})
		if err == nil {
			err = f.outside(ctx, scope, a.owner, a.rest, func(scope vec.Scope, stored []byte) {
				for kv := otlp.SpanKeyValues(stored); kv.Next(); {
					f.add(scope, alias(kv.Key))
				}
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unknownColumns are the columns of an owner with keys that are not known.
func (f *keyFinder) unknownColumns(scope vec.Scope, from owner) (list []int) {
	for _, c := range f.reader.columns.shredded[from] {
		if !f.chunk(c).absent && !f.Known(scope, f.column(c).attribute.key) {
			list = append(list, c)
		}
	}
	return list
}

// ofMembers looks for the keys of events or links.
func (f *keyFinder) ofMembers(
	ctx context.Context, selected vec.Bitmap, scope vec.Scope, from owner, messages columnID, add func(vec.Scope, []byte),
) error {
	err := f.growing(ctx, func() []int { return f.unknownColumns(scope, from) }, func(t *task) error {
		for _, c := range f.unknownColumns(scope, from) {
			has, err := f.anyValue(c, t, selected)
			if err != nil {
				return err
			}
			if has {
				f.add(scope, f.column(c).attribute.key)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return f.outside(ctx, scope, from, messages, add)
}

// outside looks for the keys of an owner that have no column.
func (f *keyFinder) outside(ctx context.Context, scope vec.Scope, from owner, id columnID, add func(vec.Scope, []byte)) error {
	c, keys := f.fixed(id), &f.group.keys[from]
	if f.chunk(c).absent {
		return nil
	}
	return f.growing(ctx, func() []int {
		if keys.any || !f.allKnown(scope, keys.sorted) {
			return []int{c}
		}
		return nil
	}, func(t *task) error {
		if err := f.load(&f.value, c, t.rows); err != nil {
			return err
		}
		for i := range t.rows {
			if stored := f.value.text(i); len(stored) > 0 {
				add(scope, stored)
			}
		}
		return nil
	})
}

// growing calls look with one task after the other, as long as there are
// columns to read. More and more pages are fetched at once: what the first rows
// have the others need not be asked for.
func (f *keyFinder) growing(ctx context.Context, columns func() []int, look func(*task) error) error {
	tasks := f.tasks
	for n := 1; len(tasks) > 0; n *= 2 {
		list := columns()
		if len(list) == 0 {
			return nil
		}
		n = min(n, len(tasks))
		if err := f.eachTask(ctx, tasks[:n], list, look); err != nil {
			return err
		}
		tasks = tasks[n:]
	}
	return nil
}

// anyValue reports whether a selected row of a task is not null. REQUIRES: its
// pages were fetched.
func (f *keyFinder) anyValue(c int, t *task, selected vec.Bitmap) (bool, error) {
	grid := f.group.pages
	for i := 0; i < len(t.rows); {
		p := pageOf(grid, int(t.rows[i]))
		defined, err := f.definedOf(c, p, grid[p+1]-grid[p])
		if err != nil {
			return false, f.corruptPage(c, p, err)
		}
		f.page = selected.Extract(f.page, grid[p], grid[p+1])
		for w, word := range f.page {
			if word&defined[w] != 0 {
				return true, nil
			}
		}
		for i < len(t.rows) && int(t.rows[i]) < grid[p+1] {
			i++
		}
	}
	return false, nil
}

// addOf adds the keys of the attributes of messages.
func (f *keyFinder) addOf(scope vec.Scope, messages otlp.Messages, attributes func([]byte) otlp.KeyValues) {
	for messages.Next() {
		for kv := attributes(messages.Message); kv.Next(); {
			f.add(scope, alias(kv.Key))
		}
	}
}

func (f *keyFinder) add(scope vec.Scope, key string) {
	if !f.Known(scope, key) {
		f.Add(scope, key)
	}
}

// shared looks for the keys of what many rows share, in a dictionary or not.
func (f *keyFinder) shared(ctx context.Context, scope vec.Scope, id columnID, add func(vec.Scope, []byte)) error {
	c := f.fixed(id)
	if f.chunk(c).absent {
		return nil
	}
	all, err := f.messages(ctx, scope)
	if err != nil {
		return err
	}
	var seen vec.Bitmap // codes
	if all != nil {
		seen = vec.NewBitmap(f.chunk(c).entries)
	}
	return f.growing(ctx, func() []int {
		if all != nil && f.allKnown(scope, all.keys) {
			return nil
		}
		return []int{c}
	}, func(t *task) error {
		if err := f.load(&f.value, c, t.rows); err != nil {
			return err
		}
		for i := range t.rows {
			if f.value.dict != nil && seen != nil {
				code := f.value.codes[i]
				if code == noCode || seen.Has(int(code)) {
					continue
				}
				seen.Set(int(code))
			}
			if stored := f.value.text(i); len(stored) > 0 {
				add(scope, stored)
			}
		}
		return nil
	})
}

func (f *keyFinder) allKnown(scope vec.Scope, keys []string) bool {
	for _, key := range keys {
		if !f.Known(scope, key) {
			return false
		}
	}
	return true
}
