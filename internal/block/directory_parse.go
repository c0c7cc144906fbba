package block

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/spanlake/spanlake/schema"
)

// parseDirectory reads the directory that b begins with and returns the bytes
// after it. Everything is checked against everything else, so that a reader
// may trust offsets and counts: what is allocated is bounded by len(b). Only the
// lists of pages are left for later, they are checked when they are read. The
// directory keeps b, which must not be changed any more. The error is
// ErrVersion, errStructure or errTruncated.
func parseDirectory(b []byte) (*directory, []byte, error) {
	c := &cursor{b: b}
	d := &directory{version: c.uvarint(math.MaxUint64)}
	if c.err == nil && (d.version == 0 || d.version > schema.FormatVersion) {
		return nil, nil, ErrVersion
	}
	d.project = schema.ProjectID(c.text())
	d.rows = int(c.uvarint(math.MaxInt64))
	d.dataBytes = int64(c.uvarint(math.MaxInt64))
	d.bitset = int(c.uvarint(math.MaxInt32))
	d.columns = c.columns()
	d.index = c.index(d.columns)
	d.open = c.traceIDs()
	d.groups = make([]rowGroup, c.count(minGroupBytes))
	next := int64(len(magic))
	rows := 0
	for i := range d.groups {
		c.group(&d.groups[i], d, &next)
		if c.err != nil {
			return nil, nil, c.err
		}
		rows += d.groups[i].rows()
	}
	if rows != d.rows || next != d.dataBytes || d.bitset%filterBlockBytes != 0 {
		c.fail(errStructure)
	}
	return d, c.b, c.err
}

// What a row group, a chunk, a page, a frame, a page's traces and a key take at least.
const (
	minGroupBytes     = 2*16 + 7
	minChunkBytes     = 3
	minPageBytes      = 3 + 4
	minFrameBytes     = 3 + 4
	minTracePageBytes = 16 + 1 + 1 + 4 + 1 + 4
	minKeyBytes       = 1
)

// cursor reads a directory and keeps the first error; after it, all reads
// return zero.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.b = nil
}

func (c *cursor) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail(errTruncated)
		return 0
	}
	c.b = c.b[n:]
	if v > limit {
		c.fail(errStructure)
		return 0
	}
	return v
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.fail(errTruncated)
	}
	if c.err != nil {
		return nil
	}
	taken := c.b[:n]
	c.b = c.b[n:]
	return taken
}

func (c *cursor) byte() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) uint32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// count reads the number of things that take at least size bytes each.
func (c *cursor) count(size int) int {
	n := c.uvarint(math.MaxInt32)
	if n > uint64(len(c.b)/size) {
		c.fail(errTruncated)
		return 0
	}
	return int(n)
}

// text reads a length and so many bytes, which it shares.
func (c *cursor) text() string { return alias(c.take(int(c.uvarint(math.MaxInt32)))) }

func (c *cursor) traceIDs() []schema.TraceID {
	ids := make([]schema.TraceID, c.count(16))
	for i := range ids {
		copy(ids[i][:], c.take(16))
		if i > 0 && bytes.Compare(ids[i-1][:], ids[i][:]) >= 0 {
			c.fail(errStructure)
		}
	}
	return ids
}

func (c *cursor) columns() []fileColumn {
	list := make([]fileColumn, c.count(3))
	for i := range list {
		list[i] = c.column()
	}
	return list
}

// index finds the columns, each of which must be there once, and those of the
// catalogue all.
func (c *cursor) index(list []fileColumn) columnIndex {
	if c.err != nil {
		return columnIndex{}
	}
	x, ok := indexColumns(list)
	if !ok {
		c.fail(errStructure)
	}
	return x
}

func (c *cursor) column() fileColumn {
	from, kind := owner(c.byte()), c.byte()
	col := fileColumn{
		id: numColumns, physical: physical(kind &^ (columnOptional | columnContent)),
		optional: kind&columnOptional != 0, content: kind&columnContent != 0,
	}
	if from == ownerNone {
		col.name = c.text()
		col.id = columnByName(col.name)
		if col.id < numColumns && (col.physical != columns[col.id].physical || col.optional != columns[col.id].optional || col.content) {
			c.fail(errStructure)
		}
		return col
	}
	a := attribute{owner: from, kind: valueKind(c.byte()), key: c.text()}
	if a.owner >= numOwners || a.kind >= numKinds || kindTypes[a.kind] != col.physical || !col.optional {
		c.fail(errStructure)
		return col
	}
	col.attribute, col.name = a, a.name()
	return col
}

func (c *cursor) group(g *rowGroup, d *directory, next *int64) {
	g.pages = c.grid()
	if c.err != nil {
		return
	}
	copy(g.firstTrace[:], c.take(len(g.firstTrace)))
	copy(g.lastTrace[:], c.take(len(g.lastTrace)))
	g.minStart = c.uvarint(math.MaxUint64)
	g.maxEnd = c.uvarint(math.MaxUint64)
	c.traces(g, next)
	for owner := range g.keys {
		g.keys[owner] = c.keyList()
	}
	c.chunks(g, d, next)
}

// grid reads where pages begin.
func (c *cursor) grid() []int {
	pages := c.count(1)
	if pages == 0 || pages > maxDirectoryPages {
		c.fail(errStructure)
		return nil
	}
	grid := make([]int, pages+1)
	for p := range pages {
		rows := int(c.uvarint(maxPageRows))
		if rows == 0 {
			c.fail(errStructure)
		}
		grid[p+1] = grid[p] + rows
	}
	return grid
}

func (c *cursor) traces(g *rowGroup, next *int64) {
	g.traces = make([]tracePage, c.count(minTracePageBytes))
	code, row := 0, 0
	for i := range g.traces {
		t := &g.traces[i]
		copy(t.first[:], c.take(len(t.first)))
		t.entries = int(c.uvarint(uint64(g.rows())))
		row += int(c.uvarint(uint64(g.rows())))
		t.code, t.row = code, row
		t.ids.sum = c.uint32()
		size := c.uvarint(maxRawBytes)
		t.table = pageRef{offset: *next, size: uint32(size), raw: uint32(size), sum: c.uint32()}
		*next = t.table.end()
		code += t.entries
		if t.entries == 0 || row >= g.rows() ||
			i > 0 && (g.traces[i-1].row >= row || bytes.Compare(g.traces[i-1].first[:], t.first[:]) >= 0) {
			c.fail(errStructure)
			return
		}
	}
	if len(g.traces) == 0 || g.traces[0].row != 0 || g.traces[0].first != g.firstTrace {
		c.fail(errStructure)
	}
}
