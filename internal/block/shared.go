package block

import (
	"encoding/binary"
	"slices"
	"unsafe"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// sharedTable numbers what many rows point to: resources and scopes.
type sharedTable[T comparable] struct {
	index    map[T]uint32
	contents map[string]uint32 // numbers by what content returns
	content  func(T) string
	list     []T
	rows     []int    // by number
	codes    []uint32 // numbers, by row
	last     T        // that was added
}

func (t *sharedTable[T]) init(rows int, content func(T) string) {
	t.index, t.contents, t.content = map[T]uint32{}, map[string]uint32{}, content
	t.codes = make([]uint32, 0, rows)
}

// add takes what the next row points to.
func (t *sharedTable[T]) add(v T) {
	var code uint32
	if n := len(t.codes); n > 0 && v == t.last {
		code = t.codes[n-1]
	} else {
		var known bool
		if code, known = t.index[v]; !known {
			code = t.number(v)
			t.index[v] = code
		}
		t.last = v
	}
	t.rows[code]++
	t.codes = append(t.codes, code)
}

// arrange puts the numbers into the order of the rows.
func (t *sharedTable[T]) arrange(places []rowPlace) {
	codes := make([]uint32, len(places))
	for i := range places {
		codes[i] = t.codes[places[i].number]
	}
	t.codes = codes
}

// number is that of a value equal to v.
func (t *sharedTable[T]) number(v T) uint32 {
	content := t.content(v)
	code, ok := t.contents[content]
	if !ok {
		code = uint32(len(t.list))
		t.contents[content] = code
		t.list = append(t.list, v)
		t.rows = append(t.rows, 0)
	}
	return code
}

func resourceContent(r *schema.Resource) string {
	return string(appendText(appendText(nil, r.ServiceName), string(r.Wire)))
}

func scopeContent(s *schema.Scope) string {
	b := appendText(appendText(nil, s.Name), s.Version)
	return string(appendText(b, string(s.Wire)))
}

// resourceAttributes returns the attributes of resources that get columns, the
// most frequent first. service_name stands for service.name.
func (s *survey) resourceAttributes() []attribute {
	rows := map[attribute]int{}
	for i, r := range s.resources.list {
		values := resourceValues(r)
		s.resourceValues = append(s.resourceValues, values)
		for a := range values {
			rows[a] += s.resources.rows[i]
		}
	}
	list := make([]attribute, 0, len(rows))
	for a := range rows {
		if nameable(a.key) && (a.key != "service.name" || a.kind != kindString) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b attribute) int {
		if rows[a] != rows[b] {
			return rows[b] - rows[a]
		}
		return a.compare(b)
	})
	return list[:min(len(list), s.limits.resourceColumns)]
}

// resourceValues returns the first value of each key: the text of a string, the
// AnyValue of kindAny, else eight bytes of a number, little endian.
func resourceValues(r *schema.Resource) map[attribute]string {
	values := map[attribute]string{}
	seen := map[string]bool{}
	for _, a := range otlp.ResourceAttributes(r) {
		if seen[a.Key] {
			continue
		}
		seen[a.Key] = true
		kind, bits, text := scalarKind(otlp.AppendValue(nil, a.Value))
		if kind == kindInt || kind == kindDouble || kind == kindBool {
			text = binary.LittleEndian.AppendUint64(nil, bits)
		}
		values[attribute{ownerResource, kind, a.Key}] = string(text)
	}
	return values
}

// resourceOf and scopeOf return what no row should lack: an empty one for nil.
func resourceOf(s *schema.Span) *schema.Resource {
	if s.Resource == nil {
		return &noResource
	}
	return s.Resource
}

func scopeOf(s *schema.Span) *schema.Scope {
	if s.Scope == nil {
		return &noScope
	}
	return s.Scope
}

// Never written to.
var (
	noResource schema.Resource
	noScope    schema.Scope
)

// alias is the text of b without a copy.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
