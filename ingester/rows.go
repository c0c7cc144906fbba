package ingester

import (
	"unsafe"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// projectRows are one project's rows in the order of the log. They are only
// ever appended to, so pages that were read under the lock stay valid.
type projectRows struct {
	pages   rowPages
	byTrace map[schema.TraceID][]int32 // numbers of rows
}

// rowPages are rows in pieces: one growing slice would be copied, and its past
// sizes kept until the next garbage collection, again and again.
type rowPages [][]schema.Span

// A page has room for as many rows as all before it, within these bounds: a
// project with one span must not cost much, and one with many few pages.
const (
	minPageRows = 4
	maxPageRows = 2048
)

// add decodes wire into rows behind the others, all or none.
func (r *projectRows) add(d *otlp.Decoder, wire []byte, position uint64) (int, error) {
	before := r.pages.rows()
	page := r.tail(before)
	rows, err := d.Decode(wire, position, page[len(page):])
	if err != nil {
		return 0, err
	}
	switch n, last := len(page)+len(rows), len(r.pages)-1; {
	case n <= cap(page):
		r.pages[last] = page[:n]
	case len(page) == 0: // it was too small, and Decode has made another
		r.pages[last] = rows
	default:
		r.pages = append(r.pages, rows)
	}
	for i := range rows {
		id := rows[i].TraceID
		r.byTrace[id] = append(r.byTrace[id], int32(before+i)) //nolint:gosec // a batch holds far fewer than 2^31 rows
	}
	return len(rows), nil
}

// tail is the last page, a new one if that is nearly full.
func (r *projectRows) tail(rows int) []schema.Span {
	if n := len(r.pages); n > 0 {
		if last := r.pages[n-1]; cap(last)-len(last) > cap(last)/8 {
			return last
		}
	}
	page := make([]schema.Span, 0, min(max(rows, minPageRows), maxPageRows))
	r.pages = append(r.pages, page)
	return page
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
	n := r.pages.rows()*indexRowBytes + len(r.byTrace)*indexTraceBytes
	for _, page := range r.pages {
		n += cap(page) * rowBytes
	}
	return n
}

func (p rowPages) rows() int {
	n := 0
	for _, page := range p {
		n += len(page)
	}
	return n
}
