package otlp_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

const partitions = 4

// captures returns the recorded requests with the given extension, by file name.
func captures(tb testing.TB, ext string) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob("testdata/*" + ext)
	require.NoError(tb, err)
	require.NotEmpty(tb, files)
	out := make(map[string][]byte)
	for _, f := range files {
		body, err := os.ReadFile(f)
		require.NoError(tb, err)
		out[filepath.Base(f)] = body
	}
	return out
}

func marshal(tb testing.TB, m proto.Message) []byte {
	tb.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	require.NoError(tb, err)
	return b
}

func unmarshal(tb testing.TB, wire []byte) *tracepb.TracesData {
	tb.Helper()
	td := &tracepb.TracesData{}
	require.NoError(tb, proto.Unmarshal(wire, td))
	return td
}

// spansOf reads wire with the reference implementation and returns its spans,
// each with its resource and scope and with nothing absent, as sorted text:
// equal lists mean equal requests whatever their grouping.
func spansOf(tb testing.TB, wires ...[]byte) []string {
	tb.Helper()
	var out []string
	for _, wire := range wires {
		for _, rs := range unmarshal(tb, wire).GetResourceSpans() {
			scopes := rs.GetScopeSpans()
			rs.ScopeSpans = nil
			if rs.Resource == nil {
				rs.Resource = &resourcepb.Resource{}
			}
			for _, ss := range scopes {
				spans := ss.GetSpans()
				ss.Spans = nil
				if ss.Scope == nil {
					ss.Scope = &commonpb.InstrumentationScope{}
				}
				for _, s := range spans {
					if s.Status == nil {
						s.Status = &tracepb.Status{}
					}
					out = append(out, strings.Join([]string{
						string(marshal(tb, rs)), string(marshal(tb, ss)), string(marshal(tb, s)),
					}, "\x00|\x00"))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// wireOf writes a chunk, behind other bytes.
func wireOf(tb testing.TB, c otlp.Chunk) []byte {
	tb.Helper()
	wire := c.AppendTo([]byte("before"))
	require.Equal(tb, "before", string(wire[:6]))
	require.Len(tb, wire[6:], c.Size)
	return wire[6:]
}

func wiresOf(tb testing.TB, chunks []otlp.Chunk) [][]byte {
	tb.Helper()
	var out [][]byte
	for _, c := range chunks {
		out = append(out, wireOf(tb, c))
	}
	return out
}

// decodeAll decodes every chunk.
func decodeAll(tb testing.TB, d *otlp.Decoder, chunks []otlp.Chunk) []schema.Span {
	tb.Helper()
	var rows []schema.Span
	for i, c := range chunks {
		before := len(rows)
		var err error
		rows, err = d.Decode(wireOf(tb, c), uint64(i+1), rows)
		require.NoError(tb, err)
		require.Len(tb, rows[before:], c.Spans)
		for _, row := range rows[before:] {
			require.Equal(tb, c.Partition, row.TraceID.Partition(partitions))
			require.Equal(tb, uint64(i+1), row.Position)
		}
	}
	return rows
}

// generator makes valid requests.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 1))} }

func (g generator) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(1 + g.IntN(255))
	}
	return b
}

func (g generator) text() string {
	words := []string{"", "a", "http.route", "GET /x", "日本語", "quote\"back\\slash", "line\nbreak\x01", "<html>&\u2028", "😀", strings.Repeat("long ", 60)}
	return words[g.IntN(len(words))]
}

func (g generator) value(depth int) *commonpb.AnyValue {
	switch n := g.IntN(10); {
	case n == 0:
		return &commonpb.AnyValue{}
	case n == 1:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: g.IntN(2) == 0}}
	case n == 2:
		ints := []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 1<<53 + 1}
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: ints[g.IntN(len(ints))]}}
	case n == 3:
		doubles := []float64{0, math.Copysign(0, -1), 1.5, -2e-7, 1e21, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN()}
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: doubles[g.IntN(len(doubles))]}}
	case n == 4:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: g.bytes(g.IntN(5))}}
	case n == 5 && depth < 5:
		list := &commonpb.ArrayValue{}
		for range g.IntN(4) {
			list.Values = append(list.Values, g.value(depth+1))
		}
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: list}}
	case n == 6 && depth < 5:
		list := &commonpb.KeyValueList{Values: g.attributes(depth + 1)}
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: list}}
	}
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: g.text()}}
}

