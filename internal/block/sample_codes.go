package block

import (
	"math"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
)

// coder numbers the values of a vec.Column in one row group.
type coder struct {
	dictionary *vec.Dictionary
	parts      []codedPart
	out        []uint32
}

// codedPart is a holding and what is known of its values.
type codedPart struct {
	holding

	values values
	// table are the codes of the entries of the column's dictionary, codeUnknown
	// for those that were not looked at.
	table []uint32
}

// Codes that stand for no value.
const (
	codeOpen    = math.MaxUint32     // the row has not been decided
	codeUnknown = math.MaxUint32 - 1 // the entry was not looked at
	codeEmpty   = math.MaxUint32 - 2 // an empty value: the next field decides
	codeAbsent  = math.MaxUint32 - 3 // the message does not have the field
)

func (g *groupReader) newCoder(column vec.Column) *coder {
	c := &coder{dictionary: vec.NewDictionary()}
	for _, h := range g.holdingsOf(column) {
		c.parts = append(c.parts, codedPart{holding: h})
	}
	return c
}

func (c *coder) appendColumns(list []int) []int {
	for i := range c.parts {
		list = append(list, c.parts[i].column)
	}
	return list
}

// codes returns the values of rows. REQUIRES: their pages and dictionaries were
// fetched. They are valid until the next call.
func (c *coder) codes(g *groupReader, rows []int32) ([]uint32, error) {
	out := resize(&c.out, len(rows))
	if len(c.parts) == 1 {
		part := &c.parts[0]
		if err := g.load(&part.values, part.column, rows); err != nil {
			return nil, err
		}
		if part.values.dict != nil {
			part.translate(g, c.dictionary, out)
			return out, nil
		}
	}
	for i := range out {
		out[i] = codeOpen
	}
	emptied := false
	for i := range c.parts {
		part := &c.parts[i]
		if emptied && i > 0 && part.field != c.parts[i-1].field {
			reopen(out)
			emptied = false
		}
		if err := g.load(&part.values, part.column, rows); err != nil {
			return nil, err
		}
		empty := part.fill(g, c.dictionary, out)
		emptied = emptied || empty
	}
	for i, code := range out {
		if code >= codeAbsent {
			out[i] = 0
		}
	}
	return out, nil
}

// reopen lets another field decide about the rows where one is empty.
func reopen(out []uint32) {
	for i, code := range out {
		if code == codeEmpty {
			out[i] = codeOpen
		}
	}
}

// fill sets the codes of the open rows that have a value here. It reports
// whether one is empty.
func (p *codedPart) fill(g *groupReader, d *vec.Dictionary, out []uint32) (emptied bool) {
	if p.values.dict == nil {
		return p.fillPlain(d, out)
	}
	p.makeTable(g)
	for i, entry := range p.values.codes {
		if entry == noCode || out[i] != codeOpen {
			continue
		}
		code := p.table[entry]
		if code == codeUnknown {
			code = p.codeOfEntry(d, entry)
			p.table[entry] = code
		}
		if code == codeAbsent {
			continue
		}
		out[i] = code
		emptied = emptied || code == codeEmpty
	}
	return emptied
}

func (p *codedPart) makeTable(g *groupReader) {
	if p.table == nil {
		p.table = make([]uint32, g.chunk(p.column).entries)
		for i := range p.table {
			p.table[i] = codeUnknown
		}
	}
}

// translate sets the codes of all rows, where nothing but a dictionary decides.
func (p *codedPart) translate(g *groupReader, d *vec.Dictionary, out []uint32) {
	p.makeTable(g)
	for i, entry := range p.values.codes {
		code := uint32(0)
		if entry != noCode {
			if code = p.table[entry]; code >= codeAbsent {
				if code == codeUnknown {
					code = p.codeOfEntry(d, entry)
				}
				if code >= codeAbsent {
					code = 0
				}
				p.table[entry] = code
			}
		}
		out[i] = code
	}
}

func (p *codedPart) codeOfEntry(d *vec.Dictionary, entry uint32) uint32 {
	switch dict := p.values.dict; {
	case dict.ints != nil:
		return d.Int(dict.ints[entry])
	case dict.doubles != nil:
		return d.Double(dict.doubles[entry])
	default:
		return p.codeOfBytes(d, dict.texts[entry])
	}
}

