package block

import (
	"context"
	"encoding/binary"

	"github.com/spanlake/spanlake/internal/block/cells"
	"github.com/spanlake/spanlake/schema"
)

// copier gathers the columns of a row group from those of the inputs, one after the
// other: it reads a column of all parts, then goes through the rows in their order.
type copier struct {
	plan    *mergePlan
	g       *gatherer
	f       *fixedCells
	index   map[attribute]int // columns of attributes of spans
	ordinal []int32           // 0, 1, 2 …: as many as a row group of an input has rows
	scratch *groupScratch

	// The rows that are copied, and those of each part that are among them.
	runs  []run
	spans []partSpan
	// The column that is copied, by part.
	has     []bool
	values  []values
	entries []*cells.Entries
	raw     []byte // scratch

	widths   [12][]int     // as columnBytes, by row; nil: nothing
	promoted [][]promotion // by column: what stands in no column of the inputs
	// By part and column: how many values it must have, as shapes tell, and of the
	// column that is copied, how many it had.
	told [][]int
	had  []int
}

// partSpan are the rows [from, to) of a part.
type partSpan struct{ from, to int }

// promotion is a value that its input has outside of columns.
type promotion struct {
	row  int
	text string
	bits uint64
}

func (m *merger) newCopier(p *mergePlan) *copier {
	s, rows := m.survey.ofGroup(p.rows()), p.rows()
	c := &copier{
		plan: p, g: newGatherer(s, m.groups, rows), f: newFixedCells(rows), index: map[attribute]int{},
		runs: p.runs, spans: make([]partSpan, len(p.parts)), scratch: &m.scratch,
		has: make([]bool, len(p.parts)), values: make([]values, len(p.parts)), entries: make([]*cells.Entries, len(p.parts)),
		promoted: make([][]promotion, len(s.columns)), told: make([][]int, len(p.parts)), had: make([]int, len(p.parts)),
	}
	for i := range s.columns {
		if s.columns[i].ofSpans() {
			c.index[s.columns[i].attribute] = i
		}
	}
	for i := range p.parts {
		part := &p.parts[i]
		c.spans[i].to, c.told[i] = part.to-part.from, make([]int, len(s.columns))
		for n := len(m.ordinals); n < part.to; n++ {
			m.ordinals = append(m.ordinals, int32(n))
		}
	}
	c.ordinal = m.ordinals
	return c
}

// copy copies all columns but content.
func (c *copier) copy(ctx context.Context) error {
	c.ids()
	for _, f := range [...]func(context.Context) error{
		c.numbers, c.texts, c.shared, c.messages, c.attributes, c.attributeColumns,
	} {
		if err := f(ctx); err != nil {
			return err
		}
	}
	c.cut()
	return nil
}

// ids takes the ids of the traces.
func (c *copier) ids() {
	f, row := c.f, 0
	for i, id := range c.plan.ids {
		f.traceIDs = append(f.traceIDs, id[:]...)
		for ; row < c.plan.ends[i]; row++ {
			f.traces = append(f.traces, uint32(i))
		}
	}
	f.rows = row
}

// read reads a column of all parts. column returns its number in an input, -1 for
// none.
func (c *copier) read(ctx context.Context, column func(*groupReader) int) error {
	for i := range c.plan.parts {
		p, span := &c.plan.parts[i], c.spans[i]
		n := column(p.groupReader)
		c.has[i], c.entries[i] = n >= 0 && !p.chunk(n).absent && span.to > span.from, nil
		if !c.has[i] {
			continue
		}
		if err := c.readPart(ctx, &c.values[i], i, n); err != nil {
			return err
		}
		if d := c.values[i].dict; d != nil && d.texts != nil {
			c.entries[i] = cells.NewEntries(d.texts)
		}
	}
	return nil
}

// readPart reads a column of the rows of a part.
func (c *copier) readPart(ctx context.Context, v *values, part, column int) error {
	p, span := &c.plan.parts[part], c.spans[part]
	v.raw, c.raw = c.raw, nil
	rows := c.ordinal[p.from+span.from : p.from+span.to]
	err := p.read(ctx, v, column, rows, c.scratch)
	switch {
	case err != nil:
		return err
	case p.column(column).physical != physicalBytes:
		v.flatten()
	case v.dict == nil:
		size := 0
		p.eachRowPage(column, &task{rows: rows}, func(ref pageRef) { size += int(ref.raw) })
		c.raw = v.hold(size)
		return nil
	}
	v.raw, c.raw = nil, v.raw
	return nil
}

