package block_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// member returns a field of Events or Links with these attributes.
func member(tag byte, attributes ...[]byte) []byte {
	body := slices.Concat(attributes...)
	return append(binary.AppendUvarint([]byte{tag}, uint64(len(body))), body...)
}

// TestHelperColumns is about the lists of what events and links have.
func TestHelperColumns(t *testing.T) {
	kv := func(num protowire.Number, key string, v schema.Value) []byte {
		return otlp.AppendKeyValue(nil, num, key, v)
	}
	str := func(s string) schema.Value { return schema.Value{Kind: schema.KindString, Str: s} }
	num := func(n int64) schema.Value { return schema.Value{Kind: schema.KindInt, Int: n} }
	spans := rowsWith(20, func(int) []byte { return nil })
	for i := range spans {
		if i%2 == 1 {
			continue
		}
		spans[i].Events = slices.Concat(
			member(0x5a, []byte("\x12\x05first"), kv(3, "both", str("a\"b")), kv(3, "both", str("again")), kv(3, "n", num(-1))),
			member(0x5a),
			member(0x5a, []byte("\x12\x01\xff"), kv(3, "n", num(7)), kv(3, "both", schema.Value{Kind: schema.KindBool, Bool: true}),
				kv(3, "list", schema.Value{Kind: schema.KindArray}), kv(3, "limit", str(strings.Repeat("x", 128)))),
			member(0x5a, kv(3, "long", str(strings.Repeat("x", 129)))))
		spans[i].Links = member(0x6a, kv(4, "n", num(int64(i))))
	}
	spans[2].Events = append(spans[2].Events, member(0x5a, kv(3, "huge", str(strings.Repeat("x", 16<<10+1))))...)
	for i := range 6 {
		spans[i+3].Events = append(spans[i+3].Events, member(0x5a, kv(3, "huge", str("x")), kv(3, "seldom", num(1)))...)
	}
	spans[19].Events = []byte("\x5a\x05\x12\x01e") // cut off

	o := encode(t, spans)
	rows, _ := readParquet(t, o.Data)
	require.ElementsMatch(t, []string{"event.both", "event.n", "event.limit", "event.seldom", "link.n"}, columnsOf(t, o))
	require.Equal(t, `["a\"b",true]`, rows[0]["event.both"])
	require.Equal(t, `[-1,7]`, rows[0]["event.n"])
	require.Equal(t, `["first","","`+"\uFFFD"+`",""]`, rows[0][block.ColumnEventName])
	require.Equal(t, `[18]`, rows[18]["link.n"])
	require.Nil(t, rows[1]["event.n"])
	require.Nil(t, rows[1][block.ColumnEventName])
	require.Nil(t, rows[19][block.ColumnEventName], "no event can be read")
	lists, err := block.Keys(project, spans, 1000)
	require.NoError(t, err)
	require.Equal(t, []string{"huge", "list", "long"}, lists[4])
	require.Empty(t, lists[5])
	r, _ := open(t, o)
	have, err := scanAll(t.Context(), r)
	require.NoError(t, err)
	requireSame(t, spans, have)
}

// TestHelpersHoldNoLongValue is about one value that rules a column out.
func TestHelpersHoldNoLongValue(t *testing.T) {
	for size, want := range map[int]bool{16 << 10: true, 16<<10 + 1: false} {
		spans := rowsWith(200, func(int) []byte { return nil })
		for i := range spans {
			v := schema.Value{Kind: schema.KindString, Str: strings.Repeat("x", 1+i/199*(size-1))}
			spans[i].Events = member(0x5a, otlp.AppendKeyValue(nil, eventAttributes, "k", v))
		}
		require.Equal(t, want, slices.Contains(columnsOf(t, encode(t, spans)), "event.k"), size)
	}
}

// TestTracesThatMustBeFolded is about what a hit says of the rows of a trace.
func TestTracesThatMustBeFolded(t *testing.T) {
	var spans []schema.Span
	want := map[schema.TraceID]bool{}
	add := func(folded bool, rows ...schema.Span) {
		id := schema.TraceID{0: byte(len(want) + 1)}
		want[id] = folded
		for i := range rows {
			rows[i].TraceID, rows[i].StartNanos = id, day+uint64(i)
		}
		spans = append(spans, rows...)
	}
	a, b := schema.SpanID{1}, schema.SpanID{2}
	add(true, schema.Span{SpanID: a})
	add(true, schema.Span{SpanID: a}, schema.Span{SpanID: b})
	add(false, schema.Span{SpanID: a}, schema.Span{SpanID: b}, schema.Span{SpanID: a})
	add(false, schema.Span{SpanID: a, Kind: 2}, schema.Span{SpanID: a, Kind: 3}) // not told apart
	add(false, schema.Span{SpanID: a, Fragment: schema.FragmentUpdate}, schema.Span{SpanID: b})
	many := make([]schema.Span, 300)
	for i := range many {
		binary.BigEndian.PutUint64(many[i].SpanID[:], uint64(i+1))
	}
	add(true, slices.Clone(many)...)
	many[299].SpanID = many[0].SpanID
	add(false, many...)

	o := encode(t, spans)
	require.True(t, o.Open)
	r, _ := open(t, o)
	hits, err := find(t.Context(), r, always())
	require.NoError(t, err)
	require.Len(t, hits, len(want))
	for _, hit := range hits {
		require.Equal(t, want[hit.ID], hit.Folded, hit.ID)
	}
	require.False(t, encode(t, spans[:1]).Open)
}

func TestContentStandsInFrames(t *testing.T) {
	value := func(i int) string { return fmt.Sprintf("%0136d", i) }
	o := encode(t, rowsWith(5000, func(i int) []byte { return text("content", value(i)) }))
	content := columnOf(t, o, "span.content")
	require.Equal(t, 2, content.Pages)
	require.Equal(t, 5000, content.Entries)
	require.Equal(t, (5000*140+64<<10-1)/(64<<10), content.Frames)
	require.Zero(t, columnOf(t, o, block.ColumnShape).Frames)
}

// TestBoundsAreSigned is about what other readers skip row groups by.
func TestBoundsAreSigned(t *testing.T) {
	spans := rowsWith(100, func(i int) []byte { return slices.Concat(number("few", int64(i%3-1)), number("many", int64(i-50))) })
	for i := range spans {
		spans[i].EndNanos = spans[i].StartNanos + uint64(i) - 10
	}
	o := encode(t, spans)
	_, f := readParquet(t, o.Data)
	for name, want := range map[string][2]int64{"span.few:int": {-1, 1}, "span.many:int": {-50, 49}, block.ColumnDuration: {-10, 89}} {
		low, high := bounds(t, f, 0, name)
		require.Equal(t, want[0], int64(binary.LittleEndian.Uint64(low)), name)
		require.Equal(t, want[1], int64(binary.LittleEndian.Uint64(high)), name)
	}
}
