// Package tempopbtest reads the messages of Tempo's query API as its clients
// do: by descriptors, written once more from the field numbers of the API and
// not from the code under test, and strictly. For tests only.
package tempopbtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	_ "go.opentelemetry.io/proto/otlp/trace/v1" // registers the messages that are referred to
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// schema lists messages with their fields: number, type, name. A star stands
// for repeated, a map is written as its value's type with a hash.
const schema = `
Trace: 1 *ResourceSpans resourceSpans
TraceV1: 1 *ResourceSpans batches
TraceByIDMetrics: 1 uint64 inspectedBytes
TraceByIDResponse: 1 Trace trace, 2 TraceByIDMetrics metrics, 3 PartialStatus status, 4 string message
SearchRequest: 1 #string Tags, 2 uint32 MinDurationMs, 3 uint32 MaxDurationMs, 4 uint32 Limit, 5 uint32 start, 6 uint32 end, 8 string Query, 9 uint32 SpansPerSpanSet
SearchResponse: 1 *TraceSearchMetadata traces, 2 SearchMetrics metrics
TraceSearchMetadata: 1 string traceID, 2 string rootServiceName, 3 string rootTraceName, 4 uint64 startTimeUnixNano, 5 uint32 durationMs, 6 SpanSet spanSet, 7 *SpanSet spanSets, 8 #ServiceStats serviceStats
ServiceStats: 1 uint32 spanCount, 2 uint32 errorCount
SpanSet: 1 *Span spans, 2 uint32 matched, 3 *KeyValue attributes
Span: 1 string spanID, 2 string name, 3 uint64 startTimeUnixNano, 4 uint64 durationNanos, 5 *KeyValue attributes
SearchMetrics: 1 uint32 inspectedTraces, 2 uint64 inspectedBytes, 3 uint32 totalBlocks, 4 uint32 completedJobs, 5 uint32 totalJobs, 6 uint64 totalBlockBytes, 7 uint64 inspectedSpans
SearchTagsRequest: 1 string scope, 2 string query, 3 uint32 start, 4 uint32 end, 5 uint32 maxTagsPerScope, 6 uint32 staleValuesThreshold
SearchTagsResponse: 1 *string tagNames, 2 MetadataMetrics metrics
SearchTagsV2Response: 1 *SearchTagsV2Scope scopes, 2 MetadataMetrics metrics
SearchTagsV2Scope: 1 string name, 2 *string tags
SearchTagValuesRequest: 1 string tagName, 2 string query, 4 uint32 start, 5 uint32 end, 6 uint32 maxTagValues, 7 uint32 staleValueThreshold
SearchTagValuesResponse: 1 *string tagValues, 2 MetadataMetrics metrics
SearchTagValuesV2Response: 1 *TagValue tagValues, 2 MetadataMetrics metrics
TagValue: 1 string type, 2 string value
MetadataMetrics: 1 uint64 inspectedBytes, 2 uint32 totalJobs, 3 uint32 completedJobs, 4 uint32 totalBlocks, 5 uint64 totalBlockBytes
QueryRangeRequest: 1 string query, 2 uint64 start, 3 uint64 end, 4 uint64 step, 16 uint32 exemplars, 17 uint32 maxSeries
QueryRangeResponse: 1 *TimeSeries series, 2 SearchMetrics metrics, 3 PartialStatus status, 4 string message
TimeSeries: 1 *KeyValue labels, 2 *Sample samples, 4 *Exemplar exemplars
Sample: 1 double value, 2 int64 timestampMs
Exemplar: 1 *KeyValue labels, 2 double value, 3 int64 timestampMs
QueryInstantRequest: 1 string query, 2 uint64 start, 3 uint64 end
QueryInstantResponse: 1 *InstantSeries series, 2 SearchMetrics metrics, 3 PartialStatus status, 4 string message
InstantSeries: 1 *KeyValue labels, 2 double value
`

// API are the messages of the query API.
type API struct{ file protoreflect.FileDescriptor }

// Load builds the descriptors.
func Load(t testing.TB) API {
	t.Helper()
	file := &descriptorpb.FileDescriptorProto{
		Name: new("tempo.proto"), Package: new("tempopb"), Syntax: new("proto3"),
		Dependency: []string{"opentelemetry/proto/common/v1/common.proto", "opentelemetry/proto/trace/v1/trace.proto"},
		EnumType: []*descriptorpb.EnumDescriptorProto{{
			Name: new("PartialStatus"),
			Value: []*descriptorpb.EnumValueDescriptorProto{
				{Name: new("COMPLETE"), Number: new(int32(0))}, {Name: new("PARTIAL"), Number: new(int32(1))},
			},
		}},
	}
	for line := range strings.Lines(strings.TrimSpace(schema)) {
		name, fields, _ := strings.Cut(strings.TrimSpace(line), ": ")
		message := &descriptorpb.DescriptorProto{Name: &name}
		for text := range strings.SplitSeq(fields, ", ") {
			addField(t, message, text)
		}
		file.MessageType = append(file.MessageType, message)
	}
	built, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	require.NoError(t, err)
	return API{built}
}

