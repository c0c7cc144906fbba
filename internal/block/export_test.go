package block

import (
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// EncodeWithLimits is Encode with lower limits, so that few rows make several
// pages and row groups.
func EncodeWithLimits(project schema.ProjectID, spans []schema.Span, pageRows, pageBytes, groupRows int) (*Object, error) {
	return encode(project, spans, limits{pageRows: pageRows, pageBytes: pageBytes, groupRows: groupRows})
}

// RowGroups is the number of row groups and of pages of each.
func (r *Reader) RowGroups() (pages []int) {
	for i := range r.dir.groups {
		pages = append(pages, r.dir.groups[i].pages())
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
	for i := range dir.groups {
		for id := range numColumns {
			c := &dir.groups[i].chunks[id]
			c.pages = slices.Clone(c.pages)
			for p := range c.pages {
				c.pages[p].sum = pageSum(data[c.pages[p].offset:c.pages[p].end()])
			}
			c.dict.sum = pageSum(data[c.dict.offset:c.dict.end()])
		}
	}
	forged.dir = &dir
	return &forged
}

// FooterRows reads a Parquet footer without its frame.
func FooterRows(b []byte) (int64, error) {
	f, err := parseFooter(b)
	return f.rows, err
}

// Chunk is what the directory says about a chunk: where its dictionary (0
// without one) and its data pages begin, and how long it is.
func (r *Reader) Chunk(group, column int) (dictionary, data, size int64) {
	c := &r.dir.groups[group].chunks[column]
	last := c.pages[len(c.pages)-1].end()
	if c.encoding == encodingCodes {
		return c.dict.offset, c.pages[0].offset, last - c.dict.offset
	}
	return 0, c.pages[0].offset, last - c.pages[0].offset
}

// Reading is r with its object's bytes from elsewhere.
func (r *Reader) Reading(bucket Ranger) *Reader {
	other := *r
	other.bucket = bucket
	return &other
}
