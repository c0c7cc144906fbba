package block

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/spanlake/spanlake/internal/block/cells"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// gatherer walks the rows of one row group and puts every attribute where it
// belongs.
type gatherer struct {
	survey  *survey
	ordinal int32 // of the row group

	badNames bool           // an event's name is not UTF-8
	columns  []*cells.Cells // by column of the directory; nil if not of a row's attributes
	// shapeNumber is what stands for a column in a shape.
	shapeNumber []uint64
	arena       cells.Arena

	shapes [2]*cells.Texts // of attributes and derived
	rests  [2]*cells.Cells
	names  *cells.Cells // of events
	pager  pager

	// Of the current row.
	placed  []int16 // columns that have a value
	shape   []byte
	rest    []byte
	lists   [][]byte // being written, by column
	touched []int16  // columns with such a list
	members int32
}

func newGatherer(s *survey, ordinal, rows int) *gatherer {
	g := &gatherer{
		survey: s, ordinal: int32(ordinal),
		columns: make([]*cells.Cells, len(s.columns)), shapeNumber: make([]uint64, len(s.columns)),
		lists: make([][]byte, len(s.columns)),
	}
	var next [numOwners]uint64
	for i := range s.columns {
		c := &s.columns[i]
		owner := c.attribute.owner
		if owner == ownerNone || owner == ownerResource {
			continue
		}
		expected := min(s.cells[i], rows)
		switch kind := c.attribute.kind.cells(); {
		case kind != cells.Text:
			g.columns[i] = cells.NewNumbers(kind, rows, expected)
		case c.content:
			g.columns[i] = cells.NewOptional(rows, cells.NewTexts(0, expected, &g.arena))
		default:
			g.columns[i] = cells.NewOptional(rows, cells.NewTexts(maxDictBytes, expected, &g.arena))
		}
		next[owner]++
		g.shapeNumber[i] = next[owner]
	}
	for i := range g.shapes {
		g.shapes[i] = cells.NewTexts(maxDictBytes, rows, &g.arena)
		g.rests[i] = cells.NewOptional(rows, cells.NewTexts(0, 0, nil))
	}
	g.names = cells.NewOptional(rows, cells.NewTexts(maxDictBytes, 0, &g.arena))
	g.pager = newPager(s.limits)
	return g
}

// row takes the next row.
func (g *gatherer) row(i int, s *schema.Span) {
	g.pager.begin(s)
	g.attributes(i, 0, ownerSpan, s.Attributes)
	g.attributes(i, 1, ownerDerived, s.Derived)
	if len(s.Events) > 0 {
		g.events(i, s.Events)
	}
	if len(s.Links) > 0 {
		g.links(i, s.Links)
	}
	g.pager.end(i)
}

// attributes takes the attributes of a row: part 0 those of the span, part 1
// the derived ones.
func (g *gatherer) attributes(row, part int, from owner, fields []byte) {
	if len(fields) == 0 {
		g.shapes[part].Add("")
		return
	}
	t := g.survey.keys[from]
	g.shape, g.placed = g.shape[:0], g.placed[:0]
	rest := remainder{of: fields, scattered: g.rest[:0]}
	before, stamp, at := int32(0), int32(row)+1, 0
	kv := otlp.SpanKeyValues(fields)
	for kv.Next() {
		before = t.find(kv.Key, before)
		info := &t.infos[before]
		column := int16(0)
		if info.seen != stamp {
			info.seen = stamp
			if kv.Canonical {
				column = g.place(row, info, kv.Value)
			}
		}
		end := at + len(kv.Field)
		if column == 0 {
			info.outside = g.ordinal + 1
			g.shape = append(g.shape, 0)
			rest.add(at, end)
		} else {
			g.placed = append(g.placed, column-1)
			g.shape = binary.AppendUvarint(g.shape, g.shapeNumber[column-1])
		}
		at = end
	}
	g.rest = rest.scattered
	if kv.Foreign || len(g.placed) == 0 {
		g.takeBack(row, t, fields)
		g.shapes[part].Add("")
		g.addRest(row, part, alias(fields))
		return
	}
	g.shapes[part].AddCopy(g.shape)
	if whole := rest.whole(&g.arena); len(whole) > 0 {
		g.addRest(row, part, whole)
	}
}

