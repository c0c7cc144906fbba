package otlp_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

func TestFromJSONAgreesWithTheCollector(t *testing.T) {
	requireSame := func(t *testing.T, body []byte) {
		t.Helper()
		want, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(body)
		require.NoError(t, err)
		wantWire, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(want)
		require.NoError(t, err)
		got, err := otlp.FromJSON(body)
		require.NoError(t, err)
		require.Equal(t, spansOf(t, wantWire), spansOf(t, got))
	}
	for name, body := range captures(t, ".json") {
		t.Run(name, func(t *testing.T) { requireSame(t, body) })
	}
	for seed := range uint64(200) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			body := jsonRequest(t, seed)
			if bytes.Contains(body, []byte("NaN")) || bytes.Contains(body, []byte("Infinity")) {
				return // its reader does not take what its writer makes of these
			}
			requireSame(t, body)
		})
	}
}

// jsonRequest is a generated request as the collector writes it.
func jsonRequest(tb testing.TB, seed uint64) []byte {
	tb.Helper()
	td := newGenerator(seed).traces()
	forEachSpan(td, func(s *tracepb.Span) {
		s.Kind = max(s.GetKind(), 0)
		for _, l := range s.GetLinks() {
			l.TraceId, l.SpanId = nil, nil // the collector takes valid ids only
		}
	})
	traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(marshal(tb, td))
	require.NoError(tb, err)
	body, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
	require.NoError(tb, err)
	return body
}

func forEachSpan(td *tracepb.TracesData, f func(*tracepb.Span)) {
	for _, rs := range td.GetResourceSpans() {
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				f(s)
			}
		}
	}
}

// spanFromJSON reads a request with one span that has the given members.
func spanFromJSON(t *testing.T, members string) (*tracepb.Span, error) {
	t.Helper()
	wire, err := otlp.FromJSON([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{` + members + `}]}]}]}`))
	if err != nil {
		return nil, err
	}
	return unmarshal(t, wire).GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()[0], nil
}

func TestFromJSONReadsEverySpelling(t *testing.T) {
	value := func(v *commonpb.AnyValue) *tracepb.Span {
		return &tracepb.Span{Attributes: []*commonpb.KeyValue{{Key: "k", Value: v}}}
	}
	integer := func(v int64) *tracepb.Span {
		return value(&commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: v}})
	}
	double := func(v float64) *tracepb.Span {
		return value(&commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: v}})
	}
	raw := value(&commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte{0xfb, 0xef, 0xff, 1}}})
	attr := func(v string) string { return `"attributes":[{"key":"k","value":{` + v + `}}]` }
	tests := []struct {
		name, members string
		want          *tracepb.Span
	}{
		{"empty", ``, &tracepb.Span{}},
		{"hex of either case", `"traceId":"0aFF","spanId":"Ab"`, &tracepb.Span{TraceId: []byte{0x0a, 0xff}, SpanId: []byte{0xab}}},
		{"snake case", `"trace_id":"01","start_time_unix_nano":"5","dropped_events_count":2`, &tracepb.Span{TraceId: []byte{1}, StartTimeUnixNano: 5, DroppedEventsCount: 2}},
		{"numbers as numbers", `"startTimeUnixNano":1795243278421182036,"flags":257`, &tracepb.Span{StartTimeUnixNano: 1795243278421182036, Flags: 257}},
		{"numbers as text", `"endTimeUnixNano":"18446744073709551615","flags":"4294967295"`, &tracepb.Span{EndTimeUnixNano: math.MaxUint64, Flags: math.MaxUint32}},
		{"enum names", `"kind":"SPAN_KIND_CONSUMER","status":{"code":"STATUS_CODE_ERROR"}`, &tracepb.Span{Kind: 5, Status: &tracepb.Status{Code: 2}}},
		{"enum numbers", `"kind":3,"status":{"code":1,"message":"m"}`, &tracepb.Span{Kind: 3, Status: &tracepb.Status{Code: 1, Message: "m"}}},
		{"unknown enum number", `"kind":-7`, &tracepb.Span{Kind: -7}},
		{"nulls", `"traceId":null,"status":null,"attributes":null,"events":[null,{"name":null}],"kind":null`, &tracepb.Span{Events: []*tracepb.Span_Event{{}}}},
		{"unknown members", `"x":{"a":[1,-2.5e3,"\u00e9",true,false,null,{}],"b":{}},"name":"n","":[]`, &tracepb.Span{Name: "n"}},
		{"a member twice", `"name":"a","name":"b"`, &tracepb.Span{Name: "b"}},
		{"space", " \t\r\n\"name\" \n:\t\"n\" ", &tracepb.Span{Name: "n"}},
		{"escapes", `"name":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u0000x\uD83Dy\ude00z"`, &tracepb.Span{Name: "\"\\/\b\f\n\r\té😀\x00x\ufffdy\ufffdz"}},
		{"largest int", attr(`"intValue":"9223372036854775807"`), integer(math.MaxInt64)},
		{"smallest int", attr(`"intValue":-9223372036854775808`), integer(math.MinInt64)},
		{"int with exponent", attr(`"intValue":9.007199254740993E15`), integer(1<<53 + 1)},
		{"int with fraction", attr(`"intValue":"-120.00e-1"`), integer(-12)},
		{"int zero with exponent", attr(`"intValue":0.0e99999`), integer(0)},
		{"double", attr(`"doubleValue":-1.5e-3`), double(-0.0015)},
		{"double as text", attr(`"doubleValue":"2"`), double(2)},
		{"infinity", attr(`"doubleValue":"-Infinity"`), double(math.Inf(-1))},
		{"bytes", attr(`"bytesValue":"++//AQ=="`), raw},
		{"bytes of the other alphabet", attr(`"bytesValue":"--__AQ"`), raw},
		{"bool", attr(`"boolValue":false`), value(&commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{}})},
		{"empty value", attr(``), value(&commonpb.AnyValue{})},
		{"null value", attr(`"stringValue":null`), value(&commonpb.AnyValue{})},
		{"null in a list", attr(`"arrayValue":{"values":[null,{"intValue":1}]}`), value(&commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{
			Values: []*commonpb.AnyValue{{}, {Value: &commonpb.AnyValue_IntValue{IntValue: 1}}},
		}}})},
		{"list in a map", attr(`"kvlistValue":{"values":[{"key":"a"},{"key":"a"}]}`), value(&commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{
			Values: []*commonpb.KeyValue{{Key: "a"}, {Key: "a"}},
		}}})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := spanFromJSON(t, tt.members)
			require.NoError(t, err)
			require.Equal(t, string(marshal(t, tt.want)), string(marshal(t, got)))
		})
	}
	got, err := spanFromJSON(t, attr(`"doubleValue":"NaN"`))
	require.NoError(t, err)
	require.True(t, math.IsNaN(got.GetAttributes()[0].GetValue().GetDoubleValue()))
}

