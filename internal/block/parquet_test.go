package block_test

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// parquetRow is a row as any Parquet reader sees it.
type parquetRow map[string]any

// readParquet reads an object with arrow's own reader, which knows nothing of
// our directory.
func readParquet(tb testing.TB, data []byte) ([]parquetRow, *file.Reader) {
	tb.Helper()
	f, err := file.NewParquetReader(bytes.NewReader(data))
	require.NoError(tb, err)
	rows := make([]parquetRow, f.NumRows())
	for i := range rows {
		rows[i] = parquetRow{}
	}
	first := 0
	for g := range f.NumRowGroups() {
		group := f.RowGroup(g)
		n := int(group.NumRows())
		for c := range group.NumColumns() {
			column, err := group.Column(c)
			require.NoError(tb, err)
			for i, v := range readColumn(tb, column, n) {
				rows[first+i][column.Descriptor().Name()] = v
			}
		}
		first += n
	}
	require.Len(tb, rows, first)
	return rows, f
}

// readColumn returns n values, nil for null.
func readColumn(tb testing.TB, column file.ColumnChunkReader, n int) []any {
	tb.Helper()
	levels := make([]int16, n)
	values := make([]any, 0, n)
	for len(values) < n {
		var total int64
		var read int
		var err error
		var next func(int) any
		left := int64(n - len(values))
		switch c := column.(type) {
		case *file.Int32ColumnChunkReader:
			buf := make([]int32, left)
			total, read, err = c.ReadBatch(left, buf, levels, nil)
			next = func(i int) any { return buf[i] }
		case *file.Int64ColumnChunkReader:
			buf := make([]int64, left)
			total, read, err = c.ReadBatch(left, buf, levels, nil)
			next = func(i int) any { return buf[i] }
		case *file.Float64ColumnChunkReader:
			buf := make([]float64, left)
			total, read, err = c.ReadBatch(left, buf, levels, nil)
			next = func(i int) any { return math.Float64bits(buf[i]) }
		case *file.BooleanColumnChunkReader:
			buf := make([]bool, left)
			total, read, err = c.ReadBatch(left, buf, levels, nil)
			next = func(i int) any { return buf[i] }
		case *file.ByteArrayColumnChunkReader:
			buf := make([]parquet.ByteArray, left)
			total, read, err = c.ReadBatch(left, buf, levels, nil)
			next = func(i int) any { return string(buf[i]) }
		case *file.FixedLenByteArrayColumnChunkReader:
			buf := make([]parquet.FixedLenByteArray, left)
			total, read, err = c.ReadBatch(left, buf, levels, nil)
			next = func(i int) any { return string(buf[i]) }
		default:
			require.Failf(tb, "unexpected column", "%T", c)
		}
		require.NoError(tb, err)
		require.Positive(tb, total)
		used := 0
		for i := range int(total) {
			if levels[i] == column.Descriptor().MaxDefinitionLevel() {
				values = append(values, next(used))
				used++
			} else {
				values = append(values, nil)
			}
		}
		require.Equal(tb, read, used)
	}
	return values
}

// asParquet is what a row must look like to other programs.
func asParquet(s *schema.Span) parquetRow {
	optional := func(b []byte) any {
		if len(b) == 0 {
			return nil
		}
		return string(b)
	}
	row := parquetRow{
		block.ColumnTraceID: string(s.TraceID[:]), block.ColumnSpanID: string(s.SpanID[:]),
		block.ColumnParentSpanID: nil,
		block.ColumnStart:        int64(s.StartNanos), block.ColumnDuration: s.DurationNanos(),
		block.ColumnName: s.Name, block.ColumnKind: s.Kind, block.ColumnStatusCode: s.StatusCode,
		block.ColumnStatusMessage: s.StatusMessage, block.ColumnTraceState: s.TraceState,
		block.ColumnFlags:       int32(s.Flags),
		block.ColumnServiceName: s.Resource.ServiceName, block.ColumnResource: string(s.Resource.Wire),
		block.ColumnScopeName: s.Scope.Name, block.ColumnScopeVersion: s.Scope.Version,
		block.ColumnScope: string(s.Scope.Wire), block.ColumnPosition: int64(s.Position),
		block.ColumnEvents: optional(s.Events),
		block.ColumnLinks:  optional(s.Links), block.ColumnRest: optional(s.Rest),
		block.ColumnFragment: int32(s.Fragment), block.ColumnFragmentTime: nil, block.ColumnEventName: nil,
	}
	if s.FragmentNanos != 0 {
		row[block.ColumnFragmentTime] = int64(s.FragmentNanos)
	}
	var names []any
	for e := range otlp.Events(s) {
		names = append(names, strings.ToValidUTF8(e.Name, "\uFFFD"))
	}
	if names != nil {
		row[block.ColumnEventName] = names
	}
	if !s.ParentSpanID.IsZero() {
		row[block.ColumnParentSpanID] = string(s.ParentSpanID[:])
	}
	return row
}

