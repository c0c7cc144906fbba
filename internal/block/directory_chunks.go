package block

import (
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/schema"
)

// chunks reads the chunks of a row group.
func (c *cursor) chunks(g *rowGroup, d *directory, next *int64) {
	if len(d.columns) > len(c.b)/minChunkBytes {
		c.fail(errTruncated)
		return
	}
	g.chunks = make([]chunk, len(d.columns))
	lists := make([]pageList, len(d.columns))
	for i := range d.columns {
		c.chunk(&g.chunks[i], &lists[i], g, &d.columns[i], next)
		// No page is behind the others, so that what is added up stays in range.
		if *next > d.dataBytes {
			c.fail(errStructure)
		}
		if c.err != nil {
			return
		}
		if d.columns[i].id == colTraceID {
			c.placeIDs(g, &g.chunks[i])
		}
	}
}

// placeIDs finds the parts of the dictionary of trace ids, which is never
// compressed.
func (c *cursor) placeIDs(g *rowGroup, k *chunk) {
	if c.err != nil {
		return
	}
	const size = len(schema.TraceID{})
	last := &g.traces[len(g.traces)-1]
	if k.encoding != encodingCodes || k.compressed || k.absent ||
		k.entries != last.code+last.entries || k.dict.bodyBytes() != size*k.entries {
		c.fail(errStructure)
		return
	}
	for i := range g.traces {
		t := &g.traces[i]
		t.ids.offset = k.dict.offset + int64(k.dict.header) + int64(size*t.code)
		t.ids.size = uint32(size * t.entries)
		t.ids.raw = t.ids.size
	}
}

// chunk reads a chunk and passes over its list of pages.
func (c *cursor) chunk(k *chunk, l *pageList, g *rowGroup, column *fileColumn, next *int64) {
	flags := c.byte()
	k.encoding = pageEncoding(flags &^ (flagCodecZstd | flagAbsent))
	k.compressed, k.absent = flags&flagCodecZstd != 0, flags&flagAbsent != 0
	if k.encoding >= numEncodings || k.absent && !column.optional || column.known() && !column.physical.allows(k.encoding) {
		c.fail(errStructure)
		return
	}
	if k.absent {
		k.dict = c.page(next, false)
		return
	}
	if column.content && (k.encoding != encodingCodes || !k.compressed) {
		c.fail(errStructure)
		return
	}
	*l = pageList{pages: len(g.pages) - 1, optional: column.optional, compressed: k.compressed}
	if k.encoding == encodingCodes {
		k.entries = int(c.uvarint(uint64(g.rows())))
		k.dict = c.dictionary(next, column)
		if !k.compressed && k.dict.bodyBytes() != int(k.dict.raw) {
			c.fail(errStructure)
		}
		if column.content {
			l.framed = k
		}
	}
	// A size is below what pages can have.
	size := int64(c.uvarint(uint64(l.pages) * maxRawBytes))
	l.extent = extent{*next, *next + size}
	*next = l.extent.end
	l.stored = c.take(int(c.uvarint(math.MaxInt32)))
	k.list = l
}

func (c *cursor) page(next *int64, optional bool) pageRef {
	return c.pageUpTo(maxRawBytes, next, optional)
}

// dictionary reads a dictionary page. That of content is never read as a whole.
func (c *cursor) dictionary(next *int64, column *fileColumn) pageRef {
	if column.content {
		return c.pageUpTo(maxFramedBytes, next, false)
	}
	return c.page(next, false)
}

func (c *cursor) pageUpTo(limit uint64, next *int64, optional bool) pageRef {
	p := pageRef{
		offset: *next,
		size:   uint32(c.uvarint(limit)),
		header: uint16(c.uvarint(math.MaxUint16)),
		raw:    uint32(c.uvarint(limit)),
	}
	if optional {
		p.levels = uint16(c.uvarint(math.MaxUint16))
	}
	p.sum = c.uint32()
	if p.bodyBytes() < 0 {
		c.fail(errStructure)
	}
	*next = p.end()
	return p
}

// pageList says where the data pages of a chunk lie. It stays as it stands in
// the directory until it is asked for: queries read few columns of many. It is
// safe for concurrent use.
type pageList struct {
	stored               []byte
	extent               extent
	pages                int
	optional, compressed bool
	framed               *chunk // of which the dictionary consists of frames, nil: it does not

	read atomic.Pointer[chunkParts]
}

// chunkParts are the data pages of a chunk, and the frames of its dictionary.
type chunkParts struct {
	pages  []pageRef
	frames []frame
}

// get returns the pages, and whether they had not been read before. What it
// reads is checked as parseDirectory checks the rest: the pages must end where
// the next chunk begins.
func (l *pageList) get() (parts *chunkParts, first bool, err error) {
	if read := l.read.Load(); read != nil {
		return read, false, nil
	}
	if parts, err = l.parse(); err != nil {
		return nil, false, err
	}
	return parts, l.read.CompareAndSwap(nil, parts), nil
}

func (l *pageList) parse() (*chunkParts, error) {
	if l.pages > len(l.stored)/minPageBytes {
		return nil, errTruncated
	}
	c := &cursor{b: l.stored}
	parts := &chunkParts{}
	if l.framed != nil {
		parts.frames = c.frames(l.framed)
	}
	next := l.extent.offset
	pages := make([]pageRef, l.pages)
	for i := range pages {
		p := c.page(&next, l.optional)
		if p.bodyBytes() > int(p.raw) || !l.compressed && p.compressed() {
			c.fail(errStructure)
		}
		pages[i] = p
	}
	if next != l.extent.end || len(c.b) > 0 {
		c.fail(errStructure)
	}
	parts.pages = pages
	return parts, c.err
}

// frames reads where the frames of a dictionary lie.
func (c *cursor) frames(k *chunk) []frame {
	list := make([]frame, c.count(minFrameBytes))
	offset, first, raw := k.dict.offset+int64(k.dict.header), uint64(0), uint64(0)
	for i := range list {
		f := &list[i]
		f.offset, f.first = offset, uint32(first)
		f.n = uint32(c.uvarint(uint64(k.entries)))
		f.size = uint32(c.uvarint(uint64(k.dict.size)))
		f.raw = uint32(c.uvarint(maxRawBytes))
		f.sum = c.uint32()
		if f.n == 0 || uint64(f.raw) < encoding.LengthBytes*uint64(f.n) {
			c.fail(errStructure)
		}
		if offset, first, raw = f.extent().end, first+uint64(f.n), raw+uint64(f.raw); first > uint64(k.entries) || offset > k.dict.end() {
			c.fail(errStructure) // and what is added up stays in range
		}
		if c.err != nil {
			return nil
		}
	}
	if first != uint64(k.entries) || offset != k.dict.end() || raw != uint64(k.dict.raw) {
		c.fail(errStructure)
	}
	return list
}

// memoryBytes is what the parts take.
func (p *chunkParts) memoryBytes() int64 {
	return int64(len(p.pages))*int64(unsafe.Sizeof(pageRef{})) + int64(len(p.frames))*int64(unsafe.Sizeof(frame{}))
}
