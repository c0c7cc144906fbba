package engine

import (
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// fieldValue is a field that a span has, and its value.
type fieldValue struct {
	label string
	value schema.Value
}

// spanFields lists all fields that compare looks at: attributes of every scope
// and those intrinsics that are neither ids nor measured.
type spanFields struct {
	list   []fieldValue
	labels map[labelKey]string
}

// labelKey is an attribute of a scope.
type labelKey struct {
	scope traceql.Scope
	key   string
}

// of lists the fields of the frame's span. Several events or links with one
// value count once. It is valid until the next call.
func (s *spanFields) of(f *frame) []fieldValue {
	s.list = s.list[:0]
	span := f.span
	s.text("name", span.Name)
	s.text("statusMessage", span.StatusMessage)
	s.text("status", traceql.NewStatus(span.StatusCode).String())
	s.text("kind", traceql.NewKind(span.Kind).String())
	s.text("instrumentation:name", span.Scope.Name)
	s.text("instrumentation:version", span.Scope.Version)
	s.text("rootName", f.trace.rootName)
	s.text("rootServiceName", f.trace.rootService)
	s.list = append(s.list, fieldValue{"span:childCount", schema.Value{Kind: schema.KindInt, Int: f.trace.childCount(f.row)}})

	from := len(s.list)
	for key, v := range otlp.Attributes(span.Derived) {
		s.first(from, traceql.ScopeSpan, key, v)
	}
	for key, v := range otlp.Attributes(span.Attributes) {
		s.first(from, traceql.ScopeSpan, key, v)
	}
	from = len(s.list)
	s.first(from, traceql.ScopeResource, serviceName, resourceValue(f.resource().attributes(), serviceName))
	for _, a := range f.resource().attributes() {
		s.first(from, traceql.ScopeResource, a.Key, a.Value)
	}
	from = len(s.list)
	for _, a := range f.scopeAttributes() {
		s.first(from, traceql.ScopeInstrumentation, a.Key, a.Value)
	}
	s.appendMembers(f)
	s.list = slices.DeleteFunc(s.list, func(v fieldValue) bool { return v.value.Kind == schema.KindEmpty })
	return s.list
}

// members lists the fields of the frame's events and links.
func (s *spanFields) members(f *frame) []fieldValue {
	s.list = s.list[:0]
	s.appendMembers(f)
	return s.list
}

func (s *spanFields) appendMembers(f *frame) {
	from := len(s.list)
	for _, e := range f.allEvents() {
		s.distinct(from, "event:name", schema.Value{Kind: schema.KindString, Str: e.Name})
		for _, a := range e.Attributes {
			s.distinct(from, s.label(traceql.ScopeEvent, a.Key), labelOf(a.Value))
		}
	}
	from = len(s.list)
	for _, l := range f.allLinks() {
		for _, a := range l.Attributes {
			s.distinct(from, s.label(traceql.ScopeLink, a.Key), labelOf(a.Value))
		}
	}
}

func (s *spanFields) text(label, text string) {
	s.list = append(s.list, fieldValue{label, schema.Value{Kind: schema.KindString, Str: text}})
}

// first adds the attribute unless one with its key was added since from.
func (s *spanFields) first(from int, scope traceql.Scope, key string, v schema.Value) {
	label := s.label(scope, key)
	for i := from; i < len(s.list); i++ {
		if s.list[i].label == label {
			return
		}
	}
	s.list = append(s.list, fieldValue{label, labelOf(v)})
}

// distinct adds the value unless it was added since from.
func (s *spanFields) distinct(from int, label string, v schema.Value) {
	for i := from; i < len(s.list); i++ {
		if s.list[i].label == label && compareLabels([]schema.Attribute{{Value: s.list[i].value}}, []schema.Attribute{{Value: v}}) == 0 {
			return
		}
	}
	s.list = append(s.list, fieldValue{label, v})
}

// label is how a query spells an attribute.
func (s *spanFields) label(scope traceql.Scope, key string) string {
	label, ok := s.labels[labelKey{scope, key}]
	if !ok {
		label = (&traceql.Attribute{Scope: scope, Name: key}).String()
		if s.labels == nil || len(s.labels) >= maxCached {
			s.labels = make(map[labelKey]string)
		}
		s.labels[labelKey{scope, strings.Clone(key)}] = label // the row's bytes may be another's soon
	}
	return label
}