func TestOtherReadersSeeTheSameRows(t *testing.T) {
	shapes := []shape{
		{rows: 2000, traces: 300, distinct: 9, nulls: 0.6, resources: 12},
		{rows: 1500, traces: 300, nulls: 0.1, resources: 2500},
		{rows: 2000, traces: 30, distinct: 9, nulls: 1, wild: true},
		{rows: 5000, traces: 500, distinct: 3, nulls: 1},
		{rows: 1},
		{rows: 5, traces: 5},
	}
	for _, s := range shapes {
		for _, odd := range []float64{0, 0.1}[:2/min(thinning, 2)] {
			rng := rand.New(rand.NewPCG(1, uint64(s.rows)))
			spans := withAttributes(randomSpans(rng, s), rng, odd)
			for i := range spans {
				if rng.IntN(50) == 0 {
					spans[i].Fragment, spans[i].FragmentNanos = schema.FragmentUpdate, rng.Uint64()
				}
			}
			o, err := block.EncodeWithLimits(project, spans, 256, 8<<20, 1200)
			require.NoError(t, err)
			requireParquet(t, o.Data, spans, newOracle(spans))
		}
	}
}

// requireParquet compares every value of every column with the rows.
func requireParquet(t *testing.T, data []byte, spans []schema.Span, o *oracle) {
	t.Helper()
	rows, f := readParquet(t, data)
	require.Len(t, rows, len(spans))
	names := attributeColumns(f)
	for i := range spans {
		row := rows[i]
		require.Equal(t, string(keysFirst(spans[i].Attributes)), string(keysFirst([]byte(putTogether(t, row, names, "span.", block.ColumnShape, block.ColumnAttributes)))), "row %d", i)
		require.Equal(t, string(keysFirst(spans[i].Derived)), string(keysFirst([]byte(putTogether(t, row, names, "derived.", block.ColumnDerivedShape, block.ColumnDerived)))), "row %d", i)
		want := asParquet(&spans[i])
		for _, name := range o.columns {
			want[name] = o.values[i][name]
		}
		maps.Copy(want, resourceColumns(names, &spans[i]))
		have := parquetRow{}
		for name, v := range row {
			switch {
			case v == nil:
				have[name] = nil
			case name == block.ColumnEventName, strings.HasPrefix(name, "event."), strings.HasPrefix(name, "link."):
				list, err := jsonList(v.(string))
				require.NoError(t, err)
				have[name] = list
			default:
				have[name] = v
			}
		}
		for _, name := range []string{block.ColumnShape, block.ColumnDerivedShape, block.ColumnAttributes, block.ColumnDerived} {
			delete(have, name)
		}
		require.Len(t, have, len(want))
		for name, v := range have {
			if _, list := v.([]any); list || v != want[name] {
				require.Equal(t, want[name], v, "row %d, column %s", i, name)
			}
		}
	}
}

// attributeColumns lists the columns that are not fixed, in their order.
func attributeColumns(f *file.Reader) (names []string) {
	for i := range f.MetaData().Schema.NumColumns() {
		name := f.MetaData().Schema.Column(i).Name()
		if strings.Contains(name, ".") {
			names = append(names, name)
		}
	}
	return names
}

