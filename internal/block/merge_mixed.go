package block

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// mixer finds out which rows of the mixed traces of a plan stay, and their order.
type mixer struct {
	plan    *mergePlan
	scratch *groupScratch
	rows    []mixedRow // of one trace after the other
	from    []int      // by trace of the plan: its first row, and the end
	byPart  [][]int32  // numbers of the rows of each part, in the part's order
	list    []run      // scratch
}

// mixedRow is a row of a mixed trace. Only that of a twin is not known by its
// time and id.
type mixedRow struct {
	start, id uint64 // id: of the span, big endian
	position  uint64 // if some rows are left out
	part, row int32
	input     int32
	gone      bool  // left out, or another one stands for it
	twin      *twin // nil if no other row of the trace has its span id
}

// twin is what one has to know of rows of one span id.
type twin struct {
	schema.Completeness

	kind  int32
	whole bool              // not a fragment
	sum   [sha256.Size]byte // of what a fragment says
}

// arrange gives the rows of a plan their order.
func (m *merger) arrange(ctx context.Context, p *mergePlan) error {
	x := mixer{plan: p, scratch: &m.scratch}
	x.collect()
	if len(x.rows) > 0 {
		if err := x.read(ctx); err != nil {
			return err
		}
		x.drop()
		if err := x.readTwins(ctx); err != nil {
			return err
		}
	}
	p.arrange(x.runs)
	return nil
}

// collect lists the rows of mixed traces.
func (x *mixer) collect() {
	p := x.plan
	x.byPart = make([][]int32, len(p.parts))
	x.from = make([]int, len(p.traces)+1)
	for i := range p.traces {
		if t := &p.traces[i]; t.mixed {
			for _, r := range p.pieces[t.from:t.to] {
				for k := range r.n {
					x.byPart[r.part] = append(x.byPart[r.part], int32(len(x.rows)))
					x.rows = append(x.rows, mixedRow{part: r.part, row: r.from + k, input: int32(p.parts[r.part].input)})
				}
			}
		}
		x.from[i+1] = len(x.rows)
	}
}

// trace are the rows of a trace.
func (x *mixer) trace(i int) []mixedRow { return x.rows[x.from[i]:x.from[i+1]] }

// groupRows are the rows of the given numbers, which are of one part, as the
// row group counts them.
func (x *mixer) groupRows(part *mergePart, numbers []int32) []int32 {
	rows := make([]int32, len(numbers))
	for i, n := range numbers {
		rows[i] = int32(part.from) + x.rows[n].row
	}
	return rows
}

// read reads the times and ids of the rows.
func (x *mixer) read(ctx context.Context) error {
	var v values
	for i, numbers := range x.byPart {
		if len(numbers) == 0 {
			continue
		}
		part := &x.plan.parts[i]
		rows := x.groupRows(part, numbers)
		for _, field := range [...]struct {
			id columnID
			of func(*mixedRow) *uint64
		}{
			{colStart, func(r *mixedRow) *uint64 { return &r.start }},
			{colSpanID, func(r *mixedRow) *uint64 { return &r.id }},
			{colPosition, func(r *mixedRow) *uint64 { return &r.position }},
		} {
			if err := part.read(ctx, &v, part.fixed(field.id), rows, x.scratch); err != nil {
				return err
			}
			for k, n := range numbers {
				*field.of(&x.rows[n]), _ = v.word(k)
			}
		}
	}
	return nil
}

// drop leaves out what is to be left out.
func (x *mixer) drop() {
	for i := range x.plan.traces {
		upTo := x.plan.traces[i].dropTo
		for k, row := range x.trace(i) {
			if upTo > 0 && row.position <= upTo {
				x.trace(i)[k].gone = true
				x.plan.dropped++
			}
		}
	}
}

// readTwins reads the rows whose span ids their traces have several times.
func (x *mixer) readTwins(ctx context.Context) error {
	var ids []uint64
	for i := range x.plan.traces {
		rows := x.trace(i)
		ids = ids[:0]
		for k := range rows {
			if !rows[k].gone {
				ids = append(ids, rows[k].id)
			}
		}
		if !repeats(ids) {
			continue
		}
		for k := range rows {
			first, found := slices.BinarySearch(ids, rows[k].id)
			if found && !rows[k].gone && first+1 < len(ids) && ids[first+1] == rows[k].id {
				rows[k].twin = &twin{}
			}
		}
	}
	for i, numbers := range x.byPart {
		numbers = slices.DeleteFunc(numbers, func(n int32) bool { return x.rows[n].twin == nil })
		if err := x.readPart(ctx, &x.plan.parts[i], numbers); err != nil {
			return err
		}
	}
	return nil
}

