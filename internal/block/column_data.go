package block

import (
	"slices"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/block/parquet"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

const (
	// A larger dictionary costs every reader of a few rows too much.
	maxDictBytes = 1 << 20
	// maxHeaderDictBytes is that of whole resources and scopes, which are many
	// times larger than the codes for them.
	maxHeaderDictBytes = 16 << 20
)

// columnData is one column of a row group, ready to be cut into pages.
type columnData struct {
	encoding pageEncoding
	dict     []byte // plain, of encodingCodes
	entries  int    // of dict
	stats    parquet.Stats
	defined  vec.Bitmap // nil: every row is
	cells    int        // rows that are not null
	raw      bool       // not worth an attempt to compress
	body     func(dst []byte, p pageRows) []byte
}

// pageRows are the rows of a page, [from, to), and their places among the rows
// that are not null.
type pageRows struct{ from, to, firstCell, endCell int }

// fixed returns a fixed column of a row group.
func (e *encoder) fixed(id columnID) columnData {
	s, g := e.survey, e.gathered
	resources, scopes := s.resources.codes[e.first:][:e.rows], s.scopes.codes[e.first:][:e.rows]
	switch id {
	case colServiceName:
		return sharedTexts(&s.resources, resources, maxDictBytes, func(r *schema.Resource) string { return r.ServiceName })
	case colResource:
		return sharedTexts(&s.resources, resources, maxHeaderDictBytes, func(r *schema.Resource) string { return alias(r.Wire) })
	case colScopeName:
		return sharedTexts(&s.scopes, scopes, maxDictBytes, func(s *schema.Scope) string { return s.Name })
	case colScopeVersion:
		return sharedTexts(&s.scopes, scopes, maxDictBytes, func(s *schema.Scope) string { return s.Version })
	case colScope:
		return sharedTexts(&s.scopes, scopes, maxHeaderDictBytes, func(s *schema.Scope) string { return alias(s.Wire) })
	case colShape:
		return textData(&g.shapes[0])
	case colDerivedShape:
		return textData(&g.shapes[1])
	case colAttributes:
		return cellData(kindString, g.rests[0])
	case colDerived:
		return cellData(kindString, g.rests[1])
	case colEventName:
		return cellData(kindList, g.names)
	default:
		return e.cells.data(id)
	}
}

// codedData is a column of dictionary codes.
func codedData(codes []uint32, dict []byte, entries, width int) columnData {
	d := columnData{encoding: encodingCodes, dict: dict, entries: entries, cells: len(codes)}
	d.body = func(dst []byte, p pageRows) []byte {
		return encoding.AppendHybrid(append(dst, byte(width)), codes[p.firstCell:p.endCell], width)
	}
	return d
}

// numberData is a column of integers or, as their bits, doubles.
// width is that of the codes for so many entries.
func numberData(values []int64, kind valueKind, width func(entries int) int) columnData {
	codes, entries := numberDictionary(values)
	var d columnData
	if codes != nil {
		d = codedData(codes, encoding.AppendInt64s(nil, entries), len(entries), width(len(entries)))
	} else {
		entries = values
		d = columnData{encoding: encodingDelta, cells: len(values)}
		if kind == kindDouble {
			d.encoding = encodingPlain
		}
		d.body = func(dst []byte, p pageRows) []byte {
			if kind == kindDouble {
				return encoding.AppendInt64s(dst, values[p.firstCell:p.endCell])
			}
			return encoding.AppendDelta(dst, values[p.firstCell:p.endCell])
		}
	}
	if kind == kindInt && len(values) > 0 {
		d.setBounds(entries)
	}
	return d
}

// setBounds gives the least and the most of the values, of which there are
// some, to the footer.
func (d *columnData) setBounds(values []int64) {
	d.stats.Min = encoding.AppendInt64s(nil, []int64{slices.Min(values)})
	d.stats.Max = encoding.AppendInt64s(nil, []int64{slices.Max(values)})
}

// boolData is a column of n bits.
func boolData(values vec.Bitmap, n int) columnData {
	d := columnData{cells: n}
	d.body = func(dst []byte, p pageRows) []byte {
		part := values.Extract(nil, p.firstCell, p.endCell)
		return encoding.AppendBools(dst, part, p.endCell-p.firstCell)
	}
	return d
}

// cellData is a column with nulls.
func cellData(kind valueKind, c *cells) columnData {
	var d columnData
	switch kind {
	case kindInt, kindDouble:
		d = numberData(c.numbers, kind, encoding.CodeWidth)
	case kindBool:
		d = boolData(c.bools, c.n)
	case kindString, kindAny, kindList, numKinds:
		d = textData(&c.texts)
	}
	return d.optional(c.defined, c.n)
}

// optional makes the rows that are not defined null.
func (d columnData) optional(defined vec.Bitmap, cells int) columnData {
	d.defined, d.cells = defined, cells
	return d
}