// fixedColumnOf finds a column of the catalogue.
func fixedColumnOf(id columnID) func(*groupReader) int {
	return func(g *groupReader) int { return g.fixed(id) }
}

// eachRun calls f with the rows of the parts in their order: the first row here,
// the values, and the rows there. Runs of parts that do not have the column are
// left out.
func (c *copier) eachRun(f func(row, part, from, n int)) {
	row := 0
	for _, r := range c.runs {
		if c.has[r.part] {
			f(row, int(r.part), int(r.from)-c.spans[r.part].from, int(r.n))
		}
		row += int(r.n)
	}
}

// words reads a column of numbers, which may be null, and calls f with each.
func (c *copier) words(ctx context.Context, id columnID, f func(row int, v uint64)) error {
	if err := c.read(ctx, fixedColumnOf(id)); err != nil {
		return err
	}
	c.eachRun(func(row, part, from, n int) {
		words, nulls := c.values[part].words[from:][:n], c.values[part].nulls[from:][:n]
		for i, v := range words {
			if !nulls[i] {
				f(row+i, v)
			}
		}
	})
	return nil
}

// numbers copies the columns of numbers and ids.
func (c *copier) numbers(ctx context.Context) error {
	f := c.f
	untimed := make(map[int]uint64) // pieces that say neither start nor end, and when they were sent
	for _, column := range [...]struct {
		id  columnID
		add func(row int, v uint64)
	}{
		{colStart, func(_ int, v uint64) { f.starts = append(f.starts, int64(v)) }},
		{colDuration, func(_ int, v uint64) { f.durations = append(f.durations, int64(v)) }},
		{colPosition, func(_ int, v uint64) { f.positions = append(f.positions, int64(v)) }},
		{colKind, func(_ int, v uint64) { f.kinds = append(f.kinds, int32(v)) }},
		{colStatusCode, func(_ int, v uint64) { f.statusCodes = append(f.statusCodes, int32(v)) }},
		{colFlags, func(_ int, v uint64) { f.flags = append(f.flags, int32(v)) }},
		{colFragment, func(_ int, v uint64) { f.fragments = append(f.fragments, int32(v)) }},
		{colFragmentTime, func(row int, v uint64) {
			f.fragmentTimes.AddNumber(row, int64(v))
			if f.starts[row] == 0 && f.durations[row] == 0 && f.fragments[row] != 0 {
				untimed[row] = v
			}
		}},
		{colSpanID, func(_ int, v uint64) { f.spanIDs = binary.BigEndian.AppendUint64(f.spanIDs, v) }},
		{colParentSpanID, func(row int, v uint64) {
			f.hasParent.Set(row)
			f.parentSpanIDs = binary.BigEndian.AppendUint64(f.parentSpanIDs, v)
		}},
	} {
		if err := c.words(ctx, column.id, column.add); err != nil {
			return err
		}
	}
	for i, start := range f.starts { // as schema.Span.FirstNanos and LastNanos
		first, last := uint64(start), max(uint64(start), uint64(start+f.durations[i]))
		if start == 0 && f.fragments[i] != 0 {
			if last == 0 {
				last = untimed[i]
			}
			first = last
		}
		if i == 0 {
			f.minStart = first
		}
		f.minStart, f.maxEnd = min(f.minStart, first), max(f.maxEnd, last)
	}
	return nil
}

// texts copies the texts that every row has.
func (c *copier) texts(ctx context.Context) error {
	for i, column := range [...]struct {
		id    columnID
		texts *cells.Texts
	}{{colName, c.f.names}, {colStatusMessage, c.f.statusMessages}, {colTraceState, c.f.traceStates}} {
		if err := c.read(ctx, fixedColumnOf(column.id)); err != nil {
			return err
		}
		widths := c.width(i)
		c.eachRun(func(row, part, from, n int) {
			v, entries := &c.values[part], c.entries[part]
			for k := from; k < from+n; k++ {
				text := v.text(k)
				if entries == nil {
					column.texts.Add(alias(text))
				} else {
					column.texts.AddEntry(entries, v.codes[k])
				}
				widths[row] = len(text)
				row++
			}
		})
	}
	return nil
}

