package block

import (
	"context"
	"encoding/binary"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// assembler puts the attributes of one owner together again: those that stand
// in columns and those that do not.
type assembler struct {
	*wantedAttributes

	absent    bool     // no row of the group has any
	restKeys  []string // that are wanted by key and may be outside of columns
	perColumn []*shreddedColumn
	shapes    values
	rests     values
	parsed    map[uint32][]int32 // shapes by code
	scratch   []int32
	inUse     []int // columns that rows of the task use
}

// shreddedColumn is a column of attributes and its values in a task.
type shreddedColumn struct {
	values

	kind  valueKind
	field []byte // the key as it stands in a KeyValue
	used  bool   // by a row of the task
}

// restItem stands for the next attribute that is in no column.
const restItem = -1

func (a *assembler) init(g *groupReader, w *wantedAttributes) {
	a.wantedAttributes = w
	a.restKeys = w.restKeys(g.group)
	a.perColumn = make([]*shreddedColumn, len(g.reader.dir.columns))
	a.parsed = make(map[uint32][]int32)
	a.absent = g.chunk(g.fixed(w.rest)).absent
	for _, c := range g.reader.columns.shredded[w.owner] {
		a.absent = a.absent && g.chunk(c).absent
	}
}

// column returns what is kept of a column between tasks.
func (a *assembler) column(g *groupReader, c int) *shreddedColumn {
	if a.perColumn[c] == nil {
		col := &g.column(c).attribute
		field := protowire.AppendTag(nil, keyValueKey, protowire.BytesType)
		a.perColumn[c] = &shreddedColumn{kind: col.kind, field: protowire.AppendString(field, col.key)}
	}
	return a.perColumn[c]
}

// eachColumn calls f with the columns that the attributes of a task's rows are
// read from.
func (a *assembler) eachColumn(g *groupReader, t *task, f func(c int)) {
	if a.absent {
		return
	}
	columns, rest := a.columns, len(a.restKeys) > 0
	if a.all {
		f(g.fixed(a.shape))
		rest = true
		if columns = t.used; columns == nil {
			columns = g.reader.columns.shredded[a.owner]
		}
	}
	for _, c := range columns {
		if !g.chunk(c).absent && g.column(c).attribute.owner == a.owner {
			f(c)
		}
	}
	if c := g.fixed(a.rest); rest && !g.chunk(c).absent {
		f(c)
	}
}

// fill sets a field of a task's rows to their attributes. REQUIRES: their pages
// were fetched.
func (a *assembler) fill(r *rowReader, t *task, dst []schema.Span, field func(*schema.Span) *[]byte) error {
	if a.absent {
		return nil
	}
	if !a.all {
		return a.fillKeys(r, t, dst, field)
	}
	if err := a.loadShapes(r.groupReader, t); err != nil {
		return err
	}
	for _, c := range a.inUse {
		if err := a.loadColumn(r.groupReader, c, t); err != nil {
			return err
		}
	}
	if err := a.loadRest(r.groupReader, t); err != nil {
		return err
	}
	for i := range dst {
		items, err := a.shapeOf(r.groupReader, i)
		if err != nil {
			return err
		}
		start := len(r.memory)
		if r.memory, err = a.appendRow(r.memory, items, i); err != nil {
			return r.corrupt(r.fixed(a.shape), "row", r.chunk(r.fixed(a.shape)).pages[t.page], err)
		}
		if end := len(r.memory); end > start {
			*field(&dst[i]) = r.memory[start:end:end]
		}
	}
	return nil
}

// loadShapes reads the shapes of a task's rows and finds the columns that they
// use.
func (a *assembler) loadShapes(g *groupReader, t *task) error {
	if err := g.load(&a.shapes, g.fixed(a.shape), t.rows); err != nil {
		return err
	}
	for _, c := range a.inUse {
		a.perColumn[c].used = false
	}
	a.inUse = a.inUse[:0]
	last := uint32(noCode)
	for i := range t.rows {
		if a.shapes.dict != nil {
			if a.shapes.codes[i] == last {
				continue
			}
			last = a.shapes.codes[i]
		}
		items, err := a.shapeOf(g, i)
		if err != nil {
			return err
		}
		for _, item := range items {
			if item == restItem {
				continue
			}
			if col := a.column(g, int(item)); !col.used {
				col.used = true
				a.inUse = append(a.inUse, int(item))
			}
		}
	}
	return nil
}

// shapeOf returns the shape of a row of the task: numbers of columns, and
// restItem. It is valid until the next call.
func (a *assembler) shapeOf(g *groupReader, i int) ([]int32, error) {
	if a.shapes.dict == nil {
		var err error
		a.scratch, err = a.parseShape(g, a.scratch[:0], a.shapes.text(i))
		return a.scratch, err
	}
	code := a.shapes.codes[i]
	if items, ok := a.parsed[code]; ok {
		return items, nil
	}
	items, err := a.parseShape(g, nil, a.shapes.text(i))
	a.parsed[code] = items
	return items, err
}

// parseShape appends the items of a shape.
func (a *assembler) parseShape(g *groupReader, dst []int32, shape []byte) ([]int32, error) {
	shredded := g.reader.columns.shredded[a.owner]
	for len(shape) > 0 {
		item, n := binary.Uvarint(shape)
		if n <= 0 || item > uint64(len(shredded)) {
			return nil, g.corruptShape(a)
		}
		shape = shape[n:]
		c := restItem
		if item > 0 {
			if c = shredded[item-1]; g.chunk(c).absent {
				return nil, g.corruptShape(a)
			}
		}
		dst = append(dst, int32(c))
	}
	return dst, nil
}

func (g *groupReader) corruptShape(a *assembler) error {
	c := g.fixed(a.shape)
	return g.corrupt(c, "shape", g.chunk(c).pages[0], errStructure)
}

func (a *assembler) loadColumn(g *groupReader, c int, t *task) error {
	return g.load(&a.column(g, c).values, c, t.rows)
}

// loadRest reads what is in no column.
func (a *assembler) loadRest(g *groupReader, t *task) error {
	c := g.fixed(a.rest)
	if g.chunk(c).absent {
		a.rests.dict, a.rests.bytes = nil, slices.Grow(a.rests.bytes[:0], len(t.rows))[:len(t.rows)]
		clear(a.rests.bytes)
		return nil
	}
	return g.load(&a.rests, c, t.rows)
}

// appendRow appends the attributes of a row. One without a shape has all of
// them outside of columns.
func (a *assembler) appendRow(dst []byte, items []int32, i int) ([]byte, error) {
	rest := a.rests.text(i)
	if len(items) == 0 {
		return append(dst, rest...), nil
	}
	for _, item := range items {
		if item == restItem {
			n := fieldBytes(rest)
			if n < 0 {
				return nil, errStructure
			}
			dst, rest = append(dst, rest[:n]...), rest[n:]
			continue
		}
		var ok bool
		if dst, ok = a.perColumn[item].appendAttribute(dst, i); !ok {
			return nil, errStructure
		}
	}
	if len(rest) > 0 {
		return nil, errStructure
	}
	return dst, nil
}

// fieldBytes is the size of the field that b begins with, negative if there is
// none.
func fieldBytes(b []byte) int {
	_, _, n := protowire.ConsumeField(b)
	return n
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

// fillKeys sets the field to the attributes that are wanted by key.
func (a *assembler) fillKeys(r *rowReader, t *task, dst []schema.Span, field func(*schema.Span) *[]byte) error {
	columns := a.inUse[:0]
	for _, c := range a.columns {
		if r.chunk(c).absent {
			continue
		}
		columns = append(columns, c)
		a.column(r.groupReader, c)
		if err := a.loadColumn(r.groupReader, c, t); err != nil {
			return err
		}
	}
	a.inUse = columns
	if len(a.restKeys) > 0 {
		if err := a.loadRest(r.groupReader, t); err != nil {
			return err
		}
	}
	for i := range dst {
		start := len(r.memory)
		for _, c := range columns {
			r.memory, _ = a.perColumn[c].appendAttribute(r.memory, i)
		}
		if len(a.restKeys) > 0 {
			r.memory = a.appendWanted(r.memory, a.rests.text(i))
		}
		if end := len(r.memory); end > start {
			*field(&dst[i]) = r.memory[start:end:end]
		}
	}
	return nil
}

// appendWanted appends those of the attributes that have a wanted key.
func (a *assembler) appendWanted(dst, rest []byte) []byte {
	for kv := otlp.SpanKeyValues(rest); kv.Next(); {
		if slices.Contains(a.restKeys, alias(kv.Key)) {
			dst = append(dst, kv.Field...)
		}
	}
	return dst
}

// fetchShapes finds out which columns the next tasks need, if few rows of many
// are wanted: most columns then have nothing for them.
func (r *rowReader) fetchShapes(ctx context.Context) error {
	if !r.wanted.Attributes || r.spans.absent && r.derived.absent || !sparse(r.tasks, r.group.rows()) {
		r.shaped = len(r.tasks)
		return nil
	}
	var wanted []extent
	var size int64
	need := make([]bool, len(r.reader.dir.columns))
	for i := range r.tasks {
		if size > windowBytes {
			break
		}
		for _, a := range [...]*assembler{&r.spans, &r.derived} {
			if c := r.fixed(a.shape); !a.absent {
				ref := r.chunk(c).pages[r.tasks[i].page]
				need[c] = true
				wanted = append(wanted, ref.extent())
				size += int64(ref.size)
			}
		}
		r.shaped++
	}
	if err := r.fetchWith(ctx, wanted, need); err != nil {
		return err
	}
	for i := range r.tasks[:r.shaped] {
		t := &r.tasks[i]
		t.used = []int{}
		for _, a := range [...]*assembler{&r.spans, &r.derived} {
			if a.absent {
				continue
			}
			if err := a.loadShapes(r.groupReader, t); err != nil {
				return err
			}
			t.used = append(t.used, a.inUse...)
		}
	}
	return nil
}

// sparse reports whether tasks are of few of the rows.
func sparse(tasks []task, rows int) bool {
	n := 0
	for i := range tasks {
		n += len(tasks[i].rows)
	}
	return 8*n < rows
}
