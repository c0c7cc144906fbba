package ingester

import (
	"unsafe"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// projectRows are one project's rows in the order of the log. They are only
// ever appended to, so pages that were read under the lock stay valid.
type projectRows struct {
	pages     otlp.Pages
	byTrace   map[schema.TraceID][]int32 // numbers of rows
	oldestEnd uint64                     // of the row that expires first
}

// add decodes wire into rows behind the others, all or none.
func (r *projectRows) add(d *otlp.Decoder, wire []byte, position uint64) (int, error) {
	before := r.pages.Rows()
	rows, err := r.pages.Decode(d, wire, position)
	if err != nil {
		return 0, err
	}
	for i := range rows {
		if end := engine.ExpiryNanos(&rows[i]); before+i == 0 || end < r.oldestEnd {
			r.oldestEnd = end
		}
		id := rows[i].TraceID
		r.byTrace[id] = append(r.byTrace[id], int32(before+i)) //nolint:gosec // a batch holds far fewer than 2^31 rows
	}
	return len(rows), nil
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
	return r.pages.Rows()*indexRowBytes + len(r.byTrace)*indexTraceBytes + r.pages.Room()*rowBytes
}
