package block

import (
	"container/heap"
	"context"

	"github.com/spanlake/spanlake/schema"
)

// mergePlan says which rows of the inputs make a row group, and in which order.
type mergePlan struct {
	parts  []mergePart
	traces []plannedTrace
	pieces []run // of the traces, as they lie in the inputs
	read   int   // rows of the pieces

	// The rows that stay, in their order.
	runs            []run
	ids             []schema.TraceID
	ends            []int // by id: the row behind the last
	folded, dropped int   // rows that do not
}

// mergePart is the rows [from, to) of a row group of an input.
type mergePart struct {
	*groupReader

	from, to int
	input    int
}

// run is n rows of a part that follow one another. The part's first row is 0.
type run struct{ part, from, n int32 }

// plannedTrace is a trace, and which of the pieces are of it.
type plannedTrace struct {
	id       schema.TraceID
	from, to int
	dropTo   uint64 // the position up to which rows are left out
	// mixed says that one has to look at the rows to know which of them stay and
	// in which order.
	mixed bool
}

// begin gives the inputs that have traces their order.
func (m *merger) begin(ctx context.Context) error {
	for _, in := range m.inputs {
		more, err := in.advance(ctx)
		if err != nil {
			return err
		}
		if more {
			m.heap = append(m.heap, in)
		}
	}
	heap.Init(&m.heap)
	return nil
}

// plan takes the traces of the next row group off the inputs, nil if there are
// none left.
func (m *merger) plan(ctx context.Context) (*mergePlan, error) {
	p := &mergePlan{}
	size, texts := 0, 0
	for m.trace != nil || len(m.heap) > 0 {
		if m.trace == nil {
			var err error
			if m.trace, err = m.heap.take(ctx); err != nil {
				return nil, err
			}
		}
		rows, bytes, text := m.trace.size()
		if p.read > 0 && (p.read+rows > m.limits.groupRows || size+bytes > m.groupBytes || texts+text > m.limits.groupBytes) {
			break
		}
		size, texts = size+bytes, texts+text
		m.add(p, m.trace)
		m.trace = nil
	}
	if p.read == 0 {
		return nil, nil
	}
	return p, nil
}

// add makes a trace the plan's next one.
func (m *merger) add(p *mergePlan, t *mergeTrace) {
	planned := plannedTrace{id: t.id, from: len(p.pieces), mixed: len(t.pieces) > 1}
	if m.Drop != nil {
		planned.dropTo = m.Drop(t.id)
	}
	for i := range t.pieces {
		piece := &t.pieces[i]
		in := piece.in
		if in.part >= len(p.parts) || p.parts[in.part].groupReader != piece.group {
			in.part = len(p.parts)
			p.parts = append(p.parts, mergePart{piece.group, piece.from, piece.from, in.number})
		}
		part := &p.parts[in.part]
		part.to = piece.to
		p.pieces = append(p.pieces, run{int32(in.part), int32(piece.from - part.from), int32(piece.to - piece.from)})
		p.read += piece.to - piece.from
		planned.mixed = planned.mixed || piece.folds
	}
	planned.to, planned.mixed = len(p.pieces), planned.mixed || planned.dropTo > 0
	p.traces = append(p.traces, planned)
}

// arrange gives the rows their order. Traces that are mixed have theirs from
// mixed, by the number of the trace.
func (p *mergePlan) arrange(mixed func(trace int) []run) {
	rows := 0
	for i := range p.traces {
		t := &p.traces[i]
		runs := p.pieces[t.from:t.to]
		if t.mixed {
			runs = mixed(i)
		}
		before := rows
		for _, r := range runs {
			rows += int(r.n)
			if last := len(p.runs) - 1; last >= 0 && p.runs[last].part == r.part && p.runs[last].from+p.runs[last].n == r.from {
				p.runs[last].n += r.n
				continue
			}
			p.runs = append(p.runs, r)
		}
		if rows > before {
			p.ids, p.ends = append(p.ids, t.id), append(p.ends, rows)
		}
	}
}

// rows is how many stay.
func (p *mergePlan) rows() int {
	if len(p.ends) == 0 {
		return 0
	}
	return p.ends[len(p.ends)-1]
}