// putTogether follows a shape.
func putTogether(t *testing.T, row parquetRow, names []string, prefix, shape, rest string) string {
	t.Helper()
	left := ""
	if v := row[rest]; v != nil {
		left = v.(string)
	}
	how := []byte(row[shape].(string))
	if len(how) == 0 {
		return left
	}
	var columns []string
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			columns = append(columns, name)
		}
	}
	var out []byte
	for len(how) > 0 {
		n, used := binary.Uvarint(how)
		how = how[used:]
		if n == 0 {
			_, _, size := protowire.ConsumeField([]byte(left))
			out = append(out, left[:size]...)
			left = left[size:]
			continue
		}
		out = append(out, asAttribute(t, strings.TrimPrefix(columns[n-1], prefix), row[columns[n-1]])...)
	}
	require.Empty(t, left)
	return string(out)
}

// asAttribute writes a column's value as an attribute.
func asAttribute(t *testing.T, column string, v any) []byte {
	t.Helper()
	key, kind, _ := strings.Cut(column, ":")
	switch v := v.(type) {
	case string:
		if kind == "any" {
			body := protowire.AppendString([]byte{0x0a}, key)
			body = protowire.AppendString(append(body, 0x12), v)
			return protowire.AppendBytes([]byte{0x4a}, body)
		}
		return otlp.AppendKeyValue(nil, spanAttributes, key, schema.Value{Kind: schema.KindString, Str: v})
	case int64:
		return otlp.AppendKeyValue(nil, spanAttributes, key, schema.Value{Kind: schema.KindInt, Int: v})
	case uint64:
		return otlp.AppendKeyValue(nil, spanAttributes, key, schema.Value{Kind: schema.KindDouble, Double: math.Float64frombits(v)})
	case bool:
		return otlp.AppendKeyValue(nil, spanAttributes, key, schema.Value{Kind: schema.KindBool, Bool: v})
	}
	require.Failf(t, "no value", "%s: %T", column, v)
	return nil
}

// resourceColumns is what the columns of resources hold for a row.
func resourceColumns(names []string, s *schema.Span) parquetRow {
	row := parquetRow{}
	for _, name := range names {
		if strings.HasPrefix(name, "resource.") {
			row[name] = nil
		}
	}
	for _, a := range firsts(otlp.ResourceAttributes(s.Resource)) {
		suffix, v := oracleValue(otlp.AppendValue(nil, a.Value))
		if a.Key != "" && utf8.ValidString(a.Key) && a.Key+suffix != "service.name" {
			row["resource."+a.Key+suffix] = v
		}
	}
	return row
}

func TestOtherReadersOpenABlockWithoutRows(t *testing.T) {
	rows, f := readParquet(t, encode(t, nil).Data)
	require.Empty(t, rows)
	require.Zero(t, f.NumRowGroups())
	require.Equal(t, 27, f.MetaData().Schema.NumColumns())
}

func TestFooterTellsWhatOtherReadersPruneBy(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(3, 4)), shape{rows: 2000, traces: 90, distinct: 9, payload: 60})
	o, err := block.EncodeWithLimits(project, spans, 128, 8<<20, 500)
	require.NoError(t, err)
	_, f := readParquet(t, o.Data)
	meta := f.MetaData()
	require.Greater(t, f.NumRowGroups(), 2)
	require.Equal(t, "1", *meta.KeyValueMetadata().FindValue("spanlake.format_version"))
	require.Equal(t, string(project), *meta.KeyValueMetadata().FindValue("spanlake.project"))
	require.Equal(t, "2000", *meta.KeyValueMetadata().FindValue("spanlake.spans"))
	require.Equal(t, "90", *meta.KeyValueMetadata().FindValue("spanlake.traces"))

	first := 0
	for g := range f.NumRowGroups() {
		rows := spans[first : first+int(f.RowGroup(g).NumRows())]
		first += len(rows)
		minStart, maxStart := rows[0].StartNanos, uint64(0)
		for i := range rows {
			minStart, maxStart = min(minStart, rows[i].StartNanos), max(maxStart, rows[i].StartNanos)
		}
		low, high := bounds(t, f, g, block.ColumnTraceID)
		require.Equal(t, rows[0].TraceID[:], low)
		require.Equal(t, rows[len(rows)-1].TraceID[:], high)
		low, high = bounds(t, f, g, block.ColumnStart)
		require.Equal(t, minStart, binary.LittleEndian.Uint64(low))
		require.Equal(t, maxStart, binary.LittleEndian.Uint64(high))
		if g > 0 {
			require.NotEqual(t, spans[first-len(rows)-1].TraceID, rows[0].TraceID, "a trace is in one row group")
		}
	}
}

