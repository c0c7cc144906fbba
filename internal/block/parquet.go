package block

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/metadata"
	pqschema "github.com/apache/arrow/go/v17/parquet/schema"

	"github.com/spanlake/spanlake/schema"
)

// errCodec means that arrow did not use our codec.
var errCodec = errors.New("dictionary compressed by a foreign codec")

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

// parquetSchema is the catalogue as Parquet's schema.
func parquetSchema() (*pqschema.Schema, error) {
	fields := make(pqschema.FieldList, numColumns)
	for id := range numColumns {
		node, err := parquetNode(id)
		if err != nil {
			return nil, fmt.Errorf("schema of column %s: %w", columns[id].name, err)
		}
		fields[id] = node
	}
	root, err := pqschema.NewGroupNode("spanlake", parquet.Repetitions.Required, fields, -1)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return pqschema.NewSchema(root), nil
}

func parquetNode(id columnID) (pqschema.Node, error) {
	c := columns[id]
	repetition := parquet.Repetitions.Required
	if c.optional {
		repetition = parquet.Repetitions.Optional
	}
	switch id {
	case colStart:
		utc := pqschema.NewTimestampLogicalType(true, pqschema.TimeUnitNanos)
		return pqschema.NewPrimitiveNodeLogical(c.name, repetition, utc, parquet.Types.Int64, 0, -1)
	case colName, colServiceName, colStatusMessage, colTraceState, colScopeName, colScopeVersion:
		return pqschema.NewPrimitiveNodeLogical(c.name, repetition, pqschema.StringLogicalType{}, parquet.Types.ByteArray, 0, -1)
	default:
		types := [numPhysical]parquet.Type{
			parquet.Types.Int32, parquet.Types.Int64,
			parquet.Types.FixedLenByteArray, parquet.Types.FixedLenByteArray, parquet.Types.ByteArray,
		}
		return pqschema.NewPrimitiveNode(c.name, repetition, types[c.physical], -1, int32(c.physical.fixedBytes()))
	}
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

// chunkWriter writes the pages of one chunk and gathers what the Parquet
// footer and the directory say about it.
type chunkWriter struct {
	out      *sink
	pages    file.PageWriter
	meta     *metadata.ColumnChunkMetaDataBuilder
	chunk    *chunk
	info     metadata.ChunkMetaInfo
	encoding parquet.Encoding
}

// newChunkWriter begins the next chunk of a row group. The encoding and codec
// of chunk must be set.
func newChunkWriter(out *sink, group *metadata.RowGroupMetaDataBuilder, ordinal int, c *chunk) (*chunkWriter, error) {
	descr := group.NextColumnChunk()
	props := writerProperties(c.encoding, c.compressed)
	meta := metadata.NewColumnChunkMetaDataBuilderWithContents(props, descr.Descr(), descr.Contents())
	codec := props.CompressionFor("")
	pages, err := file.NewPageWriter(out, codec, 0, meta, int16(ordinal), int16(group.CurrentColumn()),
		memory.DefaultAllocator, false, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("start chunk: %w", err)
	}
	w := &chunkWriter{
		out: out, pages: pages, meta: meta, chunk: c,
		info:     metadata.ChunkMetaInfo{IndexPageOffset: -1},
		encoding: props.EncodingFor(""),
	}
	if c.encoding == encodingCodes {
		w.encoding = parquet.Encodings.RLEDict
	}
	return w, nil
}

// dictionary writes the dictionary page from its plain bytes. Arrow compresses
// them again; body is what that gives.
func (w *chunkWriter) dictionary(raw, body []byte) error {
	start := w.out.Tell()
	page := file.NewDictionaryPage(memory.NewBufferBytes(raw), int32(w.chunk.entries), parquet.Encodings.Plain)
	defer page.Release()
	if _, err := w.pages.WriteDictionaryPage(page); err != nil {
		return fmt.Errorf("write dictionary page: %w", err)
	}
	if !bytes.HasSuffix(w.out.data[start:], body) {
		return fmt.Errorf("write dictionary page: %w", errCodec)
	}
	w.info.DictPageOffset = start
	w.chunk.dict = w.account(start, len(body), len(raw), 0)
	return nil
}

// encodedPage is a data page before it is written.
type encodedPage struct {
	rows, nulls int
	levels      []byte // definition levels, none of a required column
	body        []byte // compressed or not
	raw         int    // size of body decompressed
}

// data writes a data page.
func (w *chunkWriter) data(p encodedPage) error {
	start := w.out.Tell()
	buf := p.body
	if len(p.levels) > 0 {
		buf = slices.Concat(p.levels, p.body)
	}
	page := file.NewDataPageV2(memory.NewBufferBytes(buf), int32(p.rows), int32(p.nulls), int32(p.rows), w.encoding,
		int32(len(p.levels)), 0, int32(len(p.levels)+p.raw), len(p.body) != p.raw)
	defer page.Release()
	if _, err := w.pages.WriteDataPage(page); err != nil {
		return fmt.Errorf("write data page: %w", err)
	}
	if len(w.chunk.pages) == 0 {
		w.info.DataPageOffset = start
	}
	w.info.NumValues += int64(p.rows)
	w.chunk.pages = append(w.chunk.pages, w.account(start, len(p.body), p.raw, len(p.levels)))
	return nil
}

// account adds the page that was written from start on to the chunk's totals.
func (w *chunkWriter) account(start int64, body, raw, levels int) pageRef {
	stored := w.out.data[start:]
	header := len(stored) - levels - body
	w.info.CompressedSize += int64(len(stored))
	w.info.UncompressedSize += int64(header + levels + raw)
	return pageRef{
		offset: start, size: uint32(len(stored)), raw: uint32(raw), sum: pageSum(stored),
		header: uint16(header), levels: uint16(levels),
	}
}

// finish ends the chunk. It does not close the page writer, which would write
// a second copy of the chunk's metadata behind the pages.
func (w *chunkWriter) finish(stats metadata.EncodedStatistics) error {
	w.meta.SetStats(stats)
	var pages metadata.EncodingStats
	hasDict := w.chunk.encoding == encodingCodes
	if hasDict {
		pages.DictEncodingStats = map[parquet.Encoding]int32{parquet.Encodings.Plain: 1}
	}
	pages.DataEncodingStats = map[parquet.Encoding]int32{w.encoding: int32(len(w.chunk.pages))}
	if err := w.meta.Finish(w.info, hasDict, false, pages, nil); err != nil {
		return fmt.Errorf("finish chunk: %w", err)
	}
	return nil
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
