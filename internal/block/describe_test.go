package block_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// fewRows make several row groups and pages.
func fewRows(t testing.TB) ([]schema.Span, *block.Object) {
	t.Helper()
	spans := randomSpans(rand.New(rand.NewPCG(8, 9)), shape{rows: 120, traces: 12, distinct: 5, nulls: 0.4, payload: 60, resources: 4})
	o, err := block.EncodeWithLimits(project, spans, 32, 8<<20, 64)
	require.NoError(t, err)
	return spans, o
}

func describe(t *testing.T, r *block.Reader) *block.Description {
	t.Helper()
	d, err := r.Describe(t.Context())
	require.NoError(t, err)
	return d
}

// What Describe takes from the directory is what other programs read in the
// Parquet footer.
func TestDescribeAgreesWithParquet(t *testing.T) {
	spans, o := fewRows(t)
	r, counted := open(t, o)
	counted.reset()
	d := describe(t, r)
	require.Equal(t, 1, counted.gets)
	require.Equal(t, o.TailBytes, counted.bytes)

	require.Equal(t, keyOf(o), d.Key)
	require.NotEmpty(t, d.ETag)
	require.Equal(t, 1, d.FormatVersion)
	require.Equal(t, "spanlake version 1.0.0", d.CreatedBy)
	require.Equal(t, project, d.Project)
	require.EqualValues(t, len(o.Data), d.Bytes)
	require.EqualValues(t, o.TailBytes, d.TailBytes)
	require.EqualValues(t, 32, d.FilterBytes)
	require.Equal(t, len(spans), d.Rows)
	require.Equal(t, len(byTrace(spans)), d.Traces)
	require.Equal(t, spans[0].TraceID, d.FirstTrace)
	require.Equal(t, spans[len(spans)-1].TraceID, d.LastTrace)
	require.Equal(t, o.MinStart, d.MinStart)
	require.Equal(t, o.MaxEnd, d.MaxEnd)
	require.Equal(t, []block.Metadata{
		{Key: "spanlake.format_version", Value: "1"},
		{Key: "spanlake.project", Value: "proj"},
		{Key: "spanlake.spans", Value: "120"},
		{Key: "spanlake.traces", Value: "12"},
	}, d.Metadata)

	_, parquet := readParquet(t, o.Data)
	require.Len(t, d.RowGroups, parquet.NumRowGroups())
	require.Greater(t, len(d.RowGroups), 1)
	stored := map[string]int64{}
	for g, group := range d.RowGroups {
		meta := parquet.MetaData().RowGroup(g)
		require.EqualValues(t, meta.NumRows(), group.Rows)
		require.Len(t, group.Columns, meta.NumColumns())
		for c, column := range group.Columns {
			chunk, err := meta.ColumnChunk(c)
			require.NoError(t, err)
			require.Equal(t, chunk.PathInSchema().String(), column.Name)
			require.Equal(t, chunk.TotalCompressedSize(), column.StoredBytes, column.Name)
			require.Equal(t, chunk.TotalUncompressedSize(), column.RawBytes, column.Name)
			require.Equal(t, chunk.HasDictionaryPage(), column.Encoding == "dictionary", column.Name)
			require.Equal(t, group.Pages, column.Pages)
			stored[column.Name] += column.StoredBytes
		}
	}
	all := int64(4)
	for _, column := range d.Columns {
		require.Equal(t, stored[column.Name], column.StoredBytes, column.Name)
		all += column.StoredBytes
	}
	require.Equal(t, d.Bytes-d.TailBytes, all)
}

func TestDescribeColumns(t *testing.T) {
	o := encode(t, goldenRows())
	r, _ := open(t, o)
	d := describe(t, r)
	columns := map[string]block.Column{}
	for _, c := range d.Columns {
		columns[c.Name] = c
	}
	name := columns[block.ColumnName]
	require.Equal(t, "bytes", name.Type)
	require.Equal(t, "dictionary", name.Encoding)
	require.Equal(t, 3, name.Entries)
	require.Positive(t, name.DictionaryBytes)
	require.Less(t, name.DictionaryBytes, name.StoredBytes)
	parent := columns[block.ColumnParentSpanID]
	require.True(t, parent.Optional)
	require.Equal(t, "fixed 8 bytes", parent.Type)
	require.Equal(t, "plain", parent.Encoding)
	require.Equal(t, 1, parent.Pages)
	require.Equal(t, "delta", columns[block.ColumnDuration].Encoding)
}

