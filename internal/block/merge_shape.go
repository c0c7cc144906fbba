package block

import (
	"context"
	"encoding/binary"

	"github.com/spanlake/spanlake/internal/block/cells"
	"github.com/spanlake/spanlake/internal/otlp"
)

// attributes copies how the attributes of spans are put together, and those that
// are outside of columns.
func (c *copier) attributes(ctx context.Context) error {
	for part, w := range [...]wantedAttributes{
		{owner: ownerSpan, shape: colShape, rest: colAttributes, all: true},
		{owner: ownerDerived, shape: colDerivedShape, rest: colDerived, all: true},
	} {
		s := shaper{
			copier: c, wanted: w, table: c.g.survey.keys[w.owner], shapes: c.g.shapes[part], rests: c.g.rests[part],
			parts: make([]shapedPart, len(c.plan.parts)),
		}
		for i := range s.parts {
			if err := s.begin(ctx, &s.parts[i], &c.plan.parts[i]); err != nil {
				return err
			}
		}
		row := 0
		for _, r := range c.runs {
			if err := s.copyRun(&s.parts[r.part], row, int(r.from), int(r.n)); err != nil {
				return err
			}
			row += int(r.n)
		}
		for i := range s.parts {
			s.parts[i].count(c.told[i])
		}
	}
	return nil
}

// shaper says anew how the attributes of one owner are put together: by the columns
// of the output, which may have fewer and other ones than the inputs.
type shaper struct {
	*copier

	wanted wantedAttributes
	table  *keyTable
	shapes *cells.Texts
	rests  *cells.Cells
	parts  []shapedPart

	// Of the current row.
	row         int
	before      int32 // key of the last attribute
	shape, rest []byte
	placed      bool // an attribute is in a column
	changed     bool // rest is not that of the input
}

// shapedPart is what a shaper knows of a part.
type shapedPart struct {
	assembler

	reader *groupReader
	to     []int   // by column of the input: that of the output, -1 for none
	keys   []int32 // likewise: of the table
	placed []int   // likewise: rows whose shapes have it, but for those in rows

	// By code of a shape: what stands for it here, or that one has to look at the
	// rows. There are none if shapes have no codes.
	known   []shapeState
	same    [][]byte
	rows    []int // that have the shape as it is
	entries *cells.Entries
}

type shapeState uint8

const (
	shapeUnknown shapeState = iota
	shapeSame               // all attributes are in columns, and stay there
	shapeOdd
)

// begin reads the shapes of a part, what it has outside of columns, and columns of
// which the values go there.
func (s *shaper) begin(ctx context.Context, p *shapedPart, part *mergePart) (err error) {
	g := part.groupReader
	defer g.reader.guard("attributes", &err)
	p.reader = g
	if p.init(g, &s.wanted); p.absent {
		return nil
	}
	t := &task{rows: s.ordinal[part.from:part.to]}
	if err := s.readShapes(ctx, p, t); err != nil {
		return err
	}
	columns := len(g.reader.dir.columns)
	p.to, p.keys, p.placed = make([]int, columns), make([]int32, columns), make([]int, columns)
	for _, c := range p.inUse {
		a := g.column(c).attribute
		p.keys[c] = s.table.find([]byte(a.key), 0)
		to, ok := s.index[a]
		if p.to[c] = to; ok {
			continue
		}
		p.to[c] = -1
		v := &p.column(g, c).values
		if err := g.read(ctx, v, c, t.rows, s.scratch); err != nil {
			return err
		}
	}
	return nil
}

func (s *shaper) readShapes(ctx context.Context, p *shapedPart, t *task) error {
	g := p.reader
	shape, rest := g.fixed(s.wanted.shape), g.fixed(s.wanted.rest)
	var list []extent
	restBytes := 0
	if g.chunk(shape).encoding == encodingCodes {
		list = append(list, g.chunk(shape).dict.extent())
	}
	g.eachRowPage(shape, t, func(ref pageRef) { list = append(list, ref.extent()) })
	if !g.chunk(rest).absent {
		g.eachRowPage(rest, t, func(ref pageRef) { list, restBytes = append(list, ref.extent()), restBytes+int(ref.raw) })
	}
	if err := g.fetch(ctx, list); err != nil {
		return err
	}
	g.scratch = *s.scratch
	err := p.loadShapes(g, t)
	if err == nil {
		err = p.loadRest(g, t)
	}
	*s.scratch, g.scratch = g.scratch, groupScratch{}
	g.window, g.dicts[shape] = nil, nil
	if err != nil {
		return err
	}
	p.rests.hold(restBytes)
	if d := p.shapes.dict; d != nil {
		p.known, p.same = make([]shapeState, len(d.texts)), make([][]byte, len(d.texts))
		p.rows, p.entries = make([]int, len(d.texts)), cells.NewEntries(p.same)
	}
	return nil
}

