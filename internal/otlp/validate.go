package otlp

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// spanIDs says where in its message the ids of a span are; of repeated ones the
// last counts. Offsets, because slices would make the garbage collector watch.
type spanIDs struct{ trace, span, parent byteRange }

func (r byteRange) of(b []byte) []byte { return b[r.start:r.end] }

// step is what check does with a field of a tag.
type step uint8

const (
	stepBadTag step = iota
	stepBadType
	stepGroup
	stepVarint
	stepFixed64
	stepFixed32
	stepBytes // this and the following have a length
	stepID
	stepMessage // and higher: into the message step - stepMessage
)

// steps has the step for every tag up to maxStepTag of every message, so that
// check looks at one byte per field instead of at a descriptor.
var steps = func() (all [len(messages)][maxStepTag + 1]step) {
	for id := range all {
		for tag := range all[id] {
			all[id][tag] = messageID(id).step(uint64(tag)) //nolint:gosec // an index
		}
	}
	return all
}()

// maxStepTag is past the tags of all known fields.
const maxStepTag = 255

// step returns what to do with the tag in the message.
func (m messageID) step(tag uint64) step {
	if tag < 8 || tag > maxTag {
		return stepBadTag
	}
	typ := protowire.Type(tag & 7)               //nolint:gosec // three bits
	known := m.known(protowire.Number(tag >> 3)) //nolint:gosec // checked above
	switch {
	case !known.accepts(typ):
		return stepBadType
	case known.kind == kindMessage:
		return stepMessage + step(known.message)
	case known.kind == kindID:
		return stepID
	}
	switch typ {
	case protowire.VarintType:
		return stepVarint
	case protowire.Fixed64Type:
		return stepFixed64
	case protowire.Fixed32Type:
		return stepFixed32
	case protowire.BytesType:
		return stepBytes
	case protowire.StartGroupType:
		return stepGroup
	case protowire.EndGroupType:
	}
	return stepBadTag
}

// check validates b, a message or any run of its fields, down to the last
// AnyValue: framing, wire types of known fields, depth. depth counts the
// AnyValues around b. If b is a span, ids is filled; else it is nil.
//
// This loop is most of what receiving a span costs.
func check(b []byte, id messageID, depth int, ids *spanIDs) fault {
	if id == msgAnyValue {
		if depth++; depth > MaxDepth {
			return faultDepth
		}
	}
	steps := &steps[id]
	for i := 0; i < len(b); {
		tag, at := uint64(b[i]), i+1
		if tag >= 0x80 {
			if tag, at = uvarint(b, i); at < 0 {
				return faultNumber
			}
		}
		var do step
		if tag <= maxStepTag {
			do = steps[tag]
		} else {
			do = id.step(tag)
		}
		switch {
		case do >= stepBytes:
		case do == stepFixed64 && len(b)-at >= 8:
			i = at + 8
			continue
		case do == stepVarint && at < len(b) && b[at] < 0x80:
			i = at + 1
			continue
		default:
			var flt fault
			if i, flt = checkNumber(b, at, tag, do); flt != faultNone {
				return flt
			}
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
		if do >= stepMessage {
			if flt := check(b[at:i], messageID(do-stepMessage), depth, nil); flt != faultNone {
				return flt
			}
		} else if do == stepID && ids != nil {
			ids.set(tag>>3, byteRange{at, i})
		}
	}
	return faultNone
}

// checkNumber returns the offset behind the contents, at b[at:], of a field
// that has no length.
func checkNumber(b []byte, at int, tag uint64, do step) (int, fault) {
	switch do {
	case stepFixed64:
		if len(b)-at < 8 {
			return 0, faultEnd
		}
		return at + 8, faultNone
	case stepVarint:
		if _, at = uvarint(b, at); at < 0 {
			return 0, faultNumber
		}
		return at, faultNone
	case stepFixed32:
		if len(b)-at < 4 {
			return 0, faultEnd
		}
		return at + 4, faultNone
	case stepGroup:
		return skipGroup(b, at, protowire.Number(tag>>3), 1) //nolint:gosec // a tag that is possible
	case stepBadType:
		return 0, faultType
	default:
		return 0, faultTag
	}
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

// checkSpan validates a span, but not its ids.
func checkSpan(span []byte, ids *spanIDs) fault { return check(span, msgSpan, 0, ids) }

// valid reports whether problem finds nothing.
func (ids *spanIDs) valid(span []byte) bool {
	trace, id, parent := ids.trace.of(span), ids.span.of(span), ids.parent.of(span)
	return len(trace) == 16 && [16]byte(trace) != [16]byte{} && len(id) == 8 && [8]byte(id) != [8]byte{} &&
		(len(parent) == 0 || len(parent) == 8)
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
