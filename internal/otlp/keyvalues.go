package otlp

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/schema"
)

// KeyValues walks attributes where they lie, without allocating. It is for
// code that must know how they were written; Attributes is for all other code.
//
//	for kv := SpanKeyValues(fields); kv.Next(); {
type KeyValues struct {
	// Key and Value are the attribute's, as Attributes reads it: the last key,
	// and the AnyValue message, nil if there is none.
	Key, Value []byte
	// Field is the whole field with its tag.
	Field []byte
	// Canonical says that Field is just what AppendKeyValue makes of Key and
	// Value, if Value is kept as it is and Key is not empty, except that the
	// value may stand before the key, as the OpenTelemetry Collector writes it:
	// to protobuf that is the same message.
	Canonical bool
	// Foreign says that there was something else than attributes, at which the
	// walk ended if it could not be read.
	Foreign bool

	b   []byte
	at  int
	tag byte
}

// SpanKeyValues walks the Attributes or Derived of a span.
func SpanKeyValues(fields []byte) KeyValues { return walkKeyValues(fields, spanAttributes) }

// ResourceKeyValues walks the attributes of a resource's message.
func ResourceKeyValues(resource []byte) KeyValues { return walkKeyValues(resource, resourceAttributes) }

// ScopeKeyValues walks the attributes of an instrumentation scope's message.
func ScopeKeyValues(scope []byte) KeyValues { return walkKeyValues(scope, scopeAttributes) }

// EventKeyValues walks the attributes of an event's message.
func EventKeyValues(event []byte) KeyValues { return walkKeyValues(event, eventAttributes) }

// LinkKeyValues walks the attributes of a link's message.
func LinkKeyValues(link []byte) KeyValues { return walkKeyValues(link, linkAttributes) }

func walkKeyValues(b []byte, num protowire.Number) KeyValues {
	return KeyValues{b: b, tag: byte(protowire.EncodeTag(num, protowire.BytesType))} //nolint:gosec // below 128
}

// Next goes to the next attribute, and reports whether there is one.
func (k *KeyValues) Next() bool {
	for k.at < len(k.b) {
		if k.canonical() {
			return true
		}
		f, flt := readField(k.b, k.at)
		if flt != faultNone {
			k.Foreign = true
			k.at = len(k.b)
			return false
		}
		k.at = f.end
		if f.typ != protowire.BytesType || f.num != protowire.Number(k.tag>>3) {
			k.Foreign = true
			continue
		}
		key, value := keyAndValue(k.b[f.value:f.end:f.end])
		k.Key, k.Value, k.Field, k.Canonical = []byte(key), value, k.b[f.start:f.end:f.end], false
		return true
	}
	return false
}

// canonical reads the next attribute if it is written in one of the ways that
// encoders use: every length as short as can be, the key and the value.
func (k *KeyValues) canonical() bool {
	b := k.b
	if b[k.at] != k.tag {
		return false
	}
	ok := true
	end, at := byteLength(b, k.at+1)
	if at == 0 {
		end, at, ok = shortLength(b, k.at+1)
	}
	if !ok || at >= end {
		return false
	}
	b = b[:end]
	middle, first := byteLength(b, at+1)
	if first == 0 {
		middle, first, ok = shortLength(b, at+1)
	}
	if !ok || middle >= end {
		return false
	}
	last, second := byteLength(b, middle+1)
	if second == 0 {
		last, second, ok = shortLength(b, middle+1)
	}
	if !ok || last != end {
		return false
	}
	switch [2]byte{b[at], b[middle]} {
	case [2]byte{tagKey, tagValue}:
		k.Key, k.Value = b[first:middle], b[second:end:end]
	case [2]byte{tagValue, tagKey}:
		k.Key, k.Value = b[second:end], b[first:middle:middle]
	default:
		return false
	}
	k.Field, k.Canonical, k.at = b[k.at:end:end], true, end
	return true
}

// Tags of the fields of a KeyValue.
const (
	tagKey   = keyValueKey<<3 | byte(protowire.BytesType)
	tagValue = keyValueValue<<3 | byte(protowire.BytesType)
)

// byteLength is shortLength of a length below 128, as nearly all keys and values
// have, for the compiler to put in place of calls. Else body is 0.
func byteLength(b []byte, i int) (end, body int) {
	if uint(i) < uint(len(b)) && b[i] < 0x80 {
		if end = i + 1 + int(b[i]); end <= len(b) {
			return end, i + 1
		}
	}
	return 0, 0
}

