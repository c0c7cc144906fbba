package block_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// The numbers of the fields of attributes.
const (
	spanAttributes  = 9
	eventAttributes = 3
	linkAttributes  = 4
)

// attributeMaker writes attributes as clients do, and as none should.
type attributeMaker struct {
	rng *rand.Rand
	odd float64 // share of attributes that no encoder writes
}

// fields returns n attributes.
func (m *attributeMaker) fields(num protowire.Number, n int) []byte {
	var b []byte
	for range n {
		b = m.append(b, num)
	}
	return b
}

func (m *attributeMaker) append(b []byte, num protowire.Number) []byte {
	key := fmt.Sprintf("key.%d", int(math.Abs(m.rng.NormFloat64()*12)))
	if m.rng.Float64() < m.odd {
		return m.oddity(b, num, key)
	}
	return otlp.AppendKeyValue(b, num, key, m.value(0))
}

func (m *attributeMaker) value(depth int) schema.Value {
	n := m.rng.IntN(10)
	switch m.rng.IntN(12) {
	case 0:
		return schema.Value{Kind: schema.KindInt, Int: int64(n - 4)}
	case 1:
		return schema.Value{Kind: schema.KindInt, Int: m.rng.Int64()}
	case 2:
		return schema.Value{Kind: schema.KindDouble, Double: []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), 0.5}[n%5]}
	case 3:
		return schema.Value{Kind: schema.KindBool, Bool: n%2 == 0}
	case 4:
		if depth < 3 {
			return schema.Value{Kind: schema.KindArray, Array: []schema.Value{m.value(depth + 1), {}}}
		}
		return schema.Value{}
	case 5:
		return schema.Value{Kind: schema.KindBytes, Str: "\xff\x00"}
	case 6:
		return schema.Value{Kind: schema.KindString, Str: strings.Repeat("säle \"\\\n\x01", n*3)}
	case 7:
		return schema.Value{Kind: schema.KindString, Str: strings.Repeat(strconv.FormatUint(m.rng.Uint64(), 10), 40)}
	default:
		return schema.Value{Kind: schema.KindString, Str: fmt.Sprintf("value %d", n)}
	}
}

// oddity appends an attribute in a form that no encoder gives it.
func (m *attributeMaker) oddity(b []byte, num protowire.Number, key string) []byte {
	text := func(s string) []byte { return protowire.AppendString([]byte{0x0a}, s) }
	keyField, value := text(key), []byte{0x12, 0x02, 0x18, 0x07}
	var body []byte
	switch m.rng.IntN(14) {
	case 0:
		body = append([]byte{0x0a, 0x80 | byte(len(key)), 0x00}, key...) // a longer length
		body = append(body, value...)
	case 1:
		body = slices.Concat(value, keyField) // the value first
	case 2:
		body = slices.Concat(keyField, value, keyField) // the key twice
	case 3:
		body = slices.Concat(keyField, value, value) // the value twice
	case 4:
		body = slices.Concat(keyField, []byte{0x12, 0x04, 0x18, 0x87, 0x80, 0x00}) // a longer number
	case 5:
		body = slices.Concat(keyField, []byte{0x12, 0x04, 0x18, 0x07, 0x10, 0x01}) // two alternatives
	case 6:
		body = slices.Concat(keyField, []byte{0x12, 0x02, 0x10, 0x05}) // a bool of 5
	case 7:
		body = keyField // no value
	case 8:
		body = slices.Concat(keyField, []byte{0x12, 0x00}) // an empty value
	case 9:
		body = value // no key
	case 10:
		body = slices.Concat([]byte{0x0a, 0x00}, value) // an empty key
	case 11:
		body = slices.Concat(text("key.\xff"), value) // a key that is not UTF-8
	case 12:
		body = slices.Concat(keyField, []byte{0x12, 0x03, 0x0a, 0x01, 0xff}) // a text that is not UTF-8
	default:
		body = slices.Concat(keyField, value, []byte{0x18, 0x01}) // an unknown field
	}
	b = protowire.AppendTag(b, num, protowire.BytesType)
	if m.rng.IntN(10) == 0 { // a longer length
		return append(append(b, 0x80|byte(len(body)&0x7f), 0x80|byte(len(body)>>7), 0x00), body...)
	}
	return protowire.AppendBytes(b, body)
}

