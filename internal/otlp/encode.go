package otlp

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/schema"
)

// AppendSpan appends s as the body of an OTLP Span message: the columns, then
// the fragments, Rest last. The status is always there, empty if need be.
// Nothing is mended; a span may end before it starts.
func AppendSpan(dst []byte, s *schema.Span) []byte {
	dst = appendBytesField(dst, spanTraceID, s.TraceID[:])
	dst = appendBytesField(dst, spanSpanID, s.SpanID[:])
	dst = appendText(dst, spanTraceState, s.TraceState)
	if !s.ParentSpanID.IsZero() {
		dst = appendBytesField(dst, spanParentSpanID, s.ParentSpanID[:])
	}
	dst = appendText(dst, spanName, s.Name)
	dst = appendEnum(dst, spanKind, s.Kind)
	dst = appendTime(dst, spanStart, s.StartNanos)
	dst = appendTime(dst, spanEnd, s.EndNanos)
	dst = append(dst, s.Attributes...)
	dst = append(dst, s.Events...)
	dst = append(dst, s.Links...)
	dst, status := openField(dst, spanStatus)
	dst = appendText(dst, statusMessage, s.StatusMessage)
	dst = closeField(appendEnum(dst, statusCode, s.StatusCode), status)
	if s.Flags != 0 {
		dst = protowire.AppendTag(dst, spanFlags, protowire.Fixed32Type)
		dst = protowire.AppendFixed32(dst, s.Flags)
	}
	return append(dst, s.Rest...)
}

func appendBytesField(dst []byte, num protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, num, protowire.BytesType), b)
}

func appendText(dst []byte, num protowire.Number, s string) []byte {
	if s == "" {
		return dst
	}
	return protowire.AppendString(protowire.AppendTag(dst, num, protowire.BytesType), s)
}

func appendTime(dst []byte, num protowire.Number, nanos uint64) []byte {
	if nanos == 0 {
		return dst
	}
	return protowire.AppendFixed64(protowire.AppendTag(dst, num, protowire.Fixed64Type), nanos)
}

func appendEnum(dst []byte, num protowire.Number, v int32) []byte {
	if v == 0 {
		return dst
	}
	dst = protowire.AppendTag(dst, num, protowire.VarintType)
	return protowire.AppendVarint(dst, uint64(int64(v))) //nolint:gosec // protobuf extends the sign to 64 bits
}

// AppendTraces appends spans as a TracesData message. Spans of equal resources
// stand together, and within them spans of equal scopes, all in the order of
// their first span. Every resource, scope and status is there, empty if need
// be: some readers do not expect them to be absent.
func AppendTraces(dst []byte, spans []schema.Span) []byte {
	for _, r := range groupSpans(spans) {
		var resourceBody int
		dst, resourceBody = openField(dst, tracesResourceSpans)
		dst = appendHead(dst, resourceSpansResource, r.resource.Wire)
		for _, s := range r.scopes {
			var scopeBody int
			dst, scopeBody = openField(dst, resourceSpansScopeSpans)
			dst = appendHead(dst, scopeSpansScope, s.scope.Wire)
			for _, i := range s.spans {
				var spanBody int
				dst, spanBody = openField(dst, scopeSpansSpans)
				dst = closeField(AppendSpan(dst, &spans[i]), spanBody)
			}
			dst = closeField(dst, scopeBody)
		}
		dst = closeField(dst, resourceBody)
	}
	return dst
}

// appendHead appends the header of a message and sees to it that the field num
// in it, the resource or scope, exists.
func appendHead(dst []byte, num protowire.Number, wire []byte) []byte {
	present := false
	for range members(wire, num) {
		present = true
		break
	}
	if !present {
		dst = appendBytesField(dst, num, nil)
	}
	return append(dst, wire...)
}

type resourceGroup struct {
	resource *schema.Resource
	scopes   []scopeGroup
	index    map[string]int // by the scope's wire form
}

type scopeGroup struct {
	scope *schema.Scope
	spans []int
}

// groupSpans groups the indexes of spans by resource and scope.
func groupSpans(spans []schema.Span) []resourceGroup {
	var groups []resourceGroup
	index := make(map[string]int)
	resource, scope := -1, -1
	for i := range spans {
		s := &spans[i]
		if i == 0 || s.Resource != spans[i-1].Resource {
			scope = -1
			var known bool
			if resource, known = index[string(s.Resource.Wire)]; !known {
				resource = len(groups)
				index[string(s.Resource.Wire)] = resource
				groups = append(groups, resourceGroup{resource: s.Resource, index: make(map[string]int)})
			}
		}
		g := &groups[resource]
		if scope < 0 || s.Scope != spans[i-1].Scope {
			var known bool
			if scope, known = g.index[string(s.Scope.Wire)]; !known {
				scope = len(g.scopes)
				g.index[string(s.Scope.Wire)] = scope
				g.scopes = append(g.scopes, scopeGroup{scope: s.Scope})
			}
		}
		g.scopes[scope].spans = append(g.scopes[scope].spans, i)
	}
	return groups
}