func TestDescribeWithoutRows(t *testing.T) {
	r, _ := open(t, encode(t, nil))
	d := describe(t, r)
	require.Zero(t, d.Rows)
	require.Empty(t, d.RowGroups)
	require.Len(t, d.Columns, 21)
	require.True(t, d.FirstTrace.IsZero())
	require.NoError(t, r.Verify(t.Context(), nil))
}

// Encodings may differ between row groups: of a dictionary that is useless only
// in the first, say.
func TestDescribeSumsEncodings(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(2, 3)), shape{rows: 4000, traces: 40, distinct: 3, resources: 1})
	for i := range spans {
		if i < 1500 {
			spans[i].Name = string(bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 60))
		}
	}
	o, err := block.EncodeWithLimits(project, spans, 4096, 8<<20, 1000)
	require.NoError(t, err)
	r, _ := open(t, o)
	for _, c := range describe(t, r).Columns {
		if c.Name == block.ColumnName {
			require.Equal(t, "plain+dictionary", c.Encoding)
		}
	}
}

func TestVerifyReadsEverythingOnce(t *testing.T) {
	_, o := fewRows(t)
	r, counted := open(t, o)
	counted.reset()
	var seen []int64
	require.NoError(t, r.Verify(t.Context(), func(read int64) { seen = append(seen, read) }))
	require.Equal(t, len(o.Data), counted.bytes)
	require.IsIncreasing(t, seen)
	require.EqualValues(t, len(o.Data), seen[len(seen)-1])
}

// Every bit of an object is covered by a checksum or by the name.
func TestVerifyFindsEveryFlippedBit(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(8, 9)), shape{rows: 12, traces: 3, distinct: 2, nulls: 0.4, payload: 9})
	o, err := block.EncodeWithLimits(project, spans, 5, 8<<20, 4)
	require.NoError(t, err)
	key := keyOf(o)
	sections := map[string]bool{}
	for at := range o.Data {
		data := bytes.Clone(o.Data)
		data[at] ^= 1 << (at % 8)
		r, err := block.Open(t.Context(), memory(data), key)
		if err == nil {
			err = r.Verify(t.Context(), nil)
		}
		var corrupt *block.CorruptError
		require.ErrorAs(t, err, &corrupt, "byte %d", at)
		require.LessOrEqual(t, corrupt.Offset, int64(at))
		sections[corrupt.Section] = true
	}
	require.Contains(t, sections, "magic")
	require.Contains(t, sections, "tail")
	require.Contains(t, sections, "row group 0, column trace_id, dictionary")
	require.Contains(t, sections, "row group 1, column rest, page 0")
}

// Damage in one place does not hide damage in another.
func TestVerifyTellsAllDamage(t *testing.T) {
	_, o := fewRows(t)
	key := keyOf(o)
	r, err := block.Open(t.Context(), memory(o.Data), key)
	require.NoError(t, err)
	data := bytes.Clone(o.Data)
	_, first, _ := r.Chunk(0, 7)
	_, second, _ := r.Chunk(1, 17)
	data[first] ^= 1
	data[second] ^= 1
	data[len(data)-1] ^= 1
	r, err = block.Open(t.Context(), memory(o.Data), key)
	require.NoError(t, err)
	err = r.Reading(memory(data)).Verify(t.Context(), nil)
	require.ErrorIs(t, err, block.ErrCorrupt)
	require.ErrorContains(t, err, "row group 0, column span_id, page 0")
	require.ErrorContains(t, err, "row group 1, column attributes, page 0")
	require.ErrorContains(t, err, "tail at offset")
	damage := block.Damage(err)
	require.Len(t, damage, 3)
	require.Equal(t, []int64{first, second, int64(len(data) - o.TailBytes)}, []int64{damage[0].Offset, damage[1].Offset, damage[2].Offset})
	require.Empty(t, block.Damage(context.Canceled))
	require.Empty(t, block.Damage(nil))

	for i := 4; i < len(data)-o.TailBytes; i++ {
		data[i] ^= 1
	}
	err = r.Reading(memory(data)).Verify(t.Context(), nil)
	require.Equal(t, 16, bytes.Count([]byte(err.Error()), []byte("checksum mismatch")), "not every one of hundreds")

	err = r.Reading(memory(data[:100])).Verify(t.Context(), nil)
	require.ErrorContains(t, err, "bytes are missing")
}

