package block

import "google.golang.org/protobuf/encoding/protowire"

// shreddedColumn is a column of attributes and its values in a task.
type shreddedColumn struct {
	values

	kind  valueKind
	field []byte // the key as it stands in a KeyValue
	used  bool   // by a row of the task
}

// Numbers of fields of OTLP messages.
const (
	spanAttributes = 9
	keyValueKey    = 1
	keyValueValue  = 2
	valueString    = 1
	valueBool      = 2
	valueInt       = 3
	valueDouble    = 4
)

// attributeOverhead is about what an attribute takes besides its key and text.
const attributeOverhead = 16

// bytes is about what appendAttribute appends for n rows.
func (c *shreddedColumn) bytes(n int) (size int) {
	overhead := len(c.field) + attributeOverhead
	for i := range n {
		switch {
		case c.kind == kindString || c.kind == kindAny:
			if text := c.text(i); text != nil {
				size += overhead + len(text)
			}
		case c.dict != nil && c.codes[i] == noCode || c.dict == nil && c.nulls[i]:
		default:
			size += overhead
		}
	}
	return size
}

// appendAttribute appends the whole field of an attribute, in the canonical
// encoding. It is false if the row has no value.
func (c *shreddedColumn) appendAttribute(dst []byte, i int) ([]byte, bool) {
	var value [16]byte
	body, text := value[:0], []byte(nil)
	switch c.kind {
	case kindString, kindAny:
		if text = c.text(i); text == nil {
			return dst, false
		}
		if c.kind == kindString {
			body = protowire.AppendTag(body, valueString, protowire.BytesType)
			body = protowire.AppendVarint(body, uint64(len(text)))
		}
	default:
		word, ok := c.word(i)
		if !ok {
			return dst, false
		}
		switch c.kind {
		case kindInt:
			body = protowire.AppendVarint(protowire.AppendTag(body, valueInt, protowire.VarintType), word)
		case kindDouble:
			body = protowire.AppendFixed64(protowire.AppendTag(body, valueDouble, protowire.Fixed64Type), word)
		default:
			body = protowire.AppendVarint(protowire.AppendTag(body, valueBool, protowire.VarintType), word)
		}
	}
	size := len(body) + len(text)
	dst = protowire.AppendTag(dst, spanAttributes, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(len(c.field)+1+protowire.SizeBytes(size)))
	dst = append(dst, c.field...)
	dst = protowire.AppendTag(dst, keyValueValue, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(size))
	return append(append(dst, body...), text...), true
}
