package traceqltest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// Origin is the time that the times of scripts count from: 2026-01-01, in Unix
// nanoseconds, a multiple of an hour.
const Origin = uint64(1_767_225_600_000_000_000)

// loader makes spans of the lines below load.
type loader struct {
	traceID []byte
	above   []loaded // the spans that the last line is in, the outermost first
	count   int      // spans of the trace
	names   map[spanKey]string
	rows    []schema.Span
	pending []*tracepb.ResourceSpans
}

type loaded struct {
	indent  int
	message *tracepb.ResourceSpans
}

// spanKey is what a span is told by.
type spanKey struct {
	trace schema.TraceID
	span  schema.SpanID
}

func (l loaded) span() *tracepb.Span { return l.message.GetScopeSpans()[0].GetSpans()[0] }

// load reads lines and returns the rows, each with a position of its own.
func (l *loader) load(lines []line) ([]schema.Span, error) {
	l.names = make(map[spanKey]string)
	for _, at := range lines {
		if err := l.line(at); err != nil {
			return nil, fmt.Errorf("line %d: %w", at.number, err)
		}
	}
	decoder := otlp.NewDecoder()
	for i, message := range l.pending {
		body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{message}})
		if err != nil {
			return nil, fmt.Errorf("write span: %w", err)
		}
		if l.rows, err = decoder.Decode(body, uint64(i+1), l.rows); err != nil {
			return nil, fmt.Errorf("read span: %w", err)
		}
	}
	return l.rows, nil
}

func (l *loader) line(at line) error {
	words, err := splitWords(at.text)
	if err != nil {
		return err
	}
	switch {
	case words[0] == "trace" && len(words) == 2:
		l.traceID, l.above, l.count = idBytes(words[1], 16), nil, 0
		return nil
	case l.traceID == nil:
		return fmt.Errorf("%q: want a trace first", at.text)
	case words[0] == "event" && len(words) >= 3 && len(l.above) > 0:
		return l.event(words)
	case words[0] == "link" && len(words) >= 3 && len(l.above) > 0:
		link := &tracepb.Span_Link{TraceId: idBytes(words[1], 16), SpanId: idBytes(words[2], 8)}
		span := l.above[len(l.above)-1].span()
		span.Links = append(span.Links, link)
		return attributesInto(&link.Attributes, words[3:])
	case len(words) < 3:
		return fmt.Errorf("%q: want a name, a start and a duration", at.text)
	}
	return l.span(at, words)
}

func (l *loader) event(words []string) error {
	span := l.above[len(l.above)-1].span()
	after, err := time.ParseDuration(words[2])
	if err != nil {
		return fmt.Errorf("event: %w", err)
	}
	event := &tracepb.Span_Event{
		Name: words[1], TimeUnixNano: span.GetStartTimeUnixNano() + uint64(after), //nolint:gosec // wraps before the start
	}
	span.Events = append(span.Events, event)
	return attributesInto(&event.Attributes, words[3:])
}

// attributesInto reads words such as .key=value.
func attributesInto(list *[]*commonpb.KeyValue, words []string) error {
	for _, w := range words {
		key, text, ok := strings.Cut(w, "=")
		if !ok || !strings.HasPrefix(key, ".") {
			return fmt.Errorf("%q: want .key=value", w)
		}
		if err := attributeInto(list, key[1:], text); err != nil {
			return err
		}
	}
	return nil
}

func attributeInto(list *[]*commonpb.KeyValue, key, text string) error {
	v, err := parseValue(text)
	if err != nil {
		return err
	}
	if key, err = unquoteKey(key); err != nil {
		return err
	}
	*list = append(*list, &commonpb.KeyValue{Key: key, Value: v})
	return nil
}

