package block

import (
	"context"
	"fmt"
	"iter"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// TracePages yields the rows that Trace returns, in their order and with the
// columns that are selected, those of one page at a time and never none: up to
// 4096 rows and about 8 MiB of one column. It ends after the first error, which
// is one of Trace's.
//
// Before many rows are read ahead is called with about how many bytes they have,
// and an error of it ends everything; nil reads all.
//
// The yielded slice is reused: it is valid until the next iteration. The rows
// may be copied and kept, as those of Scan.
func (r *Reader) TracePages(
	ctx context.Context, id schema.TraceID, columns vec.Columns, ahead func(bytes int64) error,
) iter.Seq2[[]schema.Span, error] {
	return func(yield func([]schema.Span, error) bool) {
		p := tracePager{reader: r, id: id, wanted: r.wanted(columns), ahead: ahead}
		for {
			err := p.next(ctx)
			if err != nil {
				yield(nil, fmt.Errorf("look up trace: %w", err))
				return
			}
			if len(p.spans) == 0 || !yield(p.spans, nil) {
				return
			}
		}
	}
}

// manyRows is from how many rows on their bytes are counted before they are
// read: fewer are read as soon as counted.
const manyRows = 256

// tracePager goes through the row groups that may have a trace.
type tracePager struct {
	reader *Reader
	id     schema.TraceID
	wanted *wanted
	ahead  func(bytes int64) error

	ordinal int        // of the row group behind rows
	rows    *rowReader // of the current row group, nil before the first
	spans   []schema.Span
}

// next reads the rows of the next page, none after the last.
func (p *tracePager) next(ctx context.Context) (err error) {
	defer p.reader.guard("trace lookup", &err)
	p.spans = p.spans[:0]
	for len(p.spans) == 0 {
		if p.rows != nil && !p.rows.done() {
			p.spans, err = p.rows.next(ctx, p.spans)
		} else if p.ordinal < len(p.reader.dir.groups) {
			err = p.open(ctx)
		} else {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// open begins the next row group, if it may have the trace.
func (p *tracePager) open(ctx context.Context) (err error) {
	g := &p.reader.dir.groups[p.ordinal]
	ids := between([]schema.TraceID{p.id}, g.firstTrace, g.lastTrace)
	p.rows = nil
	if len(ids) > 0 && p.reader.MayContain(p.id) {
		if p.rows, err = p.reader.groupReader(p.ordinal).traceRows(ctx, ids, p.wanted); err == nil {
			err = p.announce()
		}
	}
	p.ordinal++
	return err
}

// announce says how many bytes are about to be read.
func (p *tracePager) announce() error {
	if p.ahead == nil || p.rows.left() < manyRows {
		return nil
	}
	var bytes int64
	for i := range p.rows.tasks {
		bytes += p.rows.bytesOf(&p.rows.tasks[i])
	}
	return p.ahead(bytes)
}

// bytesOf is about how many bytes the rows of a task have: their part of the
// pages they lie in.
func (r *rowReader) bytesOf(t *task) (bytes int64) {
	for c := range r.reader.dir.columns {
		if r.chunk(c).absent {
			continue
		}
		rows := int64(r.group.pages[t.page+1] - r.group.pages[t.page])
		r.eachRef(c, t, func(ref pageRef) { bytes += int64(ref.raw) * int64(len(t.rows)) / rows })
		if k := r.chunk(c); r.framed(c) {
			bytes += int64(k.dict.raw) * int64(len(t.rows)) / int64(r.group.rows())
		}
	}
	return bytes
}
