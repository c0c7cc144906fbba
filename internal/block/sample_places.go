package block

import (
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// holding is a column in which values of a vec.Column may stand.
type holding struct {
	column int
	field  int // which of the fields
	kind   valueKind
	// find, if not nil, finds the value in the bytes of messages, which are of
	// no kind.
	find func(stored []byte) (schema.Value, bool)
}

// holdingsOf finds where the values of a column may stand. For each row the
// first that has a value of a field decides about the field.
func (g *groupReader) holdingsOf(column vec.Column) (list []holding) {
	for i, field := range column {
		switch field.Scope {
		case vec.ScopeIntrinsic:
			list = g.appendIntrinsic(list, i, field.Key)
		case vec.ScopeSpan:
			list = g.appendAttributes(list, i, ownerDerived, colDerived, field.Key)
			list = g.appendAttributes(list, i, ownerSpan, colAttributes, field.Key)
		case vec.ScopeResource:
			list = g.appendMessages(list, i, colResource, func(stored []byte) (schema.Value, bool) {
				return findFirst(otlp.ResourceMessages(stored), otlp.ResourceKeyValues, field.Key)
			})
		case vec.ScopeInstrumentation:
			list = g.appendMessages(list, i, colScope, func(stored []byte) (schema.Value, bool) {
				return findFirst(otlp.ScopeMessages(stored), otlp.ScopeKeyValues, field.Key)
			})
		case vec.ScopeEvent, vec.ScopeLink: // are no columns
		}
	}
	return list
}

func (g *groupReader) appendIntrinsic(list []holding, field int, key string) []holding {
	id := intrinsicColumn(key)
	if id == numColumns || id == colEventName || g.chunk(g.fixed(id)).absent {
		return list
	}
	kind := kindInt
	if columns[id].physical == physicalBytes {
		kind = kindString
	}
	return append(list, holding{column: g.fixed(id), field: field, kind: kind})
}

// appendAttributes adds the columns of a key's attributes, and the column of
// the others.
func (g *groupReader) appendAttributes(list []holding, field int, from owner, rest columnID, key string) []holding {
	for _, c := range g.reader.columns.byKey[attributeKey{from, key}] {
		if !g.chunk(c).absent {
			list = append(list, holding{column: c, field: field, kind: g.column(c).attribute.kind})
		}
	}
	if !g.group.keys[from].mayHave(key) {
		return list
	}
	return g.appendMessages(list, field, rest, func(stored []byte) (schema.Value, bool) { return otlp.Lookup(stored, key) })
}

func (g *groupReader) appendMessages(list []holding, field int, id columnID, find func([]byte) (schema.Value, bool)) []holding {
	c := g.fixed(id)
	if g.chunk(c).absent {
		return list
	}
	return append(list, holding{column: c, field: field, kind: kindAny, find: find})
}

// findFirst returns the first attribute that has the key.
func findFirst(messages otlp.Messages, attributes func([]byte) otlp.KeyValues, key string) (schema.Value, bool) {
	for messages.Next() {
		for kv := attributes(messages.Message); kv.Next(); {
			if string(kv.Key) == key {
				return otlp.ParseValue(kv.Value), true
			}
		}
	}
	return schema.Value{}, false
}

// value reads bytes of a holding that are not text. It is false if the field is
// not there.
func (h *holding) value(stored []byte) (schema.Value, bool) {
	if h.find != nil {
		return h.find(stored)
	}
	return otlp.ParseValue(stored), true
}
