package block

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/metadata"
	pqschema "github.com/apache/arrow/go/v17/parquet/schema"

	"github.com/spanlake/spanlake/schema"
)

// magic begins and ends a Parquet file.
const magic = "PAR1"

// sink is a file in memory that knows its length.
type sink struct{ data []byte }

// Write appends p.
func (s *sink) Write(p []byte) (int, error) {
	s.data = append(s.data, p...)
	return len(p), nil
}

// Tell is the offset of the next byte.
func (s *sink) Tell() int64 { return int64(len(s.data)) }

// parquetSchema is the columns as Parquet's schema.
func parquetSchema(columns []fileColumn) (*pqschema.Schema, error) {
	fields := make(pqschema.FieldList, len(columns))
	for i := range columns {
		node, err := parquetNode(&columns[i])
		if err != nil {
			return nil, fmt.Errorf("schema of column %s: %w", columns[i].name, err)
		}
		fields[i] = node
	}
	root, err := pqschema.NewGroupNode("spanlake", parquet.Repetitions.Required, fields, -1)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return pqschema.NewSchema(root), nil
}

func parquetNode(c *fileColumn) (pqschema.Node, error) {
	repetition := parquet.Repetitions.Required
	if c.optional {
		repetition = parquet.Repetitions.Optional
	}
	if c.id == colStart {
		utc := pqschema.NewTimestampLogicalType(true, pqschema.TimeUnitNanos)
		return pqschema.NewPrimitiveNodeLogical(c.name, repetition, utc, parquet.Types.Int64, 0, -1)
	}
	if c.text() {
		return pqschema.NewPrimitiveNodeLogical(c.name, repetition, pqschema.StringLogicalType{}, parquet.Types.ByteArray, 0, -1)
	}
	types := [numPhysical]parquet.Type{
		parquet.Types.Int32, parquet.Types.Int64,
		parquet.Types.FixedLenByteArray, parquet.Types.FixedLenByteArray, parquet.Types.ByteArray,
		parquet.Types.Double, parquet.Types.Boolean,
	}
	return pqschema.NewPrimitiveNode(c.name, repetition, types[c.physical], -1, int32(c.physical.fixedBytes()))
}

// text reports whether all values are UTF-8.
func (c *fileColumn) text() bool {
	if c.id < numColumns {
		return columns[c.id].text
	}
	return c.attribute.owner != ownerNone && (c.attribute.kind == kindString || c.attribute.kind == kindList)
}

// writerProperties describe one chunk; arrow's builders take its encoding and
// codec from there.
func writerProperties(encoding pageEncoding, compressed bool) *parquet.WriterProperties {
	encodings := [numEncodings]parquet.Encoding{parquet.Encodings.Plain, parquet.Encodings.DeltaBinaryPacked, parquet.Encodings.Plain}
	codec := compress.Codecs.Uncompressed
	if compressed {
		codec = compress.Codecs.Zstd
	}
	return parquet.NewWriterProperties(
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCreatedBy(fmt.Sprintf("spanlake version %d.0.0", schema.FormatVersion)),
		parquet.WithEncoding(encodings[encoding]),
		parquet.WithCompression(codec))
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
func (w *chunkWriter) account(p *encodedPage, stored []byte) {
	header := len(stored) - len(p.levels) - len(p.body)
	w.raw += int64(header + len(p.levels) + p.raw)
	w.chunk.pages = append(w.chunk.pages, pageRef{
		size: uint32(len(stored)), raw: uint32(p.raw), sum: pageSum(stored),
		header: uint16(header), levels: uint16(len(p.levels)),
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
func (w *chunkWriter) finish(group *metadata.RowGroupMetaDataBuilder, stats metadata.EncodedStatistics) (int64, error) {
	w.chunk.encoding = w.encoding
	next := group.NextColumnChunk()
	meta := metadata.NewColumnChunkMetaDataBuilderWithContents(
		writerProperties(w.encoding, w.chunk.compressed), next.Descr(), next.Contents())
	meta.SetStats(stats)
	info := metadata.ChunkMetaInfo{
		NumValues: int64(w.rows), IndexPageOffset: -1, DataPageOffset: w.data,
		CompressedSize: w.end - w.start, UncompressedSize: w.raw,
	}
	pages := metadata.EncodingStats{
		DataEncodingStats: map[parquet.Encoding]int32{w.encoding.parquet(): int32(max(len(w.chunk.pages), 1))},
	}
	hasDict := w.encoding == encodingCodes
	if hasDict {
		info.DictPageOffset = w.start
		pages.DictEncodingStats = map[parquet.Encoding]int32{parquet.Encodings.Plain: 1}
	}
	if err := meta.Finish(info, hasDict, false, pages, nil); err != nil {
		return 0, fmt.Errorf("finish chunk: %w", err)
	}
	return w.raw, nil
}

// appendFooter appends the Parquet footer, its length and the magic.
func appendFooter(out *sink, builder *metadata.FileMetaDataBuilder, filterOffset int64) error {
	meta, err := builder.Finish()
	if err != nil {
		return fmt.Errorf("finish footer: %w", err)
	}
	for _, group := range meta.RowGroups {
		// One filter serves all: a filter of more keys than the group has is
		// as valid.
		group.Columns[colTraceID].MetaData.BloomFilterOffset = &filterOffset
	}
	start := out.Tell()
	if _, err := meta.WriteTo(out, nil); err != nil {
		return fmt.Errorf("write footer: %w", err)
	}
	out.data = binary.LittleEndian.AppendUint32(out.data, uint32(out.Tell()-start))
	out.data = append(out.data, magic...)
	return nil
}

// keyValues is the footer's own metadata, for other programs.
func keyValues(project schema.ProjectID, spans, traces int) (metadata.KeyValueMetadata, error) {
	kv := metadata.NewKeyValueMetadata()
	for _, pair := range [][2]string{
		{metaFormatVersion, strconv.Itoa(schema.FormatVersion)},
		{metaProject, string(project)},
		{metaSpans, strconv.Itoa(spans)},
		{metaTraces, strconv.Itoa(traces)},
	} {
		if err := kv.Append(pair[0], pair[1]); err != nil {
			return nil, fmt.Errorf("footer metadata: %w", err)
		}
	}
	return kv, nil
}
