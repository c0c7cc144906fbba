package e2e_test

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/spanlake/spanlake/internal/corpus"
)

// differSearch compares the reply of a search with the recorded answer, in the
// normal form of the conformance suite. "" means that they agree.
func differSearch(t *testing.T, q corpus.Query, want []corpus.Trace, body []byte) string {
	t.Helper()
	reply, err := decodeSearch(body)
	require.NoError(t, err, q.ID)
	got := make([]corpus.Trace, len(reply.Traces))
	for i, trace := range reply.Traces {
		got[i] = normalTrace(t, trace, q.Attrs)
	}
	slices.SortFunc(got, func(a, b corpus.Trace) int { return cmp.Compare(a.ID, b.ID) })
	switch {
	case len(want) != len(got):
		return fmt.Sprintf("%d traces, want %d", len(got), len(want))
	case q.Loose == corpus.LooseCount:
		return ""
	}
	for i := range want {
		if fault := differFound(want[i], got[i], q.Loose); fault != "" {
			return fmt.Sprintf("trace %s: %s", want[i].ID, fault)
		}
	}
	return ""
}

func differFound(want, got corpus.Trace, loose corpus.Loose) string {
	wantSets, gotSets := want.SpanSets, got.SpanSets
	want.SpanSets, got.SpanSets = nil, nil
	if fmt.Sprint(want) != fmt.Sprint(got) || len(wantSets) != len(gotSets) {
		return fmt.Sprintf("%+v with %d spansets, want %+v with %d", got, len(gotSets), want, len(wantSets))
	}
	for i, w := range wantSets {
		g := gotSets[i]
		if w.Matched != g.Matched || len(g.Spans) != min(len(w.Spans), maxSpansPerSet) {
			return fmt.Sprintf("%d of %d spans, want %d of %d", len(g.Spans), g.Matched, len(w.Spans), w.Matched)
		}
		if loose == corpus.LooseMatched {
			continue
		}
		for _, span := range g.Spans {
			if !slices.Contains(w.Spans, span) {
				return "unexpected span " + span
			}
		}
		if !maps.Equal(w.Attrs, g.Attrs) {
			return fmt.Sprintf("attributes %v, want %v", g.Attrs, w.Attrs)
		}
	}
	return ""
}

func normalTrace(t *testing.T, found foundTrace, attrs bool) corpus.Trace {
	t.Helper()
	trace := corpus.Trace{
		ID: found.TraceID, RootService: found.RootServiceName, RootName: found.RootTraceName,
		Start: found.StartTimeUnixNano, DurationMs: int64(found.DurationMs),
	}
	for _, f := range found.SpanSets {
		set := corpus.SpanSet{Matched: int(f.Matched)}
		if attrs {
			set.Attrs = textOfJSON(t, f.Attributes)
		}
		for _, span := range f.Spans {
			text := span.SpanID
			all := textOfJSON(t, span.Attributes)
			if span.Name != "" {
				all["name"] = "s:" + span.Name
			}
			if attrs && len(all) > 0 {
				text += " " + joinText(all)
			}
			set.Spans = append(set.Spans, text)
		}
		slices.Sort(set.Spans)
		trace.SpanSets = append(trace.SpanSets, set)
	}
	slices.SortFunc(trace.SpanSets, func(a, b corpus.SpanSet) int {
		return cmp.Or(cmp.Compare(joinText(a.Attrs), joinText(b.Attrs)), slices.Compare(a.Spans, b.Spans))
	})
	return trace
}

// differTrace compares a trace by id, in Tempo's v2 JSON, with the recorded one.
func differTrace(t *testing.T, want []corpus.Span, body []byte) string {
	t.Helper()
	data, err := form{"v2", acceptJSON}.decode(body)
	require.NoError(t, err)
	var got []corpus.Span
	for _, rs := range data.GetResourceSpans() {
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				got = append(got, normalSpan(rs.GetResource(), ss.GetScope(), s))
			}
		}
	}
	slices.SortFunc(got, func(a, b corpus.Span) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Kind, b.Kind)) })
	if len(want) != len(got) {
		return fmt.Sprintf("%d spans, want %d", len(got), len(want))
	}
	for i := range want {
		if w, g := fmt.Sprintf("%+v", want[i]), fmt.Sprintf("%+v", got[i]); w != g {
			return fmt.Sprintf("%s, want %s", g, w)
		}
	}
	return ""
}