// events returns n events.
func (m *attributeMaker) events(n int) []byte {
	var b []byte
	for range n {
		event := protowire.AppendFixed64([]byte{0x09}, m.rng.Uint64())
		if i := m.rng.IntN(4); i > 0 {
			event = protowire.AppendString(append(event, 0x12), []string{"exception", "a\"b\n", "bad\xff"}[i-1])
		}
		event = append(event, m.fields(eventAttributes, m.rng.IntN(4))...)
		event = otlp.AppendKeyValue(event, eventAttributes, "level", schema.Value{Kind: schema.KindString, Str: "warn"})
		b = protowire.AppendBytes(append(b, 0x5a), event)
	}
	return b
}

// links returns n links.
func (m *attributeMaker) links(n int) []byte {
	var b []byte
	for i := range n {
		link := otlp.AppendKeyValue(nil, linkAttributes, "order", schema.Value{Kind: schema.KindInt, Int: int64(i)})
		b = protowire.AppendBytes(append(b, 0x6a), append(link, m.fields(linkAttributes, m.rng.IntN(2))...))
	}
	return b
}

// withAttributes replaces the payloads of rows.
func withAttributes(spans []schema.Span, rng *rand.Rand, odd float64) []schema.Span {
	m := attributeMaker{rng, odd}
	for i := range spans {
		s := &spans[i]
		s.Attributes, s.Derived, s.Events, s.Links = m.fields(spanAttributes, rng.IntN(12)), nil, nil, nil
		if rng.IntN(3) == 0 {
			s.Derived = m.fields(spanAttributes, rng.IntN(3))
		}
		if rng.IntN(4) == 0 {
			s.Events = m.events(1 + rng.IntN(3))
		}
		if rng.IntN(8) == 0 {
			s.Links = m.links(1 + rng.IntN(2))
		}
	}
	for i := range 20 {
		wire := protowire.AppendBytes([]byte{0x0a}, m.fields(1, 6))
		wire = append(wire, 0x1a, 0x01, 'u')
		resource := &schema.Resource{Wire: wire, ServiceName: "service"}
		for j := i; j < len(spans); j += 20 {
			spans[j].Resource = resource
		}
	}
	return spans
}

// oracle says, from the format's description, what stands in the columns of
// attributes.
type oracle struct {
	columns []string         // names, the most frequent first
	values  []map[string]any // of each row
	rows    map[string]int   // with a value
}

type ownedKey struct{ owner, key string }

// newOracle decides which columns there are, and their values.
func newOracle(spans []schema.Span) *oracle {
	o := &oracle{rows: map[string]int{}}
	lists := listKeys(spans)
	for i := range spans {
		values := map[string]any{}
		oracleSpan(values, "span.", spans[i].Attributes)
		oracleSpan(values, "derived.", spans[i].Derived)
		oracleLists(values, "event.", eventsOf(&spans[i]), lists)
		oracleLists(values, "link.", linksOf(&spans[i]), lists)
		for name := range values {
			o.rows[name]++
		}
		o.values = append(o.values, values)
	}
	for name, n := range o.rows {
		if n >= max(4, len(spans)/1000) {
			o.columns = append(o.columns, name)
		}
	}
	slices.SortFunc(o.columns, func(a, b string) int {
		return cmp.Or(cmp.Compare(o.rows[b], o.rows[a]), cmp.Compare(a, b))
	})
	o.columns = o.columns[:min(256, len(o.columns))]
	return o
}

func oracleSpan(values map[string]any, prefix string, fields []byte) {
	seen := map[string]bool{}
	for b := fields; len(b) > 0; {
		_, _, n := protowire.ConsumeField(b)
		field := b[:n]
		b = b[n:]
		kv, _ := protowire.ConsumeBytes(field[1:])
		key, value := splitKeyValue(kv)
		canonical := keyFirst(field)
		if !seen[key] && canonical != nil && key != "" && utf8.ValidString(key) {
			suffix, v := oracleValue(value)
			values[prefix+key+suffix] = v
		}
		seen[key] = true
	}
}

// keyFirst returns an attribute's field as encoders write it, nil if it is not
// just that, or that with the value before the key.
func keyFirst(field []byte) []byte {
	kv, _ := protowire.ConsumeBytes(field[1:])
	key, value := splitKeyValue(kv)
	keyField := protowire.AppendString([]byte{0x0a}, key)
	valueField := protowire.AppendBytes([]byte{0x12}, value)
	canonical := protowire.AppendBytes([]byte{field[0]}, slices.Concat(keyField, valueField))
	turned := protowire.AppendBytes([]byte{field[0]}, slices.Concat(valueField, keyField))
	if bytes.Equal(field, canonical) || bytes.Equal(field, turned) {
		return canonical
	}
	return nil
}

