package otlp

import (
	"slices"

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
	dst, status := openField(dst, spanStatus, len(s.StatusMessage))
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
func AppendTraces(dst []byte, spans []schema.Span) []byte { return appendTraces(dst, spans, false) }

// appendTraces marks pieces of spans if it is asked to.
func appendTraces(dst []byte, spans []schema.Span, marked bool) []byte {
	groups, guess := groupSpans(spans)
	dst = slices.Grow(dst, guess)
	for _, r := range groups {
		var resource openMessage
		dst, resource = openField(dst, tracesResourceSpans, r.guess)
		dst = appendHead(dst, resourceSpansResource, r.resource.Wire, marked)
		for _, s := range r.scopes {
			var scope openMessage
			dst, scope = openField(dst, resourceSpansScopeSpans, s.guess)
			dst = appendHead(dst, scopeSpansScope, s.scope.Wire, marked)
			for _, i := range s.spans {
				var span openMessage
				dst, span = openField(dst, scopeSpansSpans, SizeHint(&spans[i]))
				dst = AppendSpan(dst, &spans[i])
				if marked {
					dst = appendFragment(dst, &spans[i])
				}
				dst = closeField(dst, span)
			}
			dst = closeField(dst, scope)
		}
		dst = closeField(dst, resource)
	}
	return dst
}

// SizeHint is about the size of s as a message: ids, times and tags take some
// seventy bytes.
func SizeHint(s *schema.Span) int {
	return 70 + len(s.Name) + len(s.TraceState) + len(s.StatusMessage) +
		len(s.Attributes) + len(s.Events) + len(s.Links) + len(s.Rest)
}

// appendHead appends the header of a message and sees to it that the field num
// in it, the resource or scope, exists, unless it is to be as it is: that of a piece
// of a span may say nothing, and then that of another piece counts.
func appendHead(dst []byte, num protowire.Number, wire []byte, asItIs bool) []byte {
	present := asItIs
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
	index    map[string]int // of scopes, by their wire form
	guess    int            // about the size of the message
}

type scopeGroup struct {
	scope *schema.Scope
	spans []int
	guess int // about the size of the message
}

// groupSpans groups the indexes of spans by resource and scope, and guesses the
// size of the whole.
func groupSpans(spans []schema.Span) (groups []resourceGroup, guess int) {
	index := make(map[string]int)
	resource, scope := -1, -1
	for i := range spans {
		s := &spans[i]
		newResource := i == 0 || s.Resource != spans[i-1].Resource
		if newResource {
			var known bool
			if resource, known = index[string(s.Resource.Wire)]; !known {
				resource = len(groups)
				index[string(s.Resource.Wire)] = resource
				groups = append(groups, resourceGroup{resource: s.Resource, index: make(map[string]int), guess: len(s.Resource.Wire)})
				guess += len(s.Resource.Wire)
			}
		}
		r := &groups[resource]
		if newResource || s.Scope != spans[i-1].Scope {
			var known bool
			if scope, known = r.index[string(s.Scope.Wire)]; !known {
				scope = len(r.scopes)
				r.index[string(s.Scope.Wire)] = scope
				r.scopes = append(r.scopes, scopeGroup{scope: s.Scope, guess: len(s.Scope.Wire)})
				r.guess += len(s.Scope.Wire)
				guess += len(s.Scope.Wire)
			}
		}
		n := SizeHint(s)
		g := &r.scopes[scope]
		g.spans = append(g.spans, i)
		g.guess += n
		r.guess += n
		guess += n
	}
	return groups, guess
}
