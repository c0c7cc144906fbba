package block

import (
	"context"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// rowReader reads chosen rows of a row group, a task at a time.
type rowReader struct {
	*groupReader

	wanted *wanted
	tasks  []task // that were not read
	shaped int    // of which it is known what columns their attributes are in
	ready  int    // of which the pages were fetched

	spans, derived assembler
	value          values
	owners         owners
	memory         []byte // what the rows of one chunk share
	hint           int64  // about how much of it the next chunk takes, 0 if that is not known
}

func newRowReader(g *groupReader, w *wanted, tasks []task) *rowReader {
	r := &rowReader{groupReader: g, wanted: w, tasks: tasks}
	r.spans.init(g, &w.spans)
	r.derived.init(g, &w.derived)
	r.owners.init()
	return r
}

func (r *rowReader) done() bool { return len(r.tasks) == 0 }

// left is the number of rows that were not read yet.
func (r *rowReader) left() (rows int) {
	for i := range r.tasks {
		rows += len(r.tasks[i].rows)
	}
	return rows
}

// next appends the rows of the next task. REQUIRES: r is not done.
func (r *rowReader) next(ctx context.Context, dst []schema.Span) ([]schema.Span, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.shaped == 0 {
		if err := r.fetchShapes(ctx); err != nil {
			return nil, err
		}
	}
	if r.ready == 0 {
		if err := r.fetchTasks(ctx); err != nil {
			return nil, err
		}
	}
	t := &r.tasks[0]
	start := len(dst)
	dst = slices.Grow(dst, len(t.rows))[:start+len(t.rows)]
	clear(dst[start:])
	err := r.fill(t, dst[start:])
	r.tasks, r.shaped, r.ready = r.tasks[1:], r.shaped-1, r.ready-1
	return dst, err
}

// eachColumn calls f with the columns that the rows of a task are read from.
func (r *rowReader) eachColumn(t *task, f func(c int)) {
	for _, c := range r.wanted.base {
		if !r.chunk(c).absent {
			f(c)
		}
	}
	r.spans.eachColumn(r.groupReader, t, f)
	r.derived.eachColumn(r.groupReader, t, f)
}

// eachRef calls f with the pages of a column that have the rows of a task. If it
// is not known where they lie because the directory is damaged, there are none,
// and reading the column returns the error.
func (g *groupReader) eachRef(c int, t *task, f func(pageRef)) {
	if pages, err := g.pages(c); err == nil {
		f(pages[t.page])
	}
}

// eachRowPage is eachRef for rows that may lie in any page.
func (g *groupReader) eachRowPage(c int, t *task, f func(pageRef)) {
	pages, err := g.pages(c)
	if err != nil {
		return
	}
	grid := g.group.pages
	for i := 0; i < len(t.rows); {
		p := pageOf(grid, int(t.rows[i]))
		f(pages[p])
		for i < len(t.rows) && int(t.rows[i]) < grid[p+1] {
			i++
		}
	}
}

// fetchTasks fetches the pages of the next tasks, and the dictionaries that are
// still missing.
func (r *rowReader) fetchTasks(ctx context.Context) error {
	var wanted []extent
	var size int64
	need := make([]bool, len(r.reader.dir.columns))
	for i := range r.tasks[:r.shaped] {
		t := &r.tasks[i]
		pages := wanted
		before := size
		r.eachColumn(t, func(c int) {
			r.eachRef(c, t, func(ref pageRef) {
				pages = append(pages, ref.extent())
				size += int64(ref.size) + r.contentBytes(c, len(t.rows))
			})
		})
		if i > 0 && size > windowBytes {
			size = before
			break
		}
		wanted = r.sections(pages, t)
		r.eachColumn(t, func(c int) { need[c] = true })
		r.ready++
	}
	if err := r.fetchWith(ctx, wanted, need); err != nil {
		return err
	}
	return r.fetchTexts(ctx, r.tasks[:r.ready], func(t *task, f func(c int)) { r.eachColumn(t, f) })
}

// fetchWith fetches extents and the dictionaries of the needed columns.
func (r *rowReader) fetchWith(ctx context.Context, wanted []extent, need []bool) error {
	for c, needed := range need {
		need[c] = needed && r.hasDictionary(c) && r.dicts[c] == nil
		if need[c] {
			wanted = append(wanted, r.chunk(c).dict.extent())
		}
	}
	if err := r.fetch(ctx, wanted); err != nil {
		return err
	}
	for c, needed := range need {
		if !needed {
			continue
		}
		if _, err := r.dictionary(c); err != nil {
			return err
		}
	}
	return nil
}

// sections appends what the trace ids of a task's rows need.
func (r *rowReader) sections(list []extent, t *task) []extent {
	for i := r.group.sectionOf(int(t.rows[0])); i < len(r.group.traces); i++ {
		s := &r.group.traces[i]
		if s.row > int(t.rows[len(t.rows)-1]) {
			break
		}
		list = r.missingSection(list, i)
	}
	return list
}

// fill reads the rows of a task.
func (r *rowReader) fill(t *task, dst []schema.Span) error {
	r.memory = make([]byte, 0, r.hint) // that of the last task belongs to its rows
	for _, f := range [...]func(*task, []schema.Span) error{
		r.traceIDs, r.times, r.spanIDs, r.numbers, r.texts, r.resources, r.scopes, r.fragments,
	} {
		if err := f(t, dst); err != nil {
			return err
		}
	}
	if err := r.spans.fill(r, t, dst, func(s *schema.Span) *[]byte { return &s.Attributes }); err != nil {
		return err
	}
	return r.derived.fill(r, t, dst, func(s *schema.Span) *[]byte { return &s.Derived })
}

// hold copies bytes into the memory of the chunk. It is nil for none.
func (r *rowReader) hold(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	start := len(r.memory)
	r.memory = append(r.memory, b...)
	return r.memory[start:len(r.memory):len(r.memory)]
}

func (r *rowReader) traceIDs(t *task, dst []schema.Span) error {
	section := r.group.sectionOf(int(t.rows[0]))
	s, err := r.readSection(section)
	if err != nil {
		return err
	}
	i := s.traceOf(int(t.rows[0]))
	for k, row := range t.rows {
		for int(row) >= s.first[i+1] {
			if i++; i < s.traces() {
				continue
			}
			section, i = section+1, 0
			if s, err = r.readSection(section); err != nil {
				return err
			}
		}
		dst[k].TraceID = s.id(i)
	}
	return nil
}

func (r *rowReader) times(t *task, dst []schema.Span) error {
	if err := r.words(colStart, t, func(i int, v uint64) { dst[i].StartNanos = v }); err != nil {
		return err
	}
	return r.words(colDuration, t, func(i int, v uint64) { dst[i].EndNanos = dst[i].StartNanos + v })
}

func (r *rowReader) spanIDs(t *task, dst []schema.Span) error {
	if err := r.words(colSpanID, t, func(i int, v uint64) { putID(&dst[i].SpanID, v) }); err != nil {
		return err
	}
	if !r.wanted.has[colParentSpanID] {
		return nil
	}
	return r.words(colParentSpanID, t, func(i int, v uint64) { putID(&dst[i].ParentSpanID, v) })
}

func (r *rowReader) numbers(t *task, dst []schema.Span) error {
	for _, number := range [...]struct {
		id  columnID
		set func(i int, v uint64)
	}{
		{colKind, func(i int, v uint64) { dst[i].Kind = int32(v) }},
		{colStatusCode, func(i int, v uint64) { dst[i].StatusCode = int32(v) }},
		{colFlags, func(i int, v uint64) { dst[i].Flags = uint32(v) }},
		{colPosition, func(i int, v uint64) { dst[i].Position = v }},
		{colFragment, func(i int, v uint64) { dst[i].Fragment = schema.Fragment(int32(v)) }},
		{colFragmentTime, func(i int, v uint64) { dst[i].FragmentNanos = v }},
	} {
		if !r.wanted.has[number.id] {
			continue
		}
		if err := r.words(number.id, t, number.set); err != nil {
			return err
		}
	}
	return nil
}

// words calls set with the numbers of a column that are not null.
func (r *rowReader) words(id columnID, t *task, set func(i int, v uint64)) error {
	c := r.fixed(id)
	if r.chunk(c).absent {
		return nil
	}
	if err := r.load(&r.value, c, t.rows); err != nil {
		return err
	}
	for i := range t.rows {
		if v, ok := r.value.word(i); ok {
			set(i, v)
		}
	}
	return nil
}

func (r *rowReader) texts(t *task, dst []schema.Span) error {
	for _, id := range [...]columnID{colName, colStatusMessage, colTraceState} {
		if !r.wanted.has[id] {
			continue
		}
		if err := r.load(&r.value, r.fixed(id), t.rows); err != nil {
			return err
		}
		for i := range dst {
			text := r.text(&r.value, i)
			switch id {
			case colName:
				dst[i].Name = text
			case colStatusMessage:
				dst[i].StatusMessage = text
			default:
				dst[i].TraceState = text
			}
		}
	}
	return nil
}

// text is the text of a row, which may be kept.
func (r *rowReader) text(v *values, i int) string {
	b := v.text(i)
	if v.dict == nil {
		b = r.hold(b)
	}
	return alias(b)
}

// fragments reads the columns of parts of messages.
func (r *rowReader) fragments(t *task, dst []schema.Span) error {
	for _, f := range [...]struct {
		id    columnID
		field func(*schema.Span) *[]byte
	}{
		{colEvents, func(s *schema.Span) *[]byte { return &s.Events }},
		{colLinks, func(s *schema.Span) *[]byte { return &s.Links }},
		{colRest, func(s *schema.Span) *[]byte { return &s.Rest }},
	} {
		c := r.fixed(f.id)
		if !r.wanted.has[f.id] || r.chunk(c).absent {
			continue
		}
		if err := r.load(&r.value, c, t.rows); err != nil {
			return err
		}
		for i := range dst {
			*f.field(&dst[i]) = r.hold(r.value.text(i))
		}
	}
	return nil
}
