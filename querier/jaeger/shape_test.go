package jaeger

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// rowsOf are the rows of traces.
func rowsOf(t *testing.T, traces ptrace.Traces) []schema.Span {
	t.Helper()
	body, err := new(ptrace.ProtoMarshaler).MarshalTraces(traces)
	require.NoError(t, err)
	rows, err := otlp.NewDecoder().Decode(body, 1, nil)
	require.NoError(t, err)
	return rows
}

// A trace looks as Jaeger's own answers do.
func TestShape(t *testing.T) {
	traces := ptrace.NewTraces()
	const begin, ms = 1_700_000_000_000_000_000, 1_000_000
	for i, service := range []string{"shop", "bank", "shop"} {
		resource := traces.ResourceSpans().AppendEmpty()
		resource.Resource().Attributes().PutStr("service.name", service)
		resource.Resource().Attributes().PutStr("host.name", "h")
		span := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetTraceID([16]byte{8: 1, 15: 2})
		span.SetSpanID([8]byte{7: byte(i + 1)})
		span.SetName("op")
		span.SetStartTimestamp(begin + pcommon.Timestamp(10-i)*ms)
		span.SetEndTimestamp(begin + 20*ms + 999)
	}
	first := traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	first.SetParentSpanID([8]byte{7: 9})
	first.SetFlags(1)
	first.SetKind(ptrace.SpanKindServer)
	first.Status().SetCode(ptrace.StatusCodeError)
	link := first.Links().AppendEmpty()
	link.SetTraceID([16]byte{0: 1})
	link.SetSpanID([8]byte{0: 1})
	a := first.Attributes()
	a.PutInt("large", math.MaxInt64)
	a.PutInt("safe", -maxSafe)
	a.PutDouble("nan", math.NaN())
	a.PutBool("yes", true)
	a.PutEmptyBytes("bytes").FromRaw([]byte{1, 2})
	a.PutEmptyBytes("none")
	a.PutEmptySlice("list").AppendEmpty().SetStr("x")
	event := first.Events().AppendEmpty()
	event.SetName("retry")
	event.SetTimestamp(begin + 11*ms)
	event.Attributes().PutInt("attempt", 2)
	traces.ResourceSpans().At(1).ScopeSpans().At(0).Spans().At(0).SetEndTimestamp(begin) // before it begins

	shown, err := traceOf(rowsOf(t, traces), false)
	require.NoError(t, err)
	body, err := json.Marshal(shown)
	require.NoError(t, err)
	require.JSONEq(t, `{"traceID":"0100000000000002","warnings":["the trace is too large to be shown as a whole: these are its first spans"],
		"processes":{
			"p1":{"serviceName":"shop","tags":[{"key":"host.name","type":"string","value":"h"}]},
			"p2":{"serviceName":"bank","tags":[{"key":"host.name","type":"string","value":"h"}]}},
		"spans":[
			{"traceID":"0100000000000002","spanID":"0000000000000003","operationName":"op","references":[],"startTime":1700000000008000,"duration":12000,"tags":[],"logs":[],"processID":"p1","warnings":null},
			{"traceID":"0100000000000002","spanID":"0000000000000002","operationName":"op","references":[],"startTime":1700000000009000,"duration":0,"tags":[],"logs":[],"processID":"p2","warnings":null},
			{"traceID":"0100000000000002","spanID":"0000000000000001","flags":1,"operationName":"op",
				"references":[{"refType":"CHILD_OF","traceID":"0100000000000002","spanID":"0000000000000009"},{"refType":"FOLLOWS_FROM","traceID":"01000000000000000000000000000000","spanID":"0100000000000000"}],
				"startTime":1700000000010000,"duration":10000,
				"tags":[{"key":"large","type":"int64","value":"9223372036854775807"},{"key":"safe","type":"int64","value":-9007199254740991},{"key":"nan","type":"float64","value":"NaN"},
					{"key":"yes","type":"bool","value":true},{"key":"bytes","type":"binary","value":"AQI="},{"key":"none","type":"binary","value":""},{"key":"list","type":"string","value":"[\"x\"]"},
					{"key":"span.kind","type":"string","value":"server"},{"key":"otel.status_code","type":"string","value":"ERROR"},{"key":"error","type":"bool","value":true}],
				"logs":[{"timestamp":1700000000011000,"fields":[{"key":"event","type":"string","value":"retry"},{"key":"attempt","type":"int64","value":2}]}],
				"processID":"p1","warnings":null}]}`, string(body))
}

// A call is a span whose parent is of another service.
func TestCount(t *testing.T) {
	shop, bank, none := &schema.Resource{ServiceName: "shop"}, &schema.Resource{ServiceName: "bank"}, &schema.Resource{}
	id := func(n byte) schema.SpanID { return schema.SpanID{7: n} }
	for _, tt := range []struct {
		name  string
		spans []schema.Span
		want  map[link]int
	}{
		{"two calls, and one within", []schema.Span{
			{SpanID: id(1), Resource: shop},
			{SpanID: id(2), ParentSpanID: id(1), Resource: shop},
			{SpanID: id(3), ParentSpanID: id(2), Resource: bank},
			{SpanID: id(4), ParentSpanID: id(1), Resource: bank},
		}, map[link]int{{"shop", "bank"}: 2}},
		{"one that is called back", []schema.Span{
			{SpanID: id(1), Resource: shop}, {SpanID: id(2), ParentSpanID: id(1), Resource: bank}, {SpanID: id(3), ParentSpanID: id(2), Resource: shop},
		}, map[link]int{{"shop", "bank"}: 1, {"bank", "shop"}: 1}},
		{"a parent that is not there, and one without a name", []schema.Span{
			{SpanID: id(1), ParentSpanID: id(9), Resource: bank}, {SpanID: id(2), Resource: none}, {SpanID: id(3), ParentSpanID: id(2), Resource: bank}, {SpanID: id(4), ParentSpanID: id(1), Resource: none},
		}, map[link]int{}},
		{"a client and a server with one id", []schema.Span{
			{SpanID: id(1), Resource: shop, Kind: kindClient}, {SpanID: id(1), Resource: bank, Kind: kindServer}, {SpanID: id(2), ParentSpanID: id(1), Resource: bank},
		}, map[link]int{{"shop", "bank"}: 1}},
	} {
		got := make(map[link]int)
		count(got, tt.spans)
		require.Equal(t, tt.want, got, tt.name)
	}
}

// An answer is as large as it may be, and no larger.
func TestReplyLimit(t *testing.T) {
	body, err := json.Marshal(&shownTrace{})
	require.NoError(t, err)
	list := traceList{bytes: maxReplyBytes - len(body)}
	require.NoError(t, list.add(&shownTrace{}))
	require.ErrorContains(t, list.add(&shownTrace{}), "ask for fewer at once with limit")
	require.Len(t, list.data, 1)
}