func (g generator) attributes(depth int) []*commonpb.KeyValue {
	var out []*commonpb.KeyValue
	for range g.IntN(5) {
		kv := &commonpb.KeyValue{Key: g.text(), Value: g.value(depth)}
		if g.IntN(20) == 0 {
			kv.Value = nil
		}
		out = append(out, kv)
	}
	return out
}

func (g generator) span() *tracepb.Span {
	s := &tracepb.Span{
		TraceId: g.bytes(16), SpanId: g.bytes(8), Name: g.text(), TraceState: g.text(),
		Kind: tracepb.Span_SpanKind(g.IntN(9) - 1), StartTimeUnixNano: g.Uint64(), EndTimeUnixNano: g.Uint64() >> 30,
		Attributes: g.attributes(0), Flags: g.Uint32N(3), DroppedLinksCount: g.Uint32N(2), DroppedAttributesCount: g.Uint32N(2),
	}
	if g.IntN(2) == 0 {
		s.ParentSpanId = g.bytes(8)
	}
	if g.IntN(2) == 0 {
		s.Status = &tracepb.Status{Message: g.text(), Code: tracepb.Status_StatusCode(g.IntN(4))}
	}
	for range g.IntN(3) {
		s.Events = append(s.Events, &tracepb.Span_Event{TimeUnixNano: g.Uint64(), Name: g.text(), Attributes: g.attributes(0), DroppedAttributesCount: g.Uint32N(2)})
		s.Links = append(s.Links, &tracepb.Span_Link{TraceId: g.bytes(g.IntN(20)), SpanId: g.bytes(8), TraceState: g.text(), Attributes: g.attributes(0), Flags: g.Uint32N(9)})
	}
	return s
}

func (g generator) traces() *tracepb.TracesData {
	td := &tracepb.TracesData{}
	for range g.IntN(4) {
		rs := &tracepb.ResourceSpans{SchemaUrl: g.text()}
		if g.IntN(4) > 0 {
			rs.Resource = &resourcepb.Resource{
				Attributes: g.attributes(0), DroppedAttributesCount: g.Uint32N(2),
				EntityRefs: []*commonpb.EntityRef{{Type: "host", IdKeys: []string{"a", "b"}}},
			}
		}
		for range g.IntN(3) {
			ss := &tracepb.ScopeSpans{SchemaUrl: g.text()}
			if g.IntN(4) > 0 {
				ss.Scope = &commonpb.InstrumentationScope{Name: g.text(), Version: g.text(), Attributes: g.attributes(0)}
			}
			for range g.IntN(5) {
				ss.Spans = append(ss.Spans, g.span())
			}
			rs.ScopeSpans = append(rs.ScopeSpans, ss)
		}
		td.ResourceSpans = append(td.ResourceSpans, rs)
	}
	return td
}

// scramble writes the same message differently: fields in any order, singular
// sub-messages in parts, unknown fields of every wire type in between.
func (g generator) scramble(tb testing.TB, wire []byte, md protoreflect.MessageDescriptor) []byte {
	tb.Helper()
	byNumber := make(map[protowire.Number][][]byte)
	var order []protowire.Number
	for len(wire) > 0 {
		num, typ, n := protowire.ConsumeTag(wire)
		size := protowire.ConsumeFieldValue(num, typ, wire[n:])
		require.GreaterOrEqual(tb, size, 0)
		fd := md.Fields().ByNumber(num)
		if fd == nil || fd.Message() == nil {
			byNumber[num] = append(byNumber[num], wire[:n+size])
			order = append(order, num)
		} else {
			body, _ := protowire.ConsumeBytes(wire[n:])
			for _, part := range g.parts(tb, g.scramble(tb, body, fd.Message()), fd.IsList()) {
				byNumber[num] = append(byNumber[num], protowire.AppendBytes(protowire.AppendTag(nil, num, typ), part))
				order = append(order, num)
			}
		}
		wire = wire[n+size:]
	}
	g.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	var out []byte
	for _, num := range order {
		out = append(out, byNumber[num][0]...)
		byNumber[num] = byNumber[num][1:]
		if g.IntN(6) == 0 {
			out = append(out, g.unknown()...)
		}
	}
	return out
}

