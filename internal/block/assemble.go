package block

import (
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
	r.memory = slices.Grow(r.memory, a.bytes(len(dst)))
	for i := range dst {
		items, err := a.shapeOf(r.groupReader, i)
		if err != nil {
			return err
		}
		start := len(r.memory)
		if r.memory, err = a.appendRow(r.memory, items, i); err != nil {
			return r.corrupt(r.fixed(a.shape), "row", r.chunk(r.fixed(a.shape)).data(), err)
		}
		if end := len(r.memory); end > start {
			*field(&dst[i]) = r.memory[start:end:end]
		}
	}
	return nil
}

// bytes is about what the attributes of the task's n rows take: memory that
// grows with them is allocated several times over.
func (a *assembler) bytes(n int) (size int) {
	for _, c := range a.inUse {
		size += a.perColumn[c].bytes(n)
	}
	for i := range n {
		size += len(a.rests.text(i))
	}
	return size
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
	return g.corrupt(c, "shape", g.chunk(c).data(), errStructure)
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
