package block_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// rowsWith returns rows of one trace, of which row i has the attributes that
// fields returns.
func rowsWith(n int, fields func(i int) []byte) []schema.Span {
	spans := make([]schema.Span, n)
	for i := range spans {
		spans[i] = schema.Span{
			TraceID: traceID(1), StartNanos: day + uint64(i), Resource: &schema.Resource{}, Scope: &schema.Scope{},
			Attributes: fields(i),
		}
	}
	return spans
}

func text(key, value string) []byte {
	return otlp.AppendKeyValue(nil, spanAttributes, key, schema.Value{Kind: schema.KindString, Str: value})
}

func number(key string, value int64) []byte {
	return otlp.AppendKeyValue(nil, spanAttributes, key, schema.Value{Kind: schema.KindInt, Int: value})
}

// TestWhatGetsAColumn names the forms of attributes that columns hold, and
// those that stay as bytes.
func TestWhatGetsAColumn(t *testing.T) {
	long := strings.Repeat("k", 256)
	tests := []struct {
		name   string
		fields string
		want   map[string]any // columns of the row, and what they hold
		shape  string
	}{
		{"string", "\x4a\x08\x0a\x01k\x12\x03\x0a\x01v", map[string]any{"span.k": "v"}, "\x01"},
		{"empty string", "\x4a\x07\x0a\x01k\x12\x02\x0a\x00", map[string]any{"span.k": ""}, "\x01"},
		{"int", "\x4a\x07\x0a\x01k\x12\x02\x18\x00", map[string]any{"span.k:int": int64(0)}, "\x01"},
		{"negative int", string(number("k", -1)), map[string]any{"span.k:int": int64(-1)}, "\x01"},
		{"int in a longer form", "\x4a\x08\x0a\x01k\x12\x03\x18\x80\x00", map[string]any{"span.k:any": "\x18\x80\x00"}, "\x01"},
		{"double", "\x4a\x0e\x0a\x01k\x12\x09\x21\x01\x00\x00\x00\x00\x00\xf8\x7f", map[string]any{"span.k:double": uint64(0x7ff8000000000001)}, "\x01"},
		{"bool", "\x4a\x07\x0a\x01k\x12\x02\x10\x01", map[string]any{"span.k:bool": true}, "\x01"},
		{"bool that is no bool", "\x4a\x07\x0a\x01k\x12\x02\x10\x02", map[string]any{"span.k:any": "\x10\x02"}, "\x01"},
		{"bytes", "\x4a\x08\x0a\x01k\x12\x03\x3a\x01\xff", map[string]any{"span.k:any": "\x3a\x01\xff"}, "\x01"},
		{"list", "\x4a\x09\x0a\x01k\x12\x04\x2a\x02\x0a\x00", map[string]any{"span.k:any": "\x2a\x02\x0a\x00"}, "\x01"},
		{"empty value", "\x4a\x05\x0a\x01k\x12\x00", map[string]any{"span.k:any": ""}, "\x01"},
		{"two alternatives", "\x4a\x09\x0a\x01k\x12\x04\x18\x01\x18\x02", map[string]any{"span.k:any": "\x18\x01\x18\x02"}, "\x01"},
		{"text that is not UTF-8", "\x4a\x08\x0a\x01k\x12\x03\x0a\x01\xff", map[string]any{"span.k:any": "\x0a\x01\xff"}, "\x01"},
		{"key with a colon", "\x4a\x0a\x0a\x03a:b\x12\x03\x0a\x01v", map[string]any{"span.a:b:string": "v"}, "\x01"},
		{"long key", string(text(long, "v")), map[string]any{"span." + long: "v"}, "\x01"},

		{"longer key", string(text(long+"k", "v")), nil, ""},
		{"empty key", "\x4a\x07\x0a\x00\x12\x03\x0a\x01v", nil, ""},
		{"key with a zero", string(text("a\x00b", "v")), nil, ""},
		{"key that is not UTF-8", "\x4a\x08\x0a\x01\xff\x12\x03\x0a\x01v", nil, ""},
		{"no key", "\x4a\x05\x12\x03\x0a\x01v", nil, ""},
		{"no value", "\x4a\x03\x0a\x01k", nil, ""},
		{"two keys", "\x4a\x0b\x0a\x01j\x0a\x01k\x12\x03\x0a\x01v", nil, ""},
		{"two values", "\x4a\x0c\x0a\x01k\x12\x03\x0a\x01v\x12\x02\x18\x01", nil, ""},
		{"unknown field", "\x4a\x0a\x0a\x01k\x12\x03\x0a\x01v\x18\x01", nil, ""},
		{"longer length", "\x4a\x88\x00\x0a\x01k\x12\x03\x0a\x01v", nil, ""},
		{"longer length of the key", "\x4a\x09\x0a\x81\x00k\x12\x03\x0a\x01v", nil, ""},
		{"longer length of the value", "\x4a\x09\x0a\x01k\x12\x83\x00\x0a\x01v", nil, ""},
		{"longer tag", "\xca\x00\x08\x0a\x01k\x12\x03\x0a\x01v", nil, ""},

		{"key again", string(slices.Concat(text("k", "v"), text("k", "w"))), map[string]any{"span.k": "v"}, "\x01\x00"},
		{"key again of another type", string(slices.Concat(number("k", 7), text("k", "w"))), map[string]any{"span.k:int": int64(7)}, "\x01\x00"},
		{"key first in another form", "\x4a\x88\x00\x0a\x01k\x12\x03\x0a\x01v" + string(text("k", "w")), nil, ""},
		{"another order", "\x4a\x88\x00\x0a\x01j\x12\x03\x0a\x01v" + string(slices.Concat(number("n", 1), text("k", "w"))), map[string]any{"span.k": "w", "span.n:int": int64(1)}, "\x00\x02\x01"},
		{"something else", string(text("k", "v")) + "\x50\x01", map[string]any{"span.k": nil}, ""},
		{"cut off", string(text("k", "v")) + "\x4a\x05", map[string]any{"span.k": nil}, ""},
		{"nothing", "", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spans := rowsWith(9, func(int) []byte { return []byte(tt.fields) })
			o := encode(t, spans)
			rows, f := readParquet(t, o.Data)
			names := attributeColumns(f)
			for i, row := range rows {
				for _, name := range names {
					require.Contains(t, tt.want, name)
					require.Equal(t, tt.want[name], row[name], "row %d, column %s", i, name)
				}
				require.Len(t, names, len(tt.want))
				require.Equal(t, tt.shape, row[block.ColumnShape], "row %d", i)
				if tt.shape == "" && tt.fields != "" {
					require.Equal(t, tt.fields, row[block.ColumnAttributes])
				}
			}
			r, _ := open(t, o)
			have, err := scanAll(t.Context(), r)
			require.NoError(t, err)
			requireSame(t, spans, have)
		})
	}
}

