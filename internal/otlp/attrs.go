package otlp

import (
	"iter"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/schema"
)

// The functions of this file read fragments where they lie. Strings share the
// fragment's memory and may not be UTF-8. What is not well formed ends the
// reading without an error, since Split lets none of it in.

// Event is one event of a span.
type Event struct {
	TimeNanos  uint64 // Unix nanoseconds
	Name       string
	Attributes []schema.Attribute
}

// Link is one link of a span. Its ids are as the client sent them and may have
// any length.
type Link struct {
	TraceID, SpanID []byte
	Attributes      []schema.Attribute
}

// Lookup returns the first attribute with the key in fields, an Attributes
// fragment of a span.
func Lookup(fields []byte, key string) (schema.Value, bool) {
	for kv := range members(fields, spanAttributes) {
		if k, v := keyAndValue(kv); k == key {
			return parseValue(v, 0), true
		}
	}
	return schema.Value{}, false
}

// Attributes yields the attributes in fields, an Attributes fragment of a span,
// in their order. Keys may repeat.
func Attributes(fields []byte) iter.Seq2[string, schema.Value] {
	return func(yield func(string, schema.Value) bool) {
		for kv := range members(fields, spanAttributes) {
			if k, v := keyAndValue(kv); !yield(k, parseValue(v, 0)) {
				return
			}
		}
	}
}

// SpanAttributes returns the attributes of the span itself in their order.
func SpanAttributes(s *schema.Span) []schema.Attribute {
	return appendAttributes(nil, s.Attributes, spanAttributes, 0)
}

// ResourceAttributes returns the attributes of the resource in their order.
func ResourceAttributes(r *schema.Resource) []schema.Attribute {
	var out []schema.Attribute
	for resource := range members(r.Wire, resourceSpansResource) {
		out = appendAttributes(out, resource, resourceAttributes, 0)
	}
	return out
}

// LookupResource returns the first attribute with the key that the resource
// has.
func LookupResource(r *schema.Resource, key string) (schema.Value, bool) {
	for resource := range members(r.Wire, resourceSpansResource) {
		for kv := range members(resource, resourceAttributes) {
			if k, v := keyAndValue(kv); k == key {
				return parseValue(v, 0), true
			}
		}
	}
	return schema.Value{}, false
}

// ScopeAttributes returns the attributes of the scope in their order.
func ScopeAttributes(s *schema.Scope) []schema.Attribute {
	var out []schema.Attribute
	for scope := range members(s.Wire, scopeSpansScope) {
		out = appendAttributes(out, scope, scopeAttributes, 0)
	}
	return out
}

// Events yields the events of the span in their order.
func Events(s *schema.Span) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for b := range members(s.Events, spanEvents) {
			e := Event{Attributes: appendAttributes(nil, b, eventAttributes, 0)}
			for f := range fieldsOf(b) {
				switch {
				case f.num == eventTime && f.typ == protowire.Fixed64Type:
					e.TimeNanos = f.bits
				case f.num == eventName && f.typ == protowire.BytesType:
					e.Name = alias(b[f.value:f.end])
				}
			}
			if !yield(e) {
				return
			}
		}
	}
}

// Links yields the links of the span in their order.
func Links(s *schema.Span) iter.Seq[Link] {
	return func(yield func(Link) bool) {
		for b := range members(s.Links, spanLinks) {
			l := Link{Attributes: appendAttributes(nil, b, linkAttributes, 0)}
			for id := range members(b, linkTraceID) {
				l.TraceID = id
			}
			for id := range members(b, linkSpanID) {
				l.SpanID = id
			}
			if !yield(l) {
				return
			}
		}
	}
}

// fieldsOf yields the fields of a message.
func fieldsOf(b []byte) iter.Seq[wireField] {
	return func(yield func(wireField) bool) {
		for i := 0; i < len(b); {
			f, flt := readField(b, i)
			if flt != faultNone || !yield(f) {
				return
			}
			i = f.end
		}
	}
}

// members yields the contents of the length-delimited fields num of a message.
func members(b []byte, num protowire.Number) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := 0; i < len(b); {
			f, flt := readField(b, i)
			if flt != faultNone {
				return
			}
			i = f.end
			if f.num == num && f.typ == protowire.BytesType && !yield(b[f.value:f.end:f.end]) {
				return
			}
		}
	}
}

// appendAttributes appends the KeyValue messages in fields num of b. depth
// counts the AnyValues around them.
func appendAttributes(dst []schema.Attribute, b []byte, num protowire.Number, depth int) []schema.Attribute {
	for kv := range members(b, num) {
		k, v := keyAndValue(kv)
		dst = append(dst, schema.Attribute{Key: k, Value: parseValue(v, depth)})
	}
	return dst
}

