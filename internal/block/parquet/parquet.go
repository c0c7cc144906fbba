// Package parquet writes what makes a block a Parquet file for other programs:
// the headers of pages, and the footer with the schema, statistics and places of
// columns. It knows nothing of what the columns mean, and reads nothing.
//
// It is the only package that imports arrow, for the schema and the footer.
package parquet

import (
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/metadata"
	pqschema "github.com/apache/arrow/go/v17/parquet/schema"
)

// Magic begins and ends a Parquet file.
const Magic = "PAR1"

// Column is a flat column.
type Column struct {
	Name      string
	Type      Type
	Optional  bool
	Text      bool // Bytes that are all UTF-8
	Timestamp bool // Int64 in nanoseconds since 1970, UTC
}

// Type is how the values of a column are stored.
type Type uint8

// The types of columns.
const (
	Int32 Type = iota
	Int64
	Fixed8  // values of 8 bytes
	Fixed16 // of 16
	Bytes
	Double
	Bool
	numTypes
)

// physical is the type as arrow has it, and how long fixed values are.
func (t Type) physical() (physical parquet.Type, length int) {
	types := [numTypes]parquet.Type{
		parquet.Types.Int32, parquet.Types.Int64,
		parquet.Types.FixedLenByteArray, parquet.Types.FixedLenByteArray, parquet.Types.ByteArray,
		parquet.Types.Double, parquet.Types.Boolean,
	}
	return types[t], [numTypes]int{Fixed8: 8, Fixed16: 16}[t]
}

// File gathers the footer of a file while its columns are written.
type File struct {
	builder   *metadata.FileMetaDataBuilder
	createdBy string
}

// NewFile begins a file of these columns. createdBy names the program, metadata
// are the footer's keys and values.
func NewFile(columns []Column, createdBy string, keyValues [][2]string) (*File, error) {
	root, err := schemaOf(columns)
	if err != nil {
		return nil, err
	}
	meta := metadata.NewKeyValueMetadata()
	for _, pair := range keyValues {
		if err := meta.Append(pair[0], pair[1]); err != nil {
			return nil, fmt.Errorf("footer metadata: %w", err)
		}
	}
	f := &File{createdBy: createdBy}
	f.builder = metadata.NewFileMetadataBuilder(root, f.properties(Plain, false), meta)
	return f, nil
}

// Note adds a key and its value to the footer's metadata, at any time before
// AppendFooter.
func (f *File) Note(key, value string) error {
	if err := f.builder.AppendKeyValueMetadata(key, value); err != nil {
		return fmt.Errorf("footer metadata: %w", err)
	}
	return nil
}

func schemaOf(columns []Column) (*pqschema.Schema, error) {
	fields := make(pqschema.FieldList, len(columns))
	for i := range columns {
		node, err := columns[i].node()
		if err != nil {
			return nil, fmt.Errorf("schema of column %s: %w", columns[i].Name, err)
		}
		fields[i] = node
	}
	root, err := pqschema.NewGroupNode("spanlake", parquet.Repetitions.Required, fields, -1)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return pqschema.NewSchema(root), nil
}

func (c *Column) node() (pqschema.Node, error) {
	repetition := parquet.Repetitions.Required
	if c.Optional {
		repetition = parquet.Repetitions.Optional
	}
	physical, length := c.Type.physical()
	switch {
	case c.Timestamp:
		utc := pqschema.NewTimestampLogicalType(true, pqschema.TimeUnitNanos)
		return pqschema.NewPrimitiveNodeLogical(c.Name, repetition, utc, physical, 0, -1)
	case c.Text:
		return pqschema.NewPrimitiveNodeLogical(c.Name, repetition, pqschema.StringLogicalType{}, physical, 0, -1)
	default:
		return pqschema.NewPrimitiveNode(c.Name, repetition, physical, -1, int32(length))
	}
}

