package corpus_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/spanlake/spanlake/internal/corpus"
)

func TestWorkloadIsItsArguments(t *testing.T) {
	generate := func(seed uint64, spans int, mix corpus.Mix) []byte {
		return bytes.Join(slices.Collect(corpus.Workload(seed, spans, mix)), nil)
	}
	for _, mix := range []corpus.Mix{corpus.MixMicro, corpus.MixLLM, corpus.MixBoth} {
		first := generate(1, 1000, mix)
		require.Equal(t, first, generate(1, 1000, mix), mix)
		require.NotEqual(t, first, generate(2, 1000, mix), mix)
	}
	require.NotEqual(t, generate(1, 1000, corpus.MixMicro), generate(1, 1000, corpus.MixLLM))
}

func TestWorkloadStopsWhenAsked(t *testing.T) {
	n := 0
	for range corpus.Workload(1, math.MaxInt, corpus.MixMicro) {
		if n++; n == 2 {
			break
		}
	}
	require.Equal(t, 2, n)
	require.Empty(t, slices.Collect(corpus.Workload(1, 0, corpus.MixBoth)))
}

// seen is what a workload turns out to be.
type seen struct {
	requests, bytes int
	spans           []ptrace.Span
	resources       map[string]pcommon.Map // by instance
	services        map[pcommon.TraceID]map[string]bool
	traces          map[pcommon.TraceID]map[pcommon.SpanID]ptrace.Span
	keys            map[string]int             // spans with "key:type"
	values          map[string]map[string]bool // of keys
}

func look(t *testing.T, spans int, mix corpus.Mix) *seen {
	t.Helper()
	s := &seen{
		resources: map[string]pcommon.Map{}, services: map[pcommon.TraceID]map[string]bool{},
		traces: map[pcommon.TraceID]map[pcommon.SpanID]ptrace.Span{}, keys: map[string]int{}, values: map[string]map[string]bool{},
	}
	for body := range corpus.Workload(7, spans, mix) {
		s.requests++
		s.bytes += len(body)
		request := ptraceotlp.NewExportRequest()
		require.NoError(t, request.UnmarshalProto(body))
		require.Equal(t, 1, request.Traces().ResourceSpans().Len())
		require.LessOrEqual(t, request.Traces().SpanCount(), 512)
		rs := request.Traces().ResourceSpans().At(0)
		resource := rs.Resource().Attributes()
		require.Equal(t, 14, resource.Len())
		instance, _ := resource.Get("service.instance.id")
		s.resources[instance.Str()] = resource
		service, _ := resource.Get("service.name")
		for _, ss := range rs.ScopeSpans().All() {
			require.NotEmpty(t, ss.Scope().Name())
			for _, span := range ss.Spans().All() {
				s.add(span, service.Str())
			}
		}
	}
	return s
}

func (s *seen) add(span ptrace.Span, service string) {
	s.spans = append(s.spans, span)
	id := span.TraceID()
	if s.traces[id] == nil {
		s.traces[id], s.services[id] = map[pcommon.SpanID]ptrace.Span{}, map[string]bool{}
	}
	s.traces[id][span.SpanID()] = span
	s.services[id][service] = true
	for key, value := range span.Attributes().All() {
		s.keys[fmt.Sprintf("%s:%s", key, value.Type())]++
		if s.values[key] == nil {
			s.values[key] = map[string]bool{}
		}
		s.values[key][value.AsString()] = true
	}
}

// share of the spans for which f is true.
func (s *seen) share(f func(ptrace.Span) bool) float64 {
	n := 0
	for _, span := range s.spans {
		if f(span) {
			n++
		}
	}
	return float64(n) / float64(len(s.spans))
}

func isLLM(span ptrace.Span) bool {
	for key := range span.Attributes().All() {
		if strings.HasPrefix(key, "gen_ai.") || strings.HasPrefix(key, "retrieval.") {
			return true
		}
	}
	return false
}

func failed(span ptrace.Span) bool { return span.Status().Code() == ptrace.StatusCodeError }

func TestWorkloadMicro(t *testing.T) {
	const spans = 30_000
	s := look(t, spans, corpus.MixMicro)
	require.Len(t, s.spans, spans)
	require.Len(t, s.resources, 120, "three pods of forty services")
	require.InDelta(t, 450, s.bytes/spans, 50)
	require.InDelta(t, 15, float64(spans)/float64(len(s.traces)), 1)
	require.InDelta(t, 0.03, s.share(func(span ptrace.Span) bool { return span.Events().Len() > 0 }), 0.006)
	require.InDelta(t, 0.02, s.share(func(span ptrace.Span) bool { return span.Links().Len() > 0 }), 0.005)
	require.InDelta(t, 0.01, s.share(failed), 0.005)
	require.Zero(t, s.share(isLLM))

	attributes, types := 0, map[pcommon.ValueType]bool{}
	for _, span := range s.spans {
		attributes += span.Attributes().Len()
		for _, value := range span.Attributes().All() {
			types[value.Type()] = true
		}
	}
	require.InDelta(t, 8, float64(attributes)/spans, 1)
	require.Len(t, types, 4)

	require.Greater(t, len(s.values["url.full"]), s.keys["url.full:Str"]*9/10)
	require.InDelta(t, 55, len(s.values["http.route"]), 10)
	require.Len(t, s.values["http.response.status_code"], 13)
	require.Greater(t, s.keys["http.response.status_code:Int"], spans/4)
	frequent, rare := 0, 0
	for _, n := range s.keys {
		if n >= spans/1000 {
			frequent++
		} else {
			rare++
		}
	}
	require.InDelta(t, 55, frequent, 15)
	require.Greater(t, rare, 600)
	s.requireTrees(t)
}

