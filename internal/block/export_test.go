package block

import (
	"context"
	"io"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// EncodeWithLimits is Encode with lower limits, so that few rows make several
// pages and row groups.
func EncodeWithLimits(project schema.ProjectID, spans []schema.Span, pageRows, pageBytes, groupRows int) (*Object, error) {
	lim := defaultLimits()
	lim.pageRows, lim.pageBytes, lim.groupRows = pageRows, pageBytes, groupRows
	return encode(project, [][]schema.Span{spans}, lim)
}

// FooterRows reads a Parquet footer without its frame.
func FooterRows(b []byte) (int64, error) {
	f, err := parseFooter(b)
	return f.rows, err
}

// EncodeSampled is Encode that counts the attributes of a part of the rows if
// there are more than four times so many.
func EncodeSampled(project schema.ProjectID, spans []schema.Span, rows int) (*Object, error) {
	lim := defaultLimits()
	lim.sampleRows = rows
	return encode(project, [][]schema.Span{spans}, lim)
}

// Keys encodes rows and returns what the first row group's directory says of
// keys outside of columns, by owner.
func Keys(project schema.ProjectID, spans []schema.Span, groupRows int) ([][]string, error) {
	o, err := EncodeWithLimits(project, spans, maxPageRows, maxPageBytes, groupRows)
	if err != nil {
		return nil, err
	}
	dir, _, err := parseDirectory(o.Data[len(o.Data)-o.TailBytes+tailSumBytes:])
	if err != nil {
		return nil, err
	}
	lists := make([][]string, numOwners)
	for owner, keys := range dir.groups[0].keys {
		if len(keys.sorted) > 0 {
			lists[owner] = keys.sorted
		}
	}
	return lists, nil
}

// Chunk is what the directory says about a chunk: where its dictionary (0
// without one) and its data pages begin, and how long it is.
func (r *Reader) Chunk(group int, column string) (dictionary, data, size int64) {
	i := slices.IndexFunc(r.dir.columns, func(c fileColumn) bool { return c.name == column })
	c := &r.dir.groups[group].chunks[i]
	at := c.data()
	if c.encoding == encodingCodes && !c.absent {
		return c.dict.offset, at.offset, at.end - c.dict.offset
	}
	return 0, at.offset, at.size()
}

// EncodeWithColumn is Encode of a later program, which has one more column.
func EncodeWithColumn(project schema.ProjectID, spans []schema.Span, name string) (*Object, error) {
	s, err := look([][]schema.Span{spans}, defaultLimits())
	if err != nil {
		return nil, err
	}
	s.columns = append(s.columns, fileColumn{name: name, id: numColumns, physical: physicalBytes, optional: true})
	return newEncoder(defaultLimits(), s).encode(project)
}

// PageList is what the directory says about the data pages of a chunk, a part of
// the tail.
func (r *Reader) PageList(group int, column string) []byte {
	i := slices.IndexFunc(r.dir.columns, func(c fileColumn) bool { return c.name == column })
	return r.dir.groups[group].chunks[i].list.stored
}

// MergeLimited is Merge with other limits, and row groups of fewer bytes.
func MergeLimited(ctx context.Context, w io.Writer, inputs []*Reader, opts MergeOptions, l Limits, groupBytes int) (*Merged, error) {
	return merge(ctx, w, inputs, opts, l.limits(), groupBytes)
}