// properties describe one chunk; arrow's builders take its encoding and codec
// from there.
func (f *File) properties(encoding Encoding, compressed bool) *parquet.WriterProperties {
	encodings := [numEncodings]parquet.Encoding{parquet.Encodings.Plain, parquet.Encodings.DeltaBinaryPacked, parquet.Encodings.Plain}
	codec := compress.Codecs.Uncompressed
	if compressed {
		codec = compress.Codecs.Zstd
	}
	return parquet.NewWriterProperties(
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCreatedBy(f.createdBy),
		parquet.WithEncoding(encodings[encoding]),
		parquet.WithCompression(codec))
}

// Group is a row group. Its chunks are told in the order of the columns.
type Group struct {
	file    *File
	builder *metadata.RowGroupMetaDataBuilder
}

// Group begins the next row group.
func (f *File) Group(rows int) *Group {
	g := &Group{file: f, builder: f.builder.AppendRowGroup()}
	g.builder.SetNumRows(rows)
	return g
}

// Chunk is one column of a row group, as it lies in the file: a dictionary page
// if the encoding is Codes, then data pages. Offsets are those in the file.
type Chunk struct {
	Encoding   Encoding
	Compressed bool // some page is
	Pages      int  // of data
	RawBytes   int64

	Start, Data, End int64 // of the chunk, of its data pages, behind it

	Rows  int
	Stats Stats
}

// Stats are what the footer says about the values of a chunk, plain ones, nil
// where nothing is known.
type Stats struct {
	Min, Max []byte
	Distinct int // 0: not known
	Nulls    int
}

func (s *Stats) encoded() (stats metadata.EncodedStatistics) {
	if s.Min != nil {
		stats.SetMin(s.Min)
	}
	if s.Max != nil {
		stats.SetMax(s.Max)
	}
	if s.Distinct > 0 {
		stats.SetDistinctCount(int64(s.Distinct))
	}
	stats.SetNullCount(int64(s.Nulls))
	return stats
}

// Add tells of the next column's chunk.
func (g *Group) Add(c *Chunk) error {
	next := g.builder.NextColumnChunk()
	meta := metadata.NewColumnChunkMetaDataBuilderWithContents(
		g.file.properties(c.Encoding, c.Compressed), next.Descr(), next.Contents())
	meta.SetStats(c.Stats.encoded())
	info := metadata.ChunkMetaInfo{
		NumValues: int64(c.Rows), IndexPageOffset: -1, DataPageOffset: c.Data,
		CompressedSize: c.End - c.Start, UncompressedSize: c.RawBytes,
	}
	pages := metadata.EncodingStats{
		DataEncodingStats: map[parquet.Encoding]int32{c.Encoding.number(): int32(c.Pages)},
	}
	if c.Encoding == Codes {
		info.DictPageOffset = c.Start
		pages.DictEncodingStats = map[parquet.Encoding]int32{parquet.Encodings.Plain: 1}
	}
	if err := meta.Finish(info, c.Encoding == Codes, false, pages, nil); err != nil {
		return fmt.Errorf("finish chunk: %w", err)
	}
	return nil
}

// Finish ends the group, which is the ordinal-th from 0 and takes rawBytes
// if nothing is compressed.
func (g *Group) Finish(rawBytes int64, ordinal int) error {
	return g.builder.Finish(rawBytes, int16(ordinal))
}

// AppendFooter appends the footer, its length and the magic. One trace filter at
// the given offset serves a column of all groups: a filter of more keys than a
// group has is as valid.
func (f *File) AppendFooter(dst []byte, column int, filterOffset int64) ([]byte, error) {
	meta, err := f.builder.Finish()
	if err != nil {
		return nil, fmt.Errorf("finish footer: %w", err)
	}
	for _, group := range meta.RowGroups {
		group.Columns[column].MetaData.BloomFilterOffset = &filterOffset
	}
	out := sink{dst}
	if _, err := meta.WriteTo(&out, nil); err != nil {
		return nil, fmt.Errorf("write footer: %w", err)
	}
	dst = binary.LittleEndian.AppendUint32(out.data, uint32(len(out.data)-len(dst)))
	return append(dst, Magic...), nil
}

// sink is a file in memory.
type sink struct{ data []byte }

// Write appends p.
func (s *sink) Write(p []byte) (int, error) {
	s.data = append(s.data, p...)
	return len(p), nil
}