// The OpenTelemetry Collector writes the value of an attribute before its key.
// That gets columns like any other, and comes back with the key first.
func TestValuesBeforeTheirKeysGetColumns(t *testing.T) {
	turned := "\x4a\x08\x12\x03\x0a\x01v\x0a\x01k\x4a\x07\x12\x02\x18\x07\x0a\x01n"
	spans := rowsWith(9, func(i int) []byte {
		if i%2 == 0 {
			return slices.Concat(text("k", "v"), number("n", 7))
		}
		return []byte(turned)
	})
	o := encode(t, spans)
	require.Equal(t, []string{"span.k", "span.n:int"}, columnsOf(t, o))
	r, _ := open(t, o)
	have, err := scanAll(t.Context(), r)
	require.NoError(t, err)
	for i := range have {
		require.Equal(t, slices.Concat(text("k", "v"), number("n", 7)), have[i].Attributes)
	}
}

// columnsOf returns the names of the columns that are not fixed, in their
// order.
func columnsOf(t *testing.T, o *block.Object) []string {
	t.Helper()
	_, f := readParquet(t, o.Data)
	return attributeColumns(f)
}

func TestFrequentKeysGetColumns(t *testing.T) {
	keys := func(n int) func(int) []byte {
		return func(i int) (b []byte) {
			for k := range n {
				if i >= k%5 { // some keys are more frequent
					b = append(b, text(fmt.Sprintf("key.%03d", k), "v")...)
				}
			}
			return b
		}
	}
	require.Len(t, columnsOf(t, encode(t, rowsWith(10, keys(256)))), 256)

	o := encode(t, rowsWith(10, keys(257)))
	names := columnsOf(t, o)
	require.Len(t, names, 256)
	require.NotContains(t, names, "span.key.254", "the last of the rarest")
	require.Equal(t, "span.key.000", names[0])
	require.Equal(t, "span.key.005", names[1], "the most frequent first, then by name")
	require.Equal(t, "span.key.249", names[255])
}

