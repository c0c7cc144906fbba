package otlp

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// spanIDs says where in its message the ids of a span are; of repeated ones the
// last counts. Offsets, because slices would make the garbage collector watch.
type spanIDs struct{ trace, span, parent byteRange }

func (r byteRange) of(b []byte) []byte { return b[r.start:r.end] }

// check validates b, a message or any run of its fields, down to the last
// AnyValue: framing, wire types of known fields, depth. depth counts the
// AnyValues around b. If b is a span, ids is filled; else it is nil.
//
// It is readField unrolled over a message: this loop is most of what receiving
// a span costs.
func check(b []byte, id messageID, depth int, ids *spanIDs) fault {
	if id == msgAnyValue {
		if depth++; depth > MaxDepth {
			return faultDepth
		}
	}
	fields := messages[id]
	for i := 0; i < len(b); {
		tag, at := uint64(b[i]), i+1
		if tag >= 0x80 {
			if tag, at = uvarint(b, i); at < 0 {
				return faultNumber
			}
		}
		if tag < 8 || tag > maxTag {
			return faultTag
		}
		known, typ := &unknownField, protowire.Type(tag&7) //nolint:gosec // three bits
		if num := tag >> 3; num < uint64(len(fields)) {
			known = &fields[num]
		}
		if !known.accepts(typ) {
			return faultType
		}
		if typ != protowire.BytesType {
			if typ == protowire.Fixed64Type && len(b)-at >= 8 {
				i = at + 8
				continue
			}
			if typ == protowire.VarintType && at < len(b) && b[at] < 0x80 {
				i = at + 1
				continue
			}
			f, flt := readField(b, i)
			if flt != faultNone {
				return flt
			}
			i = f.end
			continue
		}
		if at == len(b) {
			return faultNumber
		}
		n := uint64(b[at])
		if at++; n >= 0x80 {
			if n, at = uvarint(b, at-1); at < 0 {
				return faultNumber
			}
		}
		if n > uint64(len(b)-at) {
			return faultEnd
		}
		i = at + int(n) //nolint:gosec // n is at most len(b)
		if known.kind == kindMessage {
			if flt := check(b[at:i], known.message, depth, nil); flt != faultNone {
				return flt
			}
		} else if known.kind == kindID && ids != nil {
			ids.set(tag>>3, byteRange{at, i})
		}
	}
	return faultNone
}

func (ids *spanIDs) set(num uint64, id byteRange) {
	switch num {
	case spanTraceID:
		ids.trace = id
	case spanSpanID:
		ids.span = id
	case spanParentSpanID:
		ids.parent = id
	}
}

// problem says in words what is wrong with the ids in span, "" if nothing is.
func (ids *spanIDs) problem(span []byte) string {
	trace, id, parent := ids.trace.of(span), ids.span.of(span), ids.parent.of(span)
	switch {
	case len(trace) != 16:
		return fmt.Sprintf("trace id has %d bytes, want 16", len(trace))
	case [16]byte(trace) == [16]byte{}:
		return "trace id is zero"
	case len(id) != 8:
		return fmt.Sprintf("span id has %d bytes, want 8", len(id))
	case [8]byte(id) == [8]byte{}:
		return "span id is zero"
	case len(parent) != 0 && len(parent) != 8:
		return fmt.Sprintf("parent span id has %d bytes, want 8 or none", len(parent))
	}
	return ""
}

const maxQuotedName = 64

// quotedName is the name of a span for a reader of messages, shortened. It
// works as far as the span is readable.
func quotedName(span []byte) string {
	var name []byte
	for i := 0; i < len(span); {
		f, flt := readField(span, i)
		if flt != faultNone {
			break
		}
		if i = f.end; f.num == spanName && f.typ == protowire.BytesType {
			name = span[f.value:f.end]
		}
	}
	return fmt.Sprintf("%.*q", maxQuotedName, name)
}
