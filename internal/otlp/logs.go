package otlp

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/schema"
)

// LogsFromJSON does for an export of logs what FromJSON does for one of traces.
// Severities are left out: events of spans have none.
func LogsFromJSON(body []byte) ([]byte, error) { return fromJSON(body, msgLogs) }

// eventNameAttribute is where the name of a record's event stood before it had a field.
const eventNameAttribute = "event.name"

// LogEvents reads an ExportLogsServiceRequest message for the records that are events of
// a span: those whose event's name isEvent takes, and which have the ids of a span.
// Each becomes a piece of that span (schema.FragmentUpdate) that has nothing but the
// event, with the record's attributes and what its body says: of a map the members
// that no attribute has, else the whole as the attribute body. All others are
// counted, also those of which the values, or those of what they are from, are not well
// formed. Returns an error that
// wraps ErrMalformed if what is around the records is not well formed. Pieces share
// memory with body.
func LogEvents(body []byte, isEvent func(name string) bool) (pieces []schema.Span, others int, err error) {
	decoder := NewDecoder()
	for i := 0; i < len(body); {
		f, flt := readField(body, i)
		if flt != faultNone {
			return nil, 0, fmt.Errorf("%w: logs: %s at byte %d", ErrMalformed, flt, i)
		}
		if i = f.end; f.num != tracesResourceSpans || f.typ != protowire.BytesType {
			continue
		}
		if others, flt = decoder.resourceLogs(body[f.value:f.end], isEvent, &pieces, others); flt != faultNone {
			return nil, 0, fmt.Errorf("%w: logs: resource at byte %d: %s", ErrMalformed, f.start, flt)
		}
	}
	return pieces, others, nil
}

func (d *Decoder) resourceLogs(b []byte, isEvent func(string) bool, pieces *[]schema.Span, others int) (int, fault) {
	head, flt := headerOf(b, msgResourceSpans) // which ResourceLogs have the fields of
	if flt != faultNone {
		return others, flt
	}
	sound := check(head, msgResourceSpans, 0, nil) == faultNone
	var resource *schema.Resource
	if sound {
		resource = d.resource(head)
	}
	for scope := range members(b, resourceSpansScopeSpans) {
		head, flt := headerOf(scope, msgScopeSpans)
		if flt != faultNone {
			return others, flt
		}
		sound := sound && check(head, msgScopeSpans, 0, nil) == faultNone
		template := schema.Span{Resource: resource, Fragment: schema.FragmentUpdate}
		if sound {
			template.Scope = d.scope(head)
		}
		for record := range members(scope, scopeSpansSpans) {
			if piece, ok := pieceOf(record, template, isEvent); ok && sound {
				*pieces = append(*pieces, piece)
			} else {
				others++
			}
		}
	}
	return others, faultNone
}

// pieceOf makes a piece of a record, if it is an event of a span.
func pieceOf(record []byte, piece schema.Span, isEvent func(string) bool) (schema.Span, bool) {
	if check(record, msgLogRecord, 0, nil) != faultNone {
		return piece, false
	}
	var name string
	var said schema.Value
	var observed uint64
	var trace, span []byte
	for f := range fieldsOf(record) {
		value := record[f.value:f.end]
		switch {
		case f.num == recordTime && f.typ == protowire.Fixed64Type:
			piece.FragmentNanos = f.bits
		case f.num == recordObserved && f.typ == protowire.Fixed64Type:
			observed = f.bits
		case f.num == recordEventName && f.typ == protowire.BytesType:
			name = alias(value)
		case f.num == recordTraceID && f.typ == protowire.BytesType:
			trace = value
		case f.num == recordSpanID && f.typ == protowire.BytesType:
			span = value
		case f.num == recordBody && f.typ == protowire.BytesType:
			said = parseValue(value, 0)
		}
	}
	attributes := appendAttributes(nil, record, recordAttributes, 0)
	if i := indexOf(attributes, eventNameAttribute); name == "" && i >= 0 && attributes[i].Value.Kind == schema.KindString {
		name = attributes[i].Value.Str
		attributes = slices.Delete(attributes, i, i+1)
	}
	if len(trace) != len(piece.TraceID) || len(span) != len(piece.SpanID) || !isEvent(name) {
		return piece, false
	}
	piece.TraceID, piece.SpanID = schema.TraceID(trace), schema.SpanID(span)
	if piece.FragmentNanos == 0 {
		piece.FragmentNanos = observed
	}
	piece.Events = AppendEvent(nil, piece.FragmentNanos, name, withBody(attributes, said)...)
	return piece, !piece.TraceID.IsZero() && !piece.SpanID.IsZero()
}

// withBody adds what the body of a record says.
func withBody(attributes []schema.Attribute, said schema.Value) []schema.Attribute {
	switch said.Kind {
	case schema.KindEmpty:
	case schema.KindMap:
		for _, member := range said.Map {
			if indexOf(attributes, member.Key) < 0 {
				attributes = append(attributes, member)
			}
		}
	case schema.KindString, schema.KindBool, schema.KindInt, schema.KindDouble, schema.KindBytes, schema.KindArray:
		attributes = append(attributes, schema.Attribute{Key: "body", Value: said})
	}
	return attributes
}

func indexOf(attributes []schema.Attribute, key string) int {
	return slices.IndexFunc(attributes, func(a schema.Attribute) bool { return a.Key == key })
}