func addField(t testing.TB, message *descriptorpb.DescriptorProto, text string) {
	t.Helper()
	var number int32
	var kind, name string
	_, err := fmt.Sscan(text, &number, &kind, &name)
	require.NoError(t, err, text)
	label := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL
	if strings.ContainsAny(kind, "*#") {
		label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED
	}
	field := &descriptorpb.FieldDescriptorProto{Name: &name, JsonName: &name, Number: &number, Label: &label}
	if value, ok := strings.CutPrefix(kind, "#"); ok {
		entry := strings.ToUpper(name[:1]) + name[1:] + "Entry"
		nested := &descriptorpb.DescriptorProto{Name: &entry, Options: &descriptorpb.MessageOptions{MapEntry: new(true)}}
		addField(t, nested, "1 string key")
		addField(t, nested, "2 "+value+" value")
		message.NestedType = append(message.NestedType, nested)
		field.Type = new(descriptorpb.FieldDescriptorProto_TYPE_MESSAGE)
		field.TypeName = new(".tempopb." + message.GetName() + "." + entry)
	} else {
		setType(field, strings.TrimPrefix(kind, "*"))
	}
	message.Field = append(message.Field, field)
}

func setType(field *descriptorpb.FieldDescriptorProto, kind string) {
	field.Type = new(descriptorpb.FieldDescriptorProto_TYPE_MESSAGE)
	switch kind {
	case "string":
		field.Type = new(descriptorpb.FieldDescriptorProto_TYPE_STRING)
	case "uint32":
		field.Type = new(descriptorpb.FieldDescriptorProto_TYPE_UINT32)
	case "uint64":
		field.Type = new(descriptorpb.FieldDescriptorProto_TYPE_UINT64)
	case "int64":
		field.Type = new(descriptorpb.FieldDescriptorProto_TYPE_INT64)
	case "double":
		field.Type = new(descriptorpb.FieldDescriptorProto_TYPE_DOUBLE)
	case "PartialStatus":
		field.Type = new(descriptorpb.FieldDescriptorProto_TYPE_ENUM)
		field.TypeName = new(".tempopb.PartialStatus")
	case "KeyValue":
		field.TypeName = new(".opentelemetry.proto.common.v1.KeyValue")
	case "ResourceSpans":
		field.TypeName = new(".opentelemetry.proto.trace.v1.ResourceSpans")
	default:
		field.TypeName = new(".tempopb." + kind)
	}
}

// New returns an empty message.
func (a API) New(t testing.TB, name string) *dynamicpb.Message {
	t.Helper()
	d := a.file.Messages().ByName(protoreflect.Name(name))
	require.NotNil(t, d, name)
	return dynamicpb.NewMessage(d)
}

// JSON reads a message in proto3 JSON. A field that it does not have fails.
func (a API) JSON(t testing.TB, name, body string) *dynamicpb.Message {
	t.Helper()
	m := a.New(t, name)
	require.NoError(t, protojson.Unmarshal([]byte(body), m), body)
	return m
}

// Protobuf reads a message in protobuf. A field that it does not have fails.
func (a API) Protobuf(t testing.TB, name string, body []byte) *dynamicpb.Message {
	t.Helper()
	m := a.New(t, name)
	require.NoError(t, proto.Unmarshal(body, m))
	requireKnown(t, m)
	return m
}

func requireKnown(t testing.TB, m protoreflect.Message) {
	t.Helper()
	require.Empty(t, m.GetUnknown(), m.Descriptor().FullName())
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				if f.MapValue().Message() != nil {
					requireKnown(t, v.Message())
				}
				return true
			})
		case f.IsList() && f.Message() != nil:
			for i := range v.List().Len() {
				requireKnown(t, v.List().Get(i).Message())
			}
		case f.Message() != nil:
			requireKnown(t, v.Message())
		}
		return true
	})
}

// Get returns the field of a message at the end of a path of names.
func Get(t testing.TB, m protoreflect.Message, path ...protoreflect.Name) protoreflect.Value {
	t.Helper()
	for i, name := range path {
		field := m.Descriptor().Fields().ByName(name)
		require.NotNil(t, field, name)
		if i == len(path)-1 {
			return m.Get(field)
		}
		m = m.Get(field).Message()
	}
	return protoreflect.ValueOfMessage(m)
}

// Has reports whether the message field is there.
func Has(t testing.TB, m protoreflect.Message, name protoreflect.Name) bool {
	t.Helper()
	field := m.Descriptor().Fields().ByName(name)
	require.NotNil(t, field, name)
	return m.Has(field)
}

// Set sets a field of a message.
func Set(t testing.TB, m protoreflect.Message, name protoreflect.Name, v any) {
	t.Helper()
	field := m.Descriptor().Fields().ByName(name)
	require.NotNil(t, field, name)
	m.Set(field, protoreflect.ValueOf(v))
}
