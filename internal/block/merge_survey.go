package block

import (
	"context"
	"fmt"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// look surveys the inputs: all events, links and resources, and the attributes of
// as many rows as tell what is frequent, some of each input.
func (m *merger) look(ctx context.Context) error {
	s := &survey{limits: m.limits}
	for _, in := range m.inputs {
		s.spans += in.reader.Spans()
	}
	s.step = max(s.spans/m.limits.sampleRows, 1)
	for o := range s.keys {
		s.keys[o] = newKeyTable()
	}
	s.resources.init(0, resourceContent)
	row := int32(0)
	columns := vec.Columns{Bare: true, Resource: true, Events: true, Links: true, Rest: m.Drop != nil}
	for _, in := range m.inputs {
		for rows, err := range in.reader.Scan(ctx, &vec.Filter{Op: vec.OpTrue}, columns) {
			if err != nil {
				return err
			}
			for i := range rows {
				if m.drops(&rows[i]) {
					continue
				}
				s.resources.add(resourceOf(&rows[i]))
				s.countEvents(row, rows[i].Events)
				s.countLinks(row, rows[i].Links)
				row++
			}
			s.resources.codes = s.resources.codes[max(len(s.resources.codes)-1, 0):] // the last is enough to go on
		}
		if err := m.sample(ctx, in, s); err != nil {
			return fmt.Errorf("sample block %s: %w", in.reader.key, err)
		}
	}
	s.choose()
	// What belongs to rows is counted again for each row group.
	s.resources, s.resourceValues = sharedTable[*schema.Resource]{}, nil
	m.survey = s
	return nil
}

// longStretchRows is as stretchRows: pages are decompressed whole.
const longStretchRows = 512

// sample counts the attributes of stretches of rows, the first one and every
// step-th.
func (m *merger) sample(ctx context.Context, in *mergeInput, s *survey) (err error) {
	r := in.reader
	defer r.guard("rows", &err)
	w := r.wanted(vec.Columns{Bare: true, Attributes: true, Rest: m.Drop != nil})
	var chunk []schema.Span
	for i := range r.dir.groups {
		g := r.groupReader(i)
		selected := vec.NewBitmap(g.group.rows())
		for from := 0; from < g.group.rows(); from += s.step * longStretchRows {
			for row := from; row < min(from+longStretchRows, g.group.rows()); row++ {
				selected.Set(row)
			}
		}
		for rows := newRowReader(g, w, tasksOf(g.group.pages, selected)); !rows.done(); {
			if chunk, err = rows.next(ctx, chunk[:0]); err != nil {
				return err
			}
			for k := range chunk {
				row := &chunk[k]
				if m.drops(row) {
					continue
				}
				s.sample++
				s.keys[ownerSpan].count(int32(s.sample), row.Attributes)
				s.keys[ownerDerived].count(int32(s.sample), row.Derived)
			}
		}
	}
	return nil
}

// ofGroup is the survey of a row group of so many rows of the block that s is of.
func (s *survey) ofGroup(rows int) *survey {
	g := &survey{limits: s.limits, spans: rows, keys: s.keys, columns: s.columns, cells: s.cells}
	g.resources.init(0, resourceContent)
	g.scopes.init(0, scopeContent)
	return g
}
