package ingester

import (
	"bytes"
	"slices"
	"unsafe"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// projectRows are one project's rows in the order of the log. They are only
// ever appended to, so pages that were read under the lock stay valid.
type projectRows struct {
	pages     otlp.Pages
	byTrace   map[schema.TraceID][]int32 // numbers of rows
	open      []schema.TraceID           // of the rows that are pieces of spans
	oldestEnd uint64                     // of the row that expires first
	derived   int                        // bytes that follow from rows, beside those of their messages
	tables    []string                   // of prices by which they were derived, sorted
}

// add decodes wire into rows behind the others, all or none.
func (r *projectRows) add(d *otlp.Decoder, n *llm.Normalizer, wire []byte, position uint64) (int, error) {
	before := r.pages.Rows()
	rows, err := r.pages.Decode(d, wire, position)
	if err != nil {
		return 0, err
	}
	if at, found := slices.BinarySearch(r.tables, n.Table()); !found {
		r.tables = slices.Insert(r.tables, at, n.Table())
	}
	for i := range rows {
		if end := rows[i].LastNanos(); before+i == 0 || end < r.oldestEnd {
			r.oldestEnd = end
		}
		r.derived += n.Apply(&rows[i])
		id := rows[i].TraceID
		r.byTrace[id] = append(r.byTrace[id], int32(before+i)) //nolint:gosec // a batch holds far fewer than 2^31 rows
		if rows[i].Fragment != schema.FragmentNone {
			r.open = append(r.open, id)
		}
	}
	return len(rows), nil
}

// derivedBy says by what the derived attributes were made.
func (r *projectRows) derivedBy() block.Derivation {
	return block.Derivation{Norm: llm.Version, Tables: slices.Clone(r.tables)}
}

// openTraces are the traces with pieces of spans, in ascending order.
func (r *projectRows) openTraces() []schema.TraceID {
	open := slices.Clone(r.open)
	slices.SortFunc(open, func(a, b schema.TraceID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(open)
}

// What rows take besides the memory of their message: themselves, and their
// place in the index. A map's entry takes about half again as much as its key
// and value, and the index of a trace begins with room for two rows.
const (
	rowBytes        = int(unsafe.Sizeof(schema.Span{}))
	indexTraceBytes = 64 + 8
	indexRowBytes   = 8
)

// bytes is the memory that the rows take besides that of their messages.
func (r *projectRows) bytes() int {
	return len(r.open)*len(schema.TraceID{}) + r.pages.Rows()*indexRowBytes + len(r.byTrace)*indexTraceBytes + r.pages.Room()*rowBytes + r.derived
}
