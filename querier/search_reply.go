package querier

import (
	"encoding/base64"
	"math"
	"strconv"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// searchWriter writes the reply of a search in proto3 JSON: zero values are
// left out and 64-bit integers are text. The data source decodes strictly, so
// no member may be added here. An answer may have megabytes, so it is written
// once, and by no reflection.
type searchWriter struct {
	out []byte
}

// replyBytes is about what a trace takes in a reply.
const replyBytes = 2048

// appendSearch appends a result. Without a query there are no spansets but the
// number of traces that were looked at, as with Tempo.
func appendSearch(dst []byte, result *engine.SearchResult, blocks int, hasQuery bool) []byte {
	w := &searchWriter{out: dst}
	w.raw(`{"traces":[`)
	for i := range result.Traces {
		w.comma(i)
		w.trace(&result.Traces[i], hasQuery)
	}
	w.raw(`],"metrics":{`)
	if !hasQuery && result.InspectedTraces > 0 {
		w.raw(`"inspectedTraces":`)
		w.uint(min(result.InspectedTraces, math.MaxUint32))
		w.raw(`,`)
	}
	if blocks > 0 {
		w.raw(`"totalBlocks":`)
		w.uint(uint64(blocks)) //nolint:gosec // a count of blocks
		w.raw(`,`)
	}
	w.raw(`"completedJobs":1,"totalJobs":1`)
	w.nonzero(`,"inspectedSpans":"`, result.InspectedSpans, `"`)
	w.raw(`}}`)
	return w.out
}

func (w *searchWriter) trace(t *engine.TraceResult, hasQuery bool) {
	w.raw(`{"traceID":"`)
	w.raw(t.TraceID.String())
	w.raw(`"`)
	w.nonempty(`,"rootServiceName":`, t.RootServiceName)
	w.nonempty(`,"rootTraceName":`, t.RootTraceName)
	w.nonzero(`,"startTimeUnixNano":"`, t.StartNanos, `"`)
	w.nonzero(`,"durationMs":`, uint64(t.DurationMs), ``)
	if hasQuery {
		w.spanSets(t.SpanSets)
		w.services(t.ServiceStats)
	}
	w.raw(`}`)
}

// spanSets writes the first one twice: older clients know only one.
func (w *searchWriter) spanSets(sets []engine.SpanSet) {
	if len(sets) == 0 {
		return
	}
	w.raw(`,"spanSet":`)
	begin := len(w.out)
	w.spanSet(&sets[0])
	end := len(w.out)
	w.raw(`,"spanSets":[`)
	w.out = append(w.out, w.out[begin:end]...)
	for i := range sets[1:] {
		w.raw(`,`)
		w.spanSet(&sets[1+i])
	}
	w.raw(`]`)
}

func (w *searchWriter) spanSet(s *engine.SpanSet) {
	w.raw(`{`)
	if len(s.Spans) > 0 {
		w.raw(`"spans":[`)
		for i := range s.Spans {
			w.comma(i)
			w.span(&s.Spans[i])
		}
		w.raw(`]`)
	}
	if s.Matched > 0 {
		w.comma(len(s.Spans))
		w.raw(`"matched":`)
		w.uint(uint64(s.Matched))
	}
	if len(s.Attributes) > 0 {
		w.raw(`,"attributes":`)
		w.attributes(s.Attributes)
	}
	w.raw(`}`)
}

func (w *searchWriter) span(s *engine.SpanResult) {
	w.raw(`{"spanID":"`)
	w.raw(s.SpanID.String())
	w.raw(`"`)
	w.nonempty(`,"name":`, s.Name)
	w.nonzero(`,"startTimeUnixNano":"`, s.StartNanos, `"`)
	w.nonzero(`,"durationNanos":"`, s.DurationNanos, `"`)
	if len(s.Attributes) > 0 {
		w.raw(`,"attributes":`)
		w.attributes(s.Attributes)
	}
	w.raw(`}`)
}

func (w *searchWriter) services(stats []engine.ServiceStats) {
	if len(stats) == 0 {
		return
	}
	w.raw(`,"serviceStats":{`)
	for i := range stats {
		s := &stats[i]
		w.comma(i)
		w.text(s.Service)
		w.raw(`:{"spanCount":`)
		w.uint(uint64(s.SpanCount))
		w.nonzero(`,"errorCount":`, uint64(s.ErrorCount), ``)
		w.raw(`}`)
	}
	w.raw(`}`)
}

func (w *searchWriter) attributes(list []schema.Attribute) {
	w.raw(`[`)
	for i := range list {
		w.comma(i)
		w.raw(`{`)
		if list[i].Key != "" {
			w.raw(`"key":`)
			w.text(list[i].Key)
			w.raw(`,`)
		}
		w.raw(`"value":`)
		w.value(&list[i].Value)
		w.raw(`}`)
	}
	w.raw(`]`)
}

// value writes an AnyValue.
func (w *searchWriter) value(v *schema.Value) {
	switch v.Kind {
	case schema.KindString:
		w.raw(`{"stringValue":`)
		w.text(v.Str)
	case schema.KindBool:
		w.raw(`{"boolValue":`)
		w.out = strconv.AppendBool(w.out, v.Bool)
	case schema.KindInt:
		w.raw(`{"intValue":"`)
		w.out = strconv.AppendInt(w.out, v.Int, 10)
		w.raw(`"`)
	case schema.KindDouble:
		w.raw(`{"doubleValue":`)
		w.out = otlp.AppendJSONDouble(w.out, v.Double)
	case schema.KindBytes:
		w.raw(`{"bytesValue":"`)
		w.out = base64.StdEncoding.AppendEncode(w.out, []byte(v.Str))
		w.raw(`"`)
	case schema.KindArray:
		w.raw(`{"arrayValue":{"values":[`)
		for i := range v.Array {
			w.comma(i)
			w.value(&v.Array[i])
		}
		w.raw(`]}`)
	case schema.KindMap:
		w.raw(`{"kvlistValue":{"values":`)
		w.attributes(v.Map)
		w.raw(`}`)
	case schema.KindEmpty:
		w.raw(`{`)
	}
	w.raw(`}`)
}

func (w *searchWriter) raw(s string) { w.out = append(w.out, s...) }

func (w *searchWriter) text(s string) { w.out = otlp.AppendJSONText(w.out, s) }

func (w *searchWriter) uint(n uint64) { w.out = strconv.AppendUint(w.out, n, 10) }

// comma separates element i from the one before it.
func (w *searchWriter) comma(i int) {
	if i > 0 {
		w.raw(`,`)
	}
}

func (w *searchWriter) nonempty(member, text string) {
	if text != "" {
		w.raw(member)
		w.text(text)
	}
}

func (w *searchWriter) nonzero(before string, n uint64, after string) {
	if n != 0 {
		w.raw(before)
		w.uint(n)
		w.raw(after)
	}
}
