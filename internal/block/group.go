package block

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"github.com/spanlake/spanlake/internal/block/encoding"
)

// groupReader reads the pages of one row group. Columns are numbered as in the
// directory. It is used by one goroutine at a time.
type groupReader struct {
	reader  *Reader
	group   *rowGroup
	ordinal int

	dicts  []*dictionary // by column, nil: not decoded yet
	kept   pieces        // fetched for as long as the group is read; never written to
	window pieces        // fetched for some of its pages
	texts  pieces        // fetched frames of content, for some rows of these
	parts  partTable     // from the cache

	section *traceSection // read last
	scratch groupScratch
}

// groupScratch is memory that pages use one after another.
type groupScratch struct {
	raw         []byte
	view        pageView
	part        pagePart
	defined     []uint64
	codes       []uint32
	codesOfRows []uint32
	ints        []int64
	dense       []int32
	entries     [][][]byte // of frames, by number
}

func (r *Reader) groupReader(ordinal int) *groupReader {
	return &groupReader{
		reader: r, group: &r.dir.groups[ordinal], ordinal: ordinal,
		dicts: make([]*dictionary, len(r.dir.columns)),
	}
}

func (g *groupReader) column(c int) *fileColumn { return &g.reader.dir.columns[c] }

func (g *groupReader) chunk(c int) *chunk { return &g.group.chunks[c] }

// pages are the data pages of a column, nil if it is absent.
func (g *groupReader) pages(c int) ([]pageRef, error) {
	parts, err := g.chunkParts(c)
	return parts.pages, err
}

// chunkParts says where the parts of a column lie.
func (g *groupReader) chunkParts(c int) (chunkParts, error) {
	k := g.chunk(c)
	if k.list == nil {
		return chunkParts{k.pages, k.frames}, nil
	}
	parts, first, err := k.list.get()
	if err != nil {
		section := fmt.Sprintf("directory, row group %d, pages of column %s", g.ordinal, g.column(c).name)
		return chunkParts{}, g.reader.corrupt(section, g.reader.dir.dataBytes+tailSumBytes, err, hintRestore)
	}
	if first {
		g.reader.held.Add(parts.memoryBytes())
	}
	return *parts, nil
}

// fixed is the number of a column of the catalogue.
func (g *groupReader) fixed(id columnID) int { return g.reader.columns.fixed[id] }

// keep fetches extents for as long as the group is read.
func (g *groupReader) keep(ctx context.Context, list []extent) error {
	if list = g.missing(list); len(list) == 0 {
		return nil
	}
	fetched, err := g.reader.fetch(ctx, list)
	if err != nil {
		return err
	}
	g.kept = g.kept.with(fetched)
	return nil
}

// fetch fetches extents in place of those of the last call.
func (g *groupReader) fetch(ctx context.Context, list []extent) error {
	g.window, g.texts = nil, nil // let go of them first
	if list = g.missing(list); len(list) == 0 {
		return nil
	}
	var err error
	g.window, err = g.reader.fetch(ctx, list)
	return err
}

// missing are the extents that were not fetched and are not cached: one extent
// for every page, dictionary or table of traces. It works in place.
func (g *groupReader) missing(list []extent) []extent {
	if g.reader.cache == nil && len(g.kept) == 0 {
		return list
	}
	missing := list[:0]
	for _, x := range list {
		if g.kept.at(x) == nil && !g.has(x.offset) {
			missing = append(missing, x)
		}
	}
	return missing
}

// has reports whether the part at an offset is cached. If so it stays at hand.
func (g *groupReader) has(offset int64) bool {
	if g.parts.at(offset) != nil {
		return true
	}
	value := g.reader.cached(offset)
	if value == nil {
		return false
	}
	g.parts.put(offset, value)
	return true
}

// pageView is a verified page.
type pageView struct {
	defined []uint64             // rows that have a value; nil: all
	count   int                  // of values
	body    []byte               // decompressed
	index   *encoding.DeltaIndex // of a cached page of deltas, nil of others
}

