package engine

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// attributeValue reads an attribute as it is stored. Of events and links it
// reads the one in the frame.
func attributeValue(a *traceql.Attribute) (func(*frame) (schema.Value, bool), error) {
	if isCounted(a) {
		return countedValue, nil
	}
	key := a.Name
	switch a.Scope {
	case traceql.ScopeNone:
		return func(f *frame) (schema.Value, bool) {
			if v, ok := lookupSpan(f.span, key); ok && v.Kind != schema.KindEmpty {
				return v, true
			}
			return f.lookupResource(key)
		}, nil
	case traceql.ScopeSpan:
		return func(f *frame) (schema.Value, bool) { return lookupSpan(f.span, key) }, nil
	case traceql.ScopeResource:
		return func(f *frame) (schema.Value, bool) { return f.lookupResource(key) }, nil
	case traceql.ScopeInstrumentation:
		return func(f *frame) (schema.Value, bool) { return lookup(f.scopeAttributes(), key) }, nil
	case traceql.ScopeEvent:
		return func(f *frame) (schema.Value, bool) { return lookup(f.event.Attributes, key) }, nil
	case traceql.ScopeLink:
		return func(f *frame) (schema.Value, bool) { return lookup(f.link.Attributes, key) }, nil
	case traceql.ScopeParent, traceql.ScopeParentSpan, traceql.ScopeParentResource:
	}
	return nil, fmt.Errorf("%w: %s", traceql.ErrUnsupported, a)
}

// attributeField is attributeValue for use in expressions.
func attributeField(a *traceql.Attribute) (evaluator, error) {
	read, err := attributeValue(a)
	return func(f *frame) operand {
		if v, ok := read(f); ok {
			return operandOf(v)
		}
		return operand{}
	}, err
}

// intrinsicField reads an intrinsic. Those of events and links need one in the
// frame, those of the trace the trace.
func intrinsicField(id traceql.IntrinsicID) (evaluator, error) {
	read, err := intrinsicValue(id)
	if err != nil {
		return nil, err
	}
	return func(f *frame) operand { return scalar(read(f)) }, nil
}

func intrinsicValue(id traceql.IntrinsicID) (func(*frame) traceql.Static, error) {
	text := func(read func(*frame) string) func(*frame) traceql.Static {
		return func(f *frame) traceql.Static { return traceql.NewString(read(f)) }
	}
	switch id {
	case traceql.IntrinsicDuration:
		return func(f *frame) traceql.Static { return nanos(f.span.DurationNanos()) }, nil
	case traceql.IntrinsicName:
		return text(func(f *frame) string { return f.span.Name }), nil
	case traceql.IntrinsicStatus:
		return func(f *frame) traceql.Static { return traceql.NewStatus(f.span.StatusCode) }, nil
	case traceql.IntrinsicStatusMessage:
		return text(func(f *frame) string { return f.span.StatusMessage }), nil
	case traceql.IntrinsicKind:
		return func(f *frame) traceql.Static { return traceql.NewKind(f.span.Kind) }, nil
	case traceql.IntrinsicSpanID:
		return text(func(f *frame) string { return f.span.SpanID.String() }), nil
	case traceql.IntrinsicParentID:
		return text(func(f *frame) string { return parentText(f.span) }), nil
	case traceql.IntrinsicInstrumentationName:
		return text(func(f *frame) string { return f.span.Scope.Name }), nil
	case traceql.IntrinsicInstrumentationVersion:
		return text(func(f *frame) string { return f.span.Scope.Version }), nil
	case traceql.IntrinsicEventName:
		return text(func(f *frame) string { return f.event.Name }), nil
	case traceql.IntrinsicEventTimeSinceStart:
		return func(f *frame) traceql.Static {
			return nanos(int64(f.event.TimeNanos - f.span.StartNanos)) //nolint:gosec // wraps to a negative time on purpose
		}, nil
	case traceql.IntrinsicLinkTraceID:
		return text(func(f *frame) string { return padHex(hex.EncodeToString(f.link.TraceID), traceDigits) }), nil
	case traceql.IntrinsicLinkSpanID:
		return text(func(f *frame) string { return padHex(hex.EncodeToString(f.link.SpanID), spanDigits) }), nil
	case traceql.IntrinsicTraceID:
		return text(func(f *frame) string { return f.span.TraceID.String() }), nil
	case traceql.IntrinsicTraceDuration:
		return func(f *frame) traceql.Static { return nanos(f.trace.durationNanos()) }, nil
	case traceql.IntrinsicTraceRootName:
		return text(func(f *frame) string { return f.trace.rootName }), nil
	case traceql.IntrinsicTraceRootService:
		return text(func(f *frame) string { return f.trace.rootService }), nil
	default:
		return structuralValue(id)
	}
}

// structuralValue reads an intrinsic that says where the span stands in the
// tree of its trace.
func structuralValue(id traceql.IntrinsicID) (func(*frame) traceql.Static, error) {
	switch id {
	case traceql.IntrinsicChildCount:
		return func(f *frame) traceql.Static { return traceql.NewInt(f.trace.childCount(f.row)) }, nil
	case traceql.IntrinsicNestedSetLeft:
		return func(f *frame) traceql.Static { return traceql.NewInt(f.trace.numbersOf(f.row).left) }, nil
	case traceql.IntrinsicNestedSetRight:
		return func(f *frame) traceql.Static { return traceql.NewInt(f.trace.numbersOf(f.row).right) }, nil
	case traceql.IntrinsicNestedSetParent:
		return func(f *frame) traceql.Static { return traceql.NewInt(f.trace.numbersOf(f.row).parent) }, nil
	default:
		return nil, fmt.Errorf("%w: %s", traceql.ErrUnsupported, id)
	}
}

func nanos(n int64) traceql.Static {
	return traceql.Static{Type: traceql.TypeDuration, Int: n}
}

// Digits of an id in hexadecimal.
const (
	traceDigits = 32
	spanDigits  = 16
)

// parentText is the parent's id, "" for a root.
func parentText(s *schema.Span) string {
	if s.ParentSpanID.IsZero() {
		return ""
	}
	return s.ParentSpanID.String()
}

// idDigits is the length of the ids that an intrinsic gives, 0 if it is no id.
func idDigits(e traceql.FieldExpr) int {
	i, ok := e.(*traceql.Intrinsic)
	if !ok {
		return 0
	}
	switch i.ID {
	case traceql.IntrinsicTraceID, traceql.IntrinsicLinkTraceID:
		return traceDigits
	case traceql.IntrinsicSpanID, traceql.IntrinsicParentID, traceql.IntrinsicLinkSpanID:
		return spanDigits
	default:
		return 0
	}
}

// normalID brings an id that a person wrote into the form in which ids are
// compared: lower case, padded with zeros. What is no id stays and matches none.
func normalID(text string, digits int) string {
	trimmed := strings.ToLower(strings.TrimLeft(text, "0"))
	if text == "" || len(trimmed) > digits || strings.Trim(trimmed, "0123456789abcdef") != "" {
		return text
	}
	return strings.Repeat("0", digits-len(trimmed)) + trimmed
}

// padHex fills text with zeros on the left. The empty id stays empty.
func padHex(text string, digits int) string {
	if text == "" || len(text) >= digits {
		return text
	}
	return strings.Repeat("0", digits-len(text)) + text
}