// place puts the value of an attribute into its column and returns that plus
// one, or 0 if it has none.
func (g *gatherer) place(row int, info *keyInfo, value []byte) int16 {
	if info.columns == [numKinds]int16{} {
		return 0
	}
	v := otlp.ParseScalar(value)
	if number := info.columns[kindString]; v.Kind == schema.KindString && number != 0 && g.columns[number-1].AddKnown(row, alias(v.Text)) {
		g.pager.wide(len(v.Text))
		return number
	}
	kind, bits, text := kindOf(v, value)
	number := info.columns[kind]
	if number == 0 {
		return 0
	}
	column := g.columns[number-1]
	switch kind {
	case kindString, kindAny:
		column.AddText(row, alias(text))
		if !g.survey.columns[number-1].content {
			g.pager.wide(len(text))
		}
	case kindInt, kindDouble:
		column.AddNumber(row, int64(bits))
	case kindBool:
		column.AddBool(row, bits != 0)
	case kindList, numKinds:
	}
	return number
}

// takeBack undoes what place has done for a row that is not well formed, and
// notes that all its keys are outside of columns.
func (g *gatherer) takeBack(row int, t *keyTable, fields []byte) {
	for _, column := range g.placed {
		g.columns[column].TakeBack(row)
	}
	if len(g.placed) == 0 {
		return
	}
	before := int32(0)
	for kv := otlp.SpanKeyValues(fields); kv.Next(); {
		before = t.find(kv.Key, before)
		t.infos[before].outside = g.ordinal + 1
	}
}

func (g *gatherer) addRest(row, part int, fields string) {
	g.pager.wide(len(fields))
	g.rests[part].AddText(row, fields)
}

// remainder gathers those fields of a message that stay. While they lie side by
// side it is a slice of the message; else they are copied.
type remainder struct {
	of         []byte
	start, end int
	scattered  []byte
}

func (r *remainder) add(start, end int) {
	switch {
	case len(r.scattered) > 0:
		r.scattered = append(r.scattered, r.of[start:end]...)
	case r.end == r.start:
		r.start, r.end = start, end
	case r.end == start:
		r.end = end
	default:
		r.scattered = append(append(r.scattered, r.of[r.start:r.end]...), r.of[start:end]...)
	}
}

// whole is what was added, in memory that stays as it is.
func (r *remainder) whole(a *cells.Arena) string {
	if len(r.scattered) > 0 {
		return a.Copy(alias(r.scattered))
	}
	return alias(r.of[r.start:r.end])
}

// events takes the events of a row.
func (g *gatherer) events(row int, fields []byte) {
	list := g.shape[:0]
	for m := otlp.EventMessages(fields); m.Next(); {
		name := otlp.EventName(m.Message)
		list = appendListComma(list)
		if utf8.Valid(name) {
			list = appendJSONText(list, alias(name))
		} else {
			g.badNames = true
			list = appendJSONText(list, strings.ToValidUTF8(alias(name), string(utf8.RuneError)))
		}
		g.member(ownerEvent, otlp.EventKeyValues(m.Message))
	}
	if len(list) > 0 {
		g.shape = append(list, ']')
		g.names.AddCopy(row, g.shape)
	}
	g.endLists(row)
}

// links takes the links of a row.
func (g *gatherer) links(row int, fields []byte) {
	for m := otlp.LinkMessages(fields); m.Next(); {
		g.member(ownerLink, otlp.LinkKeyValues(m.Message))
	}
	g.endLists(row)
}

// member takes the attributes of an event or a link.
func (g *gatherer) member(from owner, kv otlp.KeyValues) {
	t := g.survey.keys[from]
	g.members++
	before := int32(0)
	for kv.Next() {
		before = t.find(kv.Key, before)
		info := &t.infos[before]
		column := info.columns[kindList] - 1
		if column < 0 {
			info.outside = g.ordinal + 1
			continue
		}
		if info.seen == g.members {
			continue
		}
		info.seen = g.members
		if len(g.lists[column]) == 0 {
			g.touched = append(g.touched, column)
		}
		g.lists[column] = appendListItem(g.lists[column], kv.Value)
	}
}

// endLists adds the lists of a row to their columns.
func (g *gatherer) endLists(row int) {
	for _, column := range g.touched {
		g.lists[column] = append(g.lists[column], ']')
		g.columns[column].AddCopy(row, g.lists[column])
		g.lists[column] = g.lists[column][:0]
	}
	g.touched = g.touched[:0]
}

// keys returns the sorted keys that occur outside of columns.
func (g *gatherer) keys() (lists [numOwners]keyList) {
	for o, t := range g.survey.keys {
		var keys []string
		for i := range t.infos[1:] {
			info := &t.infos[1+i]
			if info.outside == g.ordinal+1 {
				keys = append(keys, info.key)
			}
			info.seen = 0
		}
		lists[o] = newKeyList(keys)
	}
	if g.badNames {
		lists[ownerNone] = newKeyList([]string{ColumnEventName})
	}
	return lists
}
