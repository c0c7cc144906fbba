package ingester_test

import (
	"bytes"
	"net/http"
	"slices"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
	"github.com/stretchr/testify/require"
	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logsv1 "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

func logString(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

func logMap(pairs ...string) *commonpb.AnyValue {
	list := &commonpb.KeyValueList{}
	for i := 0; i < len(pairs); i += 2 {
		list.Values = append(list.Values, &commonpb.KeyValue{Key: pairs[i], Value: logString(pairs[i+1])})
	}
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: list}}
}

// wholeSpan is a span, as an exporter of traces sends it, in its rows' form.
func wholeSpan(id byte) schema.Span {
	return schema.Span{
		TraceID: schema.TraceID{1}, SpanID: schema.SpanID{id}, Name: "chat gpt", Kind: 3, StartNanos: 1_790_000_000_000_000_000, EndNanos: 1_790_000_000_000_001_000,
		Resource: otlp.NewResource(), Scope: otlp.NewScope("s", ""),
		Attributes: otlp.AppendAttribute(nil, "gen_ai.operation.name", schema.Value{Kind: schema.KindString, Str: "chat"}),
	}
}

// logsOf are the messages of a call, with records that are none among them.
func logsOf(id byte) *collectorlogs.ExportLogsServiceRequest {
	trace, span := schema.TraceID{1}, schema.SpanID{id}
	record := func(at uint64, event string, body *commonpb.AnyValue) *logsv1.LogRecord {
		return &logsv1.LogRecord{TimeUnixNano: at, EventName: event, TraceId: trace[:], SpanId: span[:], Body: body, SeverityNumber: 9}
	}
	old := record(0, "", logMap("content", "be short"))
	old.ObservedTimeUnixNano = 1
	old.Attributes = []*commonpb.KeyValue{{Key: "event.name", Value: logString("gen_ai.system.message")}, {Key: "gen_ai.system", Value: logString("openai")}}
	lost := record(1, "gen_ai.user.message", logMap("content", "whose?"))
	lost.SpanId = nil
	return &collectorlogs.ExportLogsServiceRequest{ResourceLogs: []*logsv1.ResourceLogs{{
		Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{{Key: "service.name", Value: logString("bot")}}},
		ScopeLogs: []*logsv1.ScopeLogs{{LogRecords: []*logsv1.LogRecord{
			record(3, "gen_ai.choice", &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{Values: []*commonpb.KeyValue{
				{Key: "finish_reason", Value: logString("stop")}, {Key: "message", Value: logMap("content", "ho")},
			}}}}),
			old, record(2, "gen_ai.user.message", logMap("content", "hi")), lost, record(5, "http.request", logString("x")), record(6, "", logString("a line of a log")),
		}}},
	}}}
}

