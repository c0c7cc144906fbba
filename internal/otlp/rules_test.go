package otlp_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// TestSplitBy has spans on both sides of every rule.
func TestSplitBy(t *testing.T) {
	text := func(key string, n int) *commonpb.KeyValue {
		return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: strings.Repeat("v", n)}}}
	}
	largest := proto.Size(text("key", 50)) // less than 128: all lengths are one byte
	rules := otlp.Rules{OldestEnd: 1000, MaxAttributeBytes: largest, Expired: "it is too late", TooLarge: "that is too much"}
	for _, test := range []struct {
		name   string
		change func(*tracepb.Span)
		why    string // "" if the span is taken
	}{
		{"ends in time", func(s *tracepb.Span) { s.EndTimeUnixNano = 1000 }, ""},
		{"ends too early", func(s *tracepb.Span) { s.EndTimeUnixNano = 999 }, "it is too late"},
		{"ends before it starts", func(s *tracepb.Span) { s.StartTimeUnixNano, s.EndTimeUnixNano = 1000, 5 }, ""},
		{"never ended", func(s *tracepb.Span) { s.StartTimeUnixNano, s.EndTimeUnixNano = 1000, 0 }, ""},
		{"no times", func(s *tracepb.Span) { s.StartTimeUnixNano, s.EndTimeUnixNano = 0, 0 }, "it is too late"},
		{"largest attribute", func(s *tracepb.Span) { s.Attributes = []*commonpb.KeyValue{text("key", 50)} }, ""},
		{"larger attribute", func(s *tracepb.Span) { s.Attributes = []*commonpb.KeyValue{text("key", 2), text("key", 51)} }, `attribute "key" has`},
		{"largest of an event", func(s *tracepb.Span) {
			s.Events = []*tracepb.Span_Event{{Attributes: []*commonpb.KeyValue{text("key", 50)}}}
		}, ""},
		{"larger of an event", func(s *tracepb.Span) {
			s.Events = []*tracepb.Span_Event{{}, {Name: "e", Attributes: []*commonpb.KeyValue{text("key", 51)}}}
		}, "that is too much"},
		{"largest of a link", func(s *tracepb.Span) {
			s.Links = []*tracepb.Span_Link{{Attributes: []*commonpb.KeyValue{text("key", 50)}}}
		}, ""},
		{"larger of a link", func(s *tracepb.Span) {
			s.Links = []*tracepb.Span_Link{{TraceId: make([]byte, 16), Attributes: []*commonpb.KeyValue{text("key", 51)}}}
		}, "that is too much"},
		{"long name", func(s *tracepb.Span) { s.Name = strings.Repeat("n", 1000) }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			span := &tracepb.Span{TraceId: []byte("0123456789abcdef"), SpanId: []byte("01234567"), StartTimeUnixNano: 1, EndTimeUnixNano: 2000}
			test.change(span)
			body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{span}}}}}})
			require.NoError(t, err)
			var splitter otlp.Splitter
			free, err := splitter.Split(body, 1, 1<<20)
			require.NoError(t, err)
			require.Equal(t, 1, free.Spans, "nothing is asked")
			got, err := splitter.SplitBy(body, 1, 1<<20, rules)
			require.NoError(t, err)
			if test.why == "" {
				require.Equal(t, 1, got.Spans, got.Reason)
				require.Zero(t, got.Rejected)
				return
			}
			require.Equal(t, 0, got.Spans)
			require.Equal(t, 1, got.Rejected)
			require.Equal(t, 1, got.Expired+got.TooLarge)
			require.Contains(t, got.Reason, test.why)
		})
	}
}

// An attribute of a resource or scope that is too large counts for the spans below
// it, and for no others.
func TestSplitByAround(t *testing.T) {
	text := func(n int) []*commonpb.KeyValue {
		return []*commonpb.KeyValue{{Key: "key", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: strings.Repeat("v", n)}}}}
	}
	rules := otlp.Rules{MaxAttributeBytes: proto.Size(text(50)[0]), TooLarge: "that is too much"}
	for _, test := range []struct {
		name            string
		resource, scope int // lengths of the attributes of the first ones
		rejected        int // of two spans in the first scope, one in the second, one in the second resource
		why             string
	}{
		{"both fit", 50, 50, 0, ""},
		{"resource", 51, 50, 3, `resource attribute "key" has`},
		{"scope", 50, 51, 2, `scope attribute "key" has`},
		{"both", 51, 51, 3, `resource attribute "key" has`},
	} {
		t.Run(test.name, func(t *testing.T) {
			ids := byte(0)
			span := func() *tracepb.Span {
				ids++
				return &tracepb.Span{TraceId: []byte("0123456789abcde" + string('a'+rune(ids))), SpanId: []byte("01234567")}
			}
			body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{
				{
					Resource: &resourcepb.Resource{Attributes: text(test.resource)},
					ScopeSpans: []*tracepb.ScopeSpans{
						{Scope: &commonpb.InstrumentationScope{Attributes: text(test.scope)}, Spans: []*tracepb.Span{span(), span()}},
						{Scope: &commonpb.InstrumentationScope{Attributes: text(3)}, Spans: []*tracepb.Span{span()}},
					},
				},
				{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{span()}}}},
			}})
			require.NoError(t, err)
			got, err := new(otlp.Splitter).SplitBy(body, 1, 1<<20, rules)
			require.NoError(t, err)
			require.Equal(t, test.rejected, got.Rejected)
			require.Equal(t, test.rejected, got.TooLarge)
			require.Equal(t, 4-test.rejected, got.Spans)
			require.Contains(t, got.Reason, test.why)
			require.Empty(t, got.Traces, "nobody asked")

			listed, err := new(otlp.Splitter).SplitBy(body, 4, 1<<20, otlp.Rules{ListTraces: true})
			require.NoError(t, err)
			require.Len(t, listed.Traces, 4)
			require.Equal(t, schema.TraceID([]byte("0123456789abcdeb")).Hash(), listed.Traces[0])
		})
	}
}
