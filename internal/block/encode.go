package block

import (
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/parquet/metadata"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/schema"
)

// Object is a block ready to be stored, with what its name says about it.
type Object struct {
	Data      []byte // the whole object
	MinStart  uint64 // earliest span start, Unix ns; 0 without spans
	MaxEnd    uint64 // latest span start or end, Unix ns; 0 without spans
	Spans     int    // rows
	TailBytes int    // what Open reads: from the directory's checksum to the end
}

// Encode makes a block of rows that are in the order of schema.Compare. Equal
// rows give equal bytes. No rows make a valid block without rows. A nil
// Resource or Scope is stored as an empty one; empty byte slices come back nil.
// Returns ErrUnsorted or ErrTooLarge for rows that cannot be stored. The rows
// are not kept.
func Encode(project schema.ProjectID, spans []schema.Span) (*Object, error) {
	return encode(project, spans, defaultLimits())
}

func encode(project schema.ProjectID, spans []schema.Span, lim limits) (*Object, error) {
	minStart, maxEnd, err := checkRows(spans)
	if err != nil {
		return nil, fmt.Errorf("encode block: %w", err)
	}
	e := newEncoder(lim)
	tail, err := e.encode(project, spans)
	if err != nil {
		return nil, fmt.Errorf("encode block: %w", err)
	}
	return &Object{
		Data: e.out.data, MinStart: minStart, MaxEnd: maxEnd,
		Spans: len(spans), TailBytes: tail,
	}, nil
}

// encoder writes one block.
type encoder struct {
	limits  limits
	codec   *codec
	out     *sink
	dir     directory
	hashes  []uint64 // of every trace id
	scratch scratch
}

// scratch is memory that columns and pages use one after another.
type scratch struct {
	numbers    map[int32]uint32
	codes      []uint32
	ints       []int64
	levels     []uint32
	raw        []byte
	compressed []byte
}

func newEncoder(lim limits) *encoder {
	return &encoder{
		limits:  lim,
		codec:   sharedCodec(),
		out:     &sink{},
		scratch: scratch{numbers: map[int32]uint32{}},
	}
}

// encode writes the block and returns the size of its tail.
func (e *encoder) encode(project schema.ProjectID, spans []schema.Span) (int, error) {
	pq, err := parquetSchema()
	if err != nil {
		return 0, err
	}
	meta, err := keyValues(project, len(spans), countTraces(spans))
	if err != nil {
		return 0, err
	}
	cuts := planGroups(spans, e.limits.groupRows)
	if len(cuts) > math.MaxInt16 {
		return 0, fmt.Errorf("%w: %d row groups", ErrTooLarge, len(cuts)-1)
	}
	e.out.data = append(make([]byte, 0, 4096+len(spans)*128), magic...)
	builder := metadata.NewFileMetadataBuilder(pq, writerProperties(encodingPlain, false), meta)
	for i, from := range cuts[:len(cuts)-1] {
		if err := e.group(builder.AppendRowGroup(), i, spans[from:cuts[i+1]]); err != nil {
			return 0, fmt.Errorf("row group %d: %w", i, err)
		}
	}
	return e.tail(builder, project, len(spans))
}

// group writes the columns of one row group.
func (e *encoder) group(meta *metadata.RowGroupMetaDataBuilder, ordinal int, spans []schema.Span) error {
	g := rowGroup{pageStart: planPages(spans, e.limits)}
	g.firstTrace, g.lastTrace = spans[0].TraceID, spans[len(spans)-1].TraceID
	g.minStart, g.maxEnd = timeRange(spans)
	meta.SetNumRows(len(spans))
	var size int64
	for id := range numColumns {
		data := e.column(id, spans)
		if id == colTraceID {
			g.firstCode, g.continued = pageTraces(data.codes, g.pageStart)
		}
		raw, err := e.chunk(meta, ordinal, &g, id, data)
		if err != nil {
			return fmt.Errorf("column %s: %w", columns[id].name, err)
		}
		size += raw
	}
	e.dir.groups = append(e.dir.groups, g)
	return meta.Finish(size, int16(ordinal))
}

