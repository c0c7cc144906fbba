package block

import (
	"context"
	"fmt"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// SpanIDs returns the span ids of all rows of traces, whose ids are in ascending
// order, in the order of the rows. Errors are those of Scan.
func (r *Reader) SpanIDs(ctx context.Context, ids []schema.TraceID) (list *vec.SpanIDs, err error) {
	defer r.guard("list of spans", &err)
	list = &vec.SpanIDs{Counts: make([]int32, 0, len(ids))}
	for i := range r.dir.groups {
		g := r.groupReader(i)
		wanted := between(ids, g.group.firstTrace, g.group.lastTrace)
		if len(wanted) == 0 {
			continue
		}
		for len(list.Counts) < len(ids) && ids[len(list.Counts)] != wanted[0] {
			list.Counts = append(list.Counts, 0) // of a trace in no row group
		}
		if err := g.appendSpanIDs(ctx, list, wanted); err != nil {
			return nil, fmt.Errorf("list spans: %w", err)
		}
	}
	for len(list.Counts) < len(ids) {
		list.Counts = append(list.Counts, 0)
	}
	return list, nil
}

func (g *groupReader) appendSpanIDs(ctx context.Context, list *vec.SpanIDs, ids []schema.TraceID) error {
	if err := g.keepSections(ctx, ids, nil); err != nil {
		return err
	}
	var rows []int32
	for _, id := range ids {
		s, err := g.readSection(g.group.sectionOfID(id))
		if err != nil {
			return err
		}
		before := len(rows)
		if i, found := s.find(id); found {
			rows = s.appendRows(rows, i)
		}
		list.Counts = append(list.Counts, int32(len(rows)-before))
	}
	if len(rows) == 0 {
		return nil
	}
	c := g.fixed(colSpanID)
	var wanted []extent
	g.eachRowPage(c, &task{rows: rows}, func(ref pageRef) { wanted = append(wanted, ref.extent()) })
	if err := g.fetch(ctx, append(wanted, g.missingDictionaries([]int{c})...)); err != nil {
		return err
	}
	var v values
	if err := g.load(&v, c, rows); err != nil {
		return err
	}
	for i := range rows {
		id, _ := v.word(i)
		list.IDs = append(list.IDs, id)
	}
	return nil
}
