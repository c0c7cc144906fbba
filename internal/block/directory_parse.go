package block

import (
	"encoding/binary"
	"math"

	"github.com/spanlake/spanlake/schema"
)

// parseDirectory reads the directory that b begins with and returns the bytes
// after it. Everything is checked against everything else, so that a reader
// may trust offsets and counts: what is allocated is bounded by len(b). The
// error is ErrVersion, errStructure or errTruncated.
func parseDirectory(b []byte) (*directory, []byte, error) {
	c := &cursor{b: b}
	d := &directory{version: c.uvarint(math.MaxUint64)}
	if c.err == nil && (d.version == 0 || d.version > schema.FormatVersion) {
		return nil, nil, ErrVersion
	}
	d.project = schema.ProjectID(c.take(int(c.uvarint(math.MaxInt16))))
	d.rows = int(c.uvarint(math.MaxInt64))
	d.dataBytes = int64(c.uvarint(math.MaxInt64))
	d.bitset = int(c.uvarint(math.MaxInt32))
	d.columns = c.columns()
	d.groups = make([]rowGroup, c.count(minGroupBytes))
	next := int64(len(magic))
	rows := 0
	for i := range d.groups {
		c.group(&d.groups[i], d.columns, &next)
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

// What a row group and a page take at least.
const (
	minGroupBytes = 2*16 + 3
	minPageBytes  = 3 + 4
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
	if n > len(c.b) {
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

// count reads the number of things that take at least size bytes each.
func (c *cursor) count(size int) int {
	n := c.uvarint(math.MaxInt32)
	if n > uint64(len(c.b)/size) {
		c.fail(errTruncated)
		return 0
	}
	return int(n)
}

// fileColumn is a column as a block has it. One that this program does not
// know has the id numColumns and is not read, but verified.
type fileColumn struct {
	name     string
	physical physical
	id       columnID
	unknown  int // its place among the unknown ones
	optional bool
}

func (c *cursor) columns() []fileColumn {
	list := make([]fileColumn, c.count(2))
	var seen [numColumns]bool
	unknown := 0
	for i := range list {
		name := string(c.take(int(c.uvarint(math.MaxInt16))))
		id, kind := columnByName(name), c.byte()
		list[i] = fileColumn{name: name, physical: physical(kind &^ columnOptional), id: id, optional: kind&columnOptional != 0}
		if id == numColumns {
			list[i].unknown = unknown
			unknown++
			continue
		}
		want := columns[id]
		if seen[id] || list[i].physical != want.physical || list[i].optional && !want.optional {
			c.fail(errStructure)
		}
		seen[id] = true
	}
	for id := range numColumns {
		if columns[id].set == BaseColumns && !seen[id] {
			c.fail(errStructure)
		}
	}
	return list
}

func (c *cursor) group(g *rowGroup, columns []fileColumn, next *int64) {
	pages := c.count(1)
	if pages == 0 || pages > maxDirectoryPages {
		c.fail(errStructure)
		return
	}
	g.pageStart = make([]int, pages+1)
	for p := range pages {
		rows := int(c.uvarint(maxPageRows))
		if rows == 0 {
			c.fail(errStructure)
		}
		g.pageStart[p+1] = g.pageStart[p] + rows
	}
	copy(g.firstTrace[:], c.take(len(g.firstTrace)))
	copy(g.lastTrace[:], c.take(len(g.lastTrace)))
	g.minStart = c.uvarint(math.MaxUint64)
	g.maxEnd = c.uvarint(math.MaxUint64)
	c.firstCodes(g, pages)
	for _, column := range columns {
		if column.id == numColumns {
			g.unknown = append(g.unknown, chunk{})
		}
		c.chunk(g.chunkOf(column), g, column, next)
	}
	c.checkTraces(g)
}

func (c *cursor) firstCodes(g *rowGroup, pages int) {
	if pages > len(c.b) {
		c.fail(errTruncated)
		return
	}
	g.firstCode = make([]uint32, pages)
	g.continued = make([]bool, pages)
	var code uint64
	for p := range pages {
		step := c.uvarint(math.MaxUint32)
		code += step >> 1
		if code > math.MaxUint32 {
			c.fail(errStructure)
			return
		}
		g.firstCode[p], g.continued[p] = uint32(code), step&1 != 0
	}
}

// checkTraces compares what a trace lookup relies on.
func (c *cursor) checkTraces(g *rowGroup) {
	if c.err != nil {
		return
	}
	traces := &g.chunks[colTraceID]
	last := g.firstCode[len(g.firstCode)-1]
	if traces.encoding != encodingCodes || g.firstCode[0] != 0 || g.continued[0] || uint64(last) >= uint64(traces.entries) {
		c.fail(errStructure)
	}
}

func (c *cursor) chunk(k *chunk, g *rowGroup, column fileColumn, next *int64) {
	flags := c.byte()
	k.present = true
	k.encoding, k.compressed = pageEncoding(flags&^flagCodecZstd), flags&flagCodecZstd != 0
	if k.encoding >= numEncodings {
		c.fail(errStructure)
		return
	}
	if k.encoding == encodingCodes {
		k.entries = int(c.uvarint(uint64(g.rows())))
		k.dict = c.page(next, false)
		if !k.compressed && k.dict.bodyBytes() != int(k.dict.raw) {
			c.fail(errStructure)
		}
	}
	if g.pages()*minPageBytes > len(c.b) {
		c.fail(errTruncated)
		return
	}
	k.pages = make([]pageRef, g.pages())
	for p := range k.pages {
		k.pages[p] = c.page(next, column.optional)
		if k.pages[p].bodyBytes() > int(k.pages[p].raw) || !k.compressed && k.pages[p].compressed() {
			c.fail(errStructure)
		}
	}
}

func (c *cursor) page(next *int64, optional bool) pageRef {
	p := pageRef{
		offset: *next,
		size:   uint32(c.uvarint(maxRawBytes)),
		header: uint16(c.uvarint(math.MaxUint16)),
		raw:    uint32(c.uvarint(maxRawBytes)),
	}
	if optional {
		p.levels = uint16(c.uvarint(math.MaxUint16))
	}
	if sum := c.take(4); sum != nil {
		p.sum = binary.LittleEndian.Uint32(sum)
	}
	if p.bodyBytes() < 0 {
		c.fail(errStructure)
	}
	*next = p.end()
	return p
}
