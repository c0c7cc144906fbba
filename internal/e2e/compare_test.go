package e2e_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// fullSpan is a span with all that it stands in, as the bytes of a
// ResourceSpans message with nothing else in it. Spans are equal when these
// are: every field, and attributes in the order in which they were sent.
// Whether an empty resource, scope or status is present makes no difference.
type fullSpan string

// spansByTrace takes messages apart. The spans of a trace are sorted; equal
// ones are all there.
func spansByTrace(messages ...*tracepb.TracesData) (map[string][]fullSpan, error) {
	traces := make(map[string][]fullSpan)
	for _, data := range messages {
		for _, rs := range data.GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					full, err := newFullSpan(rs, ss, s)
					if err != nil {
						return nil, err
					}
					id := hex.EncodeToString(s.GetTraceId())
					traces[id] = append(traces[id], full)
				}
			}
		}
	}
	for _, spans := range traces {
		slices.Sort(spans)
	}
	return traces, nil
}

func newFullSpan(rs *tracepb.ResourceSpans, ss *tracepb.ScopeSpans, s *tracepb.Span) (fullSpan, error) {
	s.Status = orEmpty(s.GetStatus())
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(&tracepb.ResourceSpans{
		Resource: orEmpty[resourcepb.Resource](rs.GetResource()), SchemaUrl: rs.GetSchemaUrl(),
		ScopeSpans: []*tracepb.ScopeSpans{{
			Scope: orEmpty[commonpb.InstrumentationScope](ss.GetScope()), SchemaUrl: ss.GetSchemaUrl(),
			Spans: []*tracepb.Span{s},
		}},
	})
	return fullSpan(encoded), err
}

func orEmpty[T any](message *T) *T {
	if message == nil {
		return new(T)
	}
	return message
}

// String is for people.
func (s fullSpan) String() string {
	var rs tracepb.ResourceSpans
	if err := proto.Unmarshal([]byte(s), &rs); err != nil {
		return err.Error()
	}
	return prototext.MarshalOptions{}.Format(&rs)
}

// differ tells what is wrong with the spans of a trace, "" if nothing. Both
// are sorted.
func differ(want, got []fullSpan) string {
	var faults strings.Builder
	tell := func(what string, s fullSpan) {
		if faults.Len() < 10_000 {
			fmt.Fprintf(&faults, "%s: %s\n", what, s)
		}
	}
	w, g := 0, 0
	for w < len(want) || g < len(got) {
		switch {
		case g == len(got) || w < len(want) && want[w] < got[g]:
			tell("missing", want[w])
			w++
		case w == len(want) || got[g] < want[w]:
			tell("never sent, or once too often", got[g])
			g++
		default:
			w++
			g++
		}
	}
	return faults.String()
}

func TestDiffer(t *testing.T) {
	attribute := func(key, value string) *commonpb.KeyValue {
		return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
	}
	sent := func() *tracepb.TracesData {
		return &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
			ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{
				{TraceId: make([]byte, 16), SpanId: []byte("spanId-1"), Attributes: []*commonpb.KeyValue{attribute("a", "1"), attribute("b", "2")}},
				{TraceId: make([]byte, 16), SpanId: []byte("spanId-2")},
			}}},
		}}}
	}
	for name, change := range map[string]func(rs *tracepb.ResourceSpans, ss *tracepb.ScopeSpans, s *tracepb.Span){
		"a span is missing": func(_ *tracepb.ResourceSpans, ss *tracepb.ScopeSpans, _ *tracepb.Span) { ss.Spans = ss.Spans[:1] },
		"a span is doubled": func(_ *tracepb.ResourceSpans, ss *tracepb.ScopeSpans, s *tracepb.Span) {
			ss.Spans = append(ss.Spans, s)
		},
		"the order of attributes": func(_ *tracepb.ResourceSpans, _ *tracepb.ScopeSpans, s *tracepb.Span) {
			slices.Reverse(s.GetAttributes())
		},
		"an attribute is missing": func(_ *tracepb.ResourceSpans, _ *tracepb.ScopeSpans, s *tracepb.Span) {
			s.Attributes = s.Attributes[:1]
		},
		"a value": func(_ *tracepb.ResourceSpans, _ *tracepb.ScopeSpans, s *tracepb.Span) {
			s.Attributes[0] = attribute("a", "3")
		},
		"a dropped count":            func(_ *tracepb.ResourceSpans, _ *tracepb.ScopeSpans, s *tracepb.Span) { s.DroppedLinksCount = 1 },
		"the schema of the resource": func(rs *tracepb.ResourceSpans, _ *tracepb.ScopeSpans, _ *tracepb.Span) { rs.SchemaUrl = "x" },
		"the schema of the scope":    func(_ *tracepb.ResourceSpans, ss *tracepb.ScopeSpans, _ *tracepb.Span) { ss.SchemaUrl = "x" },
		"the scope": func(_ *tracepb.ResourceSpans, ss *tracepb.ScopeSpans, _ *tracepb.Span) {
			ss.Scope = &commonpb.InstrumentationScope{Name: "x"}
		},
		"the resource": func(rs *tracepb.ResourceSpans, _ *tracepb.ScopeSpans, _ *tracepb.Span) {
			rs.Resource = &resourcepb.Resource{Attributes: []*commonpb.KeyValue{attribute("x", "y")}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			data := sent()
			change(data.ResourceSpans[0], data.ResourceSpans[0].ScopeSpans[0], data.ResourceSpans[0].ScopeSpans[0].Spans[0])
			require.NotEmpty(t, differ(onlyTrace(t, sent()), onlyTrace(t, data)))
		})
	}
	t.Run("empty messages and grouping", func(t *testing.T) {
		data := sent()
		ss := data.ResourceSpans[0].ScopeSpans[0]
		ss.Spans[0].Status = &tracepb.Status{}
		data.ResourceSpans = append(data.ResourceSpans, &tracepb.ResourceSpans{
			Resource: &resourcepb.Resource{}, ScopeSpans: []*tracepb.ScopeSpans{{Scope: &commonpb.InstrumentationScope{}, Spans: ss.Spans[:1]}},
		})
		ss.Spans = ss.Spans[1:]
		require.Empty(t, differ(onlyTrace(t, sent()), onlyTrace(t, data)))
	})
}

// onlyTrace returns the spans of a message that holds one trace.
func onlyTrace(t *testing.T, data *tracepb.TracesData) []fullSpan {
	t.Helper()
	traces, err := spansByTrace(data)
	require.NoError(t, err)
	require.Len(t, traces, 1)
	for _, spans := range traces {
		return spans
	}
	return nil
}