// keyAndValue takes a KeyValue message apart. A value that came in parts is
// joined, which is how protobuf merges messages.
func keyAndValue(b []byte) (key string, value []byte) {
	for i := 0; i < len(b); {
		f, flt := readField(b, i)
		if flt != faultNone {
			break
		}
		i = f.end
		switch body := b[f.value:f.end:f.end]; {
		case f.typ != protowire.BytesType:
		case f.num == keyValueKey:
			key = alias(body)
		case f.num == keyValueValue && value == nil:
			value = body
		case f.num == keyValueValue:
			value = append(value, body...)
		}
	}
	return key, value
}

// parseValue reads an AnyValue message inside depth others. Of its alternatives
// the last one counts; lists that follow each other are joined.
func parseValue(b []byte, depth int) (v schema.Value) {
	if depth++; depth > MaxDepth {
		return v
	}
	for i := 0; i < len(b); {
		f, flt := readField(b, i)
		if flt != faultNone {
			break
		}
		i = f.end
		if !msgAnyValue.known(f.num).accepts(f.typ) {
			continue
		}
		body := b[f.value:f.end]
		switch f.num {
		case valueString:
			v = schema.Value{Kind: schema.KindString, Str: alias(body)}
		case valueBytes:
			v = schema.Value{Kind: schema.KindBytes, Str: alias(body)}
		case valueBool:
			v = schema.Value{Kind: schema.KindBool, Bool: f.bits != 0}
		case valueInt:
			v = schema.Value{Kind: schema.KindInt, Int: int64(f.bits)} //nolint:gosec // two's complement
		case valueDouble:
			v = schema.Value{Kind: schema.KindDouble, Double: math.Float64frombits(f.bits)}
		case valueArray:
			list := v.Array
			for e := range members(body, listValues) {
				list = append(list, parseValue(e, depth))
			}
			v = schema.Value{Kind: schema.KindArray, Array: list}
		case valueMap:
			v = schema.Value{Kind: schema.KindMap, Map: appendAttributes(v.Map, body, listValues, depth)}
		}
	}
	return v
}

// AppendValue appends v as the body of an AnyValue message.
func AppendValue(dst []byte, v schema.Value) []byte {
	switch v.Kind {
	case schema.KindString:
		dst = protowire.AppendTag(dst, valueString, protowire.BytesType)
		return protowire.AppendString(dst, v.Str)
	case schema.KindBytes:
		dst = protowire.AppendTag(dst, valueBytes, protowire.BytesType)
		return protowire.AppendString(dst, v.Str)
	case schema.KindBool:
		dst = protowire.AppendTag(dst, valueBool, protowire.VarintType)
		return protowire.AppendVarint(dst, protowire.EncodeBool(v.Bool))
	case schema.KindInt:
		dst = protowire.AppendTag(dst, valueInt, protowire.VarintType)
		return protowire.AppendVarint(dst, uint64(v.Int)) //nolint:gosec // two's complement
	case schema.KindDouble:
		dst = protowire.AppendTag(dst, valueDouble, protowire.Fixed64Type)
		return protowire.AppendFixed64(dst, math.Float64bits(v.Double))
	case schema.KindArray:
		dst, list := openField(dst, valueArray, 0)
		for _, e := range v.Array {
			var item openMessage
			dst, item = openField(dst, listValues, len(e.Str))
			dst = closeField(AppendValue(dst, e), item)
		}
		return closeField(dst, list)
	case schema.KindMap:
		dst, list := openField(dst, valueMap, 0)
		for _, a := range v.Map {
			dst = AppendKeyValue(dst, listValues, a.Key, a.Value)
		}
		return closeField(dst, list)
	case schema.KindEmpty:
	}
	return dst
}

// AppendKeyValue appends a whole KeyValue field with the given number: 9 makes
// an attribute of a span, 1 one of a resource, 3 one of a scope or an event, 4
// one of a link.
func AppendKeyValue(dst []byte, num protowire.Number, key string, v schema.Value) []byte {
	dst, whole := openField(dst, num, len(key)+len(v.Str)+8)
	dst = protowire.AppendTag(dst, keyValueKey, protowire.BytesType)
	dst = protowire.AppendString(dst, key)
	dst, value := openField(dst, keyValueValue, len(v.Str)+3)
	return closeField(closeField(AppendValue(dst, v), value), whole)
}
