package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// verdict is what one read showed.
type verdict struct {
	missing int      // spans
	doubled int      // spans that came more than once
	changes []string // what was not as it was written
}

func (v verdict) report(o *outcome, how string) {
	if v.missing > 0 {
		o.add(problemLost, "%s: %d of %d spans missing", how, v.missing, o.trace.spans)
	}
	if v.doubled > 0 {
		o.add(problemDoubled, "%s: %d of %d spans more than once", how, v.doubled, o.trace.spans)
	}
	if len(v.changes) > 0 {
		o.add(problemChanged, "%s: %s", how, strings.Join(v.changes, "; "))
	}
}

// compareTraces compares what was written with what was read, without regard
// to what OTLP gives no order: resources, scopes, spans, attributes.
func compareTraces(want, got *tracepb.TracesData) verdict {
	wanted, seen := flatten(want), flatten(got)
	var v verdict
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		found := seen[id]
		switch {
		case len(found) == 0:
			v.missing++
			continue
		case len(found) > 1:
			v.doubled++
		}
		for _, s := range found {
			if part := differs(wanted[id][0], s); part != "" {
				v.changes = append(v.changes, fmt.Sprintf("span %s: %s", id, part))
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		if len(wanted[id]) == 0 {
			v.changes = append(v.changes, fmt.Sprintf("span %s was never written", id))
		}
	}
	return v
}

// flatSpan is a span with all that it stands in.
type flatSpan struct {
	resource  *resourcepb.Resource
	scope     *commonpb.InstrumentationScope
	span      *tracepb.Span
	schemaURL [2]string // of the resource and of the scope
}

// flatten returns the spans by their ids, in a form in which equal ones are
// equal messages. It changes data.
func flatten(data *tracepb.TracesData) map[string][]flatSpan {
	spans := make(map[string][]flatSpan)
	for _, rs := range data.GetResourceSpans() {
		resource := orEmpty(rs.GetResource())
		sortAttributes(resource.GetAttributes())
		for _, ss := range rs.GetScopeSpans() {
			scope := orEmpty(ss.GetScope())
			sortAttributes(scope.GetAttributes())
			for _, s := range ss.GetSpans() {
				normalize(s)
				id := hex.EncodeToString(s.GetSpanId())
				spans[id] = append(spans[id], flatSpan{resource, scope, s, [2]string{rs.GetSchemaUrl(), ss.GetSchemaUrl()}})
			}
		}
	}
	return spans
}

// orEmpty makes an absent message an empty one: they mean the same.
func orEmpty[T any](message *T) *T {
	if message == nil {
		return new(T)
	}
	return message
}

func normalize(s *tracepb.Span) {
	s.Status = orEmpty(s.GetStatus())
	sortAttributes(s.GetAttributes())
	for _, e := range s.GetEvents() {
		sortAttributes(e.GetAttributes())
	}
	for _, l := range s.GetLinks() {
		sortAttributes(l.GetAttributes())
	}
}

func sortAttributes(attributes []*commonpb.KeyValue) {
	slices.SortStableFunc(attributes, func(a, b *commonpb.KeyValue) int { return strings.Compare(a.GetKey(), b.GetKey()) })
	for _, a := range attributes {
		a.Value = orEmpty(a.GetValue())
		sortValue(a.GetValue())
	}
}

func sortValue(v *commonpb.AnyValue) {
	sortAttributes(v.GetKvlistValue().GetValues())
	for _, element := range v.GetArrayValue().GetValues() {
		sortValue(element)
	}
}

// differs names the first part in which two spans are not equal, "" if none.
func differs(want, got flatSpan) string {
	switch {
	case want.schemaURL != got.schemaURL:
		return fmt.Sprintf("schema URLs are %q, not %q", got.schemaURL, want.schemaURL)
	case !proto.Equal(want.resource, got.resource):
		return "resource: " + attributesDiffer(want.resource.GetAttributes(), got.resource.GetAttributes())
	case !proto.Equal(want.scope, got.scope):
		return "scope: " + attributesDiffer(want.scope.GetAttributes(), got.scope.GetAttributes())
	case proto.Equal(want.span, got.span):
		return ""
	case !bytes.Equal(want.span.GetTraceId(), got.span.GetTraceId()):
		return "trace id " + hex.EncodeToString(got.span.GetTraceId())
	case len(want.span.GetEvents()) != len(got.span.GetEvents()):
		return fmt.Sprintf("%d events, not %d", len(got.span.GetEvents()), len(want.span.GetEvents()))
	case len(want.span.GetLinks()) != len(got.span.GetLinks()):
		return fmt.Sprintf("%d links, not %d", len(got.span.GetLinks()), len(want.span.GetLinks()))
	}
	return attributesDiffer(want.span.GetAttributes(), got.span.GetAttributes())
}

// attributesDiffer names the first attribute that is not equal. When all are,
// what differs is another field.
func attributesDiffer(want, got []*commonpb.KeyValue) string {
	for i, w := range want {
		if i >= len(got) || got[i].GetKey() > w.GetKey() {
			return fmt.Sprintf("attribute %s is missing", w.GetKey())
		}
		if got[i].GetKey() != w.GetKey() {
			return fmt.Sprintf("attribute %s was never written", got[i].GetKey())
		}
		if !proto.Equal(w, got[i]) {
			return fmt.Sprintf("attribute %s is %s, not %s", w.GetKey(), short(got[i]), short(w))
		}
	}
	if len(got) > len(want) {
		return fmt.Sprintf("attribute %s was never written", got[len(want)].GetKey())
	}
	return "a field other than attributes is changed"
}

// short is the beginning of a value as text.
func short(kv *commonpb.KeyValue) string {
	const limit = 60
	s := fmt.Sprint(kv.GetValue())
	if len(s) > limit {
		s = s[:limit] + "…"
	}
	return s
}
