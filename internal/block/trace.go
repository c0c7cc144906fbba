package block

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Trace returns the block's rows of a trace with all columns, in the order of
// schema.Compare, nil if there are none. It asks the filter, then reads the ids
// of one page of a row group, then only the pages that hold the trace. The rows
// are the caller's, as those of Traces.
//
// Returns ErrCorrupt for damaged pages, objstore.ErrNotExist or
// objstore.ErrChanged if the object was removed or replaced since Open: list
// again.
func (r *Reader) Trace(ctx context.Context, id schema.TraceID) ([]schema.Span, error) {
	return r.Traces(ctx, []schema.TraceID{id}, vec.AllColumns())
}

// Traces returns the block's rows of all the traces in the order of
// schema.Compare, nil if there are none. The ids must be in ascending order. A
// page is read once, whatever the number of traces in it, and of attributes that
// are selected by key these and no others are filled in. The rows are the
// caller's; Resource and Scope are shared between them, and strings keep the
// memory of their dictionaries. Errors are those of Trace.
func (r *Reader) Traces(ctx context.Context, ids []schema.TraceID, columns vec.Columns) (spans []schema.Span, err error) {
	defer r.guard("trace lookup", &err)
	w := r.wanted(columns)
	for i := range r.dir.groups {
		g := &r.dir.groups[i]
		var wanted []schema.TraceID
		for _, id := range between(ids, g.firstTrace, g.lastTrace) {
			if r.MayContain(id) {
				wanted = append(wanted, id)
			}
		}
		if len(wanted) == 0 {
			continue
		}
		if spans, err = r.groupReader(i).appendTraces(ctx, spans, wanted, w); err != nil {
			return nil, fmt.Errorf("look up traces: %w", err)
		}
	}
	return spans, nil
}

// between returns the ids of an ascending list from first to last, both
// inclusive.
func between(ids []schema.TraceID, first, last schema.TraceID) []schema.TraceID {
	from := sort.Search(len(ids), func(i int) bool { return bytes.Compare(ids[i][:], first[:]) >= 0 })
	to := sort.Search(len(ids), func(i int) bool { return bytes.Compare(ids[i][:], last[:]) > 0 })
	return ids[from:max(from, to)]
}

func (g *groupReader) appendTraces(ctx context.Context, spans []schema.Span, ids []schema.TraceID, w *wanted) ([]schema.Span, error) {
	rows, err := g.traceRows(ctx, ids, w)
	if err != nil {
		return nil, err
	}
	spans = slices.Grow(spans, rows.left())
	for !rows.done() {
		if spans, err = rows.next(ctx, spans); err != nil {
			return nil, err
		}
	}
	return spans, nil
}

// traceRows reads the rows of ascending ids, each of which lies between the
// group's first and last.
func (g *groupReader) traceRows(ctx context.Context, ids []schema.TraceID, w *wanted) (*rowReader, error) {
	selected, err := g.findTraces(ctx, ids)
	if err != nil {
		return nil, err
	}
	return newRowReader(g, w, tasksOfRows(g.group.pages, selected)), nil
}

// findTraces returns the rows of ascending ids, each of which lies between the
// group's first and last.
func (g *groupReader) findTraces(ctx context.Context, ids []schema.TraceID) (rows []int32, err error) {
	if err := g.keepSections(ctx, ids, nil); err != nil {
		return nil, err
	}
	for k, id := range ids {
		if k > 0 && id == ids[k-1] {
			continue
		}
		s, err := g.readSection(g.group.sectionOfID(id))
		if err != nil {
			return nil, err
		}
		if i, found := s.find(id); found {
			rows = s.appendRows(rows, i)
		}
	}
	return rows, nil
}

// keepSections fetches the tables of traces that have the ascending ids if any
// have, and more extents along with them.
func (g *groupReader) keepSections(ctx context.Context, ids []schema.TraceID, more []extent) error {
	last := -1
	for _, id := range ids {
		if i := g.group.sectionOfID(id); i != last {
			more, last = g.missingSection(more, i), i
		}
	}
	return g.keep(ctx, more)
}
