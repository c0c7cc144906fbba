package oracle

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// scene is what an expression is evaluated for: a span of a trace, and where a
// comparison speaks of events or links one of them.
type scene struct {
	trace *trace
	index int
	event *otlp.Event
	link  *otlp.Link
}

func (s scene) span() *schema.Span { return &s.trace.spans[s.index] }

// of reports what fields outside of comparisons within e belong to.
func of(e traceql.FieldExpr) (event, link bool) {
	switch e := e.(type) {
	case *traceql.Attribute:
		return e.Scope == traceql.ScopeEvent, e.Scope == traceql.ScopeLink
	case *traceql.Intrinsic:
		event = e.ID == traceql.IntrinsicEventName || e.ID == traceql.IntrinsicEventTimeSinceStart
		link = e.ID == traceql.IntrinsicLinkTraceID || e.ID == traceql.IntrinsicLinkSpanID
	case *traceql.Unary:
		if e.Op == traceql.OpSub {
			return of(e.X)
		}
	case *traceql.Binary:
		if e.Op.IsArithmetic() {
			leftEvent, leftLink := of(e.Left)
			rightEvent, rightLink := of(e.Right)
			return leftEvent || rightEvent, leftLink || rightLink
		}
	}
	return event, link
}

// each calls f for the scene with every event and every link that the
// expressions speak of; once if they speak of none.
func (s scene) each(f func(scene), expressions ...traceql.FieldExpr) {
	scenes := []scene{s}
	ofEvent, ofLink := false, false
	for _, e := range expressions {
		event, link := of(e)
		ofEvent, ofLink = ofEvent || event, ofLink || link
	}
	if ofEvent {
		scenes = nil
		for e := range otlp.Events(s.span()) {
			scenes = append(scenes, scene{trace: s.trace, index: s.index, event: &e, link: s.link})
		}
	}
	for _, with := range scenes {
		if !ofLink {
			f(with)
			continue
		}
		for l := range otlp.Links(s.span()) {
			f(scene{trace: s.trace, index: s.index, event: with.event, link: &l})
		}
	}
}

// attribute is the attribute as it is stored, false if there is none.
func (s scene) attribute(a *traceql.Attribute) (schema.Value, bool) {
	switch a.Scope {
	case traceql.ScopeNone:
		if v, ok := s.spanAttribute(a.Name); ok && v.Kind != schema.KindEmpty {
			return v, true
		}
		return s.resourceAttribute(a.Name)
	case traceql.ScopeSpan:
		return s.spanAttribute(a.Name)
	case traceql.ScopeResource:
		return s.resourceAttribute(a.Name)
	case traceql.ScopeInstrumentation:
		return first(otlp.ScopeAttributes(s.span().Scope), a.Name)
	case traceql.ScopeEvent:
		return first(s.event.Attributes, a.Name)
	case traceql.ScopeLink:
		return first(s.link.Attributes, a.Name)
	case traceql.ScopeParent, traceql.ScopeParentSpan, traceql.ScopeParentResource:
	}
	return schema.Value{}, false
}

// spanAttribute looks at what was derived before what was sent.
func (s scene) spanAttribute(key string) (schema.Value, bool) {
	if key == schema.UsageCounted {
		return s.counted()
	}
	return storedAttribute(s.span(), key)
}

func storedAttribute(s *schema.Span, key string) (schema.Value, bool) {
	if v, ok := otlp.Lookup(s.Derived, key); ok {
		return v, true
	}
	return otlp.Lookup(s.Attributes, key)
}

// counted looks for usage among the spans below that repeats what the span
// reports.
func (s scene) counted() (schema.Value, bool) {
	class, ok := storedAttribute(s.span(), schema.UsageClass)
	switch class.Str {
	case schema.UsageLLM, schema.UsageEmbedding, schema.UsageAggregate:
	default:
		ok = false
	}
	if !ok || class.Kind != schema.KindString {
		return schema.Value{}, false
	}
	counted := true
	for i := range s.trace.spans {
		below, ok := storedAttribute(&s.trace.spans[i], schema.UsageClass)
		if ok && schema.UsageRepeats(class.Str, below.Str) && slices.Contains(s.trace.above(i), s.span().SpanID) {
			counted = false
		}
	}
	return schema.Value{Kind: schema.KindBool, Bool: counted}, true
}

// resourceAttribute knows that every resource has a service.name, an empty one
// if nothing else.
func (s scene) resourceAttribute(key string) (schema.Value, bool) {
	v, ok := first(otlp.ResourceAttributes(s.span().Resource), key)
	if key == "service.name" && (!ok || v.Kind == schema.KindEmpty) {
		return schema.Value{Kind: schema.KindString}, true
	}
	return v, ok
}

