package vectest

import (
	"bytes"
	"slices"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Holds decides a filter on one row, without any short cut.
func Holds(f *vec.Filter, s *schema.Span) bool {
	switch f.Op {
	case vec.OpTrue:
		return true
	case vec.OpFalse:
		return false
	case vec.OpPredicate:
		return predicateHolds(f.Predicate, s)
	case vec.OpNot:
		return !Holds(f.Args[0], s)
	case vec.OpAnd:
		return !slices.ContainsFunc(f.Args, func(arg *vec.Filter) bool { return !Holds(arg, s) })
	case vec.OpOr:
		return slices.ContainsFunc(f.Args, func(arg *vec.Filter) bool { return Holds(arg, s) })
	}
	return false
}

func predicateHolds(p *vec.Predicate, s *schema.Span) bool {
	values := valuesOf(p.Field, s)
	if len(values) == 0 {
		return p.Absent
	}
	return slices.ContainsFunc(values, p.Holds)
}

// valuesOf lists the values of a field: at most one, except for events and
// links.
func valuesOf(field vec.Field, s *schema.Span) (values []schema.Value) {
	addFirst := func(attributes []schema.Attribute) {
		i := slices.IndexFunc(attributes, func(a schema.Attribute) bool { return a.Key == field.Key })
		if i >= 0 {
			values = append(values, attributes[i].Value)
		}
	}
	switch field.Scope {
	case vec.ScopeIntrinsic:
		return intrinsicOf(field.Key, s)
	case vec.ScopeSpan:
		derived := schema.Span{Attributes: s.Derived}
		addFirst(append(otlp.SpanAttributes(&derived), otlp.SpanAttributes(s)...))
	case vec.ScopeResource:
		addFirst(otlp.ResourceAttributes(s.Resource))
	case vec.ScopeInstrumentation:
		addFirst(otlp.ScopeAttributes(s.Scope))
	case vec.ScopeEvent:
		for e := range otlp.Events(s) {
			addFirst(e.Attributes)
		}
	case vec.ScopeLink:
		for l := range otlp.Links(s) {
			addFirst(l.Attributes)
		}
	}
	return values
}

func intrinsicOf(key string, s *schema.Span) (values []schema.Value) {
	switch key {
	case vec.Name:
		return []schema.Value{text(s.Name)}
	case vec.Kind:
		return []schema.Value{number(int64(s.Kind))}
	case vec.StatusCode:
		return []schema.Value{number(int64(s.StatusCode))}
	case vec.StatusMessage:
		return []schema.Value{text(s.StatusMessage)}
	case vec.Duration:
		return []schema.Value{number(s.DurationNanos())}
	case vec.ServiceName:
		return []schema.Value{text(s.Resource.ServiceName)}
	case vec.ScopeName:
		return []schema.Value{text(s.Scope.Name)}
	case vec.ScopeVersion:
		return []schema.Value{text(s.Scope.Version)}
	case vec.EventName:
		for e := range otlp.Events(s) {
			values = append(values, text(e.Name))
		}
	}
	return values
}

func text(s string) schema.Value { return schema.Value{Kind: schema.KindString, Str: s} }

func number(i int64) schema.Value { return schema.Value{Kind: schema.KindInt, Int: i} }

// Hits are what a source of the rows has to find, in the order of trace ids. A
// source may find more, and may leave Folded out where it is set here.
func Hits(f *vec.Filter, spans []schema.Span) []vec.Hit {
	type key struct {
		trace schema.TraceID
		span  schema.SpanID
		kind  int32
	}
	all := make(map[schema.TraceID]*vec.Hit)
	seen := make(map[key]bool)
	for i := range spans {
		s := &spans[i]
		h, ok := all[s.TraceID]
		if !ok {
			h = &vec.Hit{ID: s.TraceID, StartNanos: s.StartNanos, Folded: true}
			all[s.TraceID] = h
		}
		h.StartNanos = min(h.StartNanos, s.StartNanos)
		h.LastNanos = max(h.LastNanos, s.StartNanos)
		h.EndNanos = max(h.EndNanos, s.StartNanos, s.EndNanos)
		k := key{s.TraceID, s.SpanID, s.Kind}
		if seen[k] || s.Fragment != schema.FragmentNone {
			h.Folded = false
		}
		seen[k] = true
		if Holds(f, s) {
			h.Matched++
		}
	}
	var hits []vec.Hit
	for _, h := range all {
		if h.Matched > 0 {
			hits = append(hits, *h)
		}
	}
	slices.SortFunc(hits, func(a, b vec.Hit) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return hits
}

// ColumnValue is what a row has of a column, empty if it lacks it.
func ColumnValue(column vec.Column, s *schema.Span) schema.Value {
	for _, field := range column {
		if values := valuesOf(field, s); len(values) > 0 && values[0].Kind != schema.KindEmpty {
			return values[0]
		}
	}
	return schema.Value{}
}