// shortLength reads a length at b[i:] in its shortest form. It returns where
// the contents, which lie within b, end and begin.
func shortLength(b []byte, i int) (end, body int, ok bool) {
	if i >= len(b) {
		return 0, 0, false
	}
	n, body := uint64(b[i]), i+1
	if n >= 0x80 {
		if n, body = uvarint(b, i); body < 0 || b[body-1] == 0 {
			return 0, 0, false
		}
	}
	if n > uint64(len(b)-body) {
		return 0, 0, false
	}
	return body + int(n), body, true //nolint:gosec // at most len(b)
}

// Scalar is the contents of an AnyValue message that is just what AppendValue
// makes of it.
type Scalar struct {
	Kind schema.Kind // a string, bool, int or double; KindEmpty: neither of these
	Bits uint64      // of a bool (0 or 1), int or double
	Text []byte      // of a string, which may not be UTF-8
}

// ParseScalar reads an AnyValue message. It shares memory with b.
func ParseScalar(b []byte) Scalar {
	if len(b) < 2 {
		return Scalar{}
	}
	switch b[0] {
	case valueString<<3 | byte(protowire.BytesType):
		if end, body := byteLength(b, 1); body > 0 && end == len(b) {
			return Scalar{Kind: schema.KindString, Text: b[body:]}
		}
		if end, body, ok := shortLength(b, 1); ok && end == len(b) {
			return Scalar{Kind: schema.KindString, Text: b[body:]}
		}
	case valueBool<<3 | byte(protowire.VarintType):
		if len(b) == 2 && b[1] <= 1 {
			return Scalar{Kind: schema.KindBool, Bits: uint64(b[1])}
		}
	case valueInt<<3 | byte(protowire.VarintType):
		if v, end := uvarint(b, 1); end == len(b) && (b[end-1] != 0 || end == 2) {
			return Scalar{Kind: schema.KindInt, Bits: v}
		}
	case valueDouble<<3 | byte(protowire.Fixed64Type):
		if len(b) == 9 {
			return Scalar{Kind: schema.KindDouble, Bits: binary.LittleEndian.Uint64(b[1:])}
		}
	}
	return Scalar{}
}

// ParseValue reads an AnyValue message of any form. It shares memory with b.
func ParseValue(b []byte) schema.Value { return parseValue(b, 0) }

// Messages walks the messages of a repeated field where they lie.
type Messages struct {
	// Message is the current one.
	Message []byte

	b   []byte
	at  int
	num protowire.Number
}

// ResourceMessages walks the resources in the Wire of a schema.Resource: one,
// unless its message came in parts.
func ResourceMessages(wire []byte) Messages { return Messages{b: wire, num: resourceSpansResource} }

// ScopeMessages does the same with the Wire of a schema.Scope.
func ScopeMessages(wire []byte) Messages { return Messages{b: wire, num: scopeSpansScope} }

// EventMessages walks the Events of a span.
func EventMessages(fields []byte) Messages { return Messages{b: fields, num: spanEvents} }

// LinkMessages walks the Links of a span.
func LinkMessages(fields []byte) Messages { return Messages{b: fields, num: spanLinks} }

// Next goes to the next message, and reports whether there is one.
func (m *Messages) Next() bool {
	for m.at < len(m.b) {
		f, flt := readField(m.b, m.at)
		if flt != faultNone {
			return false
		}
		m.at = f.end
		if f.num == m.num && f.typ == protowire.BytesType {
			m.Message = m.b[f.value:f.end:f.end]
			return true
		}
	}
	return false
}

// EventName is the name in an event's message, as Events reads it. It may not
// be UTF-8.
func EventName(event []byte) []byte {
	var name []byte
	for i := 0; i < len(event); {
		f, flt := readField(event, i)
		if flt != faultNone {
			break
		}
		if i = f.end; f.num == eventName && f.typ == protowire.BytesType {
			name = event[f.value:f.end]
		}
	}
	return name
}

// EventTime is the time in an event's message, Unix nanoseconds, as Events reads
// it.
func EventTime(event []byte) (nanos uint64) {
	for f := range fieldsOf(event) {
		if f.num == eventTime && f.typ == protowire.Fixed64Type {
			nanos = f.bits
		}
	}
	return nanos
}
