package block

import (
	"fmt"

	"github.com/spanlake/spanlake/internal/block/encoding"
)

// pageData is a verified page.
type pageData struct {
	rows   int
	levels []byte
	body   []byte // decompressed; may share memory with what was fetched
}

// page verifies and decompresses a data page. REQUIRES: it was fetched.
func (g *groupReader) page(id columnID, p int) (pageData, error) {
	c := &g.group.chunks[id]
	ref := c.pages[p]
	body, levels, err := g.stored(ref)
	if err == nil && ref.compressed() {
		body, err = sharedCodec().decompress(body, int(ref.raw))
	}
	if err != nil {
		return pageData{}, g.corrupt(id, pageName(p), ref, err)
	}
	return pageData{rows: g.group.pageRows(p), levels: levels, body: body}, nil
}

// dictionary verifies and decompresses a dictionary page.
func (g *groupReader) dictionary(id columnID) ([]byte, error) {
	c := &g.group.chunks[id]
	raw, _, err := g.stored(c.dict)
	if err == nil && c.compressed {
		raw, err = sharedCodec().decompress(raw, int(c.dict.raw))
	}
	if err != nil {
		return nil, g.corrupt(id, "dictionary", c.dict, err)
	}
	return raw, nil
}

// stored returns the parts of a fetched page and verifies its checksum.
func (g *groupReader) stored(ref pageRef) (body, levels []byte, err error) {
	data := g.fetched.at(ref)
	if data == nil {
		return nil, nil, errTruncated
	}
	if pageSum(data) != ref.sum {
		return nil, nil, errChecksum
	}
	data = data[ref.header:]
	return data[ref.levels:], data[:ref.levels], nil
}

func (g *groupReader) corrupt(id columnID, what string, ref pageRef, err error) error {
	section := fmt.Sprintf("row group %d, column %s, %s", g.ordinal, columns[id].name, what)
	return g.reader.corrupt(section, ref.offset, err, hintRestore)
}

// codes decodes a page of dictionary codes, every one below the number of
// entries. The result is valid until the scratch is used again.
func (g *groupReader) codes(id columnID, data pageData, scratch *[]uint32) ([]uint32, error) {
	codes := resize(scratch, data.rows)
	if len(data.body) == 0 {
		return nil, encoding.ErrMalformed
	}
	entries := uint32(g.group.chunks[id].entries)
	return codes, encoding.DecodeHybrid(codes, data.body[1:], int(data.body[0]), entries)
}

// defined decodes the definition levels of an optional column: one for a
// value, zero for null. It returns nil for a required column.
func (g *groupReader) defined(data pageData) ([]uint32, int, error) {
	if len(data.levels) == 0 {
		return nil, data.rows, nil
	}
	levels := resize(&g.scratch.levels, data.rows)
	if err := encoding.DecodeHybrid(levels, data.levels, levelWidth, 2); err != nil {
		return nil, 0, err
	}
	n := 0
	for _, l := range levels {
		n += int(l)
	}
	return levels, n, nil
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