func (x *mixer) readPart(ctx context.Context, part *mergePart, numbers []int32) (err error) {
	defer part.reader.guard("rows", &err)
	if len(numbers) == 0 {
		return nil
	}
	tasks := tasksOfRows(part.group.pages, x.groupRows(part, numbers))
	g := part.reader.groupReader(part.ordinal) // its dictionaries are let go of again
	var spans []schema.Span
	for rows := newRowReader(g, part.reader.wanted(vec.AllColumns()), tasks); !rows.done(); {
		if spans, err = rows.next(ctx, spans[:0]); err != nil {
			return err
		}
		for i := range spans {
			x.rows[numbers[i]].twin.of(&spans[i])
		}
		numbers = numbers[len(spans):]
	}
	return nil
}

func (t *twin) of(s *schema.Span) {
	t.Completeness, t.kind, t.whole = schema.CompletenessOf(s), s.Kind, s.Fragment == schema.FragmentNone
	if !t.whole {
		t.sum = sha256.Sum256(fragmentContent(s))
	}
}

// fragmentContent is what a fragment says: all but when it came.
func fragmentContent(s *schema.Span) []byte {
	b := append([]byte(nil), s.ParentSpanID[:]...)
	for _, n := range [...]uint64{
		uint64(s.Fragment), s.FragmentNanos, s.StartNanos, s.EndNanos, uint64(s.Kind), uint64(s.StatusCode), uint64(s.Flags),
	} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	for _, text := range [...]string{
		s.Name, s.StatusMessage, s.TraceState, resourceContent(resourceOf(s)), scopeContent(scopeOf(s)),
		alias(s.Attributes), alias(s.Derived), alias(s.Events), alias(s.Links), alias(s.Rest),
	} {
		b = appendText(b, text)
	}
	return b
}

// runs are the rows of a trace that stay, in their order. They are valid until the
// next call.
func (x *mixer) runs(trace int) []run {
	rows := x.trace(trace)
	slices.SortFunc(rows, func(r, s mixedRow) int { return r.compareTo(&s) })
	x.fold(rows)
	x.list = x.list[:0]
	for i := range rows {
		if !rows[i].gone {
			x.list = append(x.list, run{rows[i].part, rows[i].row, 1})
		}
	}
	return x.list
}

// compareTo orders as schema.Compare does, of rows that are equal there whole spans
// before fragments, and then as they were given. Only twins have what is not known of others in common.
func (r *mixedRow) compareTo(s *mixedRow) int {
	if c := cmp.Or(cmp.Compare(r.start, s.start), cmp.Compare(r.id, s.id)); c != 0 {
		return c
	}
	c := 0
	if r.twin != nil && s.twin != nil {
		c = cmp.Or(cmp.Compare(r.twin.kind, s.twin.kind), cmp.Compare(r.twin.Position, s.twin.Position))
		if c == 0 && r.twin.whole != s.twin.whole {
			if c = 1; r.twin.whole {
				c = -1
			}
		}
	}
	return cmp.Or(c, cmp.Compare(r.input, s.input), cmp.Compare(r.part, s.part), cmp.Compare(r.row, s.row))
}

// fold finds out which of the sorted rows of a trace others stand for: of whole
// spans those that schema.Fold does not keep, and of fragments those that say what
// an earlier one does.
func (x *mixer) fold(rows []mixedRow) {
	type span struct {
		id   uint64
		kind int32
	}
	type content struct {
		id  uint64
		sum [sha256.Size]byte
	}
	var best map[span]int
	var said map[content]bool
	for i := range rows {
		t := rows[i].twin
		if t == nil {
			continue
		}
		if best == nil {
			best, said = map[span]int{}, map[content]bool{}
		}
		if !t.whole {
			key := content{rows[i].id, t.sum}
			rows[i].gone, said[key] = said[key], true
			continue
		}
		key := span{rows[i].id, t.kind}
		switch other, ok := best[key]; {
		case !ok:
			best[key] = i
		case t.Exceeds(rows[other].twin.Completeness):
			rows[other].gone, best[key] = true, i
		default:
			rows[i].gone = true
		}
	}
	for i := range rows {
		if rows[i].twin != nil && rows[i].gone {
			x.plan.folded++
		}
	}
}
