package block

import (
	"encoding/binary"
	"math"

	"github.com/spanlake/spanlake/internal/block/cells"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// columnCheck compares columns that repeat what is in messages with these. It
// puts the attributes of the rows that were read into columns once more, as the
// writer of the block should have done.
type columnCheck struct {
	*groupReader

	block     *rowVerifier
	survey    *survey
	keys      [numOwners]keyList // outside of columns, in the rows so far
	resources map[*schema.Resource]resourceCells
	scopes    map[*schema.Scope]*schema.Scope // as their messages say
	values    values
	seen      map[int]vec.Bitmap // by column of content: entries of its frames
}

// resourceCells are what the columns of resources should hold.
type resourceCells struct {
	service string
	values  map[attribute]string
}

// cell is a value of a column: text of bytes, else word. No value is none.
type cell struct {
	text  string
	word  uint64
	there bool
}

func newColumnCheck(v *rowVerifier, g *groupReader) columnCheck {
	return columnCheck{
		groupReader: g, block: v, survey: g.reader.dir.surveyed(),
		resources: map[*schema.Resource]resourceCells{}, scopes: map[*schema.Scope]*schema.Scope{}, seen: map[int]vec.Bitmap{},
	}
}

// surveyed is what the writer's survey has found if it chose these columns.
func (d *directory) surveyed() *survey {
	s := &survey{limits: defaultLimits(), columns: d.columns, cells: make([]int, len(d.columns))}
	for o := range s.keys {
		s.keys[o] = newKeyTable()
	}
	for i := range min(len(d.columns), math.MaxInt16) {
		if a := d.columns[i].attribute; a.owner > ownerResource {
			t := s.keys[a.owner]
			t.infos[t.find([]byte(a.key), 0)].columns[a.kind] = int16(i + 1)
		}
	}
	return s
}

// page compares the columns in the rows of a page, which was fetched.
func (c *columnCheck) page(t *task, spans []schema.Span) error {
	gathered := newGatherer(c.survey, 0, len(spans))
	for i := range spans {
		gathered.row(i, &spans[i])
	}
	c.keys = gathered.keys()
	for i := range c.reader.dir.columns {
		var want func(row int) cell
		switch a := c.column(i).attribute; {
		case c.column(i).id == colEventName:
			want = cellsOf(gathered.names, true)
		case c.column(i).id == colServiceName:
			want = func(row int) cell { return cell{text: c.resource(spans[row].Resource).service, there: true} }
		case c.column(i).id == colScopeName:
			want = func(row int) cell { return cell{text: c.scope(spans[row].Scope).Name, there: true} }
		case c.column(i).id == colScopeVersion:
			want = func(row int) cell { return cell{text: c.scope(spans[row].Scope).Version, there: true} }
		case a.owner == ownerResource:
			want = func(row int) cell { return c.resource(spans[row].Resource).cell(a) }
		case a.owner != ownerNone:
			want = cellsOf(gathered.columns[i], a.kind.cells() == cells.Text)
		default:
			continue
		}
		if err := c.compare(i, t, want); err != nil {
			return err
		}
	}
	return nil
}

// compare compares a column with what it should hold in the rows of a task,
// asked for in their order.
func (c *columnCheck) compare(column int, t *task, want func(row int) cell) error {
	absent := c.chunk(column).absent
	if !absent {
		if err := c.load(&c.values, column, t.rows); err != nil {
			return err
		}
		c.see(column)
	}
	text := c.column(column).physical == physicalBytes
	for i, row := range t.rows {
		var have cell
		switch {
		case absent:
		case text:
			b := c.values.text(i)
			have = cell{text: alias(b), there: b != nil}
		default:
			have.word, have.there = c.values.word(i)
		}
		if have != want(i) {
			c.block.disagree(c.groupReader, column, row, "the value")
			break // one of a page is enough
		}
	}
	return nil
}

// see notes the entries of frames that rows have.
func (c *columnCheck) see(column int) {
	if !c.framed(column) {
		return
	}
	if c.seen[column] == nil {
		c.seen[column] = vec.NewBitmap(c.chunk(column).entries)
	}
	for _, code := range c.values.codes {
		if code != noCode {
			c.seen[column].Set(int(code))
		}
	}
}

// finish compares the texts in frames, which no row may outlive, and
// the lists of keys: one that lacks a key hides it.
func (c *columnCheck) finish(g *groupCheck) {
	for column, seen := range c.seen {
		if n := seen.Count(); n != c.chunk(column).entries {
			g.bounds("column %s has texts of %d rows, not %d", c.column(column).name, c.chunk(column).entries, n)
		}
	}
	for from, keys := range c.keys {
		if keys.any && !c.group.keys[from].any {
			g.bounds("%s: a list of keys, of more than are listed", owner(from))
		}
		for _, key := range keys.sorted {
			if !c.group.keys[from].mayHave(key) {
				g.bounds("%s.%s is outside of columns, too", owner(from), key)
			}
		}
	}
}

// cellsOf returns what gives the values of rows, asked for in ascending order.
func cellsOf(c *cells.Cells, text bool) func(row int) cell {
	next := 0
	return func(row int) cell {
		if !c.Has(row) {
			return cell{}
		}
		n := next
		next++
		if text {
			return cell{text: c.Text(n), there: true}
		}
		return cell{word: c.Word(n), there: true}
	}
}

// resource returns what the columns should hold of a resource.
func (c *columnCheck) resource(r *schema.Resource) resourceCells {
	known, ok := c.resources[r]
	if ok {
		return known
	}
	known = resourceCells{service: otlp.ParseResource(r.Wire).ServiceName, values: resourceValues(r)}
	c.resources[r] = known
	return known
}

// scope returns what the columns should hold of a scope.
func (c *columnCheck) scope(s *schema.Scope) *schema.Scope {
	known, ok := c.scopes[s]
	if !ok {
		known = otlp.ParseScope(s.Wire)
		c.scopes[s] = known
	}
	return known
}

func (r resourceCells) cell(a attribute) cell {
	v, ok := r.values[a]
	switch {
	case !ok:
		return cell{}
	case kindTypes[a.kind] == physicalBytes:
		return cell{text: v, there: true}
	}
	return cell{word: binary.LittleEndian.Uint64([]byte(v)), there: true}
}
