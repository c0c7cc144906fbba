package block

import (
	"bytes"
	"slices"
	"sort"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// traceSection is a decoded tracePage: the traces that begin in one page.
type traceSection struct {
	ordinal int // of the row group's traces
	ids     []byte
	table   traceTable
	first   []int // row of each trace, and the row after the last
}

func (s *traceSection) traces() int { return len(s.table.rows) }

func (s *traceSection) id(i int) (id schema.TraceID) {
	copy(id[:], s.ids[len(id)*i:])
	return id
}

// find returns the trace of the id.
func (s *traceSection) find(id schema.TraceID) (i int, found bool) {
	const size = len(id)
	i = sort.Search(s.traces(), func(i int) bool { return bytes.Compare(s.ids[size*i:][:size], id[:]) >= 0 })
	return i, i < s.traces() && s.id(i) == id
}

// appendRows appends the rows of trace i.
func (s *traceSection) appendRows(rows []int32, i int) []int32 {
	rows = slices.Grow(rows, s.first[i+1]-s.first[i])
	for row := s.first[i]; row < s.first[i+1]; row++ {
		rows = append(rows, int32(row))
	}
	return rows
}

// traceOf returns the trace of a row of the section.
func (s *traceSection) traceOf(row int) int {
	return sort.SearchInts(s.first, row+1) - 1
}

// hit is what the table says about trace i.
func (s *traceSection) hit(i int) vec.Hit {
	start := uint64(s.table.starts[i])
	return vec.Hit{
		ID: s.id(i), StartNanos: start,
		LastNanos: start + uint64(s.table.lasts[i]), EndNanos: start + uint64(s.table.ends[i]),
		Folded: s.table.roots[i]&1 == 0,
	}
}

// sectionOf is the ordinal of the tracePage that a row belongs to.
func (g *rowGroup) sectionOf(row int) int {
	return sort.Search(len(g.traces), func(i int) bool { return g.traces[i].row > row }) - 1
}

// sectionOfID is the ordinal of the tracePage that has the id if any has.
// REQUIRES: it is not below the first trace's.
func (g *rowGroup) sectionOfID(id schema.TraceID) int {
	return sort.Search(len(g.traces), func(i int) bool { return bytes.Compare(g.traces[i].first[:], id[:]) > 0 }) - 1
}

// sectionEnd is the row after the last of a tracePage's traces.
func (g *rowGroup) sectionEnd(i int) int {
	if i+1 < len(g.traces) {
		return g.traces[i+1].row
	}
	return g.rows()
}

// extents appends what a tracePage needs.
func (t *tracePage) extents(list []extent) []extent {
	return append(list, t.ids.extent(), t.table.extent())
}

// missingSection appends what a tracePage needs unless it is cached.
func (g *groupReader) missingSection(list []extent, i int) []extent {
	t := &g.group.traces[i]
	if g.has(t.table.offset) {
		return list
	}
	return t.extents(list)
}

// readSection returns a decoded tracePage. REQUIRES: it was fetched.
func (g *groupReader) readSection(i int) (*traceSection, error) {
	if g.section != nil && g.section.ordinal == i {
		return g.section, nil
	}
	t := &g.group.traces[i]
	if s, ok := g.parts.at(t.table.offset).(*traceSection); ok {
		g.section = s
		return s, nil
	}
	s := &traceSection{ordinal: i}
	ids, _, err := g.stored(t.ids)
	if err != nil {
		return nil, g.corrupt(g.fixed(colTraceID), "part of the dictionary", t.ids.extent(), err)
	}
	stored, _, err := g.stored(t.table)
	if err == nil {
		err = s.table.parse(stored, t.entries)
	}
	if err == nil {
		s.ids = bytes.Clone(ids)
		s.first, err = s.table.firstRows(make([]int, 0, t.entries+1), t.row, g.group.sectionEnd(i))
	}
	if err != nil {
		return nil, g.corrupt(g.fixed(colTraceID), "table of traces", t.table.extent(), err)
	}
	g.section = s
	g.reader.remember(t.table.offset, s, t.entries*sectionEntryBytes)
	return s, nil
}

// sectionEntryBytes is what a trace takes in a traceSection.
const sectionEntryBytes = 16 + 6*8

// firstRows appends the first row of every trace, and end, which must be the
// row after the last.
func (t *traceTable) firstRows(first []int, row, end int) ([]int, error) {
	for _, n := range t.rows {
		first = append(first, row)
		if n > int64(end-row) {
			return nil, errStructure
		}
		row += int(n)
	}
	if row != end {
		return nil, errStructure
	}
	return append(first, end), nil
}
