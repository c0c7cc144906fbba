package engine

import (
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Memory is a source of rows in memory.
type Memory struct {
	pages [][]schema.Span
	count int
	rows  func(schema.TraceID) []int32
	open  []schema.TraceID
	of    Derive // nil keeps what the pieces say

	once sync.Once
	held *vec.Held // once it was asked for
}

var (
	_ FragmentSource = (*Memory)(nil)
	_ Sampler        = (*Memory)(nil)
)

// NewMemory makes a source of spans, in any order. rows returns the numbers of
// a trace's rows, counted over all pages, in ascending order; those beyond the
// pages do not count. Nothing of it may be written to while the source is in
// use, and rows must be safe for concurrent use.
func NewMemory(pages [][]schema.Span, rows func(schema.TraceID) []int32) *Memory {
	m := &Memory{pages: pages, rows: rows}
	for _, page := range pages {
		m.count += len(page)
	}
	return m
}

// SetOpen names the traces with rows that are fragments, in ascending order, and
// what derives of their spans, nil to keep what follows from each piece. Without it
// no row may be one.
func (m *Memory) SetOpen(open []schema.TraceID, derive Derive) { m.open, m.of = open, derive }

// OpenTraces are those that SetOpen named.
func (m *Memory) OpenTraces(context.Context) ([]schema.TraceID, error) { return m.open, nil }

// Derive is what SetOpen was given.
func (m *Memory) Derive(span *schema.Span) []byte {
	if m.of == nil {
		return span.Derived
	}
	return m.of(span)
}

// memoryChunk is the number of rows that a filter is decided on at once, so
// that a query notices its cancellation.
const memoryChunk = 4096

// Scan yields the rows for which the filter holds, in their order and with all
// columns. They belong to the source: read only.
func (m *Memory) Scan(ctx context.Context, filter *vec.Filter, _ vec.Columns) iter.Seq2[[]schema.Span, error] {
	return func(yield func([]schema.Span, error) bool) {
		var buffer []schema.Span
		for chunk, err := range m.chunks(ctx, filter) {
			if err != nil {
				yield(nil, err)
				return
			}
			found := chunk.spans
			if n := chunk.selected.Count(); n < len(found) {
				found = slices.Grow(buffer[:0], n)
				for i := chunk.selected.Next(0); i < len(chunk.spans); i = chunk.selected.Next(i + 1) {
					found = append(found, chunk.spans[i])
				}
				buffer = found
			}
			if len(found) > 0 && !yield(found, nil) {
				return
			}
		}
	}
}

// memoryPart is a piece of the rows, and which of them a filter holds for.
type memoryPart struct {
	spans    []schema.Span
	selected vec.Bitmap
}

func (m *Memory) chunks(ctx context.Context, filter *vec.Filter) iter.Seq2[memoryPart, error] {
	return func(yield func(memoryPart, error) bool) {
		rows := NewRows()
		for _, page := range m.pages {
			for chunk := range slices.Chunk(page, memoryChunk) {
				if err := ctx.Err(); err != nil {
					yield(memoryPart{}, err)
					return
				}
				selected, err := rows.Select(chunk, filter)
				if !yield(memoryPart{chunk, selected}, err) || err != nil {
					return
				}
			}
		}
	}
}

// Find yields the traces with rows for which the filter holds.
func (m *Memory) Find(ctx context.Context, filter *vec.Filter) iter.Seq2[[]vec.Hit, error] {
	return func(yield func([]vec.Hit, error) bool) {
		places := make(map[schema.TraceID]int)
		var hits []vec.Hit
		for chunk, err := range m.chunks(ctx, filter) {
			if err != nil {
				yield(nil, err)
				return
			}
			for i := chunk.selected.Next(0); i < len(chunk.spans); i = chunk.selected.Next(i + 1) {
				id := chunk.spans[i].TraceID
				at, ok := places[id]
				if !ok {
					at = len(hits)
					places[id] = at
					hits = append(hits, m.hit(id))
				}
				hits[at].Matched++
			}
		}
		yieldInOrder(hits, yield)
	}
}

// hit describes all rows of a trace.
func (m *Memory) hit(id schema.TraceID) vec.Hit {
	rows := m.rowsOf(id)
	h := vec.Hit{ID: id, StartNanos: m.row(rows[0]).StartNanos, Folded: true}
	var repeated repeats
	for _, i := range rows {
		s := m.row(i)
		h.StartNanos = min(h.StartNanos, s.StartNanos)
		h.LastNanos = max(h.LastNanos, s.StartNanos)
		h.EndNanos = max(h.EndNanos, s.StartNanos, s.EndNanos)
		if s.Fragment != schema.FragmentNone || repeated.seen(s) {
			h.Folded = false
		}
	}
	return h
}

// row is the row of a number below m.count.
func (m *Memory) row(number int32) *schema.Span {
	i := int(number)
	for _, page := range m.pages {
		if i < len(page) {
			return &page[i]
		}
		i -= len(page)
	}
	return nil
}

// rowsOf returns the numbers of a trace's rows.
func (m *Memory) rowsOf(id schema.TraceID) []int32 {
	rows := m.rows(id)
	for len(rows) > 0 && int(rows[len(rows)-1]) >= m.count {
		rows = rows[:len(rows)-1]
	}
	return rows
}

// MayHold tells whether there are rows of the trace.
func (m *Memory) MayHold(_ context.Context, id schema.TraceID) (bool, error) {
	return len(m.rowsOf(id)) > 0, nil
}

// Traces returns the rows of traces with all columns.
func (m *Memory) Traces(_ context.Context, ids []schema.TraceID, _ vec.Columns) ([]schema.Span, error) {
	count := 0
	for _, id := range ids {
		count += len(m.rowsOf(id))
	}
	spans := make([]schema.Span, 0, count)
	for _, id := range ids {
		from := len(spans)
		for _, i := range m.rowsOf(id) {
			spans = append(spans, *m.row(i))
		}
		// Stable: rows that are equal here keep the order of the log.
		slices.SortStableFunc(spans[from:], func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	}
	return spans, nil
}

// Spans is the number of rows.
func (m *Memory) Spans() int { return m.count }

// repeats notices rows of one span.
type repeats struct {
	few   [fewSpans]spanKey
	count int // of few
	many  map[spanKey]struct{}
}

// spanKey is what makes two rows of a trace the same span, as schema.Fold sees
// it.
type spanKey struct {
	id   schema.SpanID
	kind int32
}

// fewSpans is up to which number comparing with all is cheaper than a map.
const fewSpans = 24

// seen reports whether a row of the same span was there before.
func (r *repeats) seen(s *schema.Span) bool {
	key := spanKey{s.SpanID, s.Kind}
	if r.many == nil {
		if slices.Contains(r.few[:r.count], key) {
			return true
		}
		if r.count < fewSpans {
			r.few[r.count] = key
			r.count++
			return false
		}
		r.many = make(map[spanKey]struct{})
		for _, k := range r.few {
			r.many[k] = struct{}{}
		}
	}
	if _, ok := r.many[key]; ok {
		return true
	}
	r.many[key] = struct{}{}
	return false
}
