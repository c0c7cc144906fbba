package vec

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/spanlake/spanlake/schema"
)

// Dictionary numbers values. Equal ones have one number, and 0 is that of the
// empty value. It serves one goroutine.
type Dictionary struct {
	Values  []schema.Value // by number
	Longest int            // bytes of the longest text

	texts  map[string]uint32
	words  map[word]uint32
	others map[string]uint32 // by valueKey
	key    []byte
}

// word is a value that is no text.
type word struct {
	kind schema.Kind
	bits uint64
}

// NewDictionary returns a dictionary of the empty value.
func NewDictionary() *Dictionary {
	return &Dictionary{
		Values: make([]schema.Value, 1),
		texts:  make(map[string]uint32), words: make(map[word]uint32), others: make(map[string]uint32),
	}
}

// Text is the number of a string, whose memory may change afterwards.
func (d *Dictionary) Text(text string) uint32 {
	n, ok := d.texts[text]
	if !ok {
		d.Longest = max(d.Longest, len(text))
		text = strings.Clone(text)
		n = d.add(schema.Value{Kind: schema.KindString, Str: text})
		d.texts[text] = n
	}
	return n
}

// Int is the number of an int.
func (d *Dictionary) Int(v int64) uint32 {
	return d.word(word{schema.KindInt, uint64(v)}, schema.Value{Kind: schema.KindInt, Int: v}) //nolint:gosec // its bits
}

// Double is the number of a float. Floats are equal if their bits are.
func (d *Dictionary) Double(v float64) uint32 {
	return d.word(word{schema.KindDouble, math.Float64bits(v)}, schema.Value{Kind: schema.KindDouble, Double: v})
}

// Bool is the number of a boolean.
func (d *Dictionary) Bool(v bool) uint32 {
	w := word{kind: schema.KindBool}
	if v {
		w.bits = 1
	}
	return d.word(w, schema.Value{Kind: schema.KindBool, Bool: v})
}

func (d *Dictionary) word(w word, v schema.Value) uint32 {
	n, ok := d.words[w]
	if !ok {
		n = d.add(v)
		d.words[w] = n
	}
	return n
}

// Value is the number of any value, which must not change afterwards.
func (d *Dictionary) Value(v schema.Value) uint32 {
	switch v.Kind {
	case schema.KindEmpty:
		return 0
	case schema.KindString:
		return d.Text(v.Str)
	case schema.KindInt:
		return d.Int(v.Int)
	case schema.KindDouble:
		return d.Double(v.Double)
	case schema.KindBool:
		return d.Bool(v.Bool)
	case schema.KindBytes, schema.KindArray, schema.KindMap:
	}
	d.key = appendValueKey(d.key[:0], &v)
	n, ok := d.others[string(d.key)]
	if !ok {
		n = d.add(v)
		d.others[string(d.key)] = n
	}
	return n
}

func (d *Dictionary) add(v schema.Value) uint32 {
	d.Values = append(d.Values, v)
	return uint32(len(d.Values) - 1) //nolint:gosec // no more than rows
}

// appendValueKey encodes a value so that equal ones, and no others, are equal.
func appendValueKey(dst []byte, v *schema.Value) []byte {
	dst = append(dst, byte(v.Kind))
	switch v.Kind {
	case schema.KindString, schema.KindBytes:
		dst = append(binary.AppendUvarint(dst, uint64(len(v.Str))), v.Str...)
	case schema.KindInt:
		dst = binary.AppendVarint(dst, v.Int)
	case schema.KindDouble:
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Double))
	case schema.KindBool:
		if v.Bool {
			return append(dst, 1)
		}
		return append(dst, 0)
	case schema.KindArray:
		dst = binary.AppendUvarint(dst, uint64(len(v.Array)))
		for i := range v.Array {
			dst = appendValueKey(dst, &v.Array[i])
		}
	case schema.KindMap:
		dst = binary.AppendUvarint(dst, uint64(len(v.Map)))
		for i := range v.Map {
			dst = append(binary.AppendUvarint(dst, uint64(len(v.Map[i].Key))), v.Map[i].Key...)
			dst = appendValueKey(dst, &v.Map[i].Value)
		}
	case schema.KindEmpty:
	}
	return dst
}
