package block

import (
	"context"
	"fmt"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Summaries returns what an answer says of traces that are in no other place,
// in the order of their ids, which must be ascending: counts of all their rows,
// and of the rows for which the filter holds the first few, with the columns
// that are given. Only these rows are read. Traces are left out that the block
// does not have, or that have to be folded. Errors are those of Scan.
func (r *Reader) Summaries(
	ctx context.Context, ids []schema.TraceID, filter *vec.Filter, columns vec.Columns, few int,
) (list []vec.Summary, err error) {
	defer r.guard("search", &err)
	w := r.wanted(columns)
	for i := range r.dir.groups {
		g := &r.dir.groups[i]
		ids := between(ids, g.firstTrace, g.lastTrace)
		if len(ids) == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("summarize traces: %w", err)
		}
		s := summarizer{selector: r.newSelector(i, filter), few: few}
		if err := s.run(ctx, ids, w); err != nil {
			return nil, fmt.Errorf("summarize traces: %w", err)
		}
		list = append(list, s.list...)
	}
	return list, nil
}

// summarizer summarizes traces of one row group.
type summarizer struct {
	*selector

	few   int
	list  []vec.Summary
	spans []traceRows // by trace of the list
	rows  []int32     // of all of them
}

// traceRows are the rows of a trace, places in summarizer.rows.
type traceRows struct{ from, to, root int } // root is -1 if there is none

func (s *summarizer) run(ctx context.Context, ids []schema.TraceID, w *wanted) error {
	if err := s.find(ctx, ids); err != nil || len(s.list) == 0 {
		return err
	}
	if err := s.settle(); err != nil {
		return err
	}
	if err := s.fetchFacts(ctx); err != nil {
		return err
	}
	rows := rowMatcher{selector: s.selector, rows: s.rows}
	matched, err := rows.matched(ctx)
	if err != nil {
		return err
	}
	if err := s.findEnds(ctx); err != nil {
		return err
	}
	if err := s.countServices(); err != nil {
		return err
	}
	if err := s.nameRoots(); err != nil {
		return err
	}
	return s.show(ctx, matched, w)
}

// find looks the traces up, and their rows.
func (s *summarizer) find(ctx context.Context, ids []schema.TraceID) error {
	if err := s.keepSections(ctx, ids, s.dictionaries()); err != nil {
		return err
	}
	s.list, s.spans = make([]vec.Summary, 0, len(ids)), make([]traceRows, 0, len(ids))
	for _, id := range ids {
		section, err := s.readSection(s.group.sectionOfID(id))
		if err != nil {
			return err
		}
		i, found := section.find(id)
		if !found {
			continue
		}
		hit := section.hit(i)
		if !hit.Folded {
			continue
		}
		from := len(s.rows)
		s.rows = section.appendRows(s.rows, i)
		rows := traceRows{from, len(s.rows), -1}
		if root := int(section.table.roots[i] >> 1); root > 0 {
			rows.root = min(rows.from+root, rows.to) - 1
		}
		s.list, s.spans = append(s.list, vec.Summary{Hit: hit, LastEnd: hit.EndNanos}), append(s.spans, rows)
	}
	return nil
}

// fetchFacts fetches what is read of all rows, and what is cheap of what the
// filter reads of them.
func (s *summarizer) fetchFacts(ctx context.Context) error {
	var list []extent
	t := task{rows: s.rows}
	for _, id := range [...]columnID{colServiceName, colStatusCode, colName} {
		c := s.fixed(id)
		if s.hasDictionary(c) && s.dicts[c] == nil {
			list = append(list, s.chunk(c).dict.extent())
		}
		s.eachRowPage(c, &t, func(ref pageRef) { list = append(list, ref.extent()) })
	}
	for _, pr := range s.selector.list {
		for i := range pr.places {
			if pl := &pr.places[i]; !pr.always() && s.weight(pl) <= costNumbers {
				s.eachRowPage(pl.column, &t, func(ref pageRef) { list = append(list, ref.extent()) })
			}
		}
	}
	return s.keep(ctx, list)
}

