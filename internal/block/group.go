package block

import (
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

	section traceSection // read last
	scratch groupScratch
}

// groupScratch is memory that pages use one after another.
type groupScratch struct {
	raw     []byte
	defined []uint64
	codes   []uint32
	ints    []int64
	dense   []int32
}

func (r *Reader) groupReader(ordinal int) *groupReader {
	return &groupReader{
		reader: r, group: &r.dir.groups[ordinal], ordinal: ordinal,
		dicts: make([]*dictionary, len(r.dir.columns)),
	}
}

func (g *groupReader) column(c int) *fileColumn { return &g.reader.dir.columns[c] }

func (g *groupReader) chunk(c int) *chunk { return &g.group.chunks[c] }

func (g *groupReader) grid(c int) []int { return g.group.grid(g.column(c)) }

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
	g.window = nil // let go of it first
	if list = g.missing(list); len(list) == 0 {
		return nil
	}
	var err error
	g.window, err = g.reader.fetch(ctx, list)
	return err
}

// missing are the extents that were not fetched. It works in place.
func (g *groupReader) missing(list []extent) []extent {
	missing := list[:0]
	for _, x := range list {
		if g.kept.at(x) == nil {
			missing = append(missing, x)
		}
	}
	return missing
}

// pageView is a verified page.
type pageView struct {
	levels []byte
	body   []byte // decompressed; may share memory with what was fetched
}

// page verifies a data page, and decompresses it behind what scratch holds.
// REQUIRES: it was fetched.
func (g *groupReader) page(c, p int, scratch *[]byte) (pageView, error) {
	ref := g.chunk(c).pages[p]
	body, levels, err := g.stored(ref)
	if err == nil && ref.compressed() {
		body, err = decompressBehind(scratch, body, int(ref.raw))
	}
	if err != nil {
		return pageView{}, g.corruptPage(c, p, err)
	}
	return pageView{levels: levels, body: body}, nil
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
	x := ref.extent()
	data := g.window.at(x)
	if data == nil {
		data = g.kept.at(x)
	}
	if data == nil {
		return nil, nil, errTruncated
	}
	if pageSum(data) != ref.sum {
		return nil, nil, errChecksum
	}
	data = data[ref.header:]
	return data[ref.levels:], data[:ref.levels], nil
}

// defined decodes the definition levels of a page of n rows into a bitmap that
// is valid until the next call, and returns the number of its bits. It is nil
// for a required column.
func (g *groupReader) defined(c, n int, view pageView) ([]uint64, int, error) {
	if !g.column(c).optional {
		return nil, n, nil
	}
	bitmap := resize(&g.scratch.defined, (n+63)/64)
	count, err := encoding.DecodeLevels(bitmap, view.levels, n)
	return bitmap, count, err
}

func (g *groupReader) corruptPage(c, p int, err error) error {
	return g.corrupt(c, pageName(p), g.chunk(c).pages[p], err)
}

func pageName(p int) string { return "page " + strconv.Itoa(p) }

func (g *groupReader) corrupt(c int, what string, ref pageRef, err error) error {
	section := fmt.Sprintf("row group %d, column %s, %s", g.ordinal, g.column(c).name, what)
	return g.reader.corrupt(section, ref.offset, err, hintRestore)
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
