package block

import (
	"encoding/binary"

	"github.com/spanlake/spanlake/schema"
)

// directory is the map of a block: where every page lies, and what is needed
// to read it without the Parquet footer. Format: schema/README.md.
type directory struct {
	version   uint64
	project   schema.ProjectID
	rows      int
	dataBytes int64 // from the object's start to the tail
	bitset    int   // bytes of the trace filter, without its header
	columns   []fileColumn
	groups    []rowGroup
}

// rowGroup is the part of a block that shares dictionaries. It holds whole
// traces.
type rowGroup struct {
	firstTrace, lastTrace schema.TraceID
	minStart, maxEnd      uint64
	pageStart             []int // first row of each page within the group, and the number of rows
	firstCode             []uint32
	continued             []bool // the page begins within a trace
	chunks                [numColumns]chunk
	unknown               []chunk // of columns that this program does not know
}

// chunkOf is the chunk of a column of the file.
func (g *rowGroup) chunkOf(c fileColumn) *chunk {
	if c.id == numColumns {
		return &g.unknown[c.unknown]
	}
	return &g.chunks[c.id]
}

func (g *rowGroup) rows() int  { return g.pageStart[len(g.pageStart)-1] }
func (g *rowGroup) pages() int { return len(g.pageStart) - 1 }

// pageRows is the number of rows of a page.
func (g *rowGroup) pageRows(page int) int { return g.pageStart[page+1] - g.pageStart[page] }

// pageEncoding is the encoding of a chunk's data pages as the directory
// numbers it.
type pageEncoding uint8

const (
	encodingPlain pageEncoding = iota
	encodingDelta
	encodingCodes // of the chunk's dictionary
	numEncodings
)

// chunk is one column of a row group: a dictionary page if its encoding is
// encodingCodes, then the data pages.
type chunk struct {
	present    bool
	encoding   pageEncoding
	compressed bool // of the dictionary; a data page is when it is smaller than its raw bytes
	entries    int  // of the dictionary
	dict       pageRef
	pages      []pageRef
}

// pageRef locates a page: Thrift header, definition levels, body.
type pageRef struct {
	offset int64
	size   uint32 // header, levels and body as stored
	raw    uint32 // body decompressed
	sum    uint32 // of the size bytes at offset
	header uint16
	levels uint16
}

func (p pageRef) end() int64       { return p.offset + int64(p.size) }
func (p pageRef) bodyBytes() int   { return int(p.size) - int(p.header) - int(p.levels) }
func (p pageRef) compressed() bool { return p.bodyBytes() != int(p.raw) }

const (
	flagCodecZstd     = 1 << 7
	columnOptional    = 1 << 7
	maxDirectoryPages = 1 << 24 // of one row group
)

// appendTo appends the directory as it stands in the tail.
func (d *directory) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, d.version)
	b = binary.AppendUvarint(b, uint64(len(d.project)))
	b = append(b, d.project...)
	b = binary.AppendUvarint(b, uint64(d.rows))
	b = binary.AppendUvarint(b, uint64(d.dataBytes))
	b = binary.AppendUvarint(b, uint64(d.bitset))
	b = binary.AppendUvarint(b, uint64(numColumns))
	for _, c := range columns {
		b = binary.AppendUvarint(b, uint64(len(c.name)))
		b = append(b, c.name...)
		kind := byte(c.physical)
		if c.optional {
			kind |= columnOptional
		}
		b = append(b, kind)
	}
	b = binary.AppendUvarint(b, uint64(len(d.groups)))
	for i := range d.groups {
		b = d.groups[i].appendTo(b)
	}
	return b
}

func (g *rowGroup) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(g.pages()))
	for p := range g.pages() {
		b = binary.AppendUvarint(b, uint64(g.pageRows(p)))
	}
	b = append(b, g.firstTrace[:]...)
	b = append(b, g.lastTrace[:]...)
	b = binary.AppendUvarint(b, g.minStart)
	b = binary.AppendUvarint(b, g.maxEnd)
	var last uint32
	for p, code := range g.firstCode {
		step := uint64(code-last) << 1
		if g.continued[p] {
			step |= 1
		}
		b = binary.AppendUvarint(b, step)
		last = code
	}
	for id := range numColumns {
		b = g.chunks[id].appendTo(b, columns[id].optional)
	}
	return b
}

func (c *chunk) appendTo(b []byte, optional bool) []byte {
	flags := byte(c.encoding)
	if c.compressed {
		flags |= flagCodecZstd
	}
	b = append(b, flags)
	if c.encoding == encodingCodes {
		b = binary.AppendUvarint(b, uint64(c.entries))
		b = c.dict.appendTo(b, false)
	}
	for _, p := range c.pages {
		b = p.appendTo(b, optional)
	}
	return b
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
