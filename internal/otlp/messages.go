package otlp

import "google.golang.org/protobuf/encoding/protowire"

// kind is the type of a field: how it lies on the wire and how JSON writes it.
// The wire type is in its low three bits.
type kind uint8

const (
	kindUnknown    kind = 0
	kindString     kind = 1<<3 | kind(protowire.BytesType)
	kindBytes      kind = 2<<3 | kind(protowire.BytesType)
	kindID         kind = 3<<3 | kind(protowire.BytesType) // hexadecimal digits in OTLP/JSON
	kindMessage    kind = 4<<3 | kind(protowire.BytesType)
	kindBool       kind = 5<<3 | kind(protowire.VarintType)
	kindUint32     kind = 6<<3 | kind(protowire.VarintType)
	kindInt64      kind = 7<<3 | kind(protowire.VarintType)
	kindSpanKind   kind = 8<<3 | kind(protowire.VarintType)
	kindStatusCode kind = 9<<3 | kind(protowire.VarintType)
	kindFixed32    kind = 10<<3 | kind(protowire.Fixed32Type)
	kindFixed64    kind = 11<<3 | kind(protowire.Fixed64Type)
	kindDouble     kind = 12<<3 | kind(protowire.Fixed64Type)
)

func (k kind) wireType() protowire.Type { return protowire.Type(k & 7) } //nolint:gosec // three bits

// The names of each enum's values, by number.
var (
	spanKindNames = []string{
		"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
		"SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER",
	}
	statusCodeNames = []string{"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"}
)

// names returns the names of an enum's values.
func (k kind) names() []string {
	if k == kindSpanKind {
		return spanKindNames
	}
	return statusCodeNames
}

// messageID indexes messages. Descriptors name each other by it because
// AnyValue contains itself.
type messageID uint8

const (
	msgTraces messageID = iota // TracesData and ExportTraceServiceRequest
	msgResourceSpans
	msgResource
	msgEntityRef
	msgScopeSpans
	msgScope
	msgSpan
	msgEvent
	msgLink
	msgStatus
	msgKeyValue
	msgAnyValue
	msgArray
	msgMap
	msgLogs // ExportLogsServiceRequest
	msgResourceLogs
	msgScopeLogs
	msgLogRecord
)

// field describes a field. Its number is its index in the message.
type field struct {
	name     string // lowerCamelCase
	kind     kind
	message  messageID // of kindMessage
	repeated bool
	oneof    bool // setting it unsets the message's other oneof fields
}

// Field numbers that code names. They agree with messages.
const (
	tracesResourceSpans = 1

	resourceSpansResource   = 1
	resourceSpansScopeSpans = 2
	resourceAttributes      = 1

	scopeSpansScope = 1
	scopeSpansSpans = 2
	scopeName       = 1
	scopeVersion    = 2
	scopeAttributes = 3

	spanTraceID           = 1
	spanSpanID            = 2
	spanTraceState        = 3
	spanParentSpanID      = 4
	spanName              = 5
	spanKind              = 6
	spanStart             = 7
	spanEnd               = 8
	spanAttributes        = 9
	spanDroppedAttributes = 10
	spanEvents            = 11
	spanDroppedEvents     = 12
	spanLinks             = 13
	spanDroppedLinks      = 14
	spanStatus            = 15
	spanFlags             = 16

	statusMessage = 2
	statusCode    = 3

	eventTime       = 1
	eventName       = 2
	eventAttributes = 3

	linkTraceID    = 1
	linkSpanID     = 2
	linkAttributes = 4

	keyValueKey   = 1
	keyValueValue = 2

	valueString = 1
	valueBool   = 2
	valueInt    = 3
	valueDouble = 4
	valueArray  = 5
	valueMap    = 6
	valueBytes  = 7

	listValues = 1 // of ArrayValue and KeyValueList

	recordTime       = 1
	recordBody       = 5
	recordAttributes = 6
	recordTraceID    = 9
	recordSpanID     = 10
	recordObserved   = 11
	recordEventName  = 12

	maxKnownField = spanFlags
)

