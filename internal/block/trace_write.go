package block

import (
	"encoding/binary"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// traces writes the trace tables of a row group, and notes the traces that
// have fragments.
func (e *encoder) traces(g *rowGroup, spans []schema.Span) {
	var table traceTable
	var page tracePage
	var ids []uint64
	next, code := 1, 0 // the first page that begins later, the number of the trace
	flush := func() {
		if page.entries > 0 {
			e.tracePage(g, page, &table)
		}
		page = tracePage{}
		for _, c := range table.columns() {
			*c = (*c)[:0]
		}
	}
	for from := 0; from < len(spans); {
		to := from + 1
		for to < len(spans) && spans[to].TraceID == spans[from].TraceID {
			to++
		}
		if g.pages[next] <= from {
			flush()
			for g.pages[next] <= from {
				next++
			}
		}
		if page.entries == 0 {
			page = tracePage{first: spans[from].TraceID, code: code, row: from}
		}
		page.entries++
		code++
		var open bool
		ids, open = table.add(spans[from:to], ids)
		if open {
			e.dir.open = append(e.dir.open, spans[from].TraceID)
		}
		from = to
	}
	flush()
}

// tracePage writes a table.
func (e *encoder) tracePage(g *rowGroup, page tracePage, table *traceTable) {
	start := e.out.Tell()
	e.out.data = table.appendTo(e.out.data)
	stored := e.out.data[start:]
	page.table = pageRef{offset: start, size: uint32(len(stored)), raw: uint32(len(stored)), sum: pageSum(stored)}
	g.traces = append(g.traces, page)
}

// add appends a trace of these rows, and reports whether one is a fragment. ids
// is scratch.
func (t *traceTable) add(spans []schema.Span, ids []uint64) (scratch []uint64, open bool) {
	start, last, end := spans[0].StartNanos, uint64(0), uint64(0)
	root := 0
	ids = ids[:0]
	for i := range spans {
		s := &spans[i]
		start, last, end = min(start, s.StartNanos), max(last, s.StartNanos), max(end, s.StartNanos, s.EndNanos)
		if root == 0 && s.ParentSpanID.IsZero() {
			root = i + 1
		}
		open = open || s.Fragment != schema.FragmentNone
		ids = append(ids, binary.LittleEndian.Uint64(s.SpanID[:]))
	}
	roots := int64(root) << 1
	if open || repeats(ids) {
		roots |= 1
	}
	t.rows = append(t.rows, int64(len(spans)))
	t.starts = append(t.starts, int64(start))
	t.lasts = append(t.lasts, int64(last-start))
	t.ends = append(t.ends, int64(end-start))
	t.roots = append(t.roots, roots)
	return ids, open
}

// repeats reports whether two of the numbers are the same. It sorts them.
func repeats(ids []uint64) bool {
	slices.Sort(ids)
	for i := 1; i < len(ids); i++ {
		if ids[i] == ids[i-1] {
			return true
		}
	}
	return false
}

// sumIDs takes the checksums of the parts of the dictionary of trace ids.
func (g *rowGroup) sumIDs(k *chunk, data []byte) {
	const size = len(schema.TraceID{})
	body := k.dict.offset + int64(k.dict.header)
	for i := range g.traces {
		t := &g.traces[i]
		t.ids = pageRef{offset: body + int64(size*t.code), size: uint32(size * t.entries), raw: uint32(size * t.entries)}
		t.ids.sum = pageSum(data[t.ids.offset:t.ids.end()])
	}
}