func bounds(tb testing.TB, f *file.Reader, group int, column string) (low, high []byte) {
	tb.Helper()
	chunk, err := f.MetaData().RowGroup(group).ColumnChunk(f.MetaData().Schema.ColumnIndexByName(column))
	require.NoError(tb, err)
	stats, err := chunk.Statistics()
	require.NoError(tb, err)
	require.True(tb, stats.HasMinMax())
	return stats.EncodeMin(), stats.EncodeMax()
}

// TestFilterIsTheStandards reads the filter as the Parquet standard describes
// it, from the footer's offset on.
func TestFilterIsTheStandards(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(5, 6)), shape{rows: 5000, traces: 3000, distinct: 2})
	o, err := block.EncodeWithLimits(project, spans, 4096, 8<<20, 2000)
	require.NoError(t, err)
	_, f := readParquet(t, o.Data)
	for g := range f.NumRowGroups() {
		chunk, err := f.MetaData().RowGroup(g).ColumnChunk(0)
		require.NoError(t, err)
		header := o.Data[chunk.BloomFilterOffset():]
		require.Equal(t, byte(0x15), header[0], "field 1, i32")
		size, n := binary.Varint(header[1:])
		require.Zero(t, size%32)
		require.Equal(t, []byte{
			0x1c, 0x1c, 0, 0, // algorithm: BLOCK
			0x1c, 0x1c, 0, 0, // hash: XXHASH
			0x1c, 0x1c, 0, 0, // compression: UNCOMPRESSED
			0,
		}, header[1+n:][:13])
		bitset := header[1+n+13:][:size]
		for i := range spans {
			require.True(t, standardProbe(bitset, spans[i].TraceID.Hash()))
		}
	}
}

// standardProbe follows the text of the standard word by word.
func standardProbe(bitset []byte, hash uint64) bool {
	salts := []uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31}
	blocks := uint64(len(bitset) / 32)
	at := ((hash >> 32) * blocks) >> 32
	for i, salt := range salts {
		word := binary.LittleEndian.Uint32(bitset[32*at+4*uint64(i):])
		if word&(1<<((uint32(hash)*salt)>>27)) == 0 {
			return false
		}
	}
	return true
}

func TestDirectoryAndFooterAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	spans := withAttributes(randomSpans(rng, shape{rows: 3000, traces: 300, distinct: 9, nulls: 0.5, payload: 60, resources: 9}), rng, 0.1)
	o, err := block.EncodeWithLimits(project, spans, 256, 8<<20, 800)
	require.NoError(t, err)
	r, _ := open(t, o)
	f, err := file.NewParquetReader(bytes.NewReader(o.Data))
	require.NoError(t, err)
	require.Len(t, r.RowGroups(), f.NumRowGroups())
	for g := range f.NumRowGroups() {
		for c := range f.MetaData().Schema.NumColumns() {
			chunk, err := f.MetaData().RowGroup(g).ColumnChunk(c)
			require.NoError(t, err)
			dictionary, data, size := r.Chunk(g, f.MetaData().Schema.Column(c).Name())
			require.Equal(t, chunk.DictionaryPageOffset(), dictionary)
			require.Equal(t, chunk.DataPageOffset(), data)
			require.Equal(t, chunk.TotalCompressedSize(), size)
		}
	}
}