// messages describes every message of a trace payload, and of logs. Validation and both
// directions of JSON are driven by it. The string-table indexes of AnyValue and
// KeyValue belong to profiles only; here they are unknown fields.
var messages = [...][]field{
	msgTraces: {
		tracesResourceSpans: {name: "resourceSpans", kind: kindMessage, message: msgResourceSpans, repeated: true},
	},
	msgResourceSpans: {
		resourceSpansResource:   {name: "resource", kind: kindMessage, message: msgResource},
		resourceSpansScopeSpans: {name: "scopeSpans", kind: kindMessage, message: msgScopeSpans, repeated: true},
		3:                       {name: "schemaUrl", kind: kindString},
	},
	msgResource: {
		resourceAttributes: {name: "attributes", kind: kindMessage, message: msgKeyValue, repeated: true},
		2:                  {name: "droppedAttributesCount", kind: kindUint32},
		3:                  {name: "entityRefs", kind: kindMessage, message: msgEntityRef, repeated: true},
	},
	msgEntityRef: {
		1: {name: "schemaUrl", kind: kindString},
		2: {name: "type", kind: kindString},
		3: {name: "idKeys", kind: kindString, repeated: true},
		4: {name: "descriptionKeys", kind: kindString, repeated: true},
	},
	msgScopeSpans: {
		scopeSpansScope: {name: "scope", kind: kindMessage, message: msgScope},
		scopeSpansSpans: {name: "spans", kind: kindMessage, message: msgSpan, repeated: true},
		3:               {name: "schemaUrl", kind: kindString},
	},
	msgScope: {
		scopeName:       {name: "name", kind: kindString},
		scopeVersion:    {name: "version", kind: kindString},
		scopeAttributes: {name: "attributes", kind: kindMessage, message: msgKeyValue, repeated: true},
		4:               {name: "droppedAttributesCount", kind: kindUint32},
	},
	msgSpan: {
		spanTraceID:           {name: "traceId", kind: kindID},
		spanSpanID:            {name: "spanId", kind: kindID},
		spanTraceState:        {name: "traceState", kind: kindString},
		spanParentSpanID:      {name: "parentSpanId", kind: kindID},
		spanName:              {name: "name", kind: kindString},
		spanKind:              {name: "kind", kind: kindSpanKind},
		spanStart:             {name: "startTimeUnixNano", kind: kindFixed64},
		spanEnd:               {name: "endTimeUnixNano", kind: kindFixed64},
		spanAttributes:        {name: "attributes", kind: kindMessage, message: msgKeyValue, repeated: true},
		spanDroppedAttributes: {name: "droppedAttributesCount", kind: kindUint32},
		spanEvents:            {name: "events", kind: kindMessage, message: msgEvent, repeated: true},
		spanDroppedEvents:     {name: "droppedEventsCount", kind: kindUint32},
		spanLinks:             {name: "links", kind: kindMessage, message: msgLink, repeated: true},
		spanDroppedLinks:      {name: "droppedLinksCount", kind: kindUint32},
		spanStatus:            {name: "status", kind: kindMessage, message: msgStatus},
		spanFlags:             {name: "flags", kind: kindFixed32},
	},
	msgEvent: {
		eventTime:       {name: "timeUnixNano", kind: kindFixed64},
		eventName:       {name: "name", kind: kindString},
		eventAttributes: {name: "attributes", kind: kindMessage, message: msgKeyValue, repeated: true},
		4:               {name: "droppedAttributesCount", kind: kindUint32},
	},
	msgLink: {
		linkTraceID:    {name: "traceId", kind: kindID},
		linkSpanID:     {name: "spanId", kind: kindID},
		3:              {name: "traceState", kind: kindString},
		linkAttributes: {name: "attributes", kind: kindMessage, message: msgKeyValue, repeated: true},
		5:              {name: "droppedAttributesCount", kind: kindUint32},
		6:              {name: "flags", kind: kindFixed32},
	},
	msgStatus: {
		statusMessage: {name: "message", kind: kindString},
		statusCode:    {name: "code", kind: kindStatusCode},
	},
	msgKeyValue: {
		keyValueKey:   {name: "key", kind: kindString},
		keyValueValue: {name: "value", kind: kindMessage, message: msgAnyValue},
	},
	msgAnyValue: {
		valueString: {name: "stringValue", kind: kindString, oneof: true},
		valueBool:   {name: "boolValue", kind: kindBool, oneof: true},
		valueInt:    {name: "intValue", kind: kindInt64, oneof: true},
		valueDouble: {name: "doubleValue", kind: kindDouble, oneof: true},
		valueArray:  {name: "arrayValue", kind: kindMessage, message: msgArray, oneof: true},
		valueMap:    {name: "kvlistValue", kind: kindMessage, message: msgMap, oneof: true},
		valueBytes:  {name: "bytesValue", kind: kindBytes, oneof: true},
	},
	msgArray: {listValues: {name: "values", kind: kindMessage, message: msgAnyValue, repeated: true}},
	msgMap:   {listValues: {name: "values", kind: kindMessage, message: msgKeyValue, repeated: true}},
	// Logs are around their records as traces are around spans.
	msgLogs: {
		tracesResourceSpans: {name: "resourceLogs", kind: kindMessage, message: msgResourceLogs, repeated: true},
	},
	msgResourceLogs: {
		resourceSpansResource:   {name: "resource", kind: kindMessage, message: msgResource},
		resourceSpansScopeSpans: {name: "scopeLogs", kind: kindMessage, message: msgScopeLogs, repeated: true},
		3:                       {name: "schemaUrl", kind: kindString},
	},
	msgScopeLogs: {
		scopeSpansScope: {name: "scope", kind: kindMessage, message: msgScope},
		scopeSpansSpans: {name: "logRecords", kind: kindMessage, message: msgLogRecord, repeated: true},
		3:               {name: "schemaUrl", kind: kindString},
	},
	msgLogRecord: {
		recordTime:       {name: "timeUnixNano", kind: kindFixed64},
		recordBody:       {name: "body", kind: kindMessage, message: msgAnyValue},
		recordAttributes: {name: "attributes", kind: kindMessage, message: msgKeyValue, repeated: true},
		recordTraceID:    {name: "traceId", kind: kindID},
		recordSpanID:     {name: "spanId", kind: kindID},
		recordObserved:   {name: "observedTimeUnixNano", kind: kindFixed64},
		recordEventName:  {name: "eventName", kind: kindString},
	},
}

var unknownField = field{}

// known describes field num of the message, of kindUnknown if it has none.
func (m messageID) known(num protowire.Number) *field {
	if fields := messages[m]; int(num) < len(fields) {
		return &fields[num]
	}
	return &unknownField
}

// accepts reports whether a field of wire type typ can be f. An unknown field
// accepts every type.
func (f *field) accepts(typ protowire.Type) bool {
	return f.kind == kindUnknown || f.kind.wireType() == typ
}
