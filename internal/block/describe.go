package block

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// Description is what a block's tail says about it. Sizes are in bytes, times
// in Unix nanoseconds.
type Description struct {
	Key           string
	ETag          string // "" if the store has none
	FormatVersion int
	CreatedBy     string // the writer, from the Parquet footer
	Project       schema.ProjectID

	Bytes       int64 // of the object
	TailBytes   int64 // of them, all that is not rows
	FilterBytes int64 // of the tail, the trace filter

	Rows       int
	Traces     int            // distinct trace ids
	FirstTrace schema.TraceID // zero without rows, as the other bounds
	LastTrace  schema.TraceID
	MinStart   uint64
	MaxEnd     uint64

	Columns   []Column // summed over the row groups, in physical order
	RowGroups []RowGroup
	Metadata  []Metadata // of the Parquet footer, in its order
}

// RowGroup describes a part of a block that holds whole traces.
type RowGroup struct {
	Rows, Pages           int // pages of each column, but for those of content
	FirstTrace, LastTrace schema.TraceID
	MinStart, MaxEnd      uint64
	Columns               []Column // in physical order
}

// Column describes a column of a row group or of a block.
type Column struct {
	Name     string
	Type     string
	Optional bool
	// Encoding is plain, delta or dictionary; of a block, all that its row
	// groups use, joined by "+".
	Encoding string
	// Pages of data, Entries of dictionaries.
	Pages, Entries int
	// StoredBytes is what all pages take, RawBytes what they would if they
	// were not compressed; DictionaryBytes is the dictionaries' part of
	// StoredBytes.
	StoredBytes, RawBytes, DictionaryBytes int64
}

// String names the encoding as Column does.
func (e pageEncoding) String() string {
	return [numEncodings]string{"plain", "delta", "dictionary"}[e]
}

// Describe reads the tail once more and returns what it says, without reading
// a row. Returns what Open does.
func (r *Reader) Describe(ctx context.Context) (d *Description, err error) {
	defer r.guard("tail", &err)
	f, object, err := r.readFooter(ctx)
	if err != nil {
		return nil, fmt.Errorf("describe block: %w", err)
	}
	d = &Description{
		Key: r.key, ETag: object.ETag, FormatVersion: int(r.dir.version), CreatedBy: f.createdBy,
		Project: r.dir.project, Bytes: object.Size, TailBytes: int64(r.name.TailBytes), FilterBytes: int64(r.dir.bitset),
		Rows: r.dir.rows, Metadata: f.metadata,
	}
	for _, c := range r.dir.columns {
		d.Columns = append(d.Columns, Column{Name: c.name, Type: c.physical.String(), Optional: c.optional})
	}
	for i := range r.dir.groups {
		d.addGroup(r.dir, &r.dir.groups[i])
	}
	return d, nil
}

// readFooter reads the tail again for the Parquet footer, and compares that with
// the directory.
func (r *Reader) readFooter(ctx context.Context) (footer, objstore.Object, error) {
	start := r.dir.dataBytes
	tail, object, err := r.get(ctx, extent{start, start + int64(r.name.TailBytes)}, "tail")
	if err != nil {
		return footer{}, object, err
	}
	if !validTail(tail) {
		return footer{}, object, r.corrupt("tail", start, errChecksum, hintRestore)
	}
	again := *r
	text, err := again.parseTail(tail, start)
	if err != nil {
		return footer{}, object, err
	}
	f, err := parseFooter(text)
	if err == nil && !f.agrees(r.dir) {
		err = errDisagree
	}
	if err != nil {
		return footer{}, object, r.corrupt("footer", object.Size-int64(len(text)+footerFrameBytes), err, hintRestore)
	}
	return f, object, nil
}

func (d *Description) addGroup(dir *directory, g *rowGroup) {
	if len(d.RowGroups) == 0 {
		d.FirstTrace, d.MinStart = g.firstTrace, g.minStart
	}
	d.LastTrace = g.lastTrace
	d.MinStart, d.MaxEnd = min(d.MinStart, g.minStart), max(d.MaxEnd, g.maxEnd)
	d.Traces += g.chunks[colTraceID].entries
	group := RowGroup{
		Rows: g.rows(), Pages: len(g.pages) - 1, FirstTrace: g.firstTrace, LastTrace: g.lastTrace,
		MinStart: g.minStart, MaxEnd: g.maxEnd,
	}
	for i := range dir.columns {
		column := describeChunk(&dir.columns[i], &g.chunks[i])
		group.Columns = append(group.Columns, column)
		d.Columns[i].add(column)
	}
	d.RowGroups = append(d.RowGroups, group)
}

func describeChunk(c *fileColumn, k *chunk) Column {
	column := Column{
		Name: c.name, Type: c.physical.String(), Optional: c.optional,
		Encoding: k.encoding.String(), Pages: len(k.pages), Entries: k.entries,
	}
	if k.encoding == encodingCodes && !k.absent {
		column.DictionaryBytes = int64(k.dict.size)
	}
	if k.encoding == encodingCodes || k.absent {
		column.addPage(k.dict)
	}
	for _, p := range k.pages {
		column.addPage(p)
	}
	return column
}

func (c *Column) addPage(p pageRef) {
	c.StoredBytes += int64(p.size)
	c.RawBytes += int64(p.header) + int64(p.levels) + int64(p.raw)
}

// add sums a row group's part of the column.
func (c *Column) add(part Column) {
	encoding := c.Encoding
	if encoding == "" {
		encoding = part.Encoding
	} else if !slices.Contains(strings.Split(encoding, "+"), part.Encoding) {
		encoding += "+" + part.Encoding
	}
	part.Encoding = encoding
	part.Pages += c.Pages
	part.Entries += c.Entries
	part.StoredBytes += c.StoredBytes
	part.RawBytes += c.RawBytes
	part.DictionaryBytes += c.DictionaryBytes
	*c = part
}
