package otlp

import (
	"encoding/binary"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// fault is why bytes are not a message. It is no error, so that finding one
// allocates nothing.
type fault uint8

const (
	faultNone fault = iota
	faultEnd
	faultNumber
	faultTag
	faultType
	faultDepth
)

func (f fault) String() string {
	switch f {
	case faultEnd:
		return "a field runs past the end of its message"
	case faultNumber:
		return "a number is cut off or longer than 64 bits"
	case faultTag:
		return "a field has an impossible tag"
	case faultType:
		return "a known field has the wrong wire type"
	case faultDepth:
		return "values are nested too deeply"
	case faultNone:
	}
	return "no fault"
}

// wireField is one field of a message, as offsets into it.
type wireField struct {
	num   protowire.Number
	typ   protowire.Type
	start int    // of the tag
	value int    // of the contents, behind the length of a length-delimited field
	end   int    // behind the last byte of the field
	bits  uint64 // the number, of varint and fixed types
}

// uvarint reads the varint at b[i:] and returns the offset behind it, or -1 if
// it is cut off or longer than 64 bits. Hot loops read a single byte themselves.
func uvarint(b []byte, i int) (v uint64, next int) {
	for shift := 0; i < len(b) && shift < 64; shift += 7 {
		c := b[i]
		i++
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if shift == 63 && c > 1 {
				return 0, -1
			}
			return v, i
		}
	}
	return 0, -1
}

// maxTag is the largest tag there can be.
const maxTag = uint64(protowire.MaxValidNumber)<<3 | 7

// readField reads the field whose tag is at b[i]. Groups are read to their end.
func readField(b []byte, i int) (f wireField, _ fault) {
	tag, at := uint64(b[i]), i+1
	if tag >= 0x80 {
		if tag, at = uvarint(b, i); at < 0 {
			return f, faultNumber
		}
	}
	if tag < 8 || tag > maxTag {
		return f, faultTag
	}
	f.num, f.typ = protowire.Number(tag>>3), protowire.Type(tag&7) //nolint:gosec // checked above
	f.start, f.value = i, at
	switch f.typ {
	case protowire.BytesType:
		n, body := uvarint(b, at)
		if body < 0 {
			return f, faultNumber
		}
		if n > uint64(len(b)-body) {
			return f, faultEnd
		}
		f.value, f.end = body, body+int(n) //nolint:gosec // n is at most len(b)
	case protowire.VarintType:
		if f.bits, f.end = uvarint(b, at); f.end < 0 {
			return f, faultNumber
		}
	case protowire.Fixed64Type:
		if len(b)-at < 8 {
			return f, faultEnd
		}
		f.bits, f.end = binary.LittleEndian.Uint64(b[at:]), at+8
	case protowire.Fixed32Type:
		if len(b)-at < 4 {
			return f, faultEnd
		}
		f.bits, f.end = uint64(binary.LittleEndian.Uint32(b[at:])), at+4
	case protowire.StartGroupType:
		var flt fault
		f.end, flt = skipGroup(b, at, f.num, 1)
		return f, flt
	case protowire.EndGroupType:
		return f, faultTag
	default:
		return f, faultTag
	}
	return f, faultNone
}

// skipGroup returns the offset behind the end tag of the group num whose
// contents start at b[i].
func skipGroup(b []byte, i int, num protowire.Number, depth int) (int, fault) {
	if depth > MaxDepth {
		return 0, faultDepth
	}
	for i < len(b) {
		tag, at := uvarint(b, i)
		if at < 0 {
			return 0, faultNumber
		}
		n, typ := protowire.DecodeTag(tag)
		if typ == protowire.EndGroupType {
			if n != num {
				return 0, faultTag
			}
			return at, faultNone
		}
		var flt fault
		if typ == protowire.StartGroupType {
			i, flt = skipGroup(b, at, n, depth+1)
		} else {
			var f wireField
			f, flt = readField(b, i)
			i = f.end
		}
		if flt != faultNone {
			return 0, flt
		}
	}
	return 0, faultEnd
}

// alias is the text of b without a copy. Rows share the memory of the message
// that they were decoded from, which nobody writes to once it was received.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// openMessage is a message field whose contents are being appended.
type openMessage struct {
	body int // where the contents begin
	room int // bytes kept for the length in front of them
}

// openField appends the tag of a message field and room for its length; after
// the contents, closeField puts it in. guess is about how long they will be:
// if the length takes as many bytes as that of guess, nothing has to be moved.
func openField(dst []byte, num protowire.Number, guess int) ([]byte, openMessage) {
	dst = protowire.AppendTag(dst, num, protowire.BytesType)
	start := len(dst)
	dst = protowire.AppendVarint(dst, uint64(guess)) //nolint:gosec // lengths are not negative
	return dst, openMessage{body: len(dst), room: len(dst) - start}
}

func closeField(dst []byte, m openMessage) []byte {
	n := len(dst) - m.body
	need := protowire.SizeVarint(uint64(n)) //nolint:gosec // lengths are not negative
	start := m.body - m.room
	if need > m.room {
		var room [binary.MaxVarintLen64]byte
		dst = append(dst, room[:need-m.room]...)
	}
	if need != m.room {
		copy(dst[start+need:], dst[m.body:m.body+n])
	}
	binary.PutUvarint(dst[start:], uint64(n)) //nolint:gosec // lengths are not negative
	return dst[:start+need+n]
}
