package engine

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// judge puts the candidates of a wave together and hands them out.
func (h *hunt) judge(ctx context.Context, wave []candidate) error {
	wave, err := h.summarize(ctx, wave)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(wave, maxWave) {
		if err := h.judgeRows(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// judgeRows is judge for those whose rows are needed. While few of the traces
// are taken only what decides is read of them.
func (h *hunt) judgeRows(ctx context.Context, wave []candidate) error {
	columns, whole := h.columns, true
	if h.light != nil && h.picky {
		columns, whole = *h.light, false
	}
	list, err := h.assemble(ctx, wave, columns)
	if err != nil {
		return err
	}
	judged, taken := 0, 0
	for i, t := range list {
		if err := yield(ctx); err != nil {
			return err
		}
		if t == nil || !t.overlaps(h.startNanos, h.endNanos) {
			continue
		}
		ok, err := h.take(ctx, sighted{t, &wave[i], whole})
		if err != nil {
			return err
		}
		if judged++; ok {
			taken++
		}
	}
	h.picky = taken < judged/pickyShare
	return nil
}

// pickyShare is which part of the traces must be taken so that it is worth it
// to read all of them at once.
const pickyShare = 3

// sighted is a trace that was put together.
type sighted struct {
	*traceFacts

	candidate *candidate
	whole     bool // with all that the answer says of it
}

// assemble puts traces together, each in the place of its candidate, nil if it
// has just expired.
func (h *hunt) assemble(ctx context.Context, wave []candidate, columns vec.Columns) ([]*traceFacts, error) {
	rows, err := h.read(ctx, wave, columns)
	if err != nil {
		return nil, err
	}
	// Which of a span's rows stays depends on all of what they say.
	var again []candidate
	derives := make(map[schema.TraceID]Derive)
	for _, c := range wave {
		derive, open, err := h.isOpen(ctx, &c)
		if err != nil {
			return nil, err
		}
		if open {
			derives[c.times.ID] = derive
		}
		if open || repeated(rows[c.times.ID]) {
			again = append(again, c)
		}
	}
	whole, err := h.read(ctx, again, vec.AllColumns())
	if err != nil {
		return nil, err
	}
	list := make([]*traceFacts, len(wave))
	for i, c := range wave {
		spans, ok := whole[c.times.ID]
		if !ok {
			spans = rows[c.times.ID]
		}
		list[i] = factsOf(c.times.ID, spans, derives[c.times.ID])
	}
	return list, nil
}

// isOpen reports whether the candidate has rows that are fragments, and returns
// what derives then.
func (h *hunt) isOpen(ctx context.Context, c *candidate) (derive Derive, open bool, err error) {
	for _, i := range c.holders {
		derive, open, err = openIn(ctx, h.partitions[c.partition][i:i+1], c.times.ID)
		if open || err != nil {
			return derive, open, err
		}
	}
	return nil, false, nil
}

// repeated reports whether two of the rows are of one span.
func repeated(spans []schema.Span) bool {
	var r repeats
	for i := range spans {
		if r.seen(&spans[i]) {
			return true
		}
	}
	return false
}

// read returns the rows of traces from all sources that may have any.
func (h *hunt) read(ctx context.Context, wave []candidate, columns vec.Columns) (map[schema.TraceID][]schema.Span, error) {
	type task struct {
		source Source
		ids    []schema.TraceID
		spans  []schema.Span
	}
	var tasks []*task
	for p, sources := range h.partitions {
		for i, source := range sources {
			t := &task{source: source}
			for _, c := range wave {
				if int(c.partition) == p && slices.Contains(c.holders, int32(i)) { //nolint:gosec // few
					t.ids = append(t.ids, c.times.ID)
				}
			}
			if len(t.ids) > 0 {
				slices.SortFunc(t.ids, func(a, b schema.TraceID) int { return bytes.Compare(a[:], b[:]) })
				tasks = append(tasks, t)
			}
		}
	}
	group, groupCtx := newGroup(ctx, h.concurrency)
	for _, t := range tasks {
		group.Go(groupCtx, func(ctx context.Context) (err error) {
			if t.spans, err = t.source.Traces(ctx, t.ids, columns); err != nil {
				return fmt.Errorf("read %d traces: %w", len(t.ids), err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	byID := make(map[schema.TraceID][]schema.Span, len(wave))
	for _, t := range tasks {
		for spans := range runs(t.spans) {
			id := spans[0].TraceID
			if before, ok := byID[id]; ok {
				spans = append(before, spans...)
			}
			byID[id] = spans
		}
	}
	return byID, nil
}

// runs yields the rows of one trace after the other.
func runs(spans []schema.Span) iter.Seq[[]schema.Span] {
	return func(yield func([]schema.Span) bool) {
		for len(spans) > 0 {
			n := 1
			for n < len(spans) && spans[n].TraceID == spans[0].TraceID {
				n++
			}
			if !yield(spans[:n:n]) {
				return
			}
			spans = spans[n:]
		}
	}
}
