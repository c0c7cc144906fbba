package block

import (
	"encoding/binary"
)

// Bits of the bytes that describe columns and chunks.
const (
	flagCodecZstd = 1 << 7 // of a chunk
	flagAbsent    = 1 << 6 // of a chunk

	columnOptional = 1 << 7 // of a column
	columnContent  = 1 << 6 // of a column
)

// appendTo appends the directory as it stands in the tail.
func (d *directory) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, d.version)
	b = appendText(b, string(d.project))
	b = binary.AppendUvarint(b, uint64(d.rows))
	b = binary.AppendUvarint(b, uint64(d.dataBytes))
	b = binary.AppendUvarint(b, uint64(d.bitset))
	b = binary.AppendUvarint(b, uint64(len(d.columns)))
	for i := range d.columns {
		b = d.columns[i].appendTo(b)
	}
	b = binary.AppendUvarint(b, uint64(len(d.open)))
	for _, id := range d.open {
		b = append(b, id[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(d.groups)))
	for i := range d.groups {
		b = d.groups[i].appendTo(b, d.columns)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// appendTo appends owner, type, kind of value and the name of a fixed column or
// the key of an attribute.
func (c *fileColumn) appendTo(b []byte) []byte {
	kind := byte(c.physical)
	if c.optional {
		kind |= columnOptional
	}
	if c.content {
		kind |= columnContent
	}
	b = append(b, byte(c.attribute.owner), kind)
	if c.attribute.owner == ownerNone {
		return appendText(b, c.name)
	}
	return appendText(append(b, byte(c.attribute.kind)), c.attribute.key)
}

func (g *rowGroup) appendTo(b []byte, columns []fileColumn) []byte {
	b = appendGrid(b, g.pages)
	b = append(b, g.firstTrace[:]...)
	b = append(b, g.lastTrace[:]...)
	b = binary.AppendUvarint(b, g.minStart)
	b = binary.AppendUvarint(b, g.maxEnd)
	b = g.appendTraces(b)
	for i := range g.keys {
		b = g.keys[i].appendTo(b)
	}
	for i := range columns {
		b = g.chunks[i].appendTo(b, columns[i].optional)
	}
	return b
}

func appendGrid(b []byte, grid []int) []byte {
	b = binary.AppendUvarint(b, uint64(len(grid)-1))
	for p := range len(grid) - 1 {
		b = binary.AppendUvarint(b, uint64(grid[p+1]-grid[p]))
	}
	return b
}

// appendTraces leaves out what follows: tables stand one after another before
// the first chunk, codes and the places of ids add up.
func (g *rowGroup) appendTraces(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(g.traces)))
	row := 0
	for i := range g.traces {
		t := &g.traces[i]
		b = append(b, t.first[:]...)
		b = binary.AppendUvarint(b, uint64(t.entries))
		b = binary.AppendUvarint(b, uint64(t.row-row))
		b = binary.LittleEndian.AppendUint32(b, t.ids.sum)
		b = binary.AppendUvarint(b, uint64(t.table.size))
		b = binary.LittleEndian.AppendUint32(b, t.table.sum)
		row = t.row
	}
	return b
}

func (c *chunk) appendTo(b []byte, optional bool) []byte {
	flags := byte(c.encoding)
	if c.compressed {
		flags |= flagCodecZstd
	}
	if c.absent {
		b = append(b, flags|flagAbsent)
		return c.dict.appendTo(b, false)
	}
	b = append(b, flags)
	if c.encoding == encodingCodes {
		b = binary.AppendUvarint(b, uint64(c.entries))
		b = c.dict.appendTo(b, false)
	}
	pages := c.data()
	b = binary.AppendUvarint(b, uint64(pages.size()))
	if c.list != nil {
		return appendText(b, alias(c.list.stored))
	}
	var list []byte
	if len(c.frames) > 0 {
		list = binary.AppendUvarint(list, uint64(len(c.frames)))
	}
	for i := range c.frames {
		list = c.frames[i].appendTo(list)
	}
	for _, p := range c.pages {
		list = p.appendTo(list, optional)
	}
	return appendText(b, alias(list))
}

// appendTo leaves out what adds up: offset and first code.
func (f *frame) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(f.n))
	b = binary.AppendUvarint(b, uint64(f.size))
	b = binary.AppendUvarint(b, uint64(f.raw))
	return binary.LittleEndian.AppendUint32(b, f.sum)
}

// appendTo leaves the offset out: pages follow each other without gaps.
func (p pageRef) appendTo(b []byte, optional bool) []byte {
	b = binary.AppendUvarint(b, uint64(p.size))
	b = binary.AppendUvarint(b, uint64(p.header))
	b = binary.AppendUvarint(b, uint64(p.raw))
	if optional {
		b = binary.AppendUvarint(b, uint64(p.levels))
	}
	return binary.LittleEndian.AppendUint32(b, p.sum)
}
