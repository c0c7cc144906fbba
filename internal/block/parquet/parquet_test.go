package parquet_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	arrow "github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block/parquet"
)

// TestOtherProgramsReadAFile writes two row groups of a column of each kind of
// chunk, and reads them by means of arrow.
func TestOtherProgramsReadAFile(t *testing.T) {
	columns := []parquet.Column{
		{Name: "n", Type: parquet.Int64, Timestamp: true},
		{Name: "text", Type: parquet.Bytes, Text: true},
		{Name: "id", Type: parquet.Fixed8},
	}
	f, err := parquet.NewFile(columns, "test version 1.0.0", [][2]string{{"k", "v"}})
	require.NoError(t, err)
	out := []byte(parquet.Magic)
	for ordinal := range 2 {
		g := f.Group(3)
		// Plain numbers.
		c := parquet.Chunk{Start: int64(len(out)), Data: int64(len(out)), Rows: 3, Pages: 1, Stats: parquet.Stats{Min: number(5), Max: number(7)}}
		page := parquet.Page{Rows: 3, Body: bytes.Join([][]byte{number(7), number(5), number(6)}, nil), RawBytes: 24}
		out = page.AppendTo(out)
		c.End = int64(len(out))
		c.RawBytes = c.End - c.Start
		require.NoError(t, g.Add(&c))
		// Codes of a dictionary: a, b, a.
		c = parquet.Chunk{Encoding: parquet.Codes, Start: int64(len(out)), Rows: 3, Pages: 1, Stats: parquet.Stats{Distinct: 2}}
		dict := []byte("\x01\x00\x00\x00a\x01\x00\x00\x00b")
		out = append(parquet.AppendDictionaryHeader(out, len(dict), len(dict), 2), dict...)
		c.Data = int64(len(out))
		page = parquet.Page{Rows: 3, Body: []byte{1, 3, 0b010}, RawBytes: 3, Encoding: parquet.Codes}
		out = page.AppendTo(out)
		c.End = int64(len(out))
		c.RawBytes = c.End - c.Start
		require.NoError(t, g.Add(&c))
		// Ids.
		c = parquet.Chunk{Start: int64(len(out)), Data: int64(len(out)), Rows: 3, Pages: 1}
		page = parquet.Page{Rows: 3, Body: []byte("12345678abcdefgh12345678"), RawBytes: 24}
		out = page.AppendTo(out)
		c.End = int64(len(out))
		c.RawBytes = c.End - c.Start
		require.NoError(t, g.Add(&c))
		require.NoError(t, g.Finish(c.End, ordinal))
	}
	out, err = f.AppendFooter(out, 2, 99)
	require.NoError(t, err)

	r, err := file.NewParquetReader(bytes.NewReader(out))
	require.NoError(t, err)
	require.EqualValues(t, 6, r.NumRows())
	require.Equal(t, "test version 1.0.0", r.MetaData().GetCreatedBy())
	require.Equal(t, "v", *r.MetaData().KeyValueMetadata().FindValue("k"))
	require.Equal(t, "Timestamp(isAdjustedToUTC=true, timeUnit=nanoseconds, is_from_converted_type=false, force_set_converted_type=false)",
		r.MetaData().Schema.Column(0).LogicalType().String())
	for ordinal := range 2 {
		g := r.RowGroup(ordinal)
		numbers, texts, ids := make([]int64, 3), make([]arrow.ByteArray, 3), make([]arrow.FixedLenByteArray, 3)
		read(t, g, 0, func(c file.ColumnChunkReader) (int64, int, error) {
			return c.(*file.Int64ColumnChunkReader).ReadBatch(3, numbers, nil, nil)
		})
		read(t, g, 1, func(c file.ColumnChunkReader) (int64, int, error) {
			return c.(*file.ByteArrayColumnChunkReader).ReadBatch(3, texts, nil, nil)
		})
		read(t, g, 2, func(c file.ColumnChunkReader) (int64, int, error) {
			return c.(*file.FixedLenByteArrayColumnChunkReader).ReadBatch(3, ids, nil, nil)
		})
		require.Equal(t, []int64{7, 5, 6}, numbers)
		require.Equal(t, []arrow.ByteArray{[]byte("a"), []byte("b"), []byte("a")}, texts)
		require.Equal(t, []arrow.FixedLenByteArray{[]byte("12345678"), []byte("abcdefgh"), []byte("12345678")}, ids)
		chunk, err := g.MetaData().ColumnChunk(2)
		require.NoError(t, err)
		require.EqualValues(t, 99, chunk.BloomFilterOffset())
	}
}

func number(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

func read(t *testing.T, g *file.RowGroupReader, column int, batch func(file.ColumnChunkReader) (int64, int, error)) {
	t.Helper()
	c, err := g.Column(column)
	require.NoError(t, err)
	n, _, err := batch(c)
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
}
