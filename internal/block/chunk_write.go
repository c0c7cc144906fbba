package block

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spanlake/spanlake/internal/block/parquet"
	"github.com/spanlake/spanlake/schema"
)

// parquetFile begins the Parquet file of a block.
func (e *encoder) parquetFile(project schema.ProjectID) (*parquet.File, error) {
	list := make([]parquet.Column, len(e.dir.columns))
	for i := range e.dir.columns {
		c := &e.dir.columns[i]
		list[i] = parquet.Column{
			Name: c.name, Type: c.physical.parquet(), Optional: c.optional,
			Text: c.text(), Timestamp: c.id == colStart,
		}
	}
	return parquet.NewFile(list, fmt.Sprintf("spanlake version %d.0.0", schema.FormatVersion), [][2]string{
		{metaFormatVersion, strconv.Itoa(schema.FormatVersion)},
		{metaProject, string(project)},
	})
}

// describeRows tells the footer how many rows there are, when that is known.
func describeRows(file *parquet.File, spans, traces int) error {
	return errors.Join(file.Note(metaSpans, strconv.Itoa(spans)), file.Note(metaTraces, strconv.Itoa(traces)))
}

// parquet is the type in Parquet.
func (p physical) parquet() parquet.Type {
	return [numPhysical]parquet.Type{
		parquet.Int32, parquet.Int64, parquet.Fixed8, parquet.Fixed16, parquet.Bytes, parquet.Double, parquet.Bool,
	}[p]
}

// text reports whether all values are UTF-8.
func (c *fileColumn) text() bool {
	if c.id < numColumns {
		return columns[c.id].text
	}
	return c.attribute.owner != ownerNone && (c.attribute.kind == kindString || c.attribute.kind == kindList)
}

// parquet is the encoding in Parquet.
func (e pageEncoding) parquet() parquet.Encoding {
	return [numEncodings]parquet.Encoding{parquet.Plain, parquet.Delta, parquet.Codes}[e]
}

// directoryEncoding is the encoding as the directory numbers it.
func directoryEncoding(e parquet.Encoding) pageEncoding {
	return [...]pageEncoding{parquet.Plain: encodingPlain, parquet.Delta: encodingDelta, parquet.Codes: encodingCodes}[e]
}

// chunkWriter gathers what the Parquet footer and the directory say about a
// chunk.
type chunkWriter struct {
	chunk    *chunk
	rows     int
	encoding pageEncoding

	start, data, end int64 // of the chunk, its data pages, its end
	raw              int64 // bytes if nothing were compressed
}

// account adds a data page that was stored. Its offset is relative to that of
// the first until place.
func (w *chunkWriter) account(p *parquet.Page, stored []byte) {
	header := len(stored) - len(p.Levels) - len(p.Body)
	w.raw += int64(header + len(p.Levels) + p.RawBytes)
	w.chunk.pages = append(w.chunk.pages, pageRef{
		size: uint32(len(stored)), raw: uint32(p.RawBytes), sum: pageSum(stored),
		header: uint16(header), levels: uint16(len(p.Levels)),
	})
}

// place tells where the first data page lies.
func (w *chunkWriter) place(offset int64) {
	w.data = offset
	for i := range w.chunk.pages {
		w.chunk.pages[i].offset = offset
		offset = w.chunk.pages[i].end()
	}
	w.end = offset
}

// finish tells the Parquet footer, and returns the chunk's uncompressed size.
func (w *chunkWriter) finish(group *parquet.Group, stats parquet.Stats) (int64, error) {
	w.chunk.encoding = w.encoding
	return w.raw, group.Add(&parquet.Chunk{
		Encoding: w.encoding.parquet(), Compressed: w.chunk.compressed, Pages: max(len(w.chunk.pages), 1), RawBytes: w.raw,
		Start: w.start, Data: w.data, End: w.end, Rows: w.rows, Stats: stats,
	})
}
