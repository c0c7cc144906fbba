package block

import (
	"encoding/binary"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// traces writes the trace tables of a row group, and notes the traces that
// have fragments.
func (e *encoder) traces(g *rowGroup) {
	f := e.cells
	var table traceTable
	var page tracePage
	var entry traceEntry
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
	for from := 0; from < len(f.traces); {
		to := from + 1
		for to < len(f.traces) && f.traces[to] == f.traces[from] {
			to++
		}
		if g.pages[next] <= from {
			flush()
			for g.pages[next] <= from {
				next++
			}
		}
		if page.entries == 0 {
			page = tracePage{first: f.trace(code), code: code, row: from}
		}
		page.entries++
		entry.reset()
		for i := from; i < to; i++ {
			entry.add(f.traceRow(i))
		}
		if table.add(&entry) {
			e.dir.open = append(e.dir.open, f.trace(code))
		}
		code++
		from = to
	}
	flush()
}

// tracePage writes a table.
func (e *encoder) tracePage(g *rowGroup, page tracePage, table *traceTable) {
	start := e.offset()
	e.out = table.appendTo(e.out)
	stored := e.since(start)
	page.table = pageRef{offset: start, size: uint32(len(stored)), raw: uint32(len(stored)), sum: pageSum(stored)}
	g.traces = append(g.traces, page)
}

// traceRow is what a trace's entry needs of a row.
type traceRow struct {
	start, end uint64
	spanID     uint64 // its bytes in any order
	parent     bool   // it has one
	fragment   bool
}

func (f *fixedCells) traceRow(i int) traceRow {
	start := uint64(f.starts[i])
	return traceRow{
		start: start, end: start + uint64(f.durations[i]),
		spanID:   binary.LittleEndian.Uint64(f.spanIDs[len(schema.SpanID{})*i:]),
		parent:   f.hasParent.Has(i),
		fragment: schema.Fragment(f.fragments[i]) != schema.FragmentNone,
	}
}

func traceRowOf(s *schema.Span) traceRow {
	return traceRow{
		start: s.StartNanos, end: s.EndNanos, spanID: binary.LittleEndian.Uint64(s.SpanID[:]),
		parent: !s.ParentSpanID.IsZero(), fragment: s.Fragment != schema.FragmentNone,
	}
}

// traceEntry gathers the rows of a trace for its entry in a table.
type traceEntry struct {
	start, last, end uint64
	root             int // the first row without a parent, plus one
	open             bool
	ids              []uint64 // of the spans
}

func (t *traceEntry) reset() { *t = traceEntry{ids: t.ids[:0]} }

func (t *traceEntry) add(r traceRow) {
	if len(t.ids) == 0 {
		t.start = r.start
	}
	t.start, t.last, t.end = min(t.start, r.start), max(t.last, r.start), max(t.end, r.start, r.end)
	t.ids = append(t.ids, r.spanID)
	if t.root == 0 && !r.parent {
		t.root = len(t.ids)
	}
	t.open = t.open || r.fragment
}

// add appends the entry of a trace, and reports whether one of its rows is a
// fragment.
func (t *traceTable) add(e *traceEntry) (open bool) {
	roots := int64(e.root) << 1
	if e.open || repeats(e.ids) {
		roots |= 1
	}
	t.rows = append(t.rows, int64(len(e.ids)))
	t.starts = append(t.starts, int64(e.start))
	t.lasts = append(t.lasts, int64(e.last-e.start))
	t.ends = append(t.ends, int64(e.end-e.start))
	t.roots = append(t.roots, roots)
	return e.open
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

// sumIDs takes the checksums of the parts of the dictionary of trace ids. The data
// begins at an offset of the block.
func (g *rowGroup) sumIDs(k *chunk, data []byte, offset int64) {
	const size = len(schema.TraceID{})
	body := k.dict.offset + int64(k.dict.header)
	for i := range g.traces {
		t := &g.traces[i]
		t.ids = pageRef{offset: body + int64(size*t.code), size: uint32(size * t.entries), raw: uint32(size * t.entries)}
		t.ids.sum = pageSum(data[t.ids.offset-offset : t.ids.end()-offset])
	}
}
