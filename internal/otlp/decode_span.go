package otlp

import (
	"errors"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/schema"
)

// fragment gathers fields of one message. While they lie side by side it is a
// slice of the message; else it is a copy.
type fragment struct {
	bytes      []byte
	start, end int // in the message
}

func (f *fragment) add(b []byte, start, end int) {
	switch {
	case f.bytes == nil:
		f.start, f.end = start, end
	case f.end == start:
		f.end = end
	default:
		// The slice has no room, so that append copies it away from the message.
		f.bytes = append(f.bytes, b[start:end]...)
		f.end = -1
		return
	}
	f.bytes = b[f.start:f.end:f.end]
}

// spanParser fills one row from one Span message.
type spanParser struct {
	b   []byte
	row *schema.Span

	attributes, events, links, rest fragment

	// exact holds, by field number, the last occurrence of a singular field
	// that the columns cannot hold. It goes to rest in the end.
	exact  [maxKnownField + 1]byteRange
	status []byte // fields of the status that the columns cannot hold
	badMsg []byte // the status message as a field, if it is not UTF-8
	ids    spanIDs
}

// parseSpan fills a row from a Span message of any form.
func parseSpan(b []byte, row *schema.Span) error {
	p := spanParser{b: b, row: row}
	return p.span()
}

func (p *spanParser) span() error {
	for i := 0; i < len(p.b); {
		f, flt := readField(p.b, i)
		if flt == faultNone && !msgSpan.known(f.num).accepts(f.typ) {
			flt = faultType
		}
		if flt == faultNone {
			flt = p.field(f)
		}
		if flt != faultNone {
			return faultError(flt)
		}
		i = f.end
	}
	if why := p.ids.problem(p.b); why != "" {
		return errors.New(why)
	}
	p.finish()
	return nil
}

// field handles a field of the type that its number asks for.
func (p *spanParser) field(f wireField) fault {
	row, body := p.row, p.b[f.value:f.end]
	switch f.num {
	case spanTraceID, spanSpanID:
		p.ids.set(uint64(f.num), byteRange{f.value, f.end}) //nolint:gosec // not negative
	case spanParentSpanID:
		p.ids.parent = byteRange{f.value, f.end}
		p.keepIf(f, len(body) == 8 && [8]byte(body) == [8]byte{})
	case spanTraceState:
		row.TraceState = p.text(f)
	case spanName:
		row.Name = p.text(f)
	case spanKind:
		row.Kind = int32(f.bits) //nolint:gosec // protobuf cuts enums to 32 bits
	case spanStart:
		row.StartNanos = f.bits
	case spanEnd:
		row.EndNanos = f.bits
	case spanFlags:
		row.Flags = uint32(f.bits) //nolint:gosec // fixed32
	case spanAttributes:
		p.attributes.add(p.b, f.start, f.end)
	case spanEvents:
		p.events.add(p.b, f.start, f.end)
	case spanLinks:
		p.links.add(p.b, f.start, f.end)
	case spanStatus:
		return p.statusFields(body)
	case spanDroppedAttributes, spanDroppedEvents, spanDroppedLinks:
		p.keepIf(f, uint32(f.bits) != 0) //nolint:gosec // protobuf cuts to 32 bits
	default:
		if kind, nanos, ok := fragmentOf(f, p.b); ok {
			row.Fragment, row.FragmentNanos = kind, nanos
			break
		}
		p.rest.add(p.b, f.start, f.end)
	}
	return faultNone
}

// keepIf makes f, or nothing, what rest says about f's number.
func (p *spanParser) keepIf(f wireField, keep bool) {
	p.exact[f.num] = byteRange{}
	if keep {
		p.exact[f.num] = byteRange{f.start, f.end}
	}
}

// text is the column of a string field. Text that is not UTF-8 is kept in rest.
func (p *spanParser) text(f wireField) string {
	s := alias(p.b[f.value:f.end])
	valid := validText(s)
	p.keepIf(f, len(valid) != len(s) || valid != s)
	return valid
}

func (p *spanParser) statusFields(b []byte) fault {
	for i := 0; i < len(b); {
		f, flt := readField(b, i)
		if flt == faultNone && !msgStatus.known(f.num).accepts(f.typ) {
			flt = faultType
		}
		if flt != faultNone {
			return flt
		}
		i = f.end
		switch f.num {
		case statusCode:
			p.row.StatusCode = int32(f.bits) //nolint:gosec // protobuf cuts enums to 32 bits
		case statusMessage:
			s := alias(b[f.value:f.end])
			p.row.StatusMessage, p.badMsg = validText(s), nil
			if p.row.StatusMessage != s {
				p.badMsg = b[f.start:f.end]
			}
		default:
			p.status = append(p.status, b[f.start:f.end]...)
		}
	}
	return faultNone
}

// finish sets ids and fragments. The ids are valid.
func (p *spanParser) finish() {
	row := p.row
	row.TraceID, row.SpanID = schema.TraceID(p.ids.trace.of(p.b)), schema.SpanID(p.ids.span.of(p.b))
	if parent := p.ids.parent.of(p.b); len(parent) > 0 {
		row.ParentSpanID = schema.SpanID(parent)
	}
	for _, r := range p.exact {
		if r.end > 0 {
			p.rest.add(p.b, r.start, r.end)
		}
	}
	row.Attributes, row.Events, row.Links, row.Rest = p.attributes.bytes, p.events.bytes, p.links.bytes, p.rest.bytes
	if p.status = append(p.status, p.badMsg...); len(p.status) > 0 {
		rest := protowire.AppendTag(slices.Clip(row.Rest), spanStatus, protowire.BytesType)
		row.Rest = protowire.AppendBytes(rest, p.status)
	}
}
