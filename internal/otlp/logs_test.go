package otlp_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

func isGenAI(name string) bool { return strings.HasPrefix(name, "gen_ai.") }

const logs = `{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"bot"}}]},"scopeLogs":[{"scope":{"name":"sdk"},"logRecords":[
	{"timeUnixNano":"5","eventName":"gen_ai.choice","traceId":"0A000000000000000000000000000001","spanId":"0b00000000000001","severityNumber":"SEVERITY_NUMBER_INFO",
	 "attributes":[{"key":"a","value":{"intValue":1}}],"body":{"kvlistValue":{"values":[{"key":"a","value":{"intValue":2}},{"key":"index","value":{"intValue":0}}]}}},
	{"observed_time_unix_nano":6,"attributes":[{"key":"event.name","value":{"stringValue":"gen_ai.x"}}],"trace_id":"0A000000000000000000000000000001","span_id":"0b00000000000001","body":{"stringValue":"s"}},
	{"eventName":"gen_ai.choice","traceId":"00000000000000000000000000000000","spanId":"0b00000000000001"},
	{"eventName":"gen_ai.choice","traceId":"0A","spanId":"0b00000000000001"},
	{"eventName":"gen_ai.choice"},
	{"eventName":"other","traceId":"0A000000000000000000000000000001","spanId":"0b00000000000001"},
	{}]}]}]}`

func TestLogEvents(t *testing.T) {
	body, err := otlp.LogsFromJSON([]byte(logs))
	require.NoError(t, err)
	pieces, others, err := otlp.LogEvents(body, isGenAI)
	require.NoError(t, err)
	require.Equal(t, 5, others)
	require.Len(t, pieces, 2)
	integer := func(key string, n int64) schema.Attribute {
		return schema.Attribute{Key: key, Value: schema.Value{Kind: schema.KindInt, Int: n}}
	}
	want := []otlp.Event{
		{TimeNanos: 5, Name: "gen_ai.choice", Attributes: []schema.Attribute{integer("a", 1), integer("index", 0)}},
		{TimeNanos: 6, Name: "gen_ai.x", Attributes: []schema.Attribute{{Key: "body", Value: schema.Value{Kind: schema.KindString, Str: "s"}}}},
	}
	for i, p := range pieces {
		require.Equal(t, "0a000000000000000000000000000001", p.TraceID.String())
		require.Equal(t, "0b00000000000001", p.SpanID.String())
		require.Equal(t, schema.FragmentUpdate, p.Fragment)
		require.EqualValues(t, 5+i, p.FragmentNanos)
		require.Equal(t, "bot", p.Resource.ServiceName)
		require.Equal(t, "sdk", p.Scope.Name)
		for e := range otlp.Events(&p) {
			require.Equal(t, want[i], e)
		}
	}
	for _, bad := range []string{"x", "\x0a\x05\x12", "\x0a\x02\x12\x05"} {
		_, _, err := otlp.LogEvents([]byte(bad), isGenAI)
		require.ErrorIs(t, err, otlp.ErrMalformed, "%q", bad)
	}
	_, err = otlp.LogsFromJSON([]byte(`{"resourceLogs":[`))
	require.ErrorIs(t, err, otlp.ErrMalformed)
}

// FuzzLogEvents: every record is a piece or counted, and a piece is one that an
// adapter may store.
func FuzzLogEvents(f *testing.F) {
	body, err := otlp.LogsFromJSON([]byte(logs))
	require.NoError(f, err)
	f.Add(body)
	f.Add([]byte("\x0a\x04\x12\x02\x12\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		pieces, others, err := otlp.LogEvents(body, isGenAI)
		if err != nil {
			require.ErrorIs(t, err, otlp.ErrMalformed)
			require.Empty(t, pieces)
			return
		}
		require.Equal(t, spansIn(body), len(pieces)+others)
		var request collectorlogs.ExportLogsServiceRequest
		if proto.Unmarshal(body, &request) == nil {
			n := 0
			for _, r := range request.GetResourceLogs() {
				for _, s := range r.GetScopeLogs() {
					n += len(s.GetLogRecords())
				}
			}
			require.Equal(t, n, len(pieces)+others)
		}
		var s otlp.Splitter
		split, err := s.Split(otlp.AppendRequest(nil, pieces), partitions, 1<<20)
		require.NoError(t, err)
		require.Equal(t, len(pieces), split.Spans, split.Reason)
		require.Len(t, decodeAll(t, otlp.NewDecoder(), split.Chunks), len(pieces))
	})
}

func FuzzLogsFromJSON(f *testing.F) {
	f.Add([]byte(logs))
	f.Add([]byte(`{"resourceLogs":[null,{"scopeLogs":[{"logRecords":[{"body":{"arrayValue":{"values":[null]}}}]}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		body, err := otlp.LogsFromJSON(text)
		if err != nil {
			require.ErrorIs(t, err, otlp.ErrMalformed)
			return
		}
		_, _, err = otlp.LogEvents(body, isGenAI)
		require.NoError(t, err)
	})
}

func TestWithServiceName(t *testing.T) {
	text := func(key, s string) schema.Attribute {
		return schema.Attribute{Key: key, Value: schema.Value{Kind: schema.KindString, Str: s}}
	}
	bare := otlp.NewResource(text("a", "b"))
	schemaURL := append([]byte("\x1a\x01u"), bare.Wire...)
	for name, r := range map[string]*schema.Resource{"some": bare, "none": otlp.ParseResource(nil), "behind a schema": otlp.ParseResource(schemaURL), "in parts": otlp.ParseResource(append(schemaURL, bare.Wire...))} {
		before := string(r.Wire)
		named := otlp.WithServiceName(r, "bot")
		require.Equal(t, before, string(r.Wire))
		require.Equal(t, "bot", named.ServiceName, name)
		got := otlp.ResourceAttributes(named)
		require.Len(t, got, len(otlp.ResourceAttributes(r))+1, name)
		require.Contains(t, got, text("service.name", "bot"))
		require.Equal(t, strings.Contains(before, "\x1a\x01u"), strings.Contains(string(named.Wire), "\x1a\x01u"))
	}
}