// codeOfBytes is the code of a stored value.
func (p *codedPart) codeOfBytes(d *vec.Dictionary, stored []byte) uint32 {
	if p.kind == kindString {
		return d.Text(alias(stored))
	}
	v, found := p.value(stored)
	if !found {
		return codeAbsent
	}
	if code := d.Value(own(v)); code != 0 {
		return code
	}
	return codeEmpty
}

// fillPlain is fill for a column without a dictionary.
func (p *codedPart) fillPlain(d *vec.Dictionary, out []uint32) (emptied bool) {
	isBytes := p.kind == kindString || p.kind == kindAny
	for i := range out {
		if out[i] != codeOpen {
			continue
		}
		code := uint32(codeAbsent)
		if isBytes {
			if stored := p.values.bytes[i]; stored != nil {
				code = p.codeOfBytes(d, stored)
			}
		} else if word, ok := p.values.word(i); ok {
			code = p.codeOfWord(d, word)
		}
		if code != codeAbsent {
			out[i] = code
			emptied = emptied || code == codeEmpty
		}
	}
	return emptied
}

func (p *codedPart) codeOfWord(d *vec.Dictionary, word uint64) uint32 {
	switch p.kind {
	case kindDouble:
		return d.Double(math.Float64frombits(word))
	case kindBool:
		return d.Bool(word != 0)
	default:
		return d.Int(int64(word))
	}
}

// present reports which rows have a value that is a label, without numbering
// the values. Of long texts it reads no more than where there are some. REQUIRES: the
// pages, and texts of the columns that lookedAt returns, were fetched.
func (c *coder) present(g *groupReader, rows []int32) ([]bool, error) {
	out := make([]bool, len(rows))
	decided := make([]bool, len(rows))
	for i := range c.parts {
		part := &c.parts[i]
		if part.merelyThere(g) {
			there := make([]bool, len(rows))
			if err := g.loadDefined(there, part.column, rows); err != nil {
				return nil, err
			}
			for k, is := range there {
				if !decided[k] {
					decided[k], out[k] = is, is
				}
			}
			continue
		}
		if err := g.load(&part.values, part.column, rows); err != nil {
			return nil, err
		}
		for k := range rows {
			if !decided[k] {
				decided[k], out[k] = part.has(k)
			}
		}
	}
	return out, nil
}

// merelyThere reports whether every value here is a label, whichever it is.
func (p *codedPart) merelyThere(g *groupReader) bool {
	return p.kind == kindString && g.column(p.column).optional && !g.hasDictionary(p.column)
}

// lookedAt are the columns of which present reads values.
func (c *coder) lookedAt(g *groupReader) (list []int) {
	for i := range c.parts {
		if !c.parts[i].merelyThere(g) {
			list = append(list, c.parts[i].column)
		}
	}
	return list
}

// has reports whether a row has a value here, and whether that is one.
func (p *codedPart) has(row int) (has, full bool) {
	if p.kind != kindString && p.kind != kindAny {
		_, has = p.values.word(row)
		return has, has
	}
	stored := p.values.text(row)
	switch {
	case stored == nil:
		return false, false
	case p.kind == kindString:
		return true, true
	}
	v, found := p.value(stored)
	return found, isLabel(v)
}

// loadDefined reports which rows of an optional column are not null, without
// decompressing it. REQUIRES: the pages were fetched.
func (g *groupReader) loadDefined(out []bool, c int, rows []int32) error {
	grid := g.group.pages
	for i := 0; i < len(rows); {
		p := pageOf(grid, int(rows[i]))
		defined, err := g.definedOf(c, p, grid[p+1]-grid[p])
		if err != nil {
			return g.corruptPage(c, p, err)
		}
		for ; i < len(rows) && int(rows[i]) < grid[p+1]; i++ {
			row := int(rows[i]) - grid[p]
			out[i] = defined[row/64]>>(row%64)&1 != 0
		}
	}
	return nil
}

// definedOf says which of the n rows of a page are not null.
func (g *groupReader) definedOf(c, p, n int) ([]uint64, error) {
	pages, err := g.pages(c)
	if err != nil {
		return nil, err
	}
	ref := pages[p]
	if view, ok := g.parts.at(ref.offset).(*pageView); ok {
		return view.defined, nil
	}
	_, levels, err := g.stored(ref)
	if err != nil {
		return nil, err
	}
	defined := resize(&g.scratch.defined, (n+63)/64)
	_, err = encoding.DecodeLevels(defined, levels, n)
	return defined, err
}
