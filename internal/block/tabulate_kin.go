package block

import (
	"context"
	"math"
	"slices"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// kinship is how many children the rows of a row group have in it.
type kinship struct {
	children []uint8         // by row, manyChildren if there are no fewer
	many     map[int32]int32 // by row
	strange  []int           // first rows of traces in which parents are a circle, or two rows have one id
}

const manyChildren = math.MaxUint8

// kinship counts the children of all rows, and remembers it in place of a part
// of the block: at a negative offset there is none.
func (t *tabulator) kinship(ctx context.Context) (*kinship, error) {
	offset := -1 - int64(t.ordinal)
	if k, ok := t.reader.cached(offset).(*kinship); ok {
		return k, nil
	}
	ids, parents, err := t.idsAndParents(ctx)
	if err != nil {
		return nil, err
	}
	k := &kinship{children: make([]uint8, len(ids)), many: make(map[int32]int32)}
	var kin family
	for i := range t.group.traces {
		s, err := t.readSection(i)
		if err != nil {
			return nil, err
		}
		for trace := range s.traces() {
			first, end := s.first[trace], s.first[trace+1]
			counts, ok := kin.count(ids[first:end], parents[first:end])
			if !ok {
				k.strange = append(k.strange, first)
				continue
			}
			for i, n := range counts {
				k.children[first+i] = uint8(min(n, manyChildren))
				if n >= manyChildren {
					k.many[int32(first+i)] = n
				}
			}
		}
	}
	t.reader.remember(offset, k, len(k.children)+16*len(k.many)+8*len(k.strange))
	return k, nil
}

// idsAndParents reads the span ids of all rows and of their parents, 0 for none.
func (t *tabulator) idsAndParents(ctx context.Context) (ids, parents []uint64, err error) {
	ids, parents = make([]uint64, 0, t.group.rows()), make([]uint64, t.group.rows())
	columns := []int{t.fixed(colSpanID)}
	if c := t.fixed(colParentSpanID); !t.chunk(c).absent {
		columns = append(columns, c)
	}
	every := vec.FullBitmap(t.group.rows())
	err = t.eachTask(ctx, tasksOf(t.group.pages, every), columns, func(task *task) error {
		if err := t.load(&t.value, columns[0], task.rows); err != nil {
			return err
		}
		from := len(ids)
		ids = append(ids, t.value.words...)
		if len(columns) == 1 {
			return nil
		}
		err := t.load(&t.value, columns[1], task.rows)
		copy(parents[from:], t.value.words) // 0 for null
		return err
	})
	return ids, parents, err
}

// of is the number of children of a row.
func (k *kinship) of(row int) int32 {
	if n := k.children[row]; n < manyChildren {
		return int32(n)
	}
	return k.many[int32(row)]
}

// tracePlace is a trace with rows that count.
type tracePlace struct {
	first, end int
	root       int32    // its row, negative if there is none
	kin        *vec.Kin // nil if the rows say it
}

// placeTraces finds the traces of the selected rows. It clears, and returns, those
// of which it can not tell the children.
func (t *tabulator) placeTraces(kin *kinship, selected vec.Bitmap) (strange []schema.TraceID, err error) {
	folded := foldedBetween(t.Folded, t.group.firstTrace, t.group.lastTrace)
	for i := range t.group.traces {
		s, err := t.readSection(i)
		if err != nil {
			return nil, err
		}
		for trace := range s.traces() {
			tr := tracePlace{first: s.first[trace], end: s.first[trace+1], root: -1}
			if !encoding.AnyBit(selected, tr.first, tr.end) {
				continue
			}
			id := s.id(trace)
			for len(folded) > 0 && compareIDs(folded[0].ID, id) < 0 {
				folded = folded[1:]
			}
			if len(folded) > 0 && folded[0].ID == id {
				tr.kin = folded[0].Kin
			}
			if root := int(s.table.roots[trace] >> 1); root > 0 {
				tr.root = int32(min(tr.first+root, tr.end) - 1)
			}
			if tr.kin == nil {
				if _, ok := slices.BinarySearch(kin.strange, tr.first); ok {
					strange = append(strange, id)
					for row := tr.first; row < tr.end; row++ {
						selected.Unset(row)
					}
					continue
				}
			}
			t.traces = append(t.traces, tr)
		}
	}
	return strange, nil
}

// countChildren counts the rows by their children.
func (t *tabulator) countChildren(kin *kinship) {
	t.tally.reset(t.MaxValues, t.MaxText)
	for _, tr := range t.traces {
		t.eachCounted(tr.first, tr.end, func(row int) {
			var n int32
			switch {
			case tr.kin == nil:
				n = kin.of(row)
			case row-tr.first < len(tr.kin.Children):
				n = tr.kin.Children[row-tr.first]
			}
			t.tally.of(t.tally.ofWord(kindInt, uint64(n)))[t.cells[row]]++
		})
	}
}

// family counts the children of the spans of one trace after another.
type family struct {
	counts  []int32
	parents []int32 // by span, -1 for none
	byID    map[uint64]int32
}

// count is false if two spans have one id, or one is its own ancestor.
func (k *family) count(ids, parents []uint64) ([]int32, bool) {
	if k.byID == nil {
		k.byID = make(map[uint64]int32)
	}
	clear(k.byID)
	clear(resize(&k.counts, len(ids)))
	resize(&k.parents, len(ids))
	for i, id := range ids {
		if _, again := k.byID[id]; again {
			return nil, false
		}
		k.byID[id] = int32(i)
	}
	for i, id := range parents {
		k.parents[i] = -1
		if id == 0 {
			continue
		}
		if p, ok := k.byID[id]; ok {
			k.parents[i] = p
			k.counts[p]++
		}
	}
	for i := range ids {
		at := int32(i)
		for steps := 0; at >= 0; at = k.parents[at] {
			if steps++; steps > len(ids) {
				return nil, false
			}
			if at < int32(i) {
				break // it was followed before
			}
		}
	}
	return k.counts, true
}