func TestRareKeysGetNone(t *testing.T) {
	tests := []struct {
		rows, with int
		want       bool
	}{
		{100, 4, true},
		{100, 3, false},
		{4, 4, true},
		{3, 3, false},
		{5999, 5, true},
		{6000, 6, true},
		{6000, 5, false},
	}
	for _, tt := range tests {
		o := encode(t, rowsWith(tt.rows, func(i int) []byte {
			if i < tt.with {
				return text("k", "v")
			}
			return nil
		}))
		require.Equal(t, tt.want, slices.Contains(columnsOf(t, o), "span.k"), "%d of %d rows", tt.with, tt.rows)
	}
}

// TestASampleTellsWhatIsFrequent is about a block of which not all rows are
// counted.
func TestASampleTellsWhatIsFrequent(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	spans := withAttributes(randomSpans(rng, shape{rows: 4000, traces: 300, distinct: 9, nulls: 1}), rng, 0.05)
	for i := range spans {
		spans[i].Attributes = append(spans[i].Attributes, text("always", "v")...)
	}
	o, err := block.EncodeSampled(project, spans, 1000)
	require.NoError(t, err)
	names := columnsOf(t, o)
	require.Contains(t, names, "span.always")
	all := newOracle(spans)
	o2 := &oracle{values: all.values}
	for _, name := range names {
		if !strings.HasPrefix(name, "resource.") {
			o2.columns = append(o2.columns, name)
		}
	}
	requireParquet(t, o.Data, spans, o2)
	r, _ := open(t, o)
	have, err := scanAll(t.Context(), r)
	require.NoError(t, err)
	requireSame(t, spans, have)
}

// TestContentStandsLast is about long texts that no dictionary helps.
func TestContentStandsLast(t *testing.T) {
	unique := func(i, size int) string { return strings.Repeat(fmt.Sprintf("%08d", i), size/8) }
	spans := rowsWith(5000, func(i int) []byte {
		return slices.Concat(
			text("content", unique(i, 136)), text("prompt", unique(i%7, 2000)), text("short", unique(i, 128)),
			text("huge", unique(i, 40_000*(i%50/49)+136)), number("n", int64(i)))
	})
	o := encode(t, spans)
	_, f := readParquet(t, o.Data)
	order := f.MetaData().Schema
	for name, want := range map[string]bool{
		"span.content": true, "span.huge": true,
		"span.prompt": false, "span.short": false, "span.n:int": false,
	} {
		at := order.ColumnIndexByName(name)
		require.Positive(t, at, name)
		require.Equal(t, want, at > order.ColumnIndexByName(block.ColumnRest), name)
	}
	for name, frames := range map[string][2]int{"span.n:int": {0, 0}, "span.prompt": {0, 0}, "span.content": {10, 11}, "span.huge": {40, 110}} {
		n := columnOf(t, o, name).Frames
		require.GreaterOrEqual(t, n, frames[0], name)
		require.LessOrEqual(t, n, frames[1], name)
	}
}

// columnOf describes a column of a block of one row group.
func columnOf(t *testing.T, o *block.Object, name string) block.Column {
	t.Helper()
	r, _ := open(t, o)
	d, err := r.Describe(t.Context())
	require.NoError(t, err)
	require.Len(t, d.RowGroups, 1)
	i := slices.IndexFunc(d.Columns, func(c block.Column) bool { return c.Name == name })
	require.GreaterOrEqual(t, i, 0, name)
	return d.Columns[i]
}

// TestKeysOutsideOfColumns is about what the directory says of other keys.
func TestKeysOutsideOfColumns(t *testing.T) {
	odd := "\x4a\x88\x00\x0a\x01x\x12\x03\x0a\x01v"
	spans := rowsWith(40, func(i int) []byte {
		b := slices.Concat(text("column", "v"), []byte(odd))
		if i < 3 {
			b = append(b, text(fmt.Sprintf("rare.%d", i), "v")...)
		}
		if i == 30 {
			b = append(b, text("column", "w")...)
		}
		return b
	})
	event := func(kv []byte) []byte { return append([]byte{0x5a, byte(len(kv))}, kv...) }
	attribute := func(key string, v schema.Value) []byte {
		return otlp.AppendKeyValue(nil, eventAttributes, key, v)
	}
	for i := range spans {
		spans[i].Events = event(slices.Concat(
			attribute("helper", schema.Value{Kind: schema.KindInt, Int: int64(i)}),
			attribute("mixed", schema.Value{Kind: schema.KindString, Str: "v"}),
			attribute("long", schema.Value{Kind: schema.KindString, Str: strings.Repeat("l", 50)})))
	}
	spans[7].Events = event(attribute("mixed", schema.Value{Kind: schema.KindDouble, Double: 1}))
	spans[8].Derived = text("seldom", "v")
	groups, err := block.Keys(project, spans, 1000)
	require.NoError(t, err)
	require.Equal(t, [][]string{nil, nil, {"column", "rare.0", "rare.1", "rare.2", "x"}, {"seldom"}, {"mixed"}, nil}, groups)
}

