package block

import (
	"bytes"
	"container/heap"
	"context"
	"fmt"

	"github.com/spanlake/spanlake/schema"
)

// maxGroups is the most row groups of a Parquet file.
const maxGroups = 1<<15 - 1

// mergeInput goes through the traces of a block once, by its tables of them.
type mergeInput struct {
	reader *Reader
	number int // of the inputs

	group    int // that is read
	pages    *groupReader
	rowBytes []int // about what a row takes in memory while it is merged, by page
	rowText  int   // about what a row has of the column with the most content
	section  int   // likewise, of its tables
	traces   *traceSection
	trace    int // the next one, of traces
	part     int // of the plan that has the last rows
}

// id is that of the next trace. REQUIRES: there is one.
func (in *mergeInput) id() schema.TraceID { return in.traces.id(in.trace) }

// advance makes sure that the next trace is at hand, and reports whether there is
// one.
func (in *mergeInput) advance(ctx context.Context) (more bool, err error) {
	defer in.reader.guard("table of traces", &err)
	for in.traces == nil || in.trace == in.traces.traces() {
		if in.pages != nil && in.section < len(in.pages.group.traces) {
			if err := in.readTraces(ctx); err != nil {
				return false, fmt.Errorf("read the traces of block %s: %w", in.reader.key, err)
			}
			continue
		}
		in.traces = nil
		if in.pages != nil {
			in.group++
		}
		if in.group == len(in.reader.dir.groups) {
			return false, nil
		}
		in.pages, in.section = in.reader.groupReader(in.group), 0
		if in.rowBytes, err = in.pages.rowBytes(); err != nil {
			return false, err
		}
		in.rowText = in.pages.rowText()
	}
	return true, nil
}

func (in *mergeInput) readTraces(ctx context.Context) error {
	g := in.pages
	err := g.fetch(ctx, g.missingSection(nil, in.section))
	if err != nil {
		return err
	}
	in.traces, err = g.readSection(in.section)
	g.window, g.section = nil, nil
	in.section, in.trace = in.section+1, 0
	return err
}

// heldBytes is about what a row takes in memory besides its texts.
const heldBytes = 256

// rowBytes is about what a row takes until its row group is written, by page:
// texts without a dictionary as they are, content as it is stored.
func (g *groupReader) rowBytes() ([]int, error) {
	sizes, content := make([]int, len(g.group.pages)-1), 0
	for c := range g.group.chunks {
		column := g.column(c)
		switch {
		case g.framed(c):
			content += int(g.contentBytes(c, g.group.rows()))
		case g.chunk(c).absent, g.chunk(c).encoding == encodingCodes, column.physical != physicalBytes:
		default:
			pages, err := g.pages(c)
			if err != nil {
				return nil, err
			}
			for p := range pages {
				sizes[p] += int(pages[p].raw)
			}
		}
	}
	for p := range sizes {
		sizes[p] = heldBytes + content/g.group.rows() + sizes[p]/(g.group.pages[p+1]-g.group.pages[p])
	}
	return sizes, nil
}

// rowText is about what a row has of the column with the most content.
func (g *groupReader) rowText() (most int) {
	for c := range g.group.chunks {
		if g.framed(c) {
			most = max(most, int(g.chunk(c).dict.raw)/g.group.rows())
		}
	}
	return most
}

// inputHeap has the inputs that have more traces, the one with the smallest next
// trace first.
type inputHeap []*mergeInput

func (h inputHeap) Len() int      { return len(h) }
func (h inputHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h inputHeap) Less(i, j int) bool {
	a, b := h[i].id(), h[j].id()
	if c := bytes.Compare(a[:], b[:]); c != 0 {
		return c < 0
	}
	return h[i].number < h[j].number
}
func (h *inputHeap) Push(x any) { *h = append(*h, x.(*mergeInput)) } //nolint:forcetypeassert // nothing else is pushed
func (h *inputHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// mergeTrace is a trace as it lies in the inputs.
type mergeTrace struct {
	id     schema.TraceID
	pieces []mergePiece
}

// mergePiece are the rows [from, to) of a row group of an input.
type mergePiece struct {
	in       *mergeInput
	group    *groupReader
	from, to int
	bytes    int  // about what they take
	text     int  // about what they have of the column with the most content
	folds    bool // two of them may be of one span
}

// take takes the smallest trace off the inputs. REQUIRES: there is one.
func (h *inputHeap) take(ctx context.Context) (*mergeTrace, error) {
	t := &mergeTrace{id: (*h)[0].id()}
	for len(*h) > 0 && (*h)[0].id() == t.id {
		in := (*h)[0]
		s := in.traces
		p := mergePiece{in: in, group: in.pages, from: s.first[in.trace], to: s.first[in.trace+1], folds: s.split(in.trace)}
		p.bytes = (p.to - p.from) * in.rowBytes[pageOf(in.pages.group.pages, p.from)]
		p.text = (p.to - p.from) * in.rowText
		t.pieces = append(t.pieces, p)
		in.trace++
		more, err := in.advance(ctx)
		switch {
		case err != nil:
			return nil, err
		case more:
			heap.Fix(h, 0)
		default:
			heap.Pop(h)
		}
	}
	return t, nil
}

func (t *mergeTrace) size() (rows, bytes, text int) {
	for i := range t.pieces {
		rows += t.pieces[i].to - t.pieces[i].from
		bytes += t.pieces[i].bytes
		text += t.pieces[i].text
	}
	return rows, bytes, text
}