// findEnds reads the ends of traces of which the latest time is a start: spans
// that have not ended have none.
func (s *summarizer) findEnds(ctx context.Context) error {
	var t task
	for i, trace := range s.spans {
		if s.list[i].EndNanos == s.list[i].LastNanos {
			t.rows = append(t.rows, s.rows[trace.from:trace.to]...)
		}
	}
	var list []extent
	for _, id := range [...]columnID{colStart, colDuration} {
		s.eachRowPage(s.fixed(id), &t, func(ref pageRef) { list = append(list, ref.extent()) })
	}
	if err := s.keep(ctx, list); err != nil {
		return err
	}
	var starts, durations values
	if err := s.load(&starts, s.fixed(colStart), t.rows); err != nil {
		return err
	}
	if err := s.load(&durations, s.fixed(colDuration), t.rows); err != nil {
		return err
	}
	next := 0
	for i, trace := range s.spans {
		if s.list[i].EndNanos != s.list[i].LastNanos {
			continue
		}
		s.list[i].LastEnd = 0
		for range trace.to - trace.from {
			start, _ := starts.word(next)
			duration, _ := durations.word(next)
			s.list[i].LastEnd = max(s.list[i].LastEnd, start+duration)
			next++
		}
	}
	return nil
}

// countServices fills in the services.
func (s *summarizer) countServices() error {
	var services, codes values
	if err := s.load(&services, s.fixed(colServiceName), s.rows); err != nil {
		return err
	}
	if err := s.load(&codes, s.fixed(colStatusCode), s.rows); err != nil {
		return err
	}
	counter := serviceCounter{services: &services, codes: &codes}
	counter.owners.init()
	for i, trace := range s.spans {
		s.list[i].Services = counter.count(trace.from, trace.to)
		if trace.root >= 0 {
			s.list[i].RootService = counter.names[counter.number(trace.root)]
		}
	}
	return nil
}

// serviceCounter counts rows by service.
type serviceCounter struct {
	services, codes *values
	owners          owners
	names           []string // by number of owners
	places          []int    // likewise: in the list of the trace, plus one
	numbers         []uint32 // of the list of the trace
}

// count counts the rows of one trace.
func (c *serviceCounter) count(from, to int) []vec.ServiceCount {
	c.numbers = c.numbers[:0]
	var list []vec.ServiceCount
	for i := from; i < to; i++ {
		number := c.number(i)
		if c.places[number] == 0 {
			list = append(list, vec.ServiceCount{Service: c.names[number]})
			c.numbers = append(c.numbers, number)
			c.places[number] = len(list)
		}
		count := &list[c.places[number]-1]
		count.Rows++
		if code, ok := c.codes.word(i); ok && int32(code) == statusError {
			count.Failed++
		}
	}
	for _, number := range c.numbers {
		c.places[number] = 0
	}
	return list
}

// number is that of the service of row i, whose name is known from now on.
func (c *serviceCounter) number(i int) uint32 {
	number := c.owners.number(c.services, i)
	for int(number) >= len(c.names) {
		c.names, c.places = append(c.names, ""), append(c.places, 0)
	}
	if c.names[number] == "" {
		c.names[number] = c.services.kept(i)
	}
	return number
}

// statusError is OTLP's STATUS_CODE_ERROR.
const statusError = 2

// nameRoots fills in the roots' names.
func (s *summarizer) nameRoots() error {
	rows := make([]int32, 0, len(s.spans))
	for _, trace := range s.spans {
		if trace.root >= 0 {
			rows = append(rows, s.rows[trace.root])
		}
	}
	var names values
	if err := s.load(&names, s.fixed(colName), rows); err != nil {
		return err
	}
	next := 0
	for i, trace := range s.spans {
		if trace.root >= 0 {
			s.list[i].RootName = names.kept(next)
			next++
		}
	}
	return nil
}

// show reads the first rows of each trace that are selected.
func (s *summarizer) show(ctx context.Context, matched vec.Bitmap, w *wanted) error {
	var shown []int32
	counts := make([]int, len(s.list)) // of the rows to show
	for i, trace := range s.spans {
		for row := matched.Next(trace.from); row < trace.to; row = matched.Next(row + 1) {
			s.list[i].Matched++
			if counts[i] < s.few {
				counts[i]++
				shown = append(shown, s.rows[row])
			}
		}
	}
	spans := make([]schema.Span, 0, len(shown))
	var err error
	rows := newRowReader(s.groupReader, w, tasksOfRows(s.group.pages, shown))
	for !rows.done() {
		if spans, err = rows.next(ctx, spans); err != nil {
			return err
		}
	}
	for i, n := range counts {
		s.list[i].Spans, spans = spans[:n:n], spans[n:]
	}
	return nil
}