// TestTooManyKeysAreNotListed is about clients that make up keys: the tail stays
// small, and what is searched is found all the same.
func TestTooManyKeysAreNotListed(t *testing.T) {
	const keys, keyBytes = 64, 1024 // with one byte each for the length, one list's worth
	key := func(i int) string { return fmt.Sprintf("%0*d", keyBytes-1, i) }
	for _, n := range []int{keys, keys + 1, 20 * keys} {
		spans := rowsWith(n, func(i int) []byte { return text(key(i), "v") })
		r, _ := open(t, encode(t, spans))
		d, err := r.Describe(t.Context())
		require.NoError(t, err)
		require.Len(t, d.Outside, 1)
		require.Equal(t, n > keys, d.Outside[0].More)
		require.Less(t, d.TailBytes, int64(100<<10))
		listed, ok, err := r.Keys(t.Context(), vec.ScopeSpan)
		require.NoError(t, err)
		require.Equal(t, n == keys, ok)
		require.Len(t, listed, map[bool]int{true: keys}[ok])
		for _, wanted := range []string{key(0), key(n - 1), "nowhere"} {
			p := &vec.Predicate{Field: vec.Field{Scope: vec.ScopeSpan, Key: wanted}, Text: func(s string) bool { return s == "v" }}
			found := 0
			columns := vec.Columns{Keys: []string{wanted}}
			for rows, err := range r.Scan(t.Context(), &vec.Filter{Op: vec.OpPredicate, Predicate: p}, columns) {
				require.NoError(t, err)
				found += len(rows)
				require.Equal(t, text(wanted, "v"), rows[0].Attributes)
			}
			require.Equal(t, wanted != "nowhere", found == 1)
		}
	}
}

// TestShapesUseLongNumbers is about more columns than a byte of a shape can
// name.
func TestShapesUseLongNumbers(t *testing.T) {
	spans := rowsWith(6, func(int) (b []byte) {
		for k := range 200 {
			b = append(b, number(fmt.Sprintf("key.%03d", 199-k), int64(k))...)
		}
		return b
	})
	o := encode(t, spans)
	rows, _ := readParquet(t, o.Data)
	shape := []byte(rows[0][block.ColumnShape].(string))
	for k := range 200 {
		n, used := binary.Uvarint(shape)
		require.Equal(t, uint64(200-k), n)
		shape = shape[used:]
	}
	requireParquet(t, o.Data, spans, newOracle(spans))
}

// TestGroupsAreBoundedInBytes: a row group ends where its values are too many bytes,
// but not within a trace.
func TestGroupsAreBoundedInBytes(t *testing.T) {
	const rows, size = 10, 300
	spans := rowsWith(rows, func(i int) []byte { return text("content", fmt.Sprintf("%0*d", size, i)) })
	attributes := rows * len(spans[0].Attributes)
	groups := func(r *block.Reader) int { return len(r.RowGroups()) }
	encoded := func(limit int) *block.Reader {
		o, err := block.EncodeLimited(project, spans, block.Limits{GroupBytes: limit, ColumnRows: 1})
		require.NoError(t, err)
		r, _ := open(t, o)
		return r
	}
	require.Equal(t, 1, groups(encoded(1)), "one trace")
	for i := range spans {
		spans[i].TraceID = traceID(i)
	}
	require.Equal(t, 1, groups(encoded(attributes)))
	require.Equal(t, 2, groups(encoded(attributes-1)))
	require.Equal(t, rows, groups(encoded(1)))

	input := encoded(attributes)
	merged := func(limit int) *block.Reader {
		var out bytes.Buffer
		m, err := block.MergeLimited(t.Context(), &out, []*block.Reader{input}, block.MergeOptions{}, block.Limits{GroupBytes: limit, ColumnRows: 1}, 128<<20)
		require.NoError(t, err)
		return openMerged(t, m, out.Bytes())
	}
	content := rows * (size + 4) // with their lengths
	require.Equal(t, 1, groups(merged(content)))
	require.Equal(t, 2, groups(merged(content-1)))
	require.Equal(t, rows, groups(merged(1)))
}