// span reads the line of a span, which hangs under the nearest line above with
// a smaller indent.
func (l *loader) span(at line, words []string) error {
	start, err := time.ParseDuration(words[1])
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	length, err := time.ParseDuration(words[2])
	if err != nil {
		return fmt.Errorf("duration: %w", err)
	}
	for len(l.above) > 0 && l.above[len(l.above)-1].indent >= at.indent {
		l.above = l.above[:len(l.above)-1]
	}
	l.count++
	begin := Origin + uint64(start) //nolint:gosec // wraps before the origin
	span := &tracepb.Span{
		TraceId: l.traceID, SpanId: binary.BigEndian.AppendUint64(nil, uint64(l.count)), Name: words[0], //nolint:gosec // a count
		StartTimeUnixNano: begin, EndTimeUnixNano: begin + uint64(length), //nolint:gosec // wraps before the start
	}
	scope := &tracepb.ScopeSpans{Scope: &commonpb.InstrumentationScope{}, Spans: []*tracepb.Span{span}}
	message := &tracepb.ResourceSpans{Resource: &resourcepb.Resource{}, ScopeSpans: []*tracepb.ScopeSpans{scope}}
	if len(l.above) > 0 {
		parent := l.above[len(l.above)-1]
		span.ParentSpanId = parent.span().GetSpanId()
		message.Resource = parent.message.GetResource()
	}
	own := &resourcepb.Resource{}
	for _, w := range words[3:] {
		if err := spanWord(span, scope.GetScope(), own, w); err != nil {
			return err
		}
	}
	if len(own.GetAttributes()) > 0 {
		message.Resource = own
	}
	l.names[spanKey{schema.TraceID(l.traceID), schema.SpanID(span.GetSpanId())}] = words[0]
	l.above = append(l.above, loaded{at.indent, message})
	l.pending = append(l.pending, message)
	return nil
}

// spanWord reads one of the words that may stand behind a span's times.
func spanWord(span *tracepb.Span, scope *commonpb.InstrumentationScope, resource *resourcepb.Resource, word string) error {
	if kind, ok := tracepb.Span_SpanKind_value["SPAN_KIND_"+strings.ToUpper(word)]; ok {
		span.Kind = tracepb.Span_SpanKind(kind)
		return nil
	}
	if code, ok := tracepb.Status_StatusCode_value["STATUS_CODE_"+strings.ToUpper(word)]; ok {
		span.Status = &tracepb.Status{Code: tracepb.Status_StatusCode(code), Message: span.GetStatus().GetMessage()}
		return nil
	}
	key, text, ok := strings.Cut(word, "=")
	if !ok {
		return fmt.Errorf("%q: want a kind, a status or key=value", word)
	}
	switch prefix, name, _ := strings.Cut(key, "."); prefix {
	case "":
		return attributeInto(&span.Attributes, name, text)
	case "resource":
		return attributeInto(&resource.Attributes, name, text)
	case "instrumentation":
		return attributeInto(&scope.Attributes, name, text)
	}
	switch key {
	case "id":
		span.SpanId = idBytes(text, 8)
		return nil
	case "parent":
		span.ParentSpanId = idBytes(text, 8)
		return nil
	}
	v, err := parseValue(text)
	if err != nil {
		return err
	}
	switch s := v.GetStringValue(); key {
	case "name":
		span.Name = s
	case "service":
		resource.Attributes = append(resource.Attributes, &commonpb.KeyValue{Key: "service.name", Value: v})
	case "message":
		span.Status = &tracepb.Status{Code: span.GetStatus().GetCode(), Message: s}
	case "scope":
		scope.Name = s
	case "version":
		scope.Version = s
	default:
		return fmt.Errorf("%q is not known", key)
	}
	return nil
}

// idBytes is an id of so many bytes, filled up with zeros. What is no
// hexadecimal number gives zeros, which no id is.
func idBytes(text string, length int) []byte {
	id := make([]byte, length)
	digits := strings.Repeat("0", max(0, 2*length-len(text))) + text
	if _, err := hex.Decode(id, []byte(digits)[len(digits)-2*length:]); err != nil {
		clear(id)
	}
	return id
}
