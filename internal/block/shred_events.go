package block

import (
	"strconv"
	"unicode/utf8"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// countEvents looks at the attributes of a row's events.
func (s *survey) countEvents(row int32, fields []byte) {
	for m := otlp.EventMessages(fields); m.Next(); {
		s.events++
		s.keys[ownerEvent].countMember(row, s.events, otlp.EventKeyValues(m.Message))
	}
}

// countLinks does the same for links.
func (s *survey) countLinks(row int32, fields []byte) {
	for m := otlp.LinkMessages(fields); m.Next(); {
		s.links++
		s.keys[ownerLink].countMember(row, s.links, otlp.LinkKeyValues(m.Message))
	}
}

// countMember looks at the attributes of an event or a link.
func (t *keyTable) countMember(row, member int32, kv otlp.KeyValues) {
	before := int32(0)
	for kv.Next() {
		before = t.find(kv.Key, before)
		info := &t.infos[before]
		if info.seen == member {
			continue
		}
		info.seen = member
		count := &t.counts[before]
		if count.row != row+1 {
			count.row = row + 1
			count.rows[kindList]++
		}
		size, ok := listSize(kv.Value)
		count.bytes[kindList] += size
		count.barred = count.barred || !ok || !info.nameable
	}
}

// listSize is about how much room a value takes in a list, if it can be in one.
func listSize(value []byte) (int64, bool) {
	switch v := otlp.ParseValue(value); v.Kind {
	case schema.KindString:
		return int64(len(v.Str)), len(v.Str) <= maxHelperBytes && utf8.ValidString(v.Str)
	case schema.KindInt:
		return 8, true
	case schema.KindBool:
		return 4, true
	case schema.KindEmpty, schema.KindDouble, schema.KindBytes, schema.KindArray, schema.KindMap:
	}
	return 0, false
}

// appendListItem appends a value to a JSON list that is being written.
func appendListItem(b, value []byte) []byte {
	b = appendListComma(b)
	switch v := otlp.ParseValue(value); v.Kind {
	case schema.KindString:
		b = appendJSONText(b, v.Str)
	case schema.KindInt:
		b = strconv.AppendInt(b, v.Int, 10)
	case schema.KindBool:
		b = strconv.AppendBool(b, v.Bool)
	case schema.KindEmpty, schema.KindDouble, schema.KindBytes, schema.KindArray, schema.KindMap:
	}
	return b
}

// appendListComma appends what stands before an item.
func appendListComma(b []byte) []byte {
	if len(b) == 0 {
		return append(b, '[')
	}
	return append(b, ',')
}

// appendJSONText appends s, which is UTF-8, as JSON. Equal texts are written
// equally: only what must be escaped is.
func appendJSONText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		if c < ' ' {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		} else {
			b = append(b, '\\', c)
		}
	}
	return append(append(b, s[from:]...), '"')
}
