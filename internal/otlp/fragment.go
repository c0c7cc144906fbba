package otlp

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/schema"
)

// spanFragment is the field of a Span message that says that it is a piece of
// one: nine bytes, schema.Fragment and then FragmentNanos, little endian. Its
// number is of those that protobuf keeps for itself and that no schema can use,
// so no client sends it by chance. One that sends it on purpose gets what an
// adapter gets: its own spans are folded.
const spanFragment = 19_061

const fragmentBytes = 9

// appendFragment appends the mark of a piece, nothing for a whole span.
func appendFragment(dst []byte, s *schema.Span) []byte {
	if s.Fragment == schema.FragmentNone {
		return dst
	}
	dst = protowire.AppendTag(dst, spanFragment, protowire.BytesType)
	dst = protowire.AppendVarint(dst, fragmentBytes)
	dst = append(dst, byte(s.Fragment))
	return binary.LittleEndian.AppendUint64(dst, s.FragmentNanos)
}

// fragmentOf reads a mark. One that says nothing that a row could hold is not
// a mark but an unknown field.
func fragmentOf(f wireField, b []byte) (kind schema.Fragment, nanos uint64, ok bool) {
	if f.num != spanFragment || f.typ != protowire.BytesType || f.end-f.value != fragmentBytes {
		return 0, 0, false
	}
	body := b[f.value:f.end]
	kind = schema.Fragment(body[0])
	if kind == schema.FragmentNone || kind > schema.MaxFragment {
		return 0, 0, false
	}
	return kind, binary.LittleEndian.Uint64(body[1:]), true
}

// AppendRequest appends spans as an ExportTraceServiceRequest: as AppendTraces
// does, and it says of pieces that they are, so that decoding it gives the same
// rows. Adapters of other protocols bring their spans into the log by it.
func AppendRequest(dst []byte, spans []schema.Span) []byte { return appendTraces(dst, spans, true) }

// NewResource is a resource with attributes.
func NewResource(attributes ...schema.Attribute) *schema.Resource {
	return ParseResource(appendOwner(nil, resourceSpansResource, resourceAttributes, attributes))
}

// NewScope is an instrumentation scope.
func NewScope(name, version string) *schema.Scope {
	body := appendText(appendText(nil, scopeName, name), scopeVersion, version)
	return ParseScope(appendBytesField(nil, scopeSpansScope, body))
}

func appendOwner(dst []byte, owner, field protowire.Number, attributes []schema.Attribute) []byte {
	var body []byte
	for _, a := range attributes {
		body = AppendKeyValue(body, field, a.Key, a.Value)
	}
	return appendBytesField(dst, owner, body)
}

// AppendAttribute appends an attribute to the Attributes of a span.
func AppendAttribute(attributes []byte, key string, value schema.Value) []byte {
	return AppendKeyValue(attributes, spanAttributes, key, value)
}

// AppendEventMessage appends an event that is encoded already (EventMessages).
func AppendEventMessage(events, event []byte) []byte {
	return appendBytesField(events, spanEvents, event)
}

// AppendEvent appends an event to the Events of a span.
func AppendEvent(events []byte, nanos uint64, name string, attributes ...schema.Attribute) []byte {
	body := appendText(appendTime(nil, eventTime, nanos), eventName, name)
	for _, a := range attributes {
		body = AppendKeyValue(body, eventAttributes, a.Key, a.Value)
	}
	return appendBytesField(events, spanEvents, body)
}