// copyRun copies n rows of a part.
func (s *shaper) copyRun(p *shapedPart, row, from, n int) (err error) {
	defer p.reader.reader.guard("attributes", &err)
	for i := from; i < from+n; i, row = i+1, row+1 {
		if p.absent {
			s.shapes.Add("")
			continue
		}
		rest := p.rests.text(i)
		if p.known != nil && len(rest) == 0 {
			code := p.shapes.codes[i]
			if p.known[code] == shapeSame {
				s.shapes.AddEntry(p.entries, code)
				p.rows[code]++
				continue
			}
		}
		if err := s.copyRow(p, row, i, rest); err != nil {
			return err
		}
	}
	return nil
}

// count adds up how many values shapes say that there are of each column of the
// output.
func (p *shapedPart) count(told []int) {
	for code, n := range p.rows {
		for _, item := range p.parsed[uint32(code)] {
			if n > 0 {
				p.placed[item] += n
			}
		}
	}
	for c, n := range p.placed {
		if n > 0 && p.to[c] >= 0 {
			told[p.to[c]] += n
		}
	}
}

// copyRow copies a row of which the shape is new or has to be written anew.
func (s *shaper) copyRow(p *shapedPart, row, i int, rest []byte) error {
	items, err := p.shapeOf(p.reader, i)
	if err != nil {
		return err
	}
	s.row, s.before, s.shape, s.rest, s.placed, s.changed = row, 0, s.shape[:0], s.rest[:0], false, false
	if len(items) == 0 {
		return s.copyShapeless(rest)
	}
	kv := otlp.SpanKeyValues(rest)
	for _, item := range items {
		if item != restItem {
			if !s.column(p, int(item), i) {
				return p.reader.corruptShape(&p.assembler)
			}
			p.placed[item]++
			continue
		}
		if !kv.Next() {
			return p.reader.corruptShape(&p.assembler)
		}
		s.outside(&kv)
	}
	if kv.Next() || kv.Foreign {
		return p.reader.corruptShape(&p.assembler)
	}
	s.end(rest)
	if p.known != nil && len(rest) == 0 {
		code := p.shapes.codes[i]
		p.known[code] = shapeOdd
		if len(s.rest) == 0 {
			p.known[code], p.same[code] = shapeSame, []byte(s.g.arena.Copy(alias(s.shape)))
		}
	}
	return nil
}

// copyShapeless copies a row that has all its attributes outside of columns.
func (s *shaper) copyShapeless(rest []byte) error {
	kv := otlp.SpanKeyValues(rest)
	for kv.Next() {
		continue
	}
	foreign := kv.Foreign
	for kv = otlp.SpanKeyValues(rest); kv.Next(); {
		if !foreign {
			s.outside(&kv)
			continue
		}
		s.before = s.table.find(kv.Key, s.before)
		s.table.infos[s.before].outside = s.g.ordinal + 1
	}
	s.end(rest)
	return nil
}

// column takes an attribute that a column of the input has. It is false if that
// has no value.
func (s *shaper) column(p *shapedPart, c, i int) bool {
	s.before = p.keys[c]
	info := &s.table.infos[s.before]
	info.seen = int32(s.row) + 1
	if to := p.to[c]; to >= 0 {
		s.placed = true
		s.shape = binary.AppendUvarint(s.shape, s.g.shapeNumber[to])
		return true
	}
	info.outside = s.g.ordinal + 1
	s.shape = append(s.shape, 0)
	s.changed = true
	var ok bool
	s.rest, ok = p.perColumn[c].appendAttribute(s.rest, i)
	return ok
}

// outside takes an attribute that the input has outside of columns.
func (s *shaper) outside(kv *otlp.KeyValues) {
	s.before = s.table.find(kv.Key, s.before)
	info, stamp := &s.table.infos[s.before], int32(s.row)+1
	if info.seen != stamp {
		info.seen = stamp
		if kv.Canonical && s.promote(info, kv.Value) {
			s.placed, s.changed = true, true
			return
		}
	}
	info.outside = s.g.ordinal + 1
	s.shape = append(s.shape, 0)
	s.rest = append(s.rest, kv.Field...)
}

// promote gives the value of an attribute to its column, if it has one.
func (s *shaper) promote(info *keyInfo, value []byte) bool {
	if info.columns == [numKinds]int16{} {
		return false
	}
	kind, bits, text := scalarKind(value)
	number := info.columns[kind] - 1
	if number < 0 {
		return false
	}
	s.shape = binary.AppendUvarint(s.shape, s.g.shapeNumber[number])
	s.promoted[number] = append(s.promoted[number], promotion{s.row, alias(text), bits})
	return true
}

// end ends the row, which had the given attributes outside of columns.
func (s *shaper) end(rest []byte) {
	if !s.placed {
		s.shape = s.shape[:0]
	}
	s.shapes.AddCopy(s.shape)
	left := alias(rest)
	if s.changed {
		left = s.g.arena.Copy(alias(s.rest))
	}
	if len(left) > 0 {
		s.rests.AddText(s.row, left)
		s.width(attributeBytes)[s.row] += len(left)
	}
}
