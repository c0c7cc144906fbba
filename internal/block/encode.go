package block

import (
	"fmt"
	"math"
	"slices"

	"github.com/spanlake/spanlake/internal/block/cells"
	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/block/parquet"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Object is a block ready to be stored, with what its name says about it.
type Object struct {
	Data      []byte // the whole object
	MinStart  uint64 // earliest span start, Unix ns; 0 without spans
	MaxEnd    uint64 // latest span start or end, Unix ns; 0 without spans
	Spans     int    // rows
	TailBytes int    // what Open reads: from the directory's checksum to the end
	Open      bool   // has rows that are fragments
}

// Encode makes a block of the rows of all pages, which may be in any order: it
// stores them in the order of schema.Compare, and those that are equal there in
// the order in which they are given. Equal rows give equal bytes. No rows make a
// valid block without rows. A nil Resource or Scope is stored as an empty one;
// empty byte slices come back nil. Returns ErrTooLarge for rows that cannot be
// stored. The rows are not changed and not kept.
func Encode(project schema.ProjectID, pages ...[]schema.Span) (*Object, error) {
	return encode(project, pages, defaultLimits())
}

func encode(project schema.ProjectID, pages [][]schema.Span, lim limits) (*Object, error) {
	return encodeBy(project, pages, Derivation{}, lim)
}

func encodeBy(project schema.ProjectID, pages [][]schema.Span, by Derivation, lim limits) (*Object, error) {
	s, err := look(pages, lim)
	if err != nil {
		return nil, fmt.Errorf("encode block: %w", err)
	}
	e := newEncoder(lim, s)
	e.by = by
	o, err := e.encode(project)
	if err != nil {
		return nil, fmt.Errorf("encode block: %w", err)
	}
	return o, nil
}

// encoder writes one block.
type encoder struct {
	limits  limits
	content *codec // of content
	by      Derivation
	out     []byte
	before  int64 // bytes of the block that stand before out
	dir     directory
	hashes  []uint64 // of every trace id
	survey  *survey
	scratch scratch

	// The row group that is being written.
	gathered    *gatherer
	cells       *fixedCells
	first, rows int // of the block's rows
	warmth      byte
}

// scratch is memory that pages use one after another.
type scratch struct {
	defined    vec.Bitmap
	levels     []byte
	raw        []byte
	compressed []byte
	pages      []byte
}

func newEncoder(lim limits, s *survey) *encoder {
	return &encoder{limits: lim, content: sharedCodec(), survey: s}
}

// offset is where in the block the next byte goes.
func (e *encoder) offset() int64 { return e.before + int64(len(e.out)) }

// since is what was written from an offset on.
func (e *encoder) since(offset int64) []byte { return e.out[offset-e.before:] }

// encode writes the block.
func (e *encoder) encode(project schema.ProjectID) (*Object, error) {
	s := e.survey
	e.dir.columns = s.columns
	file, err := e.parquetFile(project)
	if err != nil {
		return nil, err
	}
	if err := e.by.note(file); err != nil {
		return nil, err
	}
	cuts := planGroups(s.rows, s.valueBytes, e.limits)
	if len(cuts) > math.MaxInt16 {
		return nil, fmt.Errorf("%w: %d row groups", ErrTooLarge, len(cuts)-1)
	}
	e.out = append(make([]byte, 0, 4096+24*s.spans+s.valueBytes/8), magic...) // about its size, mostly
	for i, from := range cuts[:len(cuts)-1] {
		e.first, e.rows = from, cuts[i+1]-from
		if err := e.group(file.Group(e.rows), i); err != nil {
			return nil, fmt.Errorf("row group %d: %w", i, err)
		}
	}
	tail, err := e.tail(file, project)
	if err != nil {
		return nil, err
	}
	return &Object{
		Data: e.out, MinStart: s.minStart, MaxEnd: s.maxEnd,
		Spans: s.spans, TailBytes: tail, Open: len(e.dir.open) > 0,
	}, nil
}

// gatherRows is how many rows are gathered at a time: few enough to stay in the
// processor's cache, with their attributes, until all columns have theirs.
const gatherRows = 256

// gather reads the rows of a row group, each once.
func (e *encoder) gather(ordinal int) {
	e.gathered = newGatherer(e.survey, ordinal, e.rows)
	e.cells = newFixedCells(e.rows)
	at := 0
	for part := range slices.Chunk(e.survey.rows[e.first:][:e.rows], gatherRows) {
		e.warmth += warm(part)
		e.cells.add(part)
		for _, s := range part {
			e.gathered.row(at, s)
			at++
		}
	}
	e.gathered.pager.finish(e.rows)
}

// warm reads a byte of each cache line that gathering the rows will read: the
// processor waits for many of them at once here, and for one after another there.
// It returns a sum, so that the compiler does not leave the reading out.
func warm(rows []*schema.Span) (sum byte) {
	const line = 64
	for _, s := range rows {
		sum += s.TraceID[0] + byte(s.StatusCode) + byte(s.Position)
		if len(s.Name) > 0 {
			sum += s.Name[0]
		}
		for i := 0; i < len(s.Attributes); i += line {
			sum += s.Attributes[i]
		}
	}
	return sum
}

// group writes one row group.
func (e *encoder) group(meta *parquet.Group, ordinal int) error {
	e.gather(ordinal)
	g := e.begin()
	var size int64
	for i := range e.dir.columns {
		raw, err := e.columnChunk(meta, &g, i)
		if err != nil {
			return err
		}
		size += raw
	}
	e.dir.groups = append(e.dir.groups, g)
	return meta.Finish(size, ordinal)
}

// begin writes the tables of traces of the row group that was gathered, and begins
// its description.
func (e *encoder) begin() rowGroup {
	f := e.cells
	for id := range slices.Chunk(f.traceIDs, len(schema.TraceID{})) {
		e.hashes = append(e.hashes, schema.TraceID(id).Hash())
	}
	g := rowGroup{
		pages: e.gathered.pager.pages,
		keys:  e.gathered.keys(), chunks: make([]chunk, len(e.dir.columns)),
		firstTrace: f.trace(0), lastTrace: f.trace(int(f.traces[e.rows-1])), minStart: f.minStart, maxEnd: f.maxEnd,
	}
	e.traces(&g)
	return g
}

// columnChunk writes a column of a row group and returns its uncompressed size.
func (e *encoder) columnChunk(meta *parquet.Group, g *rowGroup, i int) (int64, error) {
	c := &e.dir.columns[i]
	raw, err := e.chunk(meta, g, i, e.column(i))
	if err != nil {
		return 0, fmt.Errorf("column %s: %w", c.name, err)
	}
	if c.id == colTraceID {
		g.sumIDs(&g.chunks[i], e.out, e.before)
	}
	return raw, nil
}

// pageRows are the rows of a page, [from, to), and their places among the rows
// that are not null.
type pageRows struct{ from, to, firstCell, endCell int }

// chunk writes one column of a row group and returns its uncompressed size.
func (e *encoder) chunk(meta *parquet.Group, g *rowGroup, column int, data cells.Column) (int64, error) {
	w := chunkWriter{chunk: &g.chunks[column], start: e.offset(), rows: g.rows(), encoding: directoryEncoding(data.Encoding)}
	data.Stats.Nulls = g.rows() - data.Values
	if data.Values == 0 {
		e.absent(&w, g.rows())
		return w.finish(meta, data.Stats)
	}
	if e.dir.columns[column].content {
		return e.contentChunk(meta, &w, g.pages, data)
	}
	if err := e.pages(&w, g.pages, &data); err != nil {
		return 0, err
	}
	if data.Encoding == parquet.Codes {
		e.dictionary(&w, &data)
	}
	w.place(e.offset())
	e.out = append(e.out, e.scratch.pages...)
	return w.finish(meta, data.Stats)
}

// pages encodes the data pages of a chunk into e.scratch.pages.
func (e *encoder) pages(w *chunkWriter, grid []int, data *cells.Column) error {
	e.scratch.pages = e.scratch.pages[:0]
	w.chunk.pages = make([]pageRef, 0, len(grid)-1)
	p := pageRows{}
	for i := range len(grid) - 1 {
		p.from, p.to = grid[i], grid[i+1]
		if err := e.page(w, data, &p); err != nil {
			return err
		}
		p.firstCell = p.endCell
	}
	return nil
}

// absent writes the one page of a chunk without values.
func (e *encoder) absent(w *chunkWriter, rows int) {
	levels := encoding.AppendLevels(nil, vec.NewBitmap(rows), rows)
	page := parquet.Page{Rows: rows, Nulls: rows, Levels: levels}
	e.out = page.AppendTo(e.out)
	stored := e.since(w.start)
	w.encoding = encodingPlain
	w.chunk.absent = true
	w.chunk.dict = pageRef{offset: w.start, size: uint32(len(stored)), raw: uint32(len(stored)), sum: pageSum(stored)}
	w.data, w.raw = w.start, int64(len(stored))
	w.end = e.offset()
}

// dictionary writes the dictionary page of a chunk whose data pages are known:
// if they are compressed it must be, too.
func (e *encoder) dictionary(w *chunkWriter, data *cells.Column) {
	body := data.Dict
	if !data.Random {
		body = e.shrink(body)
	}
	if len(body) < len(data.Dict) {
		w.chunk.compressed = true
	} else if w.chunk.compressed {
		e.scratch.compressed = sharedCodec().compress(e.scratch.compressed[:0], data.Dict)
		body = e.scratch.compressed
	}
	w.chunk.entries = data.Entries
	w.chunk.dict = pageRef{offset: w.start, raw: uint32(len(data.Dict))}
	e.out = parquet.AppendDictionaryHeader(e.out, len(data.Dict), len(body), data.Entries)
	w.chunk.dict.header = uint16(e.offset() - w.start)
	e.out = append(e.out, body...)
	stored := e.since(w.start)
	w.chunk.dict.size, w.chunk.dict.sum = uint32(len(stored)), pageSum(stored)
	w.raw += int64(w.chunk.dict.header) + int64(len(data.Dict))
}

// page encodes a page and sets where its cells end.
func (e *encoder) page(w *chunkWriter, data *cells.Column, p *pageRows) error {
	page := parquet.Page{Rows: p.to - p.from, Encoding: data.Encoding}
	p.endCell = p.firstCell + page.Rows
	if data.Defined != nil {
		page.Levels, page.Nulls = e.levels(data, p.from, p.to)
		p.endCell -= page.Nulls
	}
	e.scratch.raw = data.Body(e.scratch.raw[:0], p.firstCell, p.endCell)
	page.Body, page.RawBytes = e.scratch.raw, len(e.scratch.raw)
	if page.RawBytes > maxRawBytes {
		return fmt.Errorf("%w: a page of %d bytes", ErrTooLarge, page.RawBytes)
	}
	if !data.Random {
		page.Body = e.shrink(page.Body)
	}
	w.chunk.compressed = w.chunk.compressed || len(page.Body) < page.RawBytes
	start := len(e.scratch.pages)
	e.scratch.pages = page.AppendTo(e.scratch.pages)
	w.account(&page, e.scratch.pages[start:])
	return nil
}

// levels encodes which rows are not null. The result is valid until the next
// call.
func (e *encoder) levels(data *cells.Column, from, to int) (levels []byte, nulls int) {
	e.scratch.defined = data.Defined.Extract(e.scratch.defined, from, to)
	e.scratch.levels = encoding.AppendLevels(e.scratch.levels[:0], e.scratch.defined, to-from)
	return e.scratch.levels, to - from - e.scratch.defined.Count()
}

// shrink returns raw compressed, or raw itself if that saves less than a
// tenth: not decompressing is then worth more. The result is valid until the
// next call.
func (e *encoder) shrink(raw []byte) []byte {
	if len(raw) == 0 {
		return raw
	}
	e.scratch.compressed = sharedCodec().compress(e.scratch.compressed[:0], raw)
	if 10*len(e.scratch.compressed) > 9*len(raw) {
		return raw
	}
	return e.scratch.compressed
}

// tail writes everything after the last row group and returns its size.
func (e *encoder) tail(file *parquet.File, project schema.ProjectID) (int, error) {
	start := e.offset()
	bitset := newFilter(e.hashes)
	e.dir.version, e.dir.project, e.dir.rows = schema.FormatVersion, project, e.survey.spans
	e.dir.dataBytes, e.dir.bitset = start, len(bitset)

	e.out = append(e.out, make([]byte, tailSumBytes)...)
	e.out = e.dir.appendTo(e.out)
	filterOffset := e.offset()
	e.out = appendFilterHeader(e.out, len(bitset))
	e.out = append(e.out, bitset...)
	err := describeRows(file, e.survey.spans, e.survey.traces)
	if err != nil {
		return 0, err
	}
	if e.out, err = file.AppendFooter(e.out, int(colTraceID), filterOffset); err != nil {
		return 0, err
	}
	tail := e.since(start)
	putTailSum(tail)
	return len(tail), nil
}
