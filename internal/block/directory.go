package block

import (
	"github.com/spanlake/spanlake/internal/block/parquet"
	"github.com/spanlake/spanlake/schema"
)

// magic begins and ends a block, as any Parquet file.
const magic = parquet.Magic

// directory is the map of a block: where every page lies, and what is needed
// to read it without the Parquet footer. Format: schema/README.md.
type directory struct {
	version   uint64
	project   schema.ProjectID
	rows      int
	dataBytes int64 // from the object's start to the tail
	bitset    int   // bytes of the trace filter, without its header
	columns   []fileColumn
	index     columnIndex      // of columns; of a directory that was read
	open      []schema.TraceID // traces with fragments, ascending
	groups    []rowGroup
}

// fileColumn is a column as a block has it: a fixed one, one of attributes, or
// one that this program does not know, which is not read, but verified.
type fileColumn struct {
	name      string // in Parquet
	id        columnID
	attribute attribute // owner is ownerNone in a fixed or unknown column
	physical  physical
	optional  bool
	content   bool // its dictionary consists of frames, see frame
}

// known reports whether this program can read the column.
func (c *fileColumn) known() bool { return c.id < numColumns || c.attribute.owner != ownerNone }

// rowGroup is the part of a block that shares dictionaries. It holds whole
// traces.
type rowGroup struct {
	firstTrace, lastTrace schema.TraceID
	minStart, maxEnd      uint64
	pages                 []int // the first row of each, and the number of rows
	traces                []tracePage
	chunks                []chunk // by column of the directory
	// keys are those that occur outside of columns, sorted. Of ownerNone it is
	// the fixed columns that are not exact: the events' names, when one is not
	// UTF-8.
	keys [numOwners]keyList
}

// tracePage describes the traces of which the first row is in one page. Pages
// without any are left out.
type tracePage struct {
	first   schema.TraceID
	code    int     // of first in the dictionary of trace ids
	row     int     // its first row
	ids     pageRef // part of the dictionary page's body: the ids, stored as they are
	table   pageRef // of these traces, see traceTable
	entries int     // traces
}

func (g *rowGroup) rows() int { return g.pages[len(g.pages)-1] }

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
// encodingCodes, then the data pages, of which the directory says apart from the
// rest where they lie.
type chunk struct {
	encoding   pageEncoding
	compressed bool // of the dictionary; a data page is when it is smaller than its raw bytes
	absent     bool // every row is null: dict is all pages of the chunk, pages is nil
	entries    int  // of the dictionary
	dict       pageRef
	frames     []frame   // that the dictionary of content is, of a chunk that is being written
	pages      []pageRef // data pages, of a chunk that is being written
	list       *pageList // both, of a chunk that was read
}

// frame is a part of the dictionary of a column of content, which is compressed by
// itself: so that one text can be read without the others, and a merge may take a
// frame over as it is. Each of its entries is the value of one row.
type frame struct {
	offset int64
	first  uint32 // code of its first entry
	n      uint32 // entries
	size   uint32 // as stored
	raw    uint32 // decompressed: plain values
	sum    uint32 // of the size bytes at offset
}

func (f *frame) extent() extent { return extent{f.offset, f.offset + int64(f.size)} }

// data is where the data pages lie, or the page that stands for the chunk.
func (k *chunk) data() extent {
	switch {
	case k.absent:
		return k.dict.extent()
	case k.list != nil:
		return k.list.extent
	}
	return extent{k.pages[0].offset, k.pages[len(k.pages)-1].end()}
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

// maxDirectoryPages is the most pages that a column of one row group has.
const maxDirectoryPages = 1 << 24

// allows reports whether values of the type may have the encoding.
func (p physical) allows(e pageEncoding) bool {
	switch e {
	case encodingDelta:
		return p == physicalInt64
	case encodingCodes:
		return p != physicalFixed8 && p != physicalBool
	default:
		return p != physicalFixed16
	}
}
