package block

import (
	"context"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Limits are where a block is cut and how many columns it gets; zeros are the
// defaults.
type Limits struct{ PageRows, PageBytes, FrameBytes, GroupBytes, GroupRows, Columns, ColumnRows int }

func (l Limits) limits() limits {
	lim := defaultLimits()
	for _, set := range []struct {
		from int
		to   *int
	}{
		{l.PageRows, &lim.pageRows},
		{l.PageBytes, &lim.pageBytes},
		{l.FrameBytes, &lim.frameBytes},
		{l.GroupBytes, &lim.groupBytes},
		{l.GroupRows, &lim.groupRows},
		{l.Columns, &lim.columns},
		{l.ColumnRows, &lim.columnRows},
	} {
		if set.from > 0 {
			*set.to = set.from
		}
	}
	return lim
}

// EncodeLimited is Encode with other limits.
func EncodeLimited(project schema.ProjectID, spans []schema.Span, l Limits) (*Object, error) {
	return encode(project, [][]schema.Span{spans}, l.limits())
}

// RowGroups is the number of row groups and of pages of each.
func (r *Reader) RowGroups() (pages []int) {
	for i := range r.dir.groups {
		pages = append(pages, len(r.dir.groups[i].pages)-1)
	}
	return pages
}

// WithForgedChecksums is r reading another object, whose pages all get valid
// checksums.
func WithForgedChecksums(r *Reader, bucket Ranger, data []byte) *Reader {
	forged := *r
	forged.bucket = bucket
	dir := *r.dir
	dir.groups = slices.Clone(dir.groups)
	forge := func(ref *pageRef) { ref.sum = pageSum(data[ref.offset:ref.end()]) }
	for i := range dir.groups {
		g := &dir.groups[i]
		g.traces, g.chunks = slices.Clone(g.traces), slices.Clone(g.chunks)
		for t := range g.traces {
			forge(&g.traces[t].ids)
			forge(&g.traces[t].table)
		}
		for c := range g.chunks {
			k := &g.chunks[c]
			if dir.columns[c].content && !k.absent {
				k.dict.sum = pageSum(data[k.dict.offset:][:k.dict.header])
			} else {
				forge(&k.dict)
			}
			if k.list == nil {
				continue
			}
			parts, _, err := k.list.get()
			if err != nil {
				panic(err)
			}
			k.list, k.pages, k.frames = nil, slices.Clone(parts.pages), slices.Clone(parts.frames)
			for i := range k.frames {
				f := &k.frames[i]
				f.sum = pageSum(data[f.offset:f.extent().end])
			}
			for p := range k.pages {
				forge(&k.pages[p])
			}
		}
	}
	forged.dir = &dir
	return &forged
}

// Told is what a block says about its rows beside them, for a test to change.
type Told struct {
	Name                  *schema.BlockName
	Open                  *[]schema.TraceID
	FirstTrace, LastTrace *schema.TraceID
	MinStart, MaxEnd      *uint64
	SecondSection         *schema.TraceID // the first trace of it
	SpanKeys              *[]string       // outside of columns
	Filter                []byte
}

// ToldOtherwise is r with something else said about the rows of its first row
// group, which has several pages.
func (r *Reader) ToldOtherwise(change func(Told)) *Reader {
	other := *r
	dir := *r.dir
	dir.groups, dir.open = slices.Clone(dir.groups), slices.Clone(dir.open)
	g := &dir.groups[0]
	g.traces = slices.Clone(g.traces)
	other.dir, other.filter = &dir, slices.Clone(r.filter)
	change(Told{
		Name: &other.name, Open: &dir.open, FirstTrace: &g.firstTrace, LastTrace: &g.lastTrace,
		MinStart: &g.minStart, MaxEnd: &g.maxEnd, SecondSection: &g.traces[1].first, SpanKeys: &g.keys[ownerSpan].sorted,
		Filter: other.filter,
	})
	return &other
}

// Reading is r with its object's bytes from elsewhere.
func (r *Reader) Reading(bucket Ranger) *Reader {
	other := *r
	other.bucket = bucket
	return &other
}

// Selected counts the rows for which a filter holds.
func (r *Reader) Selected(ctx context.Context, filter *vec.Filter) (n int, err error) {
	w := walker{reader: r, filter: filter}
	for {
		g, selected, err := w.next(ctx, func(*rowGroup) bool { return false })
		if err != nil || g == nil {
			return n, err
		}
		n += selected.Count()
	}
}

// ContentFrames are the checksums of all frames of content.
func (r *Reader) ContentFrames() map[uint32]bool {
	sums := map[uint32]bool{}
	for i := range r.dir.groups {
		for c := range r.dir.columns {
			frames, err := r.groupReader(i).frames(c)
			if err != nil {
				panic(err)
			}
			for _, f := range frames {
				sums[f.sum] = true
			}
		}
	}
	return sums
}
