package engine

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// foldRepeated finds out which rows stay of traces with a span that is there
// twice.
func (p *gathering) foldRepeated(ctx context.Context, fixed *fixedSources) (*remembered, error) {
	ids, err := p.repeatedIDs(ctx, fixed.held, sharedIDs(fixed.held))
	if err != nil {
		return nil, err
	}
	ids = sortedIDs(append(ids, fixed.unfolded()...))
	return p.fold(ctx, fixed, ids, ids, false)
}

// foldShared finds out which rows stay of traces that have rows in several
// sources, and what the whole says of them.
func (p *gathering) foldShared(ctx context.Context, fixed *fixedSources) (*remembered, error) {
	var all []schema.TraceID
	for _, h := range fixed.held {
		if h != nil {
			all = append(all, h.IDs...)
		}
	}
	ids := append(sharedIDs(fixed.held), fixed.unfolded()...)
	return p.fold(ctx, fixed, sortedIDs(ids), sortedIDs(all), true)
}

// fold finds out which rows of traces stay, and of all those that are alone in
// the sources, as far as that is known without sources that are not searched or
// may change. Ids are in ascending order.
func (p *gathering) fold(ctx context.Context, fixed *fixedSources, ids, all []schema.TraceID, kin bool) (*remembered, error) {
	elsewhere, err := p.mayBeElsewhere(ctx, all)
	if err != nil {
		return nil, err
	}
	elsewhere = sortedIDs(elsewhere)
	open, err := p.openTraces(ctx)
	if err != nil {
		return nil, err
	}
	known := &remembered{ids: sortedIDs(append(elsewhere, open...)), folded: make(map[string][]vec.Folded)}
	limits := &p.opts.Repeats.limits
	nothing := &remembered{ids: sortedIDs(slices.Concat(elsewhere, ids))}
	if len(ids) > limits.foldedTraces {
		return nothing, nil
	}
	inside := make([]schema.TraceID, 0, len(ids))
	for _, id := range ids {
		if _, out := slices.BinarySearchFunc(known.ids, id, compareTraceIDs); !out {
			inside = append(inside, id)
		}
	}
	for wave := range slices.Chunk(inside, waveTraces) {
		if err := p.foldWave(ctx, fixed, wave, known, kin); err != nil {
			return nil, err
		}
	}
	if known.bytes() > limits.foldedBytes {
		return nothing, nil
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
	ctx context.Context, fixed *fixedSources, ids []schema.TraceID, known *remembered, kin bool,
) error {
	traces, err := p.readPlaced(ctx, fixed, ids, vec.Columns{})
	if err != nil {
		return err
	}
	var again []schema.TraceID
	for _, id := range ids {
		if t := traces[id]; t != nil && repeated(t.rows) {
			again = append(again, id)
		}
	}
	// Which of a span's rows stays depends on all of what they say.
	whole, err := p.readPlaced(ctx, fixed, again, vec.AllColumns())
	if err != nil {
		return err
	}
	maps.Copy(traces, whole)
	for i, id := range ids {
		if i%64 == 0 {
			if err := yield(ctx); err != nil {
				return err
			}
		}
		t := traces[id]
		if t == nil {
			known.ids = append(known.ids, id)
			continue
		}
		for source, f := range t.fold(kin) {
			f.ID = id
			name := fixed.names[source]
			known.folded[name] = append(known.folded[name], *f)
		}
	}
	return nil
}

// readPlaced reads the rows of traces from the fixed sources.
func (p *gathering) readPlaced(
	ctx context.Context, fixed *fixedSources, ids []schema.TraceID, columns vec.Columns,
) (map[schema.TraceID]*placedRows, error) {
	traces := make(map[schema.TraceID]*placedRows, len(ids))
	for i := range fixed.held {
		if fixed.held[i] == nil {
			continue
		}
		if err := yield(ctx); err != nil {
			return nil, err
		}
		var held []schema.TraceID
		for _, id := range ids {
			if _, found := slices.BinarySearchFunc(fixed.held[i].IDs, id, compareTraceIDs); found {
				held = append(held, id)
			}
		}
		if len(held) == 0 {
			continue
		}
		spans, err := p.sources[i].Traces(ctx, held, columns)
		if err != nil {
			return nil, fmt.Errorf("read %d traces: %w", len(held), err)
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
	return traces, nil
}

// fold is what each source is to know of the trace.
func (t *placedRows) fold(kin bool) map[int32]*vec.Folded {
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
	folded := make(map[int32]*vec.Folded)
	for _, place := range t.places {
		if folded[place.source] == nil {
			folded[place.source] = &vec.Folded{}
		}
	}
	stays := schema.Stays(sorted)
	kept := make([]rowPlace, 0, len(order))
	for i, at := range order {
		if place := t.places[at]; stays == nil || stays[i] {
			kept = append(kept, place)
		} else {
			f := folded[place.source]
			f.Out = append(f.Out, place.row)
		}
	}
	for _, f := range folded {
		slices.Sort(f.Out)
	}
	if kin {
		t.addKin(folded, kept, factsOf(sorted[0].TraceID, sorted, nil))
	}
	return folded
}

// addKin tells the sources what the whole trace says of the rows that stay,
// which are its spans, in their order.
func (t *placedRows) addKin(folded map[int32]*vec.Folded, kept []rowPlace, facts *traceFacts) {
	name, service := strings.Clone(facts.rootName), strings.Clone(facts.rootService)
	for _, f := range folded {
		f.Kin = &vec.Kin{RootName: name, RootService: service}
	}
	for i, place := range kept {
		k := folded[place.source].Kin
		if grow := int(place.row) + 1 - len(k.Children); grow > 0 {
			k.Children = append(k.Children, make([]int32, grow)...)
		}
		k.Children[place.row] = int32(min(facts.childCount(i), math.MaxInt32)) //nolint:gosec // bounded on this line
	}
}
