package block

import (
	"context"
	"slices"

	"github.com/spanlake/spanlake/internal/block/cells"
)

// ofSpans reports whether the column is of attributes of spans.
func (c *fileColumn) ofSpans() bool {
	return c.attribute.owner == ownerSpan || c.attribute.owner == ownerDerived
}

// attributeColumnOf finds the column of an attribute.
func attributeColumnOf(a attribute) func(*groupReader) int {
	return func(g *groupReader) int {
		list := g.reader.columns.byKey[attributeKey{a.owner, a.key}]
		if i := slices.IndexFunc(list, func(c int) bool { return g.column(c).attribute == a }); i >= 0 {
			return list[i]
		}
		return -1
	}
}

// attributeColumns copies the columns of attributes of spans that are not content.
func (c *copier) attributeColumns(ctx context.Context) error {
	for i := range c.g.survey.columns {
		column := &c.g.survey.columns[i]
		if !column.ofSpans() || column.content {
			continue
		}
		if err := c.read(ctx, attributeColumnOf(column.attribute)); err != nil {
			return err
		}
		clear(c.had)
		c.attributeCells(column.attribute.kind.cells(), c.g.columns[i], c.width(attributeBytes), c.promoted[i])
		if err := c.compare(i, c.had); err != nil {
			return err
		}
	}
	return nil
}

// compare compares how many values the parts had of a column with what shapes tell.
func (c *copier) compare(column int, had []int) error {
	for i := range c.plan.parts {
		if g := c.plan.parts[i].groupReader; had[i] != c.told[i][column] {
			n := max(attributeColumnOf(c.g.survey.columns[column].attribute)(g), 0)
			return g.corrupt(n, "values", g.chunk(n).data(), errStructure)
		}
	}
	return nil
}

// attributeCells adds the values of a column that was read, and the promoted ones.
// It adds the sizes of texts to those of their rows.
func (c *copier) attributeCells(kind cells.Kind, dst *cells.Cells, widths []int, promoted []promotion) {
	row := 0
	for _, r := range c.runs {
		from, end := int(r.from)-c.spans[r.part].from, row+int(r.n)
		for row < end {
			n := end - row
			if len(promoted) > 0 {
				n = min(n, promoted[0].row-row)
			}
			if c.has[r.part] {
				before := dst.Len()
				c.addCells(kind, dst, widths, row, int(r.part), from, n)
				c.had[r.part] += dst.Len() - before
			}
			row, from = row+n, from+n
			if row == end {
				break
			}
			promoted[0].addTo(kind, dst, widths)
			row, from, promoted = row+1, from+1, promoted[1:]
		}
	}
}

// addCells adds n values of a part.
func (c *copier) addCells(kind cells.Kind, dst *cells.Cells, widths []int, row, part, from, n int) {
	v, entries := &c.values[part], c.entries[part]
	switch {
	case kind != cells.Text:
		for i, null := range v.nulls[from:][:n] {
			switch word := v.words[from+i]; {
			case null:
			case kind == cells.Bool:
				dst.AddBool(row+i, word != 0)
			default:
				dst.AddNumber(row+i, int64(word))
			}
		}
	case entries != nil:
		for i, code := range v.codes[from:][:n] {
			if code != noCode {
				dst.AddEntry(row+i, entries, code)
				widths[row+i] += len(v.dict.texts[code])
			}
		}
	default:
		for i, text := range v.bytes[from:][:n] {
			if text != nil {
				dst.AddText(row+i, alias(text))
				widths[row+i] += len(text)
			}
		}
	}
}

func (p *promotion) addTo(kind cells.Kind, dst *cells.Cells, widths []int) {
	switch kind {
	case cells.Text:
		dst.AddText(p.row, p.text)
		widths[p.row] += len(p.text)
	case cells.Bool:
		dst.AddBool(p.row, p.bits != 0)
	case cells.Int, cells.Double:
		dst.AddNumber(p.row, int64(p.bits))
	}
}
