package block

import (
	"context"
	"fmt"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// VerifyRows reads every row and compares with it all that a block says about
// its rows elsewhere, and that searches trust: the name, the trace filter, the
// bounds, keys and open traces in the directory, the tables of traces, and the
// columns that repeat what is in messages (of attributes, of resources, and the
// lists of events and links). So it finds what Verify cannot: a block that was
// written wrong, whose checksums are right. Columns that this program does not
// know and the bounds in the Parquet footer are not compared. Memory is that of
// a Scan and of the rows of the largest trace.
//
// If progress is not nil it is called from time to time with the number of rows
// that have been compared, out of Spans.
//
// Returns what Verify does. A row group that cannot be read to its end is not
// compared to its end.
func (r *Reader) VerifyRows(ctx context.Context, progress func(rows int)) (err error) {
	defer r.guard("rows", &err)
	if progress == nil {
		progress = func(int) {}
	}
	v := rowVerifier{reader: r, progress: progress, wanted: r.wantedByVerify()}
	for i := range r.dir.groups {
		if err := v.group(ctx, i); err != nil || v.full() {
			return v.result(err)
		}
	}
	v.whole()
	return v.result(nil)
}

// wantedByVerify is everything of the rows, and the columns that repeat it.
func (r *Reader) wantedByVerify() *wanted {
	w := r.wanted(vec.AllColumns())
	w.base = append(w.base, r.columns.fixed[colEventName])
	for _, from := range [...]owner{ownerResource, ownerEvent, ownerLink} {
		w.base = append(w.base, r.columns.shredded[from]...)
	}
	return w
}

// rowVerifier compares a block with its rows.
type rowVerifier struct {
	faults

	reader   *Reader
	progress func(int)
	wanted   *wanted
	chunk    []schema.Span

	// What the rows so far say.
	rows             int
	last             schema.Span
	minStart, maxEnd uint64
	open             []schema.TraceID
	cut              bool // not all of them could be read
	// The first row of another partition or position than those of the name.
	strayTrace    *schema.TraceID
	strayPosition uint64
}

// group compares one row group.
func (v *rowVerifier) group(ctx context.Context, ordinal int) error {
	g := v.reader.groupReader(ordinal)
	identities, err := g.identities()
	if err == nil {
		err = g.keep(ctx, identities)
	}
	if err != nil {
		return err
	}
	check := newGroupCheck(v, g)
	rows := newRowReader(g, v.wanted, tasksOf(g.group.pages, vec.FullBitmap(g.group.rows())))
	for !rows.done() {
		t := rows.tasks[0]
		spans, err := rows.next(ctx, v.chunk[:0])
		if err == nil {
			v.chunk = spans
			err = check.page(&t, spans)
		}
		if err != nil {
			v.cut = true
			return v.note(err)
		}
		v.progress(v.rows)
	}
	return v.note(check.finish())
}

// identities are the parts of the group that say which rows are of which trace.
func (g *groupReader) identities() ([]extent, error) {
	var list []extent
	for i := range g.group.traces {
		list = g.group.traces[i].extents(list)
	}
	pages, err := g.pages(g.fixed(colTraceID))
	for _, p := range pages {
		list = append(list, p.extent())
	}
	return list, err
}

// whole compares what is said about the block as a whole.
func (v *rowVerifier) whole() {
	r := v.reader
	name := r.name
	if !v.cut && !slices.Equal(v.open, r.dir.open) {
		v.directory("list of open traces", fmt.Errorf("%w: of %d traces, not %d, rows are fragments", errRows, len(v.open), len(r.dir.open)))
	}
	if v.strayTrace != nil {
		v.name("trace %s is of partition %d", v.strayTrace, v.strayTrace.Partition(name.Partitions))
	}
	if v.strayPosition != 0 {
		v.name("a row is of position %d of the log", v.strayPosition-1)
	}
	if v.cut {
		return
	}
	if name.MinStart != v.minStart || name.MaxEnd != v.maxEnd {
		v.name("they are from %d to %d", v.minStart, v.maxEnd)
	}
	if name.Open != (len(v.open) > 0) {
		v.name("%d traces have fragments", len(v.open))
	}
}

// name notes that the name says something else than the rows.
func (v *rowVerifier) name(format string, args ...any) {
	reason := fmt.Errorf("%w: %w: %s", errMismatch, errRows, fmt.Sprintf(format, args...))
	_ = v.note(v.reader.corrupt("name", 0, reason, hintName)) // it is damage
}

// directory notes that a part of the directory is wrong.
func (v *rowVerifier) directory(part string, reason error) {
	_ = v.note(v.reader.corrupt("directory, "+part, v.reader.dir.dataBytes+tailSumBytes, reason, hintDefect)) // it is damage
}

// row takes what a row says about the block.
func (v *rowVerifier) row(s *schema.Span) {
	name := &v.reader.name
	if v.rows == 0 {
		v.minStart = s.FirstNanos()
	}
	v.minStart, v.maxEnd = min(v.minStart, s.FirstNanos()), max(v.maxEnd, s.LastNanos())
	if v.strayTrace == nil && v.last.TraceID != s.TraceID && s.TraceID.Partition(name.Partitions) != name.Partition {
		id := s.TraceID
		v.strayTrace = &id
	}
	if v.strayPosition == 0 && (s.Position < name.First || s.Position > name.Last) {
		v.strayPosition = s.Position + 1
	}
	v.rows++
	v.last = schema.Span{TraceID: s.TraceID, StartNanos: s.StartNanos, SpanID: s.SpanID, Kind: s.Kind, Position: s.Position}
}
