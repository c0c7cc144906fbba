package block

import (
	"fmt"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// groupCheck compares one row group with its rows.
type groupCheck struct {
	*groupReader

	block   *rowVerifier
	columns columnCheck

	// What the rows so far say.
	minStart, maxEnd uint64
	table            traceTable
	ids              []schema.TraceID
	trace            traceEntry // the last one
	codes            values
}

func newGroupCheck(v *rowVerifier, g *groupReader) *groupCheck {
	return &groupCheck{groupReader: g, block: v, columns: newColumnCheck(v, g)}
}

// disagree notes that a page of a column says something else than a row of it.
func (v *rowVerifier) disagree(g *groupReader, c int, row int32, what string) {
	at, page := g.chunk(c).data(), pageName(0)
	if pages, err := g.pages(c); err == nil && len(pages) > 0 { // rows of it were read
		p := pageOf(g.group.pages, int(row))
		at, page = pages[p].extent(), pageName(p)
	}
	section := fmt.Sprintf("row group %d, column %s, %s", g.ordinal, g.column(c).name, page)
	reason := fmt.Errorf("%w: %s of row %d", errRows, what, row)
	_ = v.note(v.reader.corrupt(section, at.offset, reason, hintDefect)) // it is damage
}

// page compares the rows of one page. Returns damage that keeps from reading
// on.
func (c *groupCheck) page(t *task, spans []schema.Span) error {
	if err := c.rowsOf(t, spans); err != nil {
		return err
	}
	return c.columns.page(t, spans)
}

// rowsOf takes what the rows say, and compares the codes of their trace ids.
func (c *groupCheck) rowsOf(t *task, spans []schema.Span) error {
	ids := c.fixed(colTraceID)
	codes := resize(&c.codes.codes, len(spans))
	err := c.eachPage(ids, t.rows, &c.scratch.raw, func(p *pagePart) error {
		return c.loadCodes(codes, c.chunk(ids).entries, p)
	})
	if err != nil {
		return err
	}
	for i := range spans {
		s := &spans[i]
		if c.block.rows > 0 && schema.Compare(&c.block.last, s) > 0 {
			c.block.disagree(c.groupReader, c.fixed(colStart), t.rows[i], "the order")
		}
		c.begin(s)
		if int(codes[i]) != len(c.ids)-1 {
			c.block.disagree(c.groupReader, ids, t.rows[i], "the trace id")
		}
		c.block.row(s)
		c.minStart, c.maxEnd = min(c.minStart, s.FirstNanos()), max(c.maxEnd, s.LastNanos())
		c.trace.add(traceRowOf(s))
		if c.block.full() {
			break
		}
	}
	return nil
}

// begin ends the last trace if the row is of another one.
func (c *groupCheck) begin(s *schema.Span) {
	if n := len(c.ids); n > 0 && c.ids[n-1] == s.TraceID {
		return
	}
	if len(c.ids) == 0 {
		c.minStart = s.FirstNanos()
		if c.block.rows > 0 && c.block.last.TraceID == s.TraceID {
			c.bounds("trace %s is in two row groups", s.TraceID)
		}
	}
	c.end()
	c.ids = append(c.ids, s.TraceID)
	if !c.reader.MayContain(s.TraceID) {
		reason := fmt.Errorf("%w: it does not have trace %s", errRows, s.TraceID)
		_ = c.block.note(c.reader.corrupt("trace filter", c.reader.dir.dataBytes, reason, hintDefect)) // it is damage
	}
}

// end adds the last trace to the table.
func (c *groupCheck) end() {
	if len(c.trace.ids) == 0 {
		return
	}
	if c.table.add(&c.trace) {
		c.block.open = append(c.block.open, c.ids[len(c.ids)-1])
	}
	c.trace.reset()
}

// bounds notes that the directory says something wrong about the group.
func (c *groupCheck) bounds(format string, args ...any) {
	part := fmt.Sprintf("row group %d", c.ordinal)
	c.block.directory(part, fmt.Errorf("%w: %s", errRows, fmt.Sprintf(format, args...)))
}

// finish compares what is said about the group as a whole.
func (c *groupCheck) finish() error {
	c.end()
	g := c.group
	if g.firstTrace != c.ids[0] || g.lastTrace != c.ids[len(c.ids)-1] {
		c.bounds("its traces are %s to %s", c.ids[0], c.ids[len(c.ids)-1])
	}
	if g.minStart != c.minStart || g.maxEnd != c.maxEnd {
		c.bounds("its times are %d to %d", c.minStart, c.maxEnd)
	}
	c.columns.finish(c)
	return c.tables()
}

// tables compares the tables of traces.
func (c *groupCheck) tables() error {
	done := 0
	for i := range c.group.traces {
		s, err := c.readSection(i)
		if err != nil {
			return err
		}
		end := done + s.traces()
		if end > len(c.ids) {
			break // an id stands there twice, which changes what follows
		}
		if c.group.traces[i].first != s.id(0) {
			c.bounds("page %d of its traces begins with %s", i, s.id(0))
		}
		have, want := s.table.columns(), c.table.columns()
		for k := range have {
			part := (*want[k])[done:end]
			if n := firstDifference(*have[k], part); n >= 0 {
				section := fmt.Sprintf("row group %d, table of traces of %s", c.ordinal, pageName(i))
				reason := fmt.Errorf("%w: %s of trace %s", errRows, tableColumnNames[k], s.id(n))
				_ = c.block.note(c.reader.corrupt(section, c.group.traces[i].table.offset, reason, hintDefect)) // it is damage
			}
		}
		done = end
	}
	if done != len(c.ids) {
		c.bounds("it has %d traces", len(c.ids))
	}
	return nil
}

// tableColumnNames are those of traceTable.columns.
var tableColumnNames = [5]string{"rows", "earliest start", "latest start", "latest end", "root or repeated span ids"}

// firstDifference is the first place where the lists differ, negative if there
// is none. REQUIRES: they are of equal length.
func firstDifference(a, b []int64) int {
	if slices.Equal(a, b) {
		return -1
	}
	i := 0
	for a[i] == b[i] {
		i++
	}
	return i
}