// keysFirst writes the attributes of a row for which keyFirst returns some that
// way, and leaves the others as they are.
func keysFirst(fields []byte) []byte {
	var out []byte
	for b := fields; len(b) > 0; {
		n := protowire.ConsumeFieldValue(9, protowire.BytesType, b[1:]) + 1
		if b[0] != 0x4a || n <= 0 {
			return append(out, b...) // not well formed
		}
		if canonical := keyFirst(b[:n]); canonical != nil {
			out = append(out, canonical...)
		} else {
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	return out
}

// splitKeyValue returns the last key and the values joined.
func splitKeyValue(b []byte) (key string, value []byte) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		m := protowire.ConsumeFieldValue(num, typ, b[n:])
		if num == 1 {
			body, _ := protowire.ConsumeBytes(b[n:])
			key = string(body)
		}
		if num == 2 {
			body, _ := protowire.ConsumeBytes(b[n:])
			value = append(value, body...)
		}
		b = b[n+m:]
	}
	return key, value
}

// oracleValue returns the suffix of the column for a value, and what it holds.
func oracleValue(b []byte) (string, any) {
	v := otlp.ParseValue(b)
	if !bytes.Equal(otlp.AppendValue(nil, v), b) {
		return ":any", string(b)
	}
	switch {
	case v.Kind == schema.KindString && utf8.ValidString(v.Str):
		return "", v.Str
	case v.Kind == schema.KindInt:
		return ":int", v.Int
	case v.Kind == schema.KindDouble:
		return ":double", math.Float64bits(v.Double)
	case v.Kind == schema.KindBool:
		return ":bool", v.Bool
	}
	return ":any", string(b)
}

func eventsOf(s *schema.Span) (list [][]schema.Attribute) {
	for e := range otlp.Events(s) {
		list = append(list, firsts(e.Attributes))
	}
	return list
}

func linksOf(s *schema.Span) (list [][]schema.Attribute) {
	for l := range otlp.Links(s) {
		list = append(list, firsts(l.Attributes))
	}
	return list
}

// firsts keeps the first attribute of each key.
func firsts(list []schema.Attribute) (kept []schema.Attribute) {
	for _, a := range list {
		if !slices.ContainsFunc(kept, func(b schema.Attribute) bool { return a.Key == b.Key }) {
			kept = append(kept, a)
		}
	}
	return kept
}

// listKeys says which keys of events and links may have columns.
func listKeys(spans []schema.Span) map[ownedKey]bool {
	good, size, rows := map[ownedKey]bool{}, map[ownedKey]int{}, map[ownedKey]int{}
	look := func(owner string, members [][]schema.Attribute) {
		seen := map[ownedKey]bool{}
		for _, member := range members {
			for _, a := range member {
				k := ownedKey{owner, a.Key}
				if _, ok := good[k]; !ok {
					good[k] = a.Key != "" && utf8.ValidString(a.Key)
				}
				switch a.Value.Kind {
				case schema.KindString:
					size[k] += len(a.Value.Str)
					good[k] = good[k] && utf8.ValidString(a.Value.Str)
				case schema.KindInt:
					size[k] += 8
				case schema.KindBool:
					size[k] += 4
				default:
					good[k] = false
				}
				if !seen[k] {
					rows[k]++
				}
				seen[k] = true
			}
		}
	}
	for i := range spans {
		look("event.", eventsOf(&spans[i]))
		look("link.", linksOf(&spans[i]))
	}
	for k := range good {
		good[k] = good[k] && size[k] <= 128*rows[k]
	}
	return good
}

// oracleLists adds the lists as what their JSON means.
func oracleLists(values map[string]any, owner string, members [][]schema.Attribute, good map[ownedKey]bool) {
	for _, member := range members {
		for _, a := range member {
			if !good[ownedKey{owner, a.Key}] {
				continue
			}
			list, _ := values[owner+a.Key].([]any)
			switch a.Value.Kind {
			case schema.KindString:
				list = append(list, a.Value.Str)
			case schema.KindInt:
				list = append(list, json.Number(strconv.FormatInt(a.Value.Int, 10)))
			default:
				list = append(list, a.Value.Bool)
			}
			values[owner+a.Key] = list
		}
	}
}

// jsonList reads a list.
func jsonList(text string) (list []any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	err = d.Decode(&list)
	return list, err
}
