package main

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// canaryKey is on every span of the canary: what it searches for.
const canaryKey = "canary.id"

// largeBytes is the size of one attribute of every trace.
const largeBytes = 100 << 10

// canaryTrace is a trace whose every field is known. Number, seed and start
// determine all of it.
type canaryTrace struct {
	id       []byte // 16 bytes
	canaryID string
	start    time.Time
	data     *tracepb.TracesData
	spans    int
}

func (t *canaryTrace) hexID() string { return hex.EncodeToString(t.id) }

// generateTrace makes the trace of a number: a call that goes through three
// services, with every feature of OTLP somewhere.
func generateTrace(seed uint64, number int, start time.Time) *canaryTrace {
	g := generator{rand: rand.New(rand.NewPCG(seed, uint64(number))), now: uint64(start.UnixNano())} //nolint:gosec // neither is a secret or negative
	g.traceID = g.bytes(16)
	g.canaryID = fmt.Sprintf("canary-%016x-%d", seed, number)
	root := g.span("POST /chat", tracepb.Span_SPAN_KIND_SERVER, nil)
	agent := g.span("invoke_agent", tracepb.Span_SPAN_KIND_INTERNAL, root)
	model := g.span("chat", tracepb.Span_SPAN_KIND_CLIENT, agent)
	tool := g.span("execute_tool", tracepb.Span_SPAN_KIND_UNSPECIFIED, agent)
	queue := g.span("publish", tracepb.Span_SPAN_KIND_PRODUCER, tool)
	worker := g.span("process", tracepb.Span_SPAN_KIND_CONSUMER, queue)

	root.TraceState = "canary=1,other=a:b"
	root.Flags = 0x101
	g.addEveryType(root)
	g.addEvents(agent)
	model.Attributes = append(model.Attributes, text("canary.large", g.text(largeBytes)))
	tool.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "the tool said no: ümläut, 火, \"quotes\""}
	queue.DroppedAttributesCount, queue.DroppedEventsCount, queue.DroppedLinksCount = 1, 2, 3
	g.addLinks(worker)

	data := &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{
		g.resource("canary-gateway", "https://opentelemetry.io/schemas/1.30.0", scope("http", root)),
		g.resource("canary-agent", "", scope("agent", agent, tool), scope("llm", model)),
		g.resource("canary-worker", "", scope("queue", queue, worker)),
	}}
	return &canaryTrace{id: g.traceID, canaryID: g.canaryID, start: start, data: data, spans: 6}
}

type generator struct {
	rand     *rand.Rand
	now      uint64 // Unix nanoseconds
	traceID  []byte
	canaryID string
}

func (g *generator) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.rand.Uint32())
	}
	b[0] |= 1 // an id of zeros is none
	return b
}

// text is n bytes that compress no better than random hexadecimal digits.
func (g *generator) text(n int) string { return hex.EncodeToString(g.bytes(n / 2)) }

// span makes a span that lasts a while and begins a little after the one before.
func (g *generator) span(name string, kind tracepb.Span_SpanKind, parent *tracepb.Span) *tracepb.Span {
	g.now += 1 + g.rand.Uint64N(uint64(time.Millisecond))
	s := &tracepb.Span{
		TraceId: g.traceID, SpanId: g.bytes(8), Name: name, Kind: kind,
		StartTimeUnixNano: g.now, EndTimeUnixNano: g.now + g.rand.Uint64N(uint64(time.Second)),
		Attributes: []*commonpb.KeyValue{text(canaryKey, g.canaryID)},
		Status:     &tracepb.Status{Code: tracepb.Status_STATUS_CODE_OK},
	}
	if parent != nil {
		s.ParentSpanId = parent.GetSpanId()
	}
	return s
}

// addEveryType adds an attribute of each type of value, and the edges of some.
func (g *generator) addEveryType(s *tracepb.Span) {
	list := &commonpb.ArrayValue{Values: []*commonpb.AnyValue{textValue("a"), intValue(g.rand.Int64()), {}}}
	nested := &commonpb.KeyValueList{Values: []*commonpb.KeyValue{
		text("inner", g.text(16)),
		{Key: "list", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: list}}},
	}}
	values := []*commonpb.AnyValue{
		textValue(""), textValue("ümläut, 火, \x00, \"quotes\""),
		{Value: &commonpb.AnyValue_BoolValue{BoolValue: true}},
		{Value: &commonpb.AnyValue_BoolValue{BoolValue: false}},
		intValue(0), intValue(math.MinInt64), intValue(g.rand.Int64()),
		doubleValue(0), doubleValue(g.rand.NormFloat64()), doubleValue(math.Inf(-1)),
		{Value: &commonpb.AnyValue_BytesValue{BytesValue: g.bytes(32)}},
		{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: list}},
		{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{}}},
		{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: nested}},
		{}, // a value that is not set
	}
	for i, v := range values {
		s.Attributes = append(s.Attributes, &commonpb.KeyValue{Key: fmt.Sprintf("canary.type.%d", i), Value: v})
	}
}

func (g *generator) addEvents(s *tracepb.Span) {
	s.Events = []*tracepb.Span_Event{
		{TimeUnixNano: s.GetStartTimeUnixNano() + 1, Name: "first token", Attributes: []*commonpb.KeyValue{text("chunk", g.text(64))}},
		{TimeUnixNano: s.GetEndTimeUnixNano(), Name: "exception", DroppedAttributesCount: 7, Attributes: []*commonpb.KeyValue{
			text("exception.type", "Canary"), text("exception.message", g.text(200)),
		}},
		{Name: "without a time"},
	}
}

func (g *generator) addLinks(s *tracepb.Span) {
	s.Links = []*tracepb.Span_Link{
		{TraceId: g.bytes(16), SpanId: g.bytes(8), TraceState: "a=b", Flags: 1, DroppedAttributesCount: 1},
		{TraceId: g.traceID, SpanId: s.GetParentSpanId(), Attributes: []*commonpb.KeyValue{text("why", "follows"), {Key: "n", Value: intValue(g.rand.Int64())}}},
	}
}

func (g *generator) resource(service, schemaURL string, scopes ...*tracepb.ScopeSpans) *tracepb.ResourceSpans {
	return &tracepb.ResourceSpans{
		SchemaUrl: schemaURL,
		Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{
			text("service.name", service),
			text("service.instance.id", g.text(32)),
			{Key: "process.pid", Value: intValue(g.rand.Int64N(1 << 16))},
		}},
		ScopeSpans: scopes,
	}
}

func scope(name string, spans ...*tracepb.Span) *tracepb.ScopeSpans {
	return &tracepb.ScopeSpans{
		Scope:     &commonpb.InstrumentationScope{Name: "canary/" + name, Version: "1.2.3", Attributes: []*commonpb.KeyValue{text("scope", name)}},
		Spans:     spans,
		SchemaUrl: "https://opentelemetry.io/schemas/1.29.0",
	}
}

func text(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: textValue(value)}
}

func textValue(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

func intValue(n int64) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: n}}
}

func doubleValue(f float64) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: f}}
}