// folded are the spans of a trace.
func (w *world) folded(b builder, project schema.ProjectID, id schema.TraceID) []schema.Span {
	w.t.Helper()
	joined, err := w.catalog().Join(w.t.Context(), b, project, []int{0}, nil)
	require.NoError(w.t, err)
	var rows []schema.Span
	for _, block := range joined.Blocks {
		rows = append(rows, w.blockRows(block)...)
	}
	for _, segment := range joined.Segments {
		live, err := segment.Traces(w.t.Context(), []schema.TraceID{id}, vec.AllColumns())
		require.NoError(w.t, err)
		rows = append(rows, live...)
	}
	rows = slices.DeleteFunc(rows, func(s schema.Span) bool { return s.TraceID != id })
	slices.SortStableFunc(rows, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	return engine.Fold(rows, nil)
}

const theMessages = `[{"role":"system","parts":[{"type":"text","content":"be short"}]},{"role":"user","parts":[{"type":"text","content":"hi"}]}]`

// Log records with the messages of a call become events of its span, before it and
// after it has come, over each protocol, also twice; all others are counted.
func TestLogsThatAreEventsOfSpans(t *testing.T) {
	w := newWorld(t, logmem.Options{Partitions: 1})
	r, b := w.receiver(), w.builder()
	url := w.serve(r).URL + "/v1/logs"
	sent := logsOf(1)
	asProtobuf, err := proto.Marshal(sent)
	require.NoError(t, err)
	asJSON, err := protojson.Marshal(sent)
	require.NoError(t, err)
	// OTLP's JSON has ids in hexadecimal digits.
	asJSON = bytes.ReplaceAll(asJSON, []byte(`"AQAAAAAAAAAAAAAAAAAAAA=="`), []byte(`"01000000000000000000000000000000"`))
	asJSON = bytes.ReplaceAll(asJSON, []byte(`"AQAAAAAAAAA="`), []byte(`"0100000000000000"`))
	ways := map[schema.ProjectID]func(t *testing.T, project schema.ProjectID){
		"protobuf": func(t *testing.T, project schema.ProjectID) {
			t.Helper()
			resp, reply := post(t, url, asProtobuf, contentType, protobuf, ingester.HeaderProject, string(project))
			require.Equal(t, http.StatusOK, resp.StatusCode, string(reply))
			var got collectorlogs.ExportLogsServiceResponse
			require.NoError(t, proto.Unmarshal(reply, &got))
			require.EqualValues(t, 3, got.GetPartialSuccess().GetRejectedLogRecords())
			require.Contains(t, got.GetPartialSuccess().GetErrorMessage(), "gen_ai.*")
		},
		"json": func(t *testing.T, project schema.ProjectID) {
			t.Helper()
			resp, reply := post(t, url, asJSON, contentType, jsonType, ingester.HeaderProject, string(project))
			require.Equal(t, http.StatusOK, resp.StatusCode, string(reply))
			require.Contains(t, string(reply), `"rejectedLogRecords":"3"`)
		},
		"grpc": func(t *testing.T, project schema.ProjectID) {
			t.Helper()
			ctx := metadata.AppendToOutgoingContext(t.Context(), ingester.HeaderProject, string(project))
			got, err := collectorlogs.NewLogsServiceClient(w.dial(r)).Export(ctx, sent)
			require.NoError(t, err)
			require.EqualValues(t, 3, got.GetPartialSuccess().GetRejectedLogRecords())
		},
	}
	for project, export := range ways {
		t.Run(string(project), func(t *testing.T) {
			export(t, project)
			alone := w.folded(b, project, schema.TraceID{1})
			require.Len(t, alone, 1)
			incomplete, _ := otlp.Lookup(alone[0].Derived, engine.IncompleteAttribute)
			require.True(t, incomplete.Bool, "the span itself is missing")
			w.flush(b)
			_, err := r.Store(t.Context(), project, []schema.Span{wholeSpan(1)})
			require.NoError(t, err)
			export(t, project)
			for range 2 {
				spans := w.folded(b, project, schema.TraceID{1})
				require.Len(t, spans, 1)
				require.Equal(t, "chat gpt", spans[0].Name)
				require.EqualValues(t, 1000, spans[0].DurationNanos())
				require.Len(t, slices.Collect(otlp.Events(&spans[0])), 3, "each once")
				require.Equal(t, llm.Content{
					Input:  llm.Body{Form: llm.FormMessages, Text: theMessages},
					Output: llm.Body{Form: llm.FormMessages, Text: `[{"role":"assistant","parts":[{"type":"text","content":"ho"}],"finish_reason":"stop"}]`},
				}, llm.ContentOf(&spans[0]))
				w.flush(b)
			}
		})
	}
	resp, reply := post(t, url, []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":[]},{}]}]}]}`), contentType, jsonType)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(reply))
	require.Contains(t, string(reply), `"rejectedLogRecords":"2"`, "what is not for us need not be well formed")
}

// Only events: nothing is rejected, and nothing is said.
func TestLogsOfEventsOnly(t *testing.T) {
	w := newWorld(t, logmem.Options{Partitions: 1})
	sent := logsOf(1)
	scope := sent.ResourceLogs[0].ScopeLogs[0]
	scope.LogRecords = scope.LogRecords[:3]
	body, err := proto.Marshal(sent)
	require.NoError(t, err)
	resp, reply := post(t, w.serve(w.receiver()).URL+"/v1/logs", body, contentType, protobuf)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Empty(t, reply)
}

// Logs that are sent to a path of traces are answered with what to do.
func TestLogsInTheWrongPlace(t *testing.T) {
	w := newWorld(t, logmem.Options{Partitions: 1})
	url := w.serve(w.receiver()).URL + "/api/public/otel/v1/traces"
	logs, err := proto.Marshal(logsOf(1))
	require.NoError(t, err)
	bare := appendField(nil, 1, appendField(nil, 2, appendField(nil, 2, appendField(nil, 5, []byte("no ids")))))
	for name, body := range map[string][]byte{"logs": logs, "spans without ids": bare} {
		resp, reply := post(t, url, body, contentType, protobuf)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, name)
		require.Contains(t, decodeStatus(t, resp, reply).GetMessage(), "/v1/logs", name)
	}
	for _, body := range []string{`{"resourceLogs":[{}]}`, `{"resourceMetrics":[{}]}`} {
		resp, reply := post(t, url, []byte(body), contentType, jsonType)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, body)
		require.Contains(t, string(reply), "/v1/logs")
	}
	require.True(t, w.state(0).Empty())
	for _, body := range []string{`{}`, `{"resourceSpans":[]}`, `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00","name":"bad"}]}]}]}`} {
		resp, reply := post(t, url, []byte(body), contentType, jsonType)
		require.Equal(t, http.StatusOK, resp.StatusCode, string(reply))
	}
}

func TestDeflate(t *testing.T) {
	w := newWorld(t, logmem.Options{Partitions: 1})
	r, b := w.receiver(), w.builder()
	url := w.serve(r).URL + "/v1/traces"
	var raw bytes.Buffer
	f, err := flate.NewWriter(&raw, flate.BestSpeed)
	require.NoError(t, err)
	_, err = f.Write(request(2))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	for _, body := range [][]byte{deflated(t, request(1)), raw.Bytes()} {
		resp, reply := post(t, url, body, contentType, protobuf, contentEncoding, "deflate")
		require.Equal(t, http.StatusOK, resp.StatusCode, string(reply))
		resp, _ = post(t, url, body[:len(body)-6], contentType, protobuf, contentEncoding, "deflate")
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, "the end is missing")
	}
	require.Equal(t, []int{1, 2}, w.seen(b, schema.DefaultProject))
	resp, reply := post(t, url, []byte("neither"), contentType, protobuf, contentEncoding, "deflate")
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.Contains(t, decodeStatus(t, resp, reply).GetMessage(), "cannot be read")
}

func deflated(t *testing.T, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zlib.NewWriter(&buf)
	_, err := z.Write(b)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return buf.Bytes()
}
