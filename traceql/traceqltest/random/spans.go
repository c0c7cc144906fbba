package random

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql/traceqltest"
)

// Origin is the time that all spans start after, Unix nanoseconds.
const Origin = traceqltest.Origin

// Extent is about how long after Origin spans start, nanoseconds.
const Extent = uint64(60_000_000_000)

// Spans returns rows of up to the given number of traces, as they arrive: some
// spans several times, in versions that differ. Each has a position of its own.
// Returns an error only if the traces are not what OTLP allows, which they are.
func Spans(rng *rand.Rand, traces int) (rows []schema.Span, err error) {
	decoder := otlp.NewDecoder()
	for range 1 + rng.IntN(traces) {
		for _, message := range trace(rng) {
			body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{message}})
			if err != nil {
				return nil, fmt.Errorf("write a random trace: %w", err)
			}
			body = bytes.ReplaceAll(body, []byte(notUTF8), []byte("\xff\xfe\x80!!"))
			if rows, err = decoder.Decode(body, uint64(len(rows)+1), rows); err != nil {
				return nil, fmt.Errorf("read a random trace: %w", err)
			}
		}
	}
	return rows, nil
}

// notUTF8 stands for text that protobuf would not write.
const notUTF8 = "?!!?!"

// trace is the messages of one trace, each with one span.
func trace(rng *rand.Rand) (messages []*tracepb.ResourceSpans) {
	id := make([]byte, 16)
	binary.BigEndian.PutUint64(id[8:], rng.Uint64()>>rng.IntN(60)|1)
	if !oneIn(rng, 3) {
		id[0] = byte(rng.IntN(255))
	}
	count := 1 + rng.IntN(7)
	if oneIn(rng, 10) {
		count += rng.IntN(30)
	}
	start := Origin + rng.Uint64N(Extent/2)
	if oneIn(rng, 3) {
		start = start / 1e9 * 1e9
	}
	resources, scopes := []*resourcepb.Resource{resource(rng), resource(rng)}, []*commonpb.InstrumentationScope{scope(rng), scope(rng)}
	for n := range count {
		s := span(rng, n, count, start)
		s.TraceId = id
		message := &tracepb.ResourceSpans{
			Resource:   pick(rng, resources),
			ScopeSpans: []*tracepb.ScopeSpans{{Scope: pick(rng, scopes), Spans: []*tracepb.Span{s}}},
		}
		messages = append(messages, message)
		for oneIn(rng, 8) {
			messages = append(messages, version(rng, message))
		}
	}
	return messages
}

// version is another delivery of a span: the same, or an unfinished or a
// different one.
func version(rng *rand.Rand, of *tracepb.ResourceSpans) *tracepb.ResourceSpans {
	again, _ := proto.Clone(of).(*tracepb.ResourceSpans)
	s := again.GetScopeSpans()[0].GetSpans()[0]
	switch rng.IntN(6) {
	case 0:
		s.EndTimeUnixNano, s.Attributes = 0, nil
	case 3:
		s.StartTimeUnixNano += pick(rng, []uint64{1, 1e9, 20e9})
	case 4:
		s.StartTimeUnixNano, s.Events = s.GetStartTimeUnixNano()-2e9, nil
	case 1:
		s.Attributes = attributes(rng)
	case 2:
		s.Name, s.Status = pick(rng, names()), &tracepb.Status{Code: tracepb.Status_StatusCode(rng.IntN(3))} //nolint:gosec // small
	}
	return again
}

func spanID(n int) []byte {
	id := make([]byte, 8)
	binary.BigEndian.PutUint64(id, uint64(n)) //nolint:gosec // a small index
	if n%3 == 0 {
		id[0] = 0xa0
	}
	return id
}