// A column of a later program is not read, and is verified all the same.
func TestUnknownColumn(t *testing.T) {
	_, o := fewRows(t)
	r, err := block.Open(t.Context(), memory(o.Data), keyOf(o))
	require.NoError(t, err)
	_, at, _ := r.Chunk(0, 19)
	data := bytes.Clone(o.Data)
	tail := data[len(data)-o.TailBytes:]
	copy(tail[bytes.Index(tail, []byte("links")):], "skins") // in the directory, which is first
	reseal(tail)
	r, err = block.Open(t.Context(), memory(data), keyOf(o))
	require.NoError(t, err)
	require.Equal(t, "skins", describe(t, r).Columns[19].Name)
	require.NoError(t, r.Verify(t.Context(), nil))
	data[at] ^= 1
	require.ErrorContains(t, r.Verify(t.Context(), nil), "row group 0, column skins, page 0")
	_, err = scan(t.Context(), r, block.ScanRequest{})
	require.NoError(t, err)
}

// A footer with a valid checksum that other programs would read differently.
func TestFooterMustAgree(t *testing.T) {
	_, o := fewRows(t)
	start := len(o.Data) - o.TailBytes
	footer := start + bytes.Index(o.Data[start:], []byte("spanlake")) // the name of its schema
	disagreed := 0
	for at := footer; at < len(o.Data)-8; at++ {
		data := bytes.Clone(o.Data)
		data[at] ^= 4
		reseal(data[start:])
		r, err := block.Open(t.Context(), memory(data), keyOf(o))
		require.NoError(t, err)
		d, err := r.Describe(t.Context())
		if err != nil {
			require.ErrorIs(t, err, block.ErrCorrupt)
			require.ErrorContains(t, err, "footer at offset")
			require.ErrorIs(t, r.Verify(t.Context(), nil), block.ErrCorrupt)
			disagreed++
			continue
		}
		require.Equal(t, 120, d.Rows)
	}
	require.Positive(t, disagreed)
}

// failing is a bucket that answers nothing.
type failing struct{ err error }

func (f failing) Get(context.Context, string, objstore.GetOptions) ([]byte, objstore.Object, error) {
	return nil, objstore.Object{}, f.err
}

func TestVerifyIsNotConfusedByTheStore(t *testing.T) {
	_, o := fewRows(t)
	r, err := block.Open(t.Context(), memory(o.Data), keyOf(o))
	require.NoError(t, err)
	for _, reason := range []error{objstore.ErrChanged, objstore.ErrNotExist, context.Canceled} {
		gone := r.Reading(failing{err: reason})
		err := gone.Verify(t.Context(), nil)
		require.ErrorIs(t, err, reason)
		require.NotErrorIs(t, err, block.ErrCorrupt)
		_, err = gone.Describe(t.Context())
		require.ErrorIs(t, err, reason)
	}
}

func FuzzFooter(f *testing.F) {
	for _, rows := range []int{0, 40} {
		o, err := block.EncodeWithLimits(project, randomSpans(rand.New(rand.NewPCG(1, 9)), shape{rows: rows, traces: 5, payload: 9}), 8, 8<<20, 16)
		require.NoError(f, err)
		frame := len(o.Data) - 8
		footer := o.Data[frame-int(binary.LittleEndian.Uint32(o.Data[frame:])) : frame]
		n, err := block.FooterRows(footer)
		require.NoError(f, err)
		require.EqualValues(f, rows, n)
		f.Add(footer)
	}
	f.Add(bytes.Repeat([]byte{0x1c}, 100)) // structs in structs
	f.Add([]byte{0x15, 0x02, 0x19, 0x0c, 0x16, 0x0e, 0x19, 0x0c, 0x19, 0x1c, 0x18, 0x01, 'k', 0x18, 0x01, 'v', 0, 0x1b, 0x01, 0x81, 1, 2, 0})
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = block.FooterRows(b) // must neither panic nor allocate without bounds
	})
}
