package querier

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// llmWriter writes a trace in the compact JSON form for language models: ids in
// hexadecimal digits, attributes as plain members, times also as durations in
// milliseconds.
type llmWriter struct{ out []byte }

// appendLLM appends the reply for a trace.
func appendLLM(dst []byte, spans []schema.Span, message string) []byte {
	w := &llmWriter{out: dst}
	w.raw(`{"trace":{`)
	if len(spans) > 0 {
		w.raw(`"traceId":"` + spans[0].TraceID.String() + `",`)
	}
	w.raw(`"services":[`)
	for i, s := range llmServices(spans) {
		w.comma(i)
		w.service(&s)
	}
	w.raw(`]},"metrics":{}`)
	if message == "" {
		w.raw(`,"status":"COMPLETE"}`)
		return w.out
	}
	w.raw(`,"status":"PARTIAL","message":`)
	w.text(message)
	w.raw(`}`)
	return w.out
}

// llmService is the spans of one resource, by scope, all in the order of their
// first span.
type llmService struct {
	resource *schema.Resource
	scopes   []llmScope
}

type llmScope struct {
	scope *schema.Scope
	spans []*schema.Span
}

func llmServices(spans []schema.Span) []llmService {
	var list []llmService
	resources := make(map[string]int)
	scopes := make(map[[2]string]int)
	for i := range spans {
		s := &spans[i]
		r, ok := resources[string(s.Resource.Wire)]
		if !ok {
			r = len(list)
			resources[string(s.Resource.Wire)] = r
			list = append(list, llmService{resource: s.Resource})
		}
		key := [2]string{string(s.Resource.Wire), string(s.Scope.Wire)}
		k, ok := scopes[key]
		if !ok {
			k = len(list[r].scopes)
			scopes[key] = k
			list[r].scopes = append(list[r].scopes, llmScope{scope: s.Scope})
		}
		list[r].scopes[k].spans = append(list[r].scopes[k].spans, s)
	}
	return list
}

func (w *llmWriter) service(s *llmService) {
	w.raw(`{"serviceName":`)
	w.text(s.resource.ServiceName)
	var rest []schema.Attribute
	for _, a := range otlp.ResourceAttributes(s.resource) {
		if a.Key != "service.name" {
			rest = append(rest, a)
		}
	}
	w.raw(`,"resource":`)
	w.object(rest)
	w.raw(`,"scopes":[`)
	for i := range s.scopes {
		w.comma(i)
		w.scope(&s.scopes[i])
	}
	w.raw(`]}`)
}

func (w *llmWriter) scope(s *llmScope) {
	w.raw(`{"name":`)
	w.text(s.scope.Name)
	w.raw(`,"version":`)
	w.text(s.scope.Version)
	w.raw(`,"spans":[`)
	for i, span := range s.spans {
		w.comma(i)
		w.span(span)
	}
	w.raw(`]}`)
}

func (w *llmWriter) span(s *schema.Span) {
	w.raw(`{"spanId":"` + s.SpanID.String() + `","name":`)
	w.text(s.Name)
	if !s.ParentSpanID.IsZero() {
		w.raw(`,"parentSpanId":"` + s.ParentSpanID.String() + `"`)
	}
	w.raw(`,"kind":"` + enumName(s.Kind, kindNames()) + `"`)
	w.raw(`,"startTimeUnixNano":"`)
	w.out = strconv.AppendUint(w.out, s.StartNanos, 10)
	w.raw(`","endTimeUnixNano":"`)
	w.out = strconv.AppendUint(w.out, s.EndNanos, 10)
	w.raw(`","durationMs":`)
	w.out = otlp.AppendJSONDouble(w.out, float64(max(s.DurationNanos(), 0))/float64(time.Millisecond))
	w.raw(`,"attributes":`)
	w.object(otlp.SpanAttributes(s))
	w.raw(`,"events":[`)
	n := 0
	for e := range otlp.Events(s) {
		w.comma(n)
		n++
		w.raw(`{"name":`)
		w.text(e.Name)
		w.raw(`,"timeUnixNano":"`)
		w.out = strconv.AppendUint(w.out, e.TimeNanos, 10)
		w.raw(`","attributes":`)
		w.object(e.Attributes)
		w.raw(`}`)
	}
	w.raw(`],"links":[`)
	n = 0
	for l := range otlp.Links(s) {
		w.comma(n)
		n++
		w.raw(`{"traceId":"` + hex.EncodeToString(l.TraceID) + `","spanId":"` + hex.EncodeToString(l.SpanID) + `","attributes":`)
		w.object(l.Attributes)
		w.raw(`}`)
	}
	w.raw(`],"status":{"code":"` + enumName(s.StatusCode, statusNames()) + `","message":`)
	w.text(s.StatusMessage)
	w.raw(`}}`)
}

func kindNames() []string {
	return []string{
		"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER",
		"SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER",
	}
}

func statusNames() []string {
	return []string{"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"}
}

// enumName is the name of a value, or its number if it has none.
func enumName(v int32, names []string) string {
	if v < 0 || int(v) >= len(names) {
		return strconv.Itoa(int(v))
	}
	return names[v]
}

// object writes attributes as members. Of a key that stands there twice readers
// would see the last, so only that is written.
func (w *llmWriter) object(list []schema.Attribute) {
	last := make(map[string]int, len(list))
	for i := range list {
		last[list[i].Key] = i
	}
	w.raw(`{`)
	n := 0
	for i := range list {
		if last[list[i].Key] != i {
			continue
		}
		w.comma(n)
		n++
		w.text(list[i].Key)
		w.raw(`:`)
		w.value(&list[i].Value)
	}
	w.raw(`}`)
}

func (w *llmWriter) value(v *schema.Value) {
	switch v.Kind {
	case schema.KindString:
		w.text(v.Str)
	case schema.KindBool:
		w.out = strconv.AppendBool(w.out, v.Bool)
	case schema.KindInt:
		w.out = strconv.AppendInt(w.out, v.Int, 10)
	case schema.KindDouble:
		w.out = otlp.AppendJSONDouble(w.out, v.Double)
	case schema.KindBytes:
		w.text(base64.StdEncoding.EncodeToString([]byte(v.Str)))
	case schema.KindArray:
		w.raw(`[`)
		for i := range v.Array {
			w.comma(i)
			w.value(&v.Array[i])
		}
		w.raw(`]`)
	case schema.KindMap:
		w.object(v.Map)
	case schema.KindEmpty:
		w.raw(`null`)
	}
}

func (w *llmWriter) raw(s string) { w.out = append(w.out, s...) }

func (w *llmWriter) text(s string) { w.out = otlp.AppendJSONText(w.out, s) }

func (w *llmWriter) comma(i int) {
	if i > 0 {
		w.raw(`,`)
	}
}