func TestFromJSONRefusesWhatIsNotARequest(t *testing.T) {
	in := func(members string) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[{` + members + `}]}]}]}`
	}
	attr := func(v string) string { return in(`"attributes":[{"value":{` + v + `}}]`) }
	tests := []struct{ name, body, text string }{
		{"empty", ``, "byte 0"},
		{"null", `null`, "byte 0"},
		{"list", `[]`, "byte 0"},
		{"protobuf", "\x0a\x00", "byte 1"},
		{"not closed", `{"resourceSpans":[`, "byte 18"},
		{"text behind", `{} {}`, "byte 3: text after the end"},
		{"comma at the end", `{"a":1,}`, "byte 7"},
		{"two commas", `{"a":[1,,2]}`, "byte 8"},
		{"no colon", `{"a" 1}`, "byte 5: want :"},
		{"no comma", `{"a":1 "b":2}`, "byte 7"},
		{"name without quotes", `{a:1}`, "byte 1"},
		{"object for a list", `{"resourceSpans":{}}`, "byte 17"},
		{"list for an object", `{"resourceSpans":[[]]}`, "byte 18"},
		{"number for text", in(`"name":1`), "want a string"},
		{"bad hex", in(`"traceId":"0x"`), "invalid byte"},
		{"odd hex", in(`"traceId":"abc"`), "odd length"},
		{"bad base64", attr(`"bytesValue":"*"`), "illegal base64"},
		{"unknown enum name", in(`"kind":"SERVER"`), "the value of kind"},
		{"fraction for an integer", attr(`"intValue":1.5`), "the value of intValue"},
		{"integer out of range", attr(`"intValue":"9223372036854775808"`), "the value of intValue"},
		{"huge exponent", attr(`"intValue":1e999999999999999999999`), "the value of intValue"},
		{"negative time", in(`"startTimeUnixNano":-1`), "the value of startTimeUnixNano"},
		{"flags out of range", in(`"flags":4294967296`), "the value of flags"},
		{"empty number", in(`"flags":""`), "the value of flags"},
		{"spaces in a number", in(`"flags":" 1"`), "the value of flags"},
		{"bool as text", attr(`"boolValue":"true"`), "the value of boolValue"},
		{"bool as number", attr(`"boolValue":1`), "the value of boolValue"},
		{"double out of range", attr(`"doubleValue":1e999`), "the value of doubleValue"},
		{"double as hex", attr(`"doubleValue":"0x1p4"`), "the value of doubleValue"},
		{"NaN without quotes", attr(`"doubleValue":NaN`), "want a value"},
		{"leading zero", in(`"flags":01`), "want ,"},
		{"leading plus", in(`"flags":+1`), "want a value"},
		{"bare point", in(`"flags":1.`), "want a value"},
		{"bare exponent", in(`"flags":1e`), "want a value"},
		{"bad literal", `{"a":nul}`, "byte 5"},
		{"bad escape", in(`"name":"\x"`), "a bad escape"},
		{"short unicode escape", in(`"name":"\u12"`), "a bad escape"},
		{"bad unicode escape", in(`"name":"\u12g4"`), "a bad escape"},
		{"control character", in("\"name\":\"a\nb\""), "a control character"},
		{"text without an end", `{"resourceSpans\"`, "without an end"},
		{"backslash at the end", `{"resourceSpans\`, "without an end"},
		{"unknown and too deep", `{"a":` + strings.Repeat("[", 100_000), "nested too deeply"},
		{"too deep", attr(strings.Repeat(`"arrayValue":{"values":[{`, 100_000)), "nested too deeply"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := otlp.FromJSON([]byte(tt.body))
			require.ErrorIs(t, err, otlp.ErrMalformed)
			require.ErrorContains(t, err, tt.text)
			require.ErrorContains(t, err, "json at byte ")
		})
	}
}

func TestFromJSONLeavesBadSpansToSplit(t *testing.T) {
	depth := otlp.MaxDepth + 1
	deep := strings.Repeat(`{"arrayValue":{"values":[`, depth-1) + `{"boolValue":true}` + strings.Repeat(`]}}`, depth-1)
	wire, err := otlp.FromJSON([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[
		{"traceId":"01020304","spanId":"0102030405060708","name":"short"},
		{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"good"},
		{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","attributes":[{"key":"k","value":` + deep + `}]}
	]}]}]}`))
	require.NoError(t, err)
	var s otlp.Splitter
	split, err := s.Split(wire, partitions, 1<<20)
	require.NoError(t, err)
	require.Equal(t, 1, split.Spans)
	require.Equal(t, 2, split.Rejected)
	require.Equal(t, `span "short" in resource 0: trace id has 4 bytes, want 16`, split.Reason)
}

func TestFromJSONKeepsBytesThatAreNotUTF8(t *testing.T) {
	wire, err := otlp.FromJSON([]byte("{\"resourceSpans\":[{\"schemaUrl\":\"a\xff\\n\xfe\"}]}"))
	require.NoError(t, err)
	require.Equal(t, field(1, field(3, []byte("a\xff\n\xfe"))), wire)
}

func TestAppendTracesJSON(t *testing.T) {
	attr := func(v schema.Value) []byte { return otlp.AppendKeyValue(nil, 9, "k", v) }
	inSpan := func(members string) string {
		return `{"batches":[{"scopeSpans":[{"spans":[{"traceId":"AQEBAQEBAQEBAQEBAQEBAQ==","spanId":"AgICAgICAgI="` + members + `}]}]}]}`
	}
	tests := []struct {
		name string
		wire []byte
		want string
	}{
		{"nothing", nil, `{}`},
		{"empty messages", field(1, join(field(1, nil), field(2, field(1, nil)))), `{"batches":[{"resource":{},"scopeSpans":[{"scope":{}}]}]}`},
		{"enums", request(span("", join([]byte{0x30, 2}, field(15, []byte{0x18, 2}))...)), inSpan(`,"kind":"SPAN_KIND_SERVER","status":{"code":"STATUS_CODE_ERROR"}`)},
		{"unknown enums", request(span("", join([]byte{0x30, 77}, field(15, []byte{0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}))...)), inSpan(`,"kind":77,"status":{"code":-1}`)},
		{"zeros", request(span("", join([]byte{0x30, 0}, field(15, nil), []byte{0x39, 0, 0, 0, 0, 0, 0, 0, 0}, []byte{0x50, 0})...)), inSpan(`,"status":{}`)},
		{"numbers", request(span("", join([]byte{0x39, 1, 0, 0, 0, 0, 0, 0, 0x80}, []byte{0x50, 7}, []byte{0x85, 0x01, 0xff, 0xff, 0xff, 0xff})...)), inSpan(`,"startTimeUnixNano":"9223372036854775809","droppedAttributesCount":7,"flags":4294967295`)},
		{"text", request(span("a\"\\/<\x00\n\r\t\x1f\xffé\xe2\x82\u2028")), inSpan(`,"name":"a\"\\/<\u0000\n\r\t\u001f` + "\ufffdé\ufffd\u2028" + `"`)},
		{"zero string", request(span("", attr(schema.Value{Kind: schema.KindString})...)), inSpan(`,"attributes":[{"key":"k","value":{"stringValue":""}}]`)},
		{"zero int", request(span("", attr(schema.Value{Kind: schema.KindInt})...)), inSpan(`,"attributes":[{"key":"k","value":{"intValue":"0"}}]`)},
		{"zero bool", request(span("", attr(schema.Value{Kind: schema.KindBool})...)), inSpan(`,"attributes":[{"key":"k","value":{"boolValue":false}}]`)},
		{"zero double", request(span("", attr(schema.Value{Kind: schema.KindDouble})...)), inSpan(`,"attributes":[{"key":"k","value":{"doubleValue":0}}]`)},
		{"zero bytes", request(span("", attr(schema.Value{Kind: schema.KindBytes})...)), inSpan(`,"attributes":[{"key":"k","value":{"bytesValue":""}}]`)},
		{"empty list", request(span("", attr(schema.Value{Kind: schema.KindArray})...)), inSpan(`,"attributes":[{"key":"k","value":{"arrayValue":{}}}]`)},
		{"empty map", request(span("", attr(schema.Value{Kind: schema.KindMap})...)), inSpan(`,"attributes":[{"key":"k","value":{"kvlistValue":{}}}]`)},
		{"empty value", request(span("", attr(schema.Value{})...)), inSpan(`,"attributes":[{"key":"k","value":{}}]`)},
		{"no value", request(span("", field(9, nil)...)), inSpan(`,"attributes":[{}]`)},
		{"NaN", request(span("", attr(schema.Value{Kind: schema.KindDouble, Double: math.NaN()})...)), inSpan(`,"attributes":[{"key":"k","value":{"doubleValue":"NaN"}}]`)},
		{"large double", request(span("", attr(schema.Value{Kind: schema.KindDouble, Double: -1e300})...)), inSpan(`,"attributes":[{"key":"k","value":{"doubleValue":-1e+300}}]`)},
		{"last of a oneof", request(span("", attribute(9, join(field(1, []byte("a")), []byte{0x18, 5}))...)), inSpan(`,"attributes":[{"key":"k","value":{"intValue":"5"}}]`)},
		{"list, other, list", request(span("", attribute(9, join(field(5, field(1, nil)), []byte{0x18, 5}, field(5, nil)))...)), inSpan(`,"attributes":[{"key":"k","value":{"arrayValue":{}}}]`)},
		{"parts and unknown fields", request(span("", join(attribute(9, nil), field(15, []byte{0x18, 1}), field(99, []byte("u")), attribute(9, nil), field(15, field(2, []byte("m"))))...)), inSpan(`,"attributes":[{"key":"k","value":{}},{"key":"k","value":{}}],"status":{"message":"m","code":"STATUS_CODE_OK"}`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := otlp.AppendTracesJSON([]byte("before"), tt.wire, "batches")
			require.NoError(t, err)
			require.Equal(t, "before"+tt.want, string(got))
		})
	}
}

func TestAppendTracesJSONRefusesMalformedTraces(t *testing.T) {
	for name, wire := range map[string][]byte{
		"text":      []byte("not a message"),
		"wrong":     request(span("a", 0x28, 1)),
		"cut off":   request(span("a", attribute(9, []byte{0x0a, 5})...)),
		"in a list": request(span("a", field(11, []byte{0x0a, 5})...)),
		"too deep":  request(span("a", attribute(9, nested(otlp.MaxDepth+1))...)),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := otlp.AppendTracesJSON([]byte("before"), wire, "batches")
			require.ErrorIs(t, err, otlp.ErrMalformed)
			require.Equal(t, "before", string(got))
		})
	}
	_, err := otlp.AppendTracesJSON(nil, request(span("a", attribute(9, nested(otlp.MaxDepth))...)), "batches")
	require.NoError(t, err)
}