// pageTraces returns, for every page, the code of its first row and whether
// the row before has the same.
func pageTraces(codes []uint32, pageStart []int) (first []uint32, continued []bool) {
	pages := len(pageStart) - 1
	first, continued = make([]uint32, pages), make([]bool, pages)
	for p, start := range pageStart[:pages] {
		first[p] = codes[start]
		continued[p] = start > 0 && codes[start-1] == codes[start]
	}
	return first, continued
}

// chunk writes one column of a row group and returns its uncompressed size.
func (e *encoder) chunk(meta *metadata.RowGroupMetaDataBuilder, ordinal int, g *rowGroup, id columnID, data columnData) (int64, error) {
	c := &g.chunks[id]
	c.present, c.encoding, c.entries = true, data.encoding, data.entries
	dict := slices.Clone(e.shrink(data.dict))
	c.compressed = len(dict) < len(data.dict)
	pages := make([]encodedPage, g.pages())
	for p := range pages {
		pages[p] = e.page(&data, g.pageStart[p], g.pageStart[p+1])
		c.compressed = c.compressed || len(pages[p].body) < pages[p].raw
	}
	w, err := newChunkWriter(e.out, meta, ordinal, c)
	if err != nil {
		return 0, err
	}
	if c.encoding == encodingCodes {
		if c.compressed && len(dict) == len(data.dict) {
			dict = e.codec.compress(nil, data.dict) // has no flag of its own to stay raw
		}
		if err := w.dictionary(data.dict, dict); err != nil {
			return 0, err
		}
	}
	for _, p := range pages {
		if err := w.data(p); err != nil {
			return 0, err
		}
	}
	return w.info.UncompressedSize, w.finish(data.stats)
}

// page encodes the rows from the first to before the last of a row group.
func (e *encoder) page(data *columnData, from, to int) encodedPage {
	p := encodedPage{rows: to - from}
	if data.defined != nil {
		p.levels, p.nulls = e.levels(data, from, to)
	}
	e.scratch.raw = data.body(e.scratch.raw[:0], from, to)
	p.raw = len(e.scratch.raw)
	p.body = slices.Clone(e.shrink(e.scratch.raw))
	return p
}

// levels encodes which rows are not null.
func (e *encoder) levels(data *columnData, from, to int) (levels []byte, nulls int) {
	defined := e.scratch.levels[:0]
	for row := from; row < to; row++ {
		if data.defined(row) {
			defined = append(defined, 1)
		} else {
			defined = append(defined, 0)
			nulls++
		}
	}
	e.scratch.levels = defined
	return encoding.AppendHybrid(nil, defined, levelWidth), nulls
}

// shrink returns raw compressed, or raw itself if that saves less than a
// tenth: not decompressing is then worth more. The result is valid until the
// next call.
func (e *encoder) shrink(raw []byte) []byte {
	if len(raw) == 0 {
		return raw
	}
	e.scratch.compressed = e.codec.compress(e.scratch.compressed[:0], raw)
	if 10*len(e.scratch.compressed) > 9*len(raw) {
		return raw
	}
	return e.scratch.compressed
}

// tail writes everything after the last row group and returns its size.
func (e *encoder) tail(builder *metadata.FileMetaDataBuilder, project schema.ProjectID, rows int) (int, error) {
	start := len(e.out.data)
	bitset := newFilter(e.hashes)
	e.dir.version, e.dir.project, e.dir.rows = schema.FormatVersion, project, rows
	e.dir.dataBytes, e.dir.bitset = int64(start), len(bitset)

	e.out.data = append(e.out.data, make([]byte, tailSumBytes)...)
	e.out.data = e.dir.appendTo(e.out.data)
	filterOffset := e.out.Tell()
	e.out.data = appendFilterHeader(e.out.data, len(bitset))
	e.out.data = append(e.out.data, bitset...)
	if err := appendFooter(e.out, builder, filterOffset); err != nil {
		return 0, err
	}
	putTailSum(e.out.data[start:])
	return len(e.out.data) - start, nil
}