// parts cuts a message in two between its fields, now and then.
func (g generator) parts(tb testing.TB, body []byte, isList bool) [][]byte {
	tb.Helper()
	if isList || g.IntN(3) > 0 || len(body) == 0 {
		return [][]byte{body}
	}
	_, _, size := protowire.ConsumeField(body)
	require.GreaterOrEqual(tb, size, 0)
	return [][]byte{body[:size], body[size:]}
}

func (g generator) unknown() []byte {
	num := protowire.Number(100 + g.IntN(100000))
	switch g.IntN(5) {
	case 0:
		return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), g.Uint64())
	case 1:
		return protowire.AppendFixed32(protowire.AppendTag(nil, num, protowire.Fixed32Type), g.Uint32())
	case 2:
		return protowire.AppendFixed64(protowire.AppendTag(nil, num, protowire.Fixed64Type), g.Uint64())
	case 3:
		inner := protowire.AppendGroup(protowire.AppendTag(nil, 7, protowire.StartGroupType), 7, []byte{8, 1})
		return protowire.AppendGroup(protowire.AppendTag(nil, num, protowire.StartGroupType), num, inner)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), g.bytes(g.IntN(200)))
}

func (g generator) scrambledTraces(tb testing.TB) []byte {
	tb.Helper()
	td := g.traces()
	return g.scramble(tb, marshal(tb, td), td.ProtoReflect().Descriptor())
}

// nested is an AnyValue of the given depth.
func nested(depth int) []byte {
	v := otlp.AppendValue(nil, schema.Value{Kind: schema.KindString, Str: "x"})
	size := len(v)
	var heads [][]byte // of the arrays, from the inside out
	for range depth - 1 {
		list := protowire.AppendVarint([]byte{0x0a}, uint64(size))
		head := protowire.AppendVarint([]byte{0x2a}, uint64(len(list)+size))
		heads = append(heads, append(head, list...))
		size += len(heads[len(heads)-1])
	}
	slices.Reverse(heads)
	return append(bytes.Join(heads, nil), v...)
}

// request wraps Span messages in one resource and scope.
func request(spans ...[]byte) []byte {
	var ss []byte
	for _, s := range spans {
		ss = protowire.AppendBytes(append(ss, 0x12), s)
	}
	rs := protowire.AppendBytes([]byte{0x12}, ss)
	return protowire.AppendBytes([]byte{0x0a}, rs)
}

// span is a valid Span message named name, with extra fields behind it.
func span(name string, extra ...byte) []byte {
	b := protowire.AppendBytes([]byte{0x0a}, bytes.Repeat([]byte{1}, 16))
	b = protowire.AppendBytes(append(b, 0x12), bytes.Repeat([]byte{2}, 8))
	b = protowire.AppendString(append(b, 0x2a), name)
	return append(b, extra...)
}

// fieldsNumbered returns the contents of the length-delimited fields num of b.
func fieldsNumbered(b []byte, num protowire.Number) [][]byte {
	var out [][]byte
	for len(b) > 0 {
		n, typ, size := protowire.ConsumeField(b)
		if size < 0 {
			break
		}
		if n == num && typ == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(b)
			body, _ := protowire.ConsumeBytes(b[tag:])
			out = append(out, body)
		}
		b = b[size:]
	}
	return out
}
