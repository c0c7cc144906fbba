package block

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/spanlake/spanlake/schema"
)

// Trace returns the block's rows of a trace with all columns, in the order of
// schema.Compare, nil if there are none. It asks the filter, then reads the
// trace dictionary of one row group, then only the pages that hold the trace.
// The rows are the caller's; Resource and Scope are shared between them, and
// strings keep the memory of their dictionaries.
//
// Returns ErrCorrupt for damaged pages, objstore.ErrNotExist or
// objstore.ErrChanged if the object was removed or replaced since Open: list
// again.
func (r *Reader) Trace(ctx context.Context, id schema.TraceID) (spans []schema.Span, err error) {
	defer r.guard("trace lookup", &err)
	if !r.MayContain(id) {
		return nil, nil
	}
	ordinal := sort.Search(len(r.dir.groups), func(i int) bool {
		return bytes.Compare(r.dir.groups[i].lastTrace[:], id[:]) >= 0
	})
	if ordinal == len(r.dir.groups) || bytes.Compare(r.dir.groups[ordinal].firstTrace[:], id[:]) > 0 {
		return nil, nil
	}
	if spans, err = r.groupReader(ordinal, AllColumns).trace(ctx, id); err != nil {
		return nil, fmt.Errorf("look up trace: %w", err)
	}
	return spans, nil
}

func (g *groupReader) trace(ctx context.Context, id schema.TraceID) ([]schema.Span, error) {
	dict := g.group.chunks[colTraceID].dict
	var err error
	if g.fetched, err = g.reader.fetch(ctx, []extent{{dict.offset, dict.end()}}); err != nil {
		return nil, err
	}
	if err := g.loadDictionary(colTraceID); err != nil {
		return nil, err
	}
	code, found := findTrace(g.dicts[colTraceID].traces, id)
	if !found {
		return nil, nil
	}
	from, to := g.group.pagesOf(code)
	if g.fetched, err = g.reader.fetch(ctx, g.extents(from, to)); err != nil {
		return nil, err
	}
	if err := g.load(); err != nil {
		return nil, err
	}
	var spans []schema.Span
	for p := from; p < to; p++ {
		if spans, err = g.appendTrace(spans, p, code); err != nil {
			return nil, err
		}
	}
	detach(spans)
	return spans, nil
}

// findTrace returns the code of an id in a sorted dictionary.
func findTrace(dict []byte, id schema.TraceID) (uint32, bool) {
	n := len(dict) / len(id)
	code := sort.Search(n, func(i int) bool { return bytes.Compare(dict[len(id)*i:][:len(id)], id[:]) >= 0 })
	return uint32(code), code < n && bytes.Equal(dict[len(id)*code:][:len(id)], id[:])
}

// pagesOf returns the pages that hold a trace, the last exclusive.
func (g *rowGroup) pagesOf(code uint32) (from, to int) {
	from, _ = slices.BinarySearch(g.firstCode, code)
	to = from + sort.Search(g.pages()-from, func(i int) bool { return g.firstCode[from+i] > code })
	// The trace begins in the page before, unless a page begins with it.
	if from == to || g.continued[from] {
		from--
	}
	return max(from, 0), to
}

// appendTrace appends the rows of a page that have the code.
func (g *groupReader) appendTrace(spans []schema.Span, p int, code uint32) ([]schema.Span, error) {
	codes, err := g.pageCodes(colTraceID, p)
	if err != nil {
		return nil, err
	}
	first, last := 0, len(codes)
	for first < last && codes[first] != code {
		first++
	}
	for first < last && codes[last-1] != code {
		last--
	}
	page := make([]schema.Span, len(codes))
	if err := g.times(p, page); err != nil {
		return nil, err
	}
	page = page[first:last]
	if err := g.rest(p, page, first); err != nil {
		return nil, err
	}
	return append(spans, page...), nil
}

// detach copies what rows share with their pages, of which they are often a
// small part, into memory of their own.
func detach(spans []schema.Span) {
	size := 0
	for i := range spans {
		s := &spans[i]
		size += len(s.Attributes) + len(s.Events) + len(s.Links) + len(s.Rest)
	}
	memory := make([]byte, 0, size)
	for i := range spans {
		for id := colAttributes; id <= colRest; id++ {
			if field := payloadField(&spans[i], id); *field != nil {
				start := len(memory)
				memory = append(memory, *field...)
				*field = memory[start:len(memory):len(memory)]
			}
		}
	}
}