// page verifies a data page of n rows, and decompresses it behind what scratch
// holds, unless it is cached from now on. It is valid until the next call, and
// while scratch is. REQUIRES: it was fetched.
func (g *groupReader) page(c, p, n int, scratch *[]byte) (*pageView, error) {
	pages, err := g.pages(c)
	if err != nil {
		return nil, err
	}
	ref := pages[p]
	if view, ok := g.parts.at(ref.offset).(*pageView); ok {
		return view, nil
	}
	body, levels, err := g.stored(ref)
	if err != nil {
		return nil, g.corruptPage(c, p, err)
	}
	view, bitmap := &g.scratch.view, &g.scratch.defined
	kept := g.reader.cache != nil && ref.raw <= maxPartBytes
	if kept {
		view, bitmap, scratch = &pageView{}, new([]uint64), new([]byte)
	}
	switch {
	case ref.compressed():
		body, err = decompressBehind(scratch, body, int(ref.raw))
	case kept:
		body = bytes.Clone(body)
	}
	view.body = body
	if err == nil {
		err = g.define(view, c, n, levels, bitmap)
	}
	if err == nil && kept && g.chunk(c).encoding == encodingDelta && view.count > 0 {
		view.index, err = encoding.NewDeltaIndex(view.body, view.count)
	}
	if err != nil {
		return nil, g.corruptPage(c, p, err)
	}
	if kept {
		g.reader.remember(ref.offset, view, len(view.body)+8*len(view.defined)+indexBytes(view.index))
	}
	return view, nil
}

// indexBytes is what an index takes, which may be nil.
func indexBytes(x *encoding.DeltaIndex) int {
	if x == nil {
		return 0
	}
	return encoding.DeltaZoneBytes * x.Blocks()
}

// define decodes the definition levels of a page of n rows.
func (g *groupReader) define(view *pageView, c, n int, levels []byte, bitmap *[]uint64) (err error) {
	view.defined, view.count = nil, n
	if g.column(c).optional {
		view.defined = resize(bitmap, (n+63)/64)
		view.count, err = encoding.DecodeLevels(view.defined, levels, n)
	}
	return err
}

// decompressBehind leaves alone what scratch holds, and all memory that it had
// before it grew.
func decompressBehind(scratch *[]byte, src []byte, size int) ([]byte, error) {
	if cap(*scratch)-len(*scratch) < size {
		*scratch = make([]byte, 0, max(size, min(2*cap(*scratch), maxPageBytes)))
	}
	n := len(*scratch)
	raw, err := sharedCodec().decompress((*scratch)[n:n:n+size], src, size)
	*scratch = (*scratch)[:n+len(raw)]
	return raw, err
}

// stored returns the parts of a fetched page and verifies its checksum.
func (g *groupReader) stored(ref pageRef) (body, levels []byte, err error) {
	data, err := g.verified(ref.extent(), ref.sum)
	if err != nil {
		return nil, nil, err
	}
	data = data[ref.header:]
	return data[ref.levels:], data[:ref.levels], nil
}

// verified returns what was fetched of an extent.
func (g *groupReader) verified(x extent, sum uint32) ([]byte, error) {
	for _, fetched := range [...]pieces{g.window, g.texts, g.kept} {
		data := fetched.at(x)
		switch {
		case data == nil:
		case pageSum(data) != sum:
			return nil, errChecksum
		default:
			return data, nil
		}
	}
	return nil, errTruncated
}

func (g *groupReader) corruptPage(c, p int, err error) error {
	pages, listErr := g.pages(c)
	if listErr != nil {
		return listErr
	}
	return g.corrupt(c, pageName(p), pages[p].extent(), err)
}

func pageName(p int) string { return "page " + strconv.Itoa(p) }

func (g *groupReader) corrupt(c int, what string, at extent, err error) error {
	section := fmt.Sprintf("row group %d, column %s, %s", g.ordinal, g.column(c).name, what)
	return g.reader.corrupt(section, at.offset, err, hintRestore)
}

// resize returns n elements of a scratch, which grows as needed. They are not
// cleared.
func resize[T any](scratch *[]T, n int) []T {
	if cap(*scratch) < n {
		*scratch = make([]T, n)
	}
	*scratch = (*scratch)[:n]
	return *scratch
}
