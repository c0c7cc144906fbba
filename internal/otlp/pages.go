package otlp

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/schema"
)

// Pages are rows in the order in which they were decoded, in pieces: one
// growing slice would be copied, and its past sizes kept until the next garbage
// collection, again and again. Rows are only ever appended, so a copy of the
// outer slice stays as it is.
type Pages [][]schema.Span

// A page has room for as many rows as all before it, within these bounds: few
// rows must not cost much, and many few pages. One message's rows are never in
// two pages; those of a large one that does not fit have a page of just their
// size.
const (
	minPageRows   = 4
	maxPageRows   = 2048
	largePageRows = maxPageRows / 8
)

// Decode appends the spans of wire, all or none, and returns them. See
// Decoder.Decode.
func (p *Pages) Decode(d *Decoder, wire []byte, position uint64) ([]schema.Span, error) {
	spans := countSpans(wire)
	page, fits := p.page(spans)
	rows, err := d.Decode(wire, position, page)
	if err != nil || len(rows) == len(page) {
		return nil, err
	}
	if fits {
		(*p)[len(*p)-1] = rows
	} else {
		*p = append(*p, rows)
	}
	return rows[len(page):], nil
}

// page is the last page if so many more rows fit into it, else a new one.
func (p Pages) page(rows int) (page []schema.Span, fits bool) {
	if last := len(p) - 1; last >= 0 && cap(p[last])-len(p[last]) >= rows {
		return p[last], true
	}
	if rows >= largePageRows {
		return make([]schema.Span, 0, rows), false
	}
	return make([]schema.Span, 0, max(rows, min(max(p.Rows(), minPageRows), maxPageRows))), false
}

// Rows is how many there are.
func (p Pages) Rows() int {
	n := 0
	for _, page := range p {
		n += len(page)
	}
	return n
}

// Room is for how many rows there is memory.
func (p Pages) Room() int {
	n := 0
	for _, page := range p {
		n += cap(page)
	}
	return n
}

// countSpans is how many spans a TracesData message has. Of one that is not well
// formed it counts some.
func countSpans(wire []byte) int {
	n := 0
	for resources := (Messages{b: wire, num: tracesResourceSpans}); resources.Next(); {
		for scopes := (Messages{b: resources.Message, num: resourceSpansScopeSpans}); scopes.Next(); {
			n += countMembers(scopes.Message)
		}
	}
	return n
}

// countMembers is how many spans a ScopeSpans message has.
func countMembers(b []byte) int {
	n := 0
	for i := 0; i < len(b); {
		if _, next := spanAt(b, i); next > 0 {
			n++
			i = next
			continue
		}
		f, flt := readField(b, i)
		if flt != faultNone {
			break
		}
		if i = f.end; f.num == scopeSpansSpans && f.typ == protowire.BytesType {
			n++
		}
	}
	return n
}