func TestWorkloadLLM(t *testing.T) {
	const spans = 10_000
	s := look(t, spans, corpus.MixLLM)
	require.Len(t, s.spans, spans)
	require.InDelta(t, 2000, s.bytes/spans, 250)
	require.InDelta(t, 14, float64(spans)/float64(len(s.traces)), 2)
	require.InDelta(t, 0.03, s.share(func(span ptrace.Span) bool { return span.Events().Len() > 0 }), 0.01)
	require.InDelta(t, 0.025, s.share(failed), 0.01)
	for _, key := range []string{
		"gen_ai.usage.input_tokens:Int", "gen_ai.usage.output_tokens:Int", "gen_ai.response.finish_reasons:Slice",
		"llm.cost.total:Double", "gen_ai.usage.cost:Double", "openinference.span.kind:Str", "langfuse.observation.type:Str",
		"gen_ai.tool.name:Str", "retrieval.documents.2.document.content:Str", "session.id:Str", "user.id:Str",
	} {
		require.Greater(t, s.keys[key], spans/50, key)
	}
	require.Len(t, s.values["gen_ai.request.model"], 9)
	require.Greater(t, len(s.values["user.id"]), 50)

	replayed, lengths := 0, []int{}
	for _, span := range s.spans {
		text, ok := span.Attributes().Get("gen_ai.input.messages")
		if !ok {
			continue
		}
		lengths = append(lengths, len(text.Str()))
		var messages []struct {
			Role  string                           `json:"role"`
			Parts []struct{ Type, Content string } `json:"parts"`
		}
		require.NoError(t, json.Unmarshal([]byte(text.Str()), &messages))
		require.Equal(t, "system", messages[0].Role)
		require.NotEmpty(t, messages[0].Parts[0].Content)
		replayed += len(messages)
	}
	slices.Sort(lengths)
	require.Greater(t, lengths[0], 500)
	require.Less(t, lengths[len(lengths)-1], 4200)
	require.InDelta(t, 9, float64(replayed)/float64(len(lengths)), 3)
	s.requireTrees(t)
}

func TestWorkloadBoth(t *testing.T) {
	s := look(t, 20_000, corpus.MixBoth)
	require.InDelta(t, 0.4, s.share(isLLM), 0.03)
	require.InDelta(t, 1100, s.bytes/len(s.spans), 150)
	for _, services := range s.services {
		require.LessOrEqual(t, len(services), 40)
	}
}

// requireTrees checks that each trace is a tree whose spans lie within their
// parents, except what a queue has put off, and that durations are log-normal
// at least so far that their mean lies well above the median.
func (s *seen) requireTrees(t *testing.T) {
	t.Helper()
	var durations []float64
	services := 0
	for id, spans := range s.traces {
		roots := 0
		for _, span := range spans {
			require.Less(t, uint64(corpus.WorkloadStart), uint64(span.StartTimestamp()))
			require.LessOrEqual(t, span.StartTimestamp(), span.EndTimestamp())
			if span.ParentSpanID().IsEmpty() {
				roots++
				durations = append(durations, float64(span.EndTimestamp()-span.StartTimestamp()))
				continue
			}
			parent, ok := spans[span.ParentSpanID()]
			require.True(t, ok)
			require.LessOrEqual(t, parent.StartTimestamp(), span.StartTimestamp())
			require.GreaterOrEqual(t, parent.EndTimestamp(), span.EndTimestamp())
		}
		require.Equal(t, 1, roots)
		services += len(s.services[id])
	}
	require.Greater(t, services, 3*len(s.traces)/2)
	slices.Sort(durations)
	mean := 0.0
	for _, d := range durations {
		mean += d / float64(len(durations))
	}
	require.Greater(t, mean, 1.1*durations[len(durations)/2])
}

func BenchmarkWorkload(b *testing.B) {
	const spans = 20_000
	for _, mix := range []corpus.Mix{corpus.MixMicro, corpus.MixLLM, corpus.MixBoth} {
		b.Run("mix="+string(mix), func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = 0
				for body := range corpus.Workload(1, spans, mix) {
					n += len(body)
				}
			}
			b.SetBytes(int64(n))
			b.ReportMetric(spans*float64(b.N)/b.Elapsed().Seconds(), "spans/s")
		})
	}
}