// span is the nth of a trace. Most hang under an earlier one; others under a
// later one, so that there are circles, under themselves, under none, or under
// one that never arrives.
func span(rng *rand.Rand, n, count int, traceStart uint64) *tracepb.Span {
	s := &tracepb.Span{
		SpanId: spanID(n + 1), Name: pick(rng, names()),
		StartTimeUnixNano: traceStart + rng.Uint64N(8)*pick(rng, []uint64{1, 1e6, 1e9, 3e9}),
		Kind:              tracepb.Span_SpanKind(rng.IntN(6)), //nolint:gosec // small
		Attributes:        attributes(rng),
	}
	s.EndTimeUnixNano = s.StartTimeUnixNano + pick(rng, []uint64{0, 1, 2, 1000, 1e6, 1024 * 1e6, 1e9, 5e9})
	switch rng.IntN(12) {
	case 0:
		s.EndTimeUnixNano = s.StartTimeUnixNano - 1000
	case 1:
		s.EndTimeUnixNano = 0
	}
	if oneIn(rng, 9) && n > 0 { // a span of another kind with the same id
		s.SpanId = spanID(1 + rng.IntN(n))
	}
	switch {
	case oneIn(rng, 12):
		s.ParentSpanId = spanID(100 + rng.IntN(2))
	case oneIn(rng, 15):
		s.ParentSpanId = spanID(1 + rng.IntN(count))
	case n > 0 && !oneIn(rng, 6):
		s.ParentSpanId = spanID(1 + rng.IntN(n))
	}
	if !oneIn(rng, 3) {
		s.Status = &tracepb.Status{Code: tracepb.Status_StatusCode(rng.IntN(3)), Message: pick(rng, texts())} //nolint:gosec // small
	}
	for oneIn(rng, 3) {
		s.Events = append(s.Events, &tracepb.Span_Event{
			Name: pick(rng, names()), TimeUnixNano: s.GetStartTimeUnixNano() + rng.Uint64N(4)*1e6 - 1e6, Attributes: attributes(rng),
		})
	}
	for oneIn(rng, 4) {
		s.Links = append(s.Links, &tracepb.Span_Link{
			TraceId: append(make([]byte, 15), byte(rng.IntN(4))), SpanId: spanID(rng.IntN(4)), Attributes: attributes(rng),
		})
	}
	return s
}

func resource(rng *rand.Rand) *resourcepb.Resource {
	r := &resourcepb.Resource{Attributes: attributes(rng)}
	switch {
	case oneIn(rng, 12):
		r.Attributes = append(r.Attributes, attribute("service.name", whole(rng.Int64N(3))))
	case !oneIn(rng, 5):
		r.Attributes = append(r.Attributes, attribute("service.name", str(pick(rng, services()))))
	}
	return r
}

func scope(rng *rand.Rand) *commonpb.InstrumentationScope {
	return &commonpb.InstrumentationScope{
		Name: pick(rng, names()), Version: pick(rng, []string{"", "1", "2.0"}), Attributes: attributes(rng),
	}
}

func attributes(rng *rand.Rand) (list []*commonpb.KeyValue) {
	if oneIn(rng, 4) {
		class := pick(rng, []string{schema.UsageLLM, schema.UsageLLM, schema.UsageEmbedding, schema.UsageAggregate, "other"})
		list = append(list, attribute(schema.UsageClass, str(class)))
	}
	for range rng.IntN(6) {
		switch rng.IntN(5) {
		case 0:
			list = append(list, attribute(pick(rng, stringKeys()), text(rng)))
		case 1:
			key := pick(rng, numberKeys())
			v := whole(pick(rng, ints()))
			if key == "f" || oneIn(rng, 3) {
				v = float(pick(rng, floats()))
			}
			list = append(list, attribute(key, v))
		case 2:
			list = append(list, attribute(pick(rng, boolKeys()), boolean(rng)))
		case 3:
			list = append(list, attribute(pick(rng, listKeys()), array(rng)))
		default:
			list = append(list, attribute("mixed", anything(rng)))
		}
	}
	return list
}

func attribute(key string, v *commonpb.AnyValue) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: v}
}

func str(s string) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: s}}
}

func whole(i int64) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: i}}
}

func float(f float64) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: f}}
}

func boolean(rng *rand.Rand) *commonpb.AnyValue {
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: oneIn(rng, 2)}}
}

func text(rng *rand.Rand) *commonpb.AnyValue {
	if oneIn(rng, 20) {
		return str(notUTF8)
	}
	return str(pick(rng, texts()))
}

func array(rng *rand.Rand) *commonpb.AnyValue {
	list := &commonpb.ArrayValue{}
	kind := rng.IntN(5)
	for range rng.IntN(4) {
		switch kind {
		case 0:
			list.Values = append(list.Values, text(rng))
		case 1:
			list.Values = append(list.Values, whole(pick(rng, ints())))
		case 2:
			list.Values = append(list.Values, float(pick(rng, floats())))
		case 3:
			list.Values = append(list.Values, boolean(rng))
		default:
			list.Values = append(list.Values, anything(rng))
		}
	}
	return &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: list}}
}

func anything(rng *rand.Rand) *commonpb.AnyValue {
	switch rng.IntN(10) {
	case 0, 1:
		return text(rng)
	case 2, 3:
		return whole(pick(rng, append(ints(), math.MinInt64, math.MaxInt64)))
	case 4:
		return float(pick(rng, append(floats(), math.NaN(), math.Inf(1), -1e300, 1<<53)))
	case 5:
		return boolean(rng)
	case 6:
		return &commonpb.AnyValue{}
	case 7:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte("a")}}
	case 8:
		return &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{
			Values: []*commonpb.KeyValue{attribute("a", str("b"))},
		}}}
	default:
		return array(rng)
	}
}
