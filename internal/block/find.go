package block

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"sort"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Find yields the traces with rows for which the filter holds, and every open
// trace, in the order of their ids, up to 4096 at a time and never none. Times
// are those of the trace's rows in this block. Neither start nor duration of
// a row is read for them. It ends after the first error.
//
// The yielded slice is valid until the next iteration. Errors are those of
// Scan.
func (r *Reader) Find(ctx context.Context, filter *vec.Filter) iter.Seq2[[]vec.Hit, error] {
	return func(yield func([]vec.Hit, error) bool) {
		f := &finder{walker: walker{reader: r, filter: filter}}
		for {
			hits, err := f.next(ctx)
			if err != nil {
				yield(nil, fmt.Errorf("search block: %w", err))
				return
			}
			if hits == nil || !yield(hits, nil) {
				return
			}
		}
	}
}

// finder reads the traces of the rows that a walker selects.
type finder struct {
	walker

	group    *groupReader
	selected vec.Bitmap       // rows of group
	open     []schema.TraceID // traces of group that were not read yet
	sections []int            // of group that have hits and were not read yet
	fetched  int              // how many of sections were fetched
	hits     []vec.Hit
}

// next returns the next hits, nil after the last. It recovers here and not
// around the caller's loop, whose panics are its own.
func (f *finder) next(ctx context.Context) (hits []vec.Hit, err error) {
	defer f.reader.guard("search", &err)
	f.hits = f.hits[:0]
	for len(f.hits) == 0 {
		if len(f.sections) == 0 {
			if f.group, f.selected, err = f.walker.next(ctx, f.hasOpen); err != nil || f.group == nil {
				return nil, err
			}
			f.begin()
			continue
		}
		if f.fetched == 0 {
			if err := f.fetchTables(ctx); err != nil {
				return nil, err
			}
		}
		s, err := f.group.readSection(f.sections[0])
		if err != nil {
			return nil, err
		}
		f.sections, f.fetched = f.sections[1:], f.fetched-1
		f.take(s)
	}
	return f.hits, nil
}

// hasOpen reports whether a row group has traces that are hits in any case.
func (f *finder) hasOpen(g *rowGroup) bool {
	return len(between(f.reader.dir.open, g.firstTrace, g.lastTrace)) > 0
}

// begin finds the sections of the row group that have hits.
func (f *finder) begin() {
	g := f.group.group
	f.open = between(f.reader.dir.open, g.firstTrace, g.lastTrace)
	f.sections = f.sections[:0]
	open := f.open
	for i := range g.traces {
		hit := f.selected != nil && encoding.AnyBit(f.selected, g.traces[i].row, g.sectionEnd(i))
		for len(open) > 0 && (i+1 == len(g.traces) || bytes.Compare(open[0][:], g.traces[i+1].first[:]) < 0) {
			hit, open = true, open[1:]
		}
		if hit {
			f.sections = append(f.sections, i)
		}
	}
}

// fetchTables reads the next tables of traces.
func (f *finder) fetchTables(ctx context.Context) error {
	g := f.group
	var wanted []extent
	var size int64
	for _, i := range f.sections {
		t := &g.group.traces[i]
		n := int64(t.ids.size) + int64(t.table.size)
		if f.fetched > 0 && size+n > windowBytes {
			break
		}
		size += n
		wanted = g.missingSection(wanted, i)
		f.fetched++
	}
	return g.fetch(ctx, wanted)
}

// take gathers the hits of a section: the traces with selected rows, and those
// that are open.
func (f *finder) take(s *traceSection) {
	end := s.first[s.traces()]
	open := f.open
	if s.ordinal+1 < len(f.group.group.traces) {
		next := f.group.group.traces[s.ordinal+1].first
		n := sort.Search(len(open), func(i int) bool { return bytes.Compare(open[i][:], next[:]) >= 0 })
		f.open, open = open[n:], open[:n]
	}
	trace := 0
	for row := s.first[0]; ; {
		next := end
		if f.selected != nil {
			next = f.selected.Next(row)
		}
		// An id that is not there would be a defect, and is passed over.
		for ; len(open) > 0; open = open[1:] {
			if i, found := s.find(open[0]); found && s.first[i] >= row {
				next = min(next, s.first[i])
				break
			}
		}
		if next >= end {
			return
		}
		for s.first[trace+1] <= next {
			trace++
		}
		hit := s.hit(trace)
		hit.Folded = hit.Folded && (len(open) == 0 || hit.ID != open[0])
		f.hits = append(f.hits, hit)
		row = s.first[trace+1]
	}
}