// first is the value of the first attribute with the key.
func first(attributes []schema.Attribute, key string) (schema.Value, bool) {
	for _, a := range attributes {
		if a.Key == key {
			return a.Value, true
		}
	}
	return schema.Value{}, false
}

// intrinsic is the value of an intrinsic, which every span has. Ids are lower
// case and have all their digits.
func (s scene) intrinsic(id traceql.IntrinsicID) traceql.Static {
	span, t := s.span(), s.trace
	switch id {
	case traceql.IntrinsicDuration:
		return duration(span.DurationNanos())
	case traceql.IntrinsicName:
		return traceql.NewString(span.Name)
	case traceql.IntrinsicStatus:
		return traceql.NewStatus(span.StatusCode)
	case traceql.IntrinsicStatusMessage:
		return traceql.NewString(span.StatusMessage)
	case traceql.IntrinsicKind:
		return traceql.NewKind(span.Kind)
	case traceql.IntrinsicSpanID:
		return traceql.NewString(hex.EncodeToString(span.SpanID[:]))
	case traceql.IntrinsicParentID:
		if span.ParentSpanID.IsZero() {
			return traceql.NewString("")
		}
		return traceql.NewString(hex.EncodeToString(span.ParentSpanID[:]))
	case traceql.IntrinsicChildCount:
		if t.at[s.index] < 0 {
			return traceql.NewInt(0)
		}
		return traceql.NewInt(int64(len(t.shape.children(span.SpanID))))
	case traceql.IntrinsicInstrumentationName:
		return traceql.NewString(span.Scope.Name)
	case traceql.IntrinsicInstrumentationVersion:
		return traceql.NewString(span.Scope.Version)
	case traceql.IntrinsicNestedSetLeft:
		return traceql.NewInt(s.nested().left)
	case traceql.IntrinsicNestedSetRight:
		return traceql.NewInt(s.nested().right)
	case traceql.IntrinsicNestedSetParent:
		return traceql.NewInt(s.nested().parent)
	case traceql.IntrinsicEventName:
		return traceql.NewString(s.event.Name)
	case traceql.IntrinsicEventTimeSinceStart:
		return duration(int64(s.event.TimeNanos - span.StartNanos)) //nolint:gosec // negative before the start
	case traceql.IntrinsicLinkTraceID:
		return traceql.NewString(padded(hex.EncodeToString(s.link.TraceID), traceDigits))
	case traceql.IntrinsicLinkSpanID:
		return traceql.NewString(padded(hex.EncodeToString(s.link.SpanID), spanDigits))
	default:
		return t.intrinsic(id)
	}
}

// nested are the span's numbers; a score has none.
func (s scene) nested() nestedSet {
	if at := s.trace.at[s.index]; at >= 0 {
		return s.trace.shape.nested[at]
	}
	return nestedSet{}
}

// intrinsic is the value of an intrinsic that all spans of the trace share.
func (t *trace) intrinsic(id traceql.IntrinsicID) traceql.Static {
	root := t.root()
	switch {
	case id == traceql.IntrinsicTraceID:
		return traceql.NewString(hex.EncodeToString(t.id[:]))
	case id == traceql.IntrinsicTraceDuration:
		return duration(t.durationNanos())
	case root == nil:
		return traceql.NewString("")
	case id == traceql.IntrinsicTraceRootName:
		return traceql.NewString(root.Name)
	case id == traceql.IntrinsicTraceRootService:
		return traceql.NewString(root.Resource.ServiceName)
	}
	return traceql.Static{}
}

func duration(nanos int64) traceql.Static {
	return traceql.Static{Type: traceql.TypeDuration, Int: nanos}
}

// Digits of ids.
const (
	traceDigits = 32
	spanDigits  = 16
)

// padded fills an id up with zeros. No id at all stays so.
func padded(text string, digits int) string {
	for text != "" && len(text) < digits {
		text = "0" + text
	}
	return text
}

// asID brings a string that is compared with an id into the form of ids: any
// case and padding will do. What is no id stays as it is.
func asID(field traceql.FieldExpr, text string) string {
	i, ok := field.(*traceql.Intrinsic)
	if !ok {
		return text
	}
	digits := spanDigits
	switch i.ID {
	case traceql.IntrinsicTraceID, traceql.IntrinsicLinkTraceID:
		digits = traceDigits
	case traceql.IntrinsicSpanID, traceql.IntrinsicParentID, traceql.IntrinsicLinkSpanID:
	default:
		return text
	}
	short := strings.ToLower(strings.TrimLeft(text, "0"))
	for _, r := range short {
		if !strings.ContainsRune("0123456789abcdef", r) {
			return text
		}
	}
	if text == "" || len(short) > digits {
		return text
	}
	return strings.Repeat("0", digits-len(short)) + short
}