// width are the bytes that a place of columnBytes has, by row.
func (c *copier) width(place int) []int {
	if c.widths[place] == nil {
		c.widths[place] = make([]int, c.plan.rows())
	}
	return c.widths[place]
}

// messages copies the columns of parts of messages. Columns of events and links are
// made anew: few rows have some.
func (c *copier) messages(ctx context.Context) error {
	for i, column := range [...]struct {
		id    columnID
		cells *cells.Cells
		also  func(row int, fields []byte)
	}{
		{colEvents, c.f.events, c.g.events}, {colLinks, c.f.links, c.g.links}, {colRest, c.f.rests, func(int, []byte) {}},
	} {
		if err := c.read(ctx, fixedColumnOf(column.id)); err != nil {
			return err
		}
		widths := c.width(messageBytes + i)
		c.eachRun(func(row, part, from, n int) {
			v := &c.values[part]
			for k := from; k < from+n; k++ {
				if fields := v.text(k); len(fields) > 0 {
					column.cells.AddText(row, alias(fields))
					column.also(row, fields)
					widths[row] = len(fields)
				}
				row++
			}
		})
	}
	return nil
}

// shared copies the resources and scopes.
func (c *copier) shared(ctx context.Context) error {
	s := c.g.survey
	resources, err := c.numbersOf(ctx, []columnID{colServiceName, colResource}, func(v []values, i int) uint32 {
		return s.resources.number(&schema.Resource{ServiceName: v[0].kept(i), Wire: fragment(v[1].text(i))})
	})
	if err != nil {
		return err
	}
	s.resources.codes = resources
	for _, r := range s.resources.list {
		s.resourceValues = append(s.resourceValues, resourceValues(r))
	}
	s.scopes.codes, err = c.numbersOf(ctx, []columnID{colScopeName, colScopeVersion, colScope}, func(v []values, i int) uint32 {
		return s.scopes.number(&schema.Scope{Name: v[0].kept(i), Version: v[1].kept(i), Wire: fragment(v[2].text(i))})
	})
	if err != nil {
		return err
	}
	r, w := c.width(sharedBytes), [3][]int{c.width(sharedBytes + 1), c.width(sharedBytes + 2), c.width(sharedBytes + 3)}
	for row := range r {
		resource, scope := s.resources.list[resources[row]], s.scopes.list[s.scopes.codes[row]]
		r[row] = len(resource.Wire) + len(resource.ServiceName)
		w[0][row], w[1][row], w[2][row] = len(scope.Wire), len(scope.Name), len(scope.Version)
	}
	return nil
}

// numbersOf numbers what stands in several columns, and returns the numbers of the
// rows. number gives one to what a row has.
func (c *copier) numbersOf(ctx context.Context, ids []columnID, number func(v []values, i int) uint32) ([]uint32, error) {
	parts := make([][]uint32, len(c.plan.parts))
	for i := range c.plan.parts {
		p := &c.plan.parts[i]
		v := make([]values, len(ids))
		for k, id := range ids {
			if err := c.readPart(ctx, &v[k], i, p.fixed(id)); err != nil {
				return nil, err
			}
		}
		var o owners
		o.init()
		known := map[[3]uint32]uint32{}
		parts[i] = make([]uint32, p.to-p.from)
		var last [3]uint32
		for row := range parts[i] {
			var key [3]uint32
			for k := range v {
				key[k] = o.number(&v[k], row)
			}
			if row > 0 && key == last {
				parts[i][row] = parts[i][row-1]
				continue
			}
			n, ok := known[key]
			if !ok {
				n = number(v, row)
				known[key] = n
			}
			parts[i][row], last = n, key
		}
	}
	codes := make([]uint32, 0, c.plan.rows())
	for _, r := range c.plan.runs {
		codes = append(codes, parts[r.part][r.from:][:r.n]...)
	}
	return codes, nil
}

// cut decides where pages begin.
func (c *copier) cut() {
	pager := &c.g.pager
	for row := range c.plan.rows() {
		for place, sizes := range c.widths {
			if sizes != nil {
				pager.row[place] = sizes[row]
			}
		}
		pager.end(row)
	}
	pager.finish(c.plan.rows())
}
