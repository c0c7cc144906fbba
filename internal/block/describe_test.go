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
	rng := rand.New(rand.NewPCG(8, 9))
	spans := withAttributes(randomSpans(rng, shape{rows: 120, traces: 12, distinct: 5, nulls: 0.4, payload: 60, resources: 4}), rng, 0.1)
	o, err := block.EncodeWithLimits(project, spans, 32, 8<<20, 64)
	require.NoError(t, err)
	return spans, o
}

func description(t *testing.T, r *block.Reader) *block.Description {
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
	d := description(t, r)
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
			if column.Encoding != "absent" && !column.Content {
				require.Equal(t, group.Pages, column.Pages)
			}
			stats, err := chunk.Statistics()
			require.NoError(t, err)
			require.Equal(t, meta.NumRows()-stats.NullCount(), column.Values, column.Name)
			stored[column.Name] += column.StoredBytes
		}
	}
	all := 4 + d.TableBytes
	for _, column := range d.Columns {
		require.Equal(t, stored[column.Name], column.StoredBytes, column.Name)
		all += column.StoredBytes
	}
	require.Equal(t, d.Bytes-d.TailBytes, all)
}

func TestDescribeColumns(t *testing.T) {
	o := encode(t, goldenRows())
	r, _ := open(t, o)
	d := description(t, r)
	require.Equal(t, 2, d.Open)
	require.Equal(t, []block.Outside{{Scope: "span", Keys: []string{"k", "x"}}}, d.Outside)
	columns := map[string]block.Column{}
	for _, c := range d.Columns {
		columns[c.Name] = c
	}
	has := func(name, kind, encoding string, optional bool, values int64) block.Column {
		t.Helper()
		c := columns[name]
		require.Equal(t, kind, c.Type)
		require.Equal(t, encoding, c.Encoding)
		require.Equal(t, optional, c.Optional)
		require.Equal(t, values, c.Values)
		require.Equal(t, 1, c.Pages)
		return c
	}
	is := func(c block.Column, scope, key, kind string) {
		t.Helper()
		require.Equal(t, []string{scope, key, kind}, []string{c.Scope, c.Key, c.Kind})
	}
	name := has(block.ColumnName, "bytes", "dictionary", false, 8)
	is(name, "", "", "")
	kind := has(block.ColumnTraceID, "fixed 16 bytes", "dictionary", false, 8)
	require.Equal(t, 4, kind.Entries)
	require.Positive(t, kind.DictionaryBytes)
	require.Less(t, kind.DictionaryBytes, kind.StoredBytes)
	has(block.ColumnParentSpanID, "fixed 8 bytes", "plain", true, 1)
	has(block.ColumnDuration, "int64", "delta", false, 8)
	is(has("span.k", "bytes", "dictionary", true, 6), "span", "k", "string")
	is(has("span.f:double", "double", "dictionary", true, 6), "span", "f", "double")
	is(has("span.b:bool", "bool", "plain", true, 6), "span", "b", "bool")
	is(has("span.a:any", "bytes", "dictionary", true, 6), "span", "a", "any")
	is(has("span.n:int", "int64", "delta", true, 6), "span", "n", "int")
	is(has("derived.k", "bytes", "dictionary", true, 5), "derived", "k", "string")
	is(has("event.t", "bytes", "dictionary", true, 6), "event", "t", "list")
	is(has("link.o", "bytes", "dictionary", true, 6), "link", "o", "list")
	is(has("resource.pid:int", "int64", "dictionary", true, 7), "resource", "pid", "int")
	has(block.ColumnRest, "bytes", "plain", true, 1)
	has(block.ColumnDerived, "bytes", "absent", true, 0)
	for name := range columns {
		require.NotContains(t, name, "service.name")
	}
}

func TestDescribeWithoutRows(t *testing.T) {
	r, _ := open(t, encode(t, nil))
	d := description(t, r)
	require.Zero(t, d.Rows)
	require.Empty(t, d.RowGroups)
	require.Empty(t, d.Outside)
	require.Len(t, d.Columns, 27)
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
	for _, c := range description(t, r).Columns {
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
	_, first, _ := r.Chunk(0, block.ColumnSpanID)
	_, second, _ := r.Chunk(1, block.ColumnAttributes)
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
	spans, _ := fewRows(t)
	o, err := block.EncodeWithColumn(project, spans, "skins")
	require.NoError(t, err)
	r, _ := open(t, o)
	columns := description(t, r).Columns
	require.Equal(t, "skins", columns[len(columns)-1].Name)
	require.NoError(t, r.Verify(t.Context(), nil))
	_, at, _ := r.Chunk(0, "skins")
	data := bytes.Clone(o.Data)
	data[at] ^= 1
	r = r.Reading(memory(data))
	require.ErrorContains(t, r.Verify(t.Context(), nil), "row group 0, column skins")
	have, err := scanAll(t.Context(), r)
	require.NoError(t, err)
	requireSame(t, spans, have)
}

// A footer with a valid checksum that other programs would read differently.
func TestFooterMustAgree(t *testing.T) {
	_, o := fewRows(t)
	start := len(o.Data) - o.TailBytes
	footer := start + bytes.Index(o.Data[start:], []byte("spanlake")) // the name of its schema
	disagreed := 0
	for at := footer; at < len(o.Data)-8; at += 3 * thinning {
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