func normalSpan(resource *resourcepb.Resource, scope *commonpb.InstrumentationScope, s *tracepb.Span) corpus.Span {
	span := corpus.Span{
		ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()), Name: s.GetName(),
		Message: s.GetStatus().GetMessage(),
		Start:   strconv.FormatUint(s.GetStartTimeUnixNano(), 10), End: strconv.FormatUint(s.GetEndTimeUnixNano(), 10),
		Scope:    strings.TrimSuffix(scope.GetName()+"@"+scope.GetVersion()+" "+joinText(textOf(scope.GetAttributes())), " "),
		Resource: textOf(resource.GetAttributes()), Attrs: textOf(s.GetAttributes()),
	}
	if s.GetKind() != 0 {
		span.Kind = s.GetKind().String()
	}
	if code := s.GetStatus().GetCode(); code != 0 {
		span.Status = code.String()
	}
	for _, e := range s.GetEvents() {
		span.Events = append(span.Events, fmt.Sprintf("%d %s %s", e.GetTimeUnixNano(), e.GetName(), joinText(textOf(e.GetAttributes()))))
	}
	for _, l := range s.GetLinks() {
		span.Links = append(span.Links, fmt.Sprintf("%x %x %s", l.GetTraceId(), l.GetSpanId(), joinText(textOf(l.GetAttributes()))))
	}
	slices.Sort(span.Events)
	slices.Sort(span.Links)
	return span
}

func textOfJSON(t *testing.T, attributes []json.RawMessage) map[string]string {
	t.Helper()
	list := make([]*commonpb.KeyValue, len(attributes))
	for i, a := range attributes {
		list[i] = new(commonpb.KeyValue)
		require.NoError(t, protojson.Unmarshal(a, list[i]))
	}
	return textOf(list)
}

// textOf is attributes as "type:value" by key. Of a key that occurs twice both
// are there, in the order of values.
func textOf(attributes []*commonpb.KeyValue) map[string]string {
	texts := make(map[string]string)
	for _, a := range attributes {
		text := valueText(a.GetValue())
		if old, ok := texts[a.GetKey()]; ok && old != text {
			text = min(old, text) + "|" + max(old, text)
		}
		texts[a.GetKey()] = text
	}
	return texts
}

func joinText(texts map[string]string) string {
	parts := make([]string, 0, len(texts))
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		parts = append(parts, key+"="+texts[key])
	}
	return strings.Join(parts, ", ")
}

func valueText(v *commonpb.AnyValue) string {
	switch value := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return "s:" + value.StringValue
	case *commonpb.AnyValue_BoolValue:
		return "b:" + strconv.FormatBool(value.BoolValue)
	case *commonpb.AnyValue_IntValue:
		return "i:" + strconv.FormatInt(value.IntValue, 10)
	case *commonpb.AnyValue_DoubleValue:
		return "d:" + strconv.FormatFloat(value.DoubleValue, 'g', 12, 64)
	case *commonpb.AnyValue_BytesValue:
		return "x:" + base64.StdEncoding.EncodeToString(value.BytesValue)
	case *commonpb.AnyValue_ArrayValue:
		elements := make([]string, len(value.ArrayValue.GetValues()))
		for i, element := range value.ArrayValue.GetValues() {
			elements[i] = valueText(element)
		}
		return "[" + strings.Join(elements, ",") + "]"
	case *commonpb.AnyValue_KvlistValue:
		return "kv:" + joinText(textOf(value.KvlistValue.GetValues()))
	}
	return "nil"
}
