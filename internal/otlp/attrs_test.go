package otlp_test

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

var sampleAttributes = []schema.Attribute{
	{Key: "s", Value: schema.Value{Kind: schema.KindString, Str: "text\xff"}},
	{Key: "s", Value: schema.Value{Kind: schema.KindString}},
	{Key: "", Value: schema.Value{Kind: schema.KindEmpty}},
	{Key: "b", Value: schema.Value{Kind: schema.KindBool, Bool: true}},
	{Key: "b0", Value: schema.Value{Kind: schema.KindBool}},
	{Key: "i", Value: schema.Value{Kind: schema.KindInt, Int: math.MinInt64}},
	{Key: "d", Value: schema.Value{Kind: schema.KindDouble, Double: -0.5}},
	{Key: "y", Value: schema.Value{Kind: schema.KindBytes, Str: string(bytes.Repeat([]byte{0}, 200))}},
	{Key: "a", Value: schema.Value{Kind: schema.KindArray, Array: []schema.Value{
		{Kind: schema.KindInt, Int: 1},
		{},
		{Kind: schema.KindArray, Array: []schema.Value{{Kind: schema.KindString, Str: "deep"}}},
	}}},
	{Key: "a0", Value: schema.Value{Kind: schema.KindArray}},
	{Key: "m", Value: schema.Value{Kind: schema.KindMap, Map: []schema.Attribute{
		{Key: "x", Value: schema.Value{Kind: schema.KindInt, Int: 1}},
		{Key: "x", Value: schema.Value{Kind: schema.KindInt, Int: 2}},
	}}},
}

func fragmentOf(num protowire.Number, attrs []schema.Attribute) []byte {
	var out []byte
	for _, a := range attrs {
		out = otlp.AppendKeyValue(out, num, a.Key, a.Value)
	}
	return out
}

func TestAttributesComeBackAsTheyWereAppended(t *testing.T) {
	link := join(field(1, []byte("t")), field(2, []byte("longer than a span id")), fragmentOf(4, sampleAttributes))
	event := join([]byte{0x09, 5, 0, 0, 0, 0, 0, 0, 0}, field(2, []byte("e")), fragmentOf(3, sampleAttributes))
	s := &schema.Span{
		Attributes: fragmentOf(9, sampleAttributes),
		Events:     join(field(11, event), field(11, nil)),
		Links:      join(field(13, link), field(13, nil)),
		Resource:   &schema.Resource{Wire: join(field(1, fragmentOf(1, sampleAttributes[:3])), field(3, nil), field(1, fragmentOf(1, sampleAttributes[3:])))},
		Scope:      &schema.Scope{Wire: field(1, fragmentOf(3, sampleAttributes))},
	}
	require.Equal(t, sampleAttributes, otlp.SpanAttributes(s))
	require.Equal(t, sampleAttributes, otlp.ResourceAttributes(s.Resource))
	require.Equal(t, sampleAttributes, otlp.ScopeAttributes(s.Scope))
	require.Equal(t, []otlp.Event{{TimeNanos: 5, Name: "e", Attributes: sampleAttributes}, {}}, slices.Collect(otlp.Events(s)))
	require.Equal(t, []otlp.Link{
		{TraceID: []byte("t"), SpanID: []byte("longer than a span id"), Attributes: sampleAttributes}, {},
	}, slices.Collect(otlp.Links(s)))

	var got []schema.Attribute
	for k, v := range otlp.Attributes(s.Attributes) {
		got = append(got, schema.Attribute{Key: k, Value: v})
	}
	require.Equal(t, sampleAttributes, got)
	for range otlp.Attributes(s.Attributes) {
		break
	}
	for range otlp.Events(s) {
		break
	}
	for range otlp.Links(s) {
		break
	}
}

func TestLookup(t *testing.T) {
	fields := fragmentOf(9, sampleAttributes)
	got, ok := otlp.Lookup(fields, "s")
	require.True(t, ok)
	require.Equal(t, sampleAttributes[0].Value, got, "the first of several counts")
	got, ok = otlp.Lookup(fields, "")
	require.True(t, ok)
	require.Zero(t, got)
	_, ok = otlp.Lookup(fields, "absent")
	require.False(t, ok)
	require.Zero(t, testing.AllocsPerRun(10, func() { otlp.Lookup(fields, "i") }))
}

func TestValuesFollowTheRulesOfProtobuf(t *testing.T) {
	str := func(s string) []byte { return field(1, []byte(s)) }
	array := func(s string) []byte { return field(5, field(1, str(s))) }
	kvs := func(kv ...[]byte) []byte { return field(9, join(kv...)) }
	text := func(s string) schema.Value { return schema.Value{Kind: schema.KindString, Str: s} }
	tests := []struct {
		name   string
		fields []byte
		key    string
		want   schema.Value
	}{
		{"value before key", kvs(field(2, str("v")), field(1, []byte("k"))), "k", text("v")},
		{"last key counts", kvs(field(1, []byte("j")), field(2, str("v")), field(1, []byte("k"))), "k", text("v")},
		{"no value", kvs(field(1, []byte("k"))), "k", schema.Value{}},
		{"last alternative counts", kvs(field(2, join([]byte{0x18, 5}, str("v")))), "", text("v")},
		{"value in parts", kvs(field(2, array("1")), field(2, array("2"))), "", schema.Value{Kind: schema.KindArray, Array: []schema.Value{text("1"), text("2")}}},
		{"array after another alternative", kvs(field(2, join(array("1"), []byte{0x18, 5}, array("2")))), "", schema.Value{Kind: schema.KindArray, Array: []schema.Value{text("2")}}},
		{"unknown field between", kvs(field(2, join(array("1"), field(99, nil), array("2")))), "", schema.Value{Kind: schema.KindArray, Array: []schema.Value{text("1"), text("2")}}},
		{"unknown alternative", kvs(field(2, []byte{0x40, 5})), "", schema.Value{}},
		{"wrong wire type", kvs(field(2, []byte{0x0d, 0, 0, 0, 0})), "", schema.Value{}},
		{"cut off", kvs(field(2, []byte{0x0a, 5})), "", schema.Value{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := bytes.Clone(tt.fields)
			got, ok := otlp.Lookup(tt.fields, tt.key)
			require.True(t, ok)
			require.Equal(t, tt.want, got)
			require.Equal(t, before, tt.fields)
		})
	}
	deep, ok := otlp.Lookup(kvs(field(2, nested(100_000))), "")
	require.True(t, ok)
	for depth := 1; deep.Kind == schema.KindArray; depth++ {
		require.Less(t, depth, otlp.MaxDepth+1)
		deep = deep.Array[0]
	}
	require.Equal(t, schema.KindEmpty, deep.Kind)
}
