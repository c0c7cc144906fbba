package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// maxFoldedTraces is up to how many traces it is found out which rows stay, and
// maxFoldedBytes how much memory that may take: more is not worth remembering.
const (
	maxFoldedTraces = 1 << 15
	maxFoldedBytes  = maxRepeatsBytes / 4
)

// fold finds out which rows of traces stay, as far as that is known without
// sources that are not searched or may change. Ids are in ascending order.
func (p *gathering) fold(ctx context.Context, fixed []*vec.Held, names []string, ids []schema.TraceID) (*remembered, error) {
	if len(ids) > maxFoldedTraces {
		return &remembered{ids: ids}, nil
	}
	elsewhere, err := p.mayBeElsewhere(ctx, ids)
	if err != nil {
		return nil, err
	}
	elsewhere = sortedIDs(elsewhere)
	known := &remembered{ids: elsewhere, folded: make(map[string][]vec.Folded)}
	inside := make([]schema.TraceID, 0, len(ids))
	for _, id := range ids {
		if _, out := slices.BinarySearchFunc(elsewhere, id, compareTraceIDs); !out {
			inside = append(inside, id)
		}
	}
	for wave := range slices.Chunk(inside, waveTraces) {
		if err := p.foldWave(ctx, fixed, names, wave, known); err != nil {
			return nil, err
		}
	}
	if known.bytes() > maxFoldedBytes {
		return &remembered{ids: ids}, nil
	}
	known.ids = sortedIDs(known.ids)
	return known, nil
}

// placedRows are the rows of one trace, and where they are.
type placedRows struct {
	rows   []schema.Span
	places []rowPlace
}

// rowPlace is a row of a trace in a source.
type rowPlace struct{ source, row int32 }

// foldWave is fold for some traces.
func (p *gathering) foldWave(
	ctx context.Context, fixed []*vec.Held, names []string, ids []schema.TraceID, known *remembered,
) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	traces := make(map[schema.TraceID]*placedRows, len(ids))
	for i := range fixed {
		if fixed[i] == nil {
			continue
		}
		var held []schema.TraceID
		for _, id := range ids {
			if _, found := slices.BinarySearchFunc(fixed[i].IDs, id, compareTraceIDs); found {
				held = append(held, id)
			}
		}
		if len(held) == 0 {
			continue
		}
		spans, err := p.sources[i].Traces(ctx, held, vec.AllColumns())
		if err != nil {
			return fmt.Errorf("read %d traces: %w", len(held), err)
		}
		for rows := range runs(spans) {
			t := traces[rows[0].TraceID]
			if t == nil {
				t = &placedRows{}
				traces[rows[0].TraceID] = t
			}
			for row := range rows {
				t.places = append(t.places, rowPlace{int32(i), int32(row)}) //nolint:gosec // few, and a trace fits memory
			}
			t.rows = append(t.rows, rows...)
		}
	}
	for _, id := range ids {
		t := traces[id]
		if t == nil || slices.ContainsFunc(t.rows, isFragment) {
			known.ids = append(known.ids, id)
			continue
		}
		for source, out := range t.out() {
			name := names[source]
			known.folded[name] = append(known.folded[name], vec.Folded{ID: id, Out: out})
		}
	}
	return nil
}

// out are the rows of each source that do not stay.
func (t *placedRows) out() map[int32][]int32 {
	order := make([]int, len(t.rows))
	for i := range order {
		order[i] = i
	}
	// As factsOf: of equal rows the one of the first source stays.
	slices.SortStableFunc(order, func(a, b int) int { return schema.Compare(&t.rows[a], &t.rows[b]) })
	sorted := make([]schema.Span, len(order))
	for i, at := range order {
		sorted[i] = t.rows[at]
	}
	stays := schema.Stays(sorted)
	out := make(map[int32][]int32)
	for i, at := range order {
		place := t.places[at]
		if stays != nil && !stays[i] {
			out[place.source] = append(out[place.source], place.row)
		} else if _, ok := out[place.source]; !ok {
			out[place.source] = nil // so that the source knows
		}
	}
	for _, rows := range out {
		slices.Sort(rows)
	}
	return out
}
