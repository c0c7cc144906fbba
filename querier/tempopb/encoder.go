package tempopb

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// Format is how a reply is written.
type Format int

// The formats.
const (
	JSON     Format = iota // proto3 JSON, zero values left out
	Protobuf               // the binary form
)

// encoder writes the fields of messages. In JSON, 64-bit integers are text and
// commas are due before all but the first member.
type encoder struct {
	out  []byte
	json bool
	next bool // JSON: a member or element stands before
}

func newEncoder(dst []byte, f Format) *encoder { return &encoder{out: dst, json: f == JSON} }

func (e *encoder) raw(s string) { e.out = append(e.out, s...) }

func (e *encoder) comma() {
	if e.next {
		e.out = append(e.out, ',')
	}
	e.next = true
}

// key begins a field. Names need no escapes.
func (e *encoder) key(num protowire.Number, typ protowire.Type, name string) {
	if !e.json {
		e.out = protowire.AppendTag(e.out, num, typ)
		return
	}
	e.comma()
	e.out = append(append(append(e.out, '"'), name...), '"', ':')
}

func (e *encoder) text(num protowire.Number, name, s string) {
	if s != "" {
		e.key(num, protowire.BytesType, name)
		e.string(s)
	}
}

// string writes a text with its length or in quotes. Protobuf allows UTF-8 only.
func (e *encoder) string(s string) {
	if e.json {
		e.out = otlp.AppendJSONText(e.out, s)
		return
	}
	e.out = protowire.AppendString(e.out, validText(s))
}

func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, string(utf8.RuneError))
}

func (e *encoder) uint32(num protowire.Number, name string, v uint32) {
	if v == 0 {
		return
	}
	e.key(num, protowire.VarintType, name)
	if e.json {
		e.out = strconv.AppendUint(e.out, uint64(v), 10)
		return
	}
	e.out = protowire.AppendVarint(e.out, uint64(v))
}

// uint64 writes an unsigned integer, or a signed one that is not negative.
func (e *encoder) uint64(num protowire.Number, name string, v uint64) {
	if v == 0 {
		return
	}
	e.key(num, protowire.VarintType, name)
	if e.json {
		e.out = append(strconv.AppendUint(append(e.out, '"'), v, 10), '"')
		return
	}
	e.out = protowire.AppendVarint(e.out, v)
}

func (e *encoder) double(num protowire.Number, name string, v float64) {
	if v == 0 {
		return
	}
	e.key(num, protowire.Fixed64Type, name)
	if e.json {
		e.out = otlp.AppendJSONDouble(e.out, v)
		return
	}
	e.out = protowire.AppendFixed64(e.out, math.Float64bits(v))
}

// open begins a message that is a field. It is there even if it stays empty.
func (e *encoder) open(num protowire.Number, name string) int {
	e.key(num, protowire.BytesType, name)
	return e.begin()
}

// element begins an element of a list.
func (e *encoder) element(num protowire.Number) {
	if e.json {
		e.comma()
	} else {
		e.out = protowire.AppendTag(e.out, num, protowire.BytesType)
	}
}

// item begins a message that is an element of a list.
func (e *encoder) item(num protowire.Number) int {
	e.element(num)
	return e.begin()
}

// begin returns where the body begins: behind a brace, or behind one byte for
// the length.
func (e *encoder) begin() int {
	e.next = false
	if e.json {
		e.out = append(e.out, '{')
	} else {
		e.out = append(e.out, 0)
	}
	return len(e.out)
}

// close ends the message whose body begins at start. A length of several bytes
// moves the body.
func (e *encoder) close(start int) {
	if e.json {
		e.out = append(e.out, '}')
		e.next = true
		return
	}
	n := len(e.out) - start
	more := protowire.SizeVarint(uint64(n)) - 1 //nolint:gosec // a length
	if more > 0 {
		e.out = append(e.out, make([]byte, more)...)
		copy(e.out[start+more:], e.out[start:start+n])
	}
	protowire.AppendVarint(e.out[:start-1], uint64(n)) //nolint:gosec // a length
}

// list begins a list, which in protobuf leaves no trace.
func (e *encoder) list(num protowire.Number, name string) {
	if e.json {
		e.key(num, protowire.BytesType, name)
		e.raw("[")
		e.next = false
	}
}

func (e *encoder) endList() {
	if e.json {
		e.raw("]")
		e.next = true
	}
}

// textItem writes an element of a list of texts.
func (e *encoder) textItem(num protowire.Number, s string) {
	e.element(num)
	e.string(s)
}

// attributes writes a list of KeyValue, if there are any.
func (e *encoder) attributes(num protowire.Number, name string, list []schema.Attribute) {
	if len(list) == 0 {
		return
	}
	e.list(num, name)
	e.attributeItems(num, list)
	e.endList()
}

func (e *encoder) attributeItems(num protowire.Number, list []schema.Attribute) {
	for i := range list {
		item := e.item(num)
		e.text(1, "key", list[i].Key)
		value := e.open(2, "value")
		e.value(&list[i].Value)
		e.close(value)
		e.close(item)
	}
}

// value writes the member of an AnyValue. Unlike other fields it is there even
// if it is zero.
func (e *encoder) value(v *schema.Value) {
	switch v.Kind {
	case schema.KindString:
		e.key(1, protowire.BytesType, "stringValue")
		e.string(v.Str)
	case schema.KindArray:
		list := e.open(5, "arrayValue")
		e.list(1, "values")
		for i := range v.Array {
			item := e.item(1)
			e.value(&v.Array[i])
			e.close(item)
		}
		e.endList()
		e.close(list)
	case schema.KindMap:
		list := e.open(6, "kvlistValue")
		e.attributes(1, "values", v.Map)
		e.close(list)
	case schema.KindBool, schema.KindInt, schema.KindDouble, schema.KindBytes:
		if e.json {
			e.jsonScalar(v)
		} else {
			e.out = otlp.AppendValue(e.out, *v)
		}
	case schema.KindEmpty:
	}
}

func (e *encoder) jsonScalar(v *schema.Value) {
	switch v.Kind {
	case schema.KindBool:
		e.key(0, 0, "boolValue")
		e.out = strconv.AppendBool(e.out, v.Bool)
	case schema.KindInt:
		e.key(0, 0, "intValue")
		e.out = append(strconv.AppendInt(append(e.out, '"'), v.Int, 10), '"')
	case schema.KindDouble:
		e.key(0, 0, "doubleValue")
		e.out = otlp.AppendJSONDouble(e.out, v.Double)
	default:
		e.key(0, 0, "bytesValue")
		e.out = append(base64.StdEncoding.AppendEncode(append(e.out, '"'), []byte(v.Str)), '"')
	}
}
