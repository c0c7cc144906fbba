package block

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// gatherer walks the rows of one row group and puts every attribute where it
// belongs.
type gatherer struct {
	survey  *survey
	ordinal int32    // of the row group
	columns []*cells // by column of the directory; nil if not of a row's attributes
	// shapeNumber is what stands for a column in a shape.
	shapeNumber []uint64
	fine        []int // by column of the directory: its number among those of content
	arena       arena

	shapes [2]texts // of attributes and derived
	rests  [2]*cells
	names  *cells // of events
	pager  pager

	row     []cell // of the current row
	shape   []byte
	rest    []byte
	lists   [][]byte // being written, by column
	touched []int32  // columns with such a list
	members int32
}

// cell is an attribute of the current row that goes into a column, 0 if it
// stays, plus one.
type cell struct {
	key    int32 // in the owner's table
	column int32
	kind   valueKind
	bits   uint64
	text   []byte
	field  []byte
}

func newGatherer(s *survey, ordinal, rows int) *gatherer {
	g := &gatherer{
		survey: s, ordinal: int32(ordinal),
		columns: make([]*cells, len(s.columns)), shapeNumber: make([]uint64, len(s.columns)),
		fine: make([]int, len(s.columns)), lists: make([][]byte, len(s.columns)),
		names: newCells(rows),
	}
	var next [numOwners]uint64
	contents := 0
	for i := range s.columns {
		c := &s.columns[i]
		owner := c.attribute.owner
		if owner == ownerNone || owner == ownerResource {
			continue
		}
		g.columns[i] = newCells(rows)
		g.columns[i].texts = texts{maxDict: maxDictBytes, arena: &g.arena, plain: c.fine}
		g.columns[i].expect(c.attribute.kind, min(s.cells[i], rows))
		next[owner]++
		g.shapeNumber[i] = next[owner]
		if c.fine {
			g.fine[i] = contents
			contents++
		}
	}
	for i := range g.shapes {
		g.shapes[i] = texts{maxDict: maxDictBytes, arena: &g.arena}
		g.rests[i] = newCells(rows)
		g.shapes[i].expect(rows)
		g.rests[i].texts = texts{arena: &g.arena, plain: true}
	}
	g.names.texts = texts{maxDict: maxDictBytes, arena: &g.arena}
	g.pager = newPager(s.limits, contents)
	return g
}

// gather takes all rows.
func (g *gatherer) gather(spans []schema.Span) {
	for i := range spans {
		s := &spans[i]
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
	g.pager.finish(len(spans))
	for _, c := range g.columns {
		if c != nil {
			c.texts.finish()
		}
	}
	g.names.texts.finish()
	for i := range g.shapes {
		g.shapes[i].finish()
	}
}

// attributes takes the attributes of a row: part 0 those of the span, part 1
// the derived ones.
func (g *gatherer) attributes(row, part int, from owner, fields []byte) {
	if len(fields) == 0 {
		g.shapes[part].add("")
		return
	}
	placed, whole := g.readRow(row, from, fields)
	if !whole || placed == 0 {
		g.shapes[part].add("")
		g.addRest(row, part, fields)
		g.noteOutside(from, true)
		g.pager.wide(len(fields))
		return
	}
	g.shape = g.shape[:0]
	g.rest = g.rest[:0]
	for i := range g.row {
		c := &g.row[i]
		if c.column == 0 {
			g.shape = append(g.shape, 0)
			g.rest = append(g.rest, c.field...)
			continue
		}
		g.shape = binary.AppendUvarint(g.shape, g.shapeNumber[c.column-1])
		g.put(row, c)
	}
	g.shapes[part].addCopy(g.shape)
	if len(g.rest) > 0 {
		g.addRest(row, part, []byte(g.arena.copy(alias(g.rest))))
		g.noteOutside(from, false)
		g.pager.wide(len(g.rest))
	}
}

// readRow reads the attributes of a row into g.row. It returns how many go
// into columns, and whether there was nothing else than attributes.
func (g *gatherer) readRow(row int, from owner, fields []byte) (placed int, whole bool) {
	t := g.survey.keys[from]
	g.row = g.row[:0]
	before, stamp := int32(0), int32(row)+1
	kv := otlp.SpanKeyValues(fields)
	for kv.Next() {
		before = t.find(kv.Key, before)
		info := &t.infos[before]
		c := cell{key: before, field: kv.Field}
		if info.seen != stamp {
			info.seen = stamp
			if kv.Canonical && info.nameable {
				c.kind, c.bits, c.text = scalarKind(kv.Value)
				c.column = info.columns[c.kind]
			}
		}
		if c.column > 0 {
			placed++
		}
		g.row = append(g.row, c)
	}
	return placed, !kv.Foreign
}

// put adds a value to its column.
func (g *gatherer) put(row int, c *cell) {
	column := g.columns[c.column-1]
	column.define(row)
	switch c.kind {
	case kindString, kindAny:
		column.texts.add(alias(c.text))
		if g.survey.columns[c.column-1].fine {
			g.pager.content(g.fine[c.column-1], len(c.text))
		} else {
			g.pager.wide(len(c.text))
		}
	case kindInt, kindDouble:
		column.numbers = append(column.numbers, int64(c.bits))
	case kindBool:
		if c.bits != 0 {
			column.bools.Set(column.n - 1)
		}
	case kindList, numKinds:
	}
}

func (g *gatherer) addRest(row, part int, fields []byte) {
	rest := g.rests[part]
	rest.define(row)
	rest.texts.add(alias(fields))
}

// noteOutside notes the keys of the current row that are in no column, or all.
func (g *gatherer) noteOutside(from owner, all bool) {
	infos := g.survey.keys[from].infos
	for i := range g.row {
		if c := &g.row[i]; all || c.column == 0 {
			infos[c.key].outside = g.ordinal + 1
		}
	}
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
			list = appendJSONText(list, strings.ToValidUTF8(alias(name), string(utf8.RuneError)))
		}
		g.member(ownerEvent, otlp.EventKeyValues(m.Message))
	}
	if len(list) > 0 {
		g.shape = append(list, ']')
		g.names.define(row)
		g.names.texts.addCopy(g.shape)
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
		c := g.columns[column]
		g.lists[column] = append(g.lists[column], ']')
		c.define(row)
		c.texts.addCopy(g.lists[column])
		g.lists[column] = g.lists[column][:0]
	}
	g.touched = g.touched[:0]
}

// keys returns the sorted keys that occur outside of columns.
func (g *gatherer) keys() (keys [numOwners][]string) {
	for o, t := range g.survey.keys {
		for i := range t.infos[1:] {
			info := &t.infos[1+i]
			if info.outside == g.ordinal+1 {
				keys[o] = append(keys[o], info.key)
			}
			info.seen = 0
		}
		slices.Sort(keys[o])
	}
	return keys
}
