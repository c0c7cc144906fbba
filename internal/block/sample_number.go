package block

import (
	"math"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// measure reads the numbers of a vec.Column in one row group.
type measure struct {
	parts []measuredPart
	state []uint8 // by row, see below
}

// What is known of a row.
const (
	rowOpen    uint8 = iota
	rowDecided       // of the whole column
	rowEmpty         // of the field: the next one decides
)

// measuredPart is a holding of numbers, or of what hides those of others.
type measuredPart struct {
	holding

	values  values
	numbers []numberEntry // of the column's dictionary, made when needed
}

// numberEntry is what a stored value is as a number.
type numberEntry struct {
	known, found, empty bool
	kind                vec.NumberKind
	word                uint64
}

// newMeasure leaves out what is no number and hides none.
func (g *groupReader) newMeasure(column vec.Column) *measure {
	m := &measure{}
	list := g.holdingsOf(column)
	for i := range list {
		h := &list[i]
		hides := slices.ContainsFunc(list[i+1:], func(later holding) bool { return !g.exclude(h, &later) })
		if hides || h.kind == kindInt || h.kind == kindDouble || h.find != nil {
			m.parts = append(m.parts, measuredPart{holding: *h})
		}
	}
	return m
}

// exclude reports whether no row has a value in both places.
func (g *groupReader) exclude(a, b *holding) bool {
	return a.field == b.field && a.find == nil && b.find == nil &&
		g.column(a.column).attribute.owner == g.column(b.column).attribute.owner
}

func (m *measure) appendColumns(list []int) []int {
	for i := range m.parts {
		list = append(list, m.parts[i].column)
	}
	return list
}

// load reads the numbers of rows. REQUIRES: their pages and dictionaries were
// fetched.
func (m *measure) load(g *groupReader, rows []int32, dst *vec.Numbers) error {
	resize(&dst.Kinds, len(rows))
	resize(&dst.Words, len(rows))
	clear(dst.Kinds)
	clear(resize(&m.state, len(rows)))
	for i := range m.parts {
		p := &m.parts[i]
		if i > 0 && p.field != m.parts[i-1].field {
			for k, state := range m.state {
				if state == rowEmpty {
					m.state[k] = rowOpen
				}
			}
		}
		if err := g.load(&p.values, p.column, rows); err != nil {
			return err
		}
		if p.kind == kindInt || p.kind == kindDouble || p.kind == kindBool {
			m.fillWords(p, dst)
		} else {
			m.fillBytes(g, p, dst)
		}
	}
	return nil
}

// fillWords takes the numbers of a column of such.
func (m *measure) fillWords(p *measuredPart, dst *vec.Numbers) {
	kind := vec.Int
	switch p.kind {
	case kindDouble:
		kind = vec.Float
	case kindBool:
		kind = vec.NoNumber
	default:
	}
	for i := range m.state {
		if m.state[i] != rowOpen {
			continue
		}
		if word, ok := p.values.word(i); ok {
			m.state[i], dst.Kinds[i], dst.Words[i] = rowDecided, kind, word
		}
	}
}

// fillBytes takes what numbers there are in texts and messages.
func (m *measure) fillBytes(g *groupReader, p *measuredPart, dst *vec.Numbers) {
	if p.values.dict != nil && p.numbers == nil {
		p.numbers = make([]numberEntry, g.chunk(p.column).entries)
	}
	for i := range m.state {
		if m.state[i] != rowOpen {
			continue
		}
		stored := p.values.text(i)
		if stored == nil {
			continue
		}
		var entry *numberEntry
		if p.values.dict != nil {
			if entry = &p.numbers[p.values.codes[i]]; !entry.known {
				*entry = p.entry(stored)
			}
		} else {
			e := p.entry(stored)
			entry = &e
		}
		switch {
		case !entry.found:
		case entry.empty:
			m.state[i] = rowEmpty
		default:
			m.state[i], dst.Kinds[i], dst.Words[i] = rowDecided, entry.kind, entry.word
		}
	}
}

// entry reads a stored value that is no number column's.
func (p *measuredPart) entry(stored []byte) numberEntry {
	e := numberEntry{known: true, found: true}
	if p.kind == kindString {
		return e
	}
	var v schema.Value
	v, e.found = p.value(stored)
	switch v.Kind {
	case schema.KindInt:
		e.kind, e.word = vec.Int, uint64(v.Int)
	case schema.KindDouble:
		e.kind, e.word = vec.Float, math.Float64bits(v.Double)
	case schema.KindEmpty:
		e.empty = true
	case schema.KindString, schema.KindBool, schema.KindBytes, schema.KindArray, schema.KindMap:
	}
	return e
}

// own copies the texts of a value, which share the memory of a page.
func own(v schema.Value) schema.Value {
	v.Str = strings.Clone(v.Str)
	if len(v.Array) > 0 {
		list := make([]schema.Value, len(v.Array))
		for i := range v.Array {
			list[i] = own(v.Array[i])
		}
		v.Array = list
	}
	if len(v.Map) > 0 {
		list := make([]schema.Attribute, len(v.Map))
		for i, a := range v.Map {
			list[i] = schema.Attribute{Key: strings.Clone(a.Key), Value: own(a.Value)}
		}
		v.Map = list
	}
	return v
}
