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
	Open       int   // traces that have fragments
	TableBytes int64 // of the trace tables, which stand before the columns of each row group

	Outside   []Outside // what columns do not hold, by scope
	Columns   []Column  // summed over the row groups, in physical order
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

// Outside are the keys of attributes that occur outside of columns, because
// they are too rare, too long, or not written as encoders do.
type Outside struct {
	Scope string   // as of Column
	Keys  []string // sorted
	More  bool     // a row group has too many to list them
}

// Column describes a column of a row group or of a block.
type Column struct {
	Name     string
	Type     string
	Optional bool
	// Scope is what the column's attributes belong to: resource, span,
	// derived, event or link; "" for a fixed column, and the next three are of
	// attributes only.
	Scope string
	Key   string
	// Kind is that of the values: string, int, double, bool, any (a list, map,
	// bytes or what is not written as encoders do) or list (JSON).
	Kind    string
	Content bool // long texts, in a dictionary of frames
	// Values is the number of rows that are not null.
	Values int64
	// Encoding is plain, delta or dictionary, or absent if every row is null;
	// of a block, all that its row groups use, joined by "+".
	Encoding string
	// Pages of data, Entries of dictionaries, Frames that these consist of.
	Pages, Entries, Frames int
	// StoredBytes is what all pages take, RawBytes what they would if they
	// were not compressed; DictionaryBytes is the dictionaries' part of
	// StoredBytes.
	StoredBytes, RawBytes, DictionaryBytes int64
}

// encodingAbsent is the Encoding of a chunk without values.
const encodingAbsent = "absent"

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
	d.Open = len(r.dir.open)
	for i := range r.dir.columns {
		d.Columns = append(d.Columns, describeColumn(&r.dir.columns[i]))
	}
	for i := range r.dir.groups {
		if err := d.addGroup(r.groupReader(i), &f.groups[i]); err != nil {
			return nil, fmt.Errorf("describe block: %w", err)
		}
	}
	d.addOutside(r.dir)
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

// Sifted reads the tail once more and returns what the merge that has written the
// block was given to keep with it (MergeOptions.Sifted), "" if that was nothing.
func (r *Reader) Sifted(ctx context.Context) (text string, err error) {
	defer r.guard("tail", &err)
	f, _, err := r.readFooter(ctx)
	if err != nil {
		return "", fmt.Errorf("read what a block was sifted by: %w", err)
	}
	for _, m := range f.metadata {
		if m.Key == metaSifted {
			text = m.Value
		}
	}
	return text, nil
}

func (d *Description) addGroup(r *groupReader, f *footerGroup) error {
	g := r.group
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
	for i := range g.chunks {
		parts, err := r.chunkParts(i)
		if err != nil {
			return err
		}
		column := describeChunk(r.column(i), &g.chunks[i], parts.pages)
		column.Frames = len(parts.frames)
		column.Values = int64(g.rows()) - max(f.nulls[i], 0)
		group.Columns = append(group.Columns, column)
		d.Columns[i].add(column)
	}
	d.RowGroups = append(d.RowGroups, group)
	for i := range g.traces {
		d.TableBytes += int64(g.traces[i].table.size)
	}
	return nil
}

// addOutside joins the keys of all row groups.
func (d *Description) addOutside(dir *directory) {
	for from := range numOwners {
		var keys []string
		more := false
		for i := range dir.groups {
			list := &dir.groups[i].keys[from]
			keys, more = append(keys, list.sorted...), more || list.any
		}
		if len(keys) > 0 || more {
			slices.Sort(keys)
			d.Outside = append(d.Outside, Outside{Scope: from.String(), Keys: slices.Compact(keys), More: more})
		}
	}
}

func describeColumn(c *fileColumn) Column {
	column := Column{Name: c.name, Type: c.physical.String(), Optional: c.optional}
	if a := c.attribute; a.owner != ownerNone {
		column.Scope, column.Key, column.Kind, column.Content = a.owner.String(), a.key, a.kind.String(), c.content
	}
	return column
}

func describeChunk(c *fileColumn, k *chunk, pages []pageRef) Column {
	column := describeColumn(c)
	column.Encoding, column.Pages, column.Entries = k.encoding.String(), len(pages), k.entries
	if k.absent {
		column.Encoding, column.Pages = encodingAbsent, 1
	}
	if k.encoding == encodingCodes && !k.absent {
		column.DictionaryBytes = int64(k.dict.size)
	}
	if k.encoding == encodingCodes || k.absent {
		column.addPage(k.dict)
	}
	for _, p := range pages {
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
	part.Values += c.Values
	part.Pages += c.Pages
	part.Entries += c.Entries
	part.Frames += c.Frames
	part.StoredBytes += c.StoredBytes
	part.RawBytes += c.RawBytes
	part.DictionaryBytes += c.DictionaryBytes
	*c = part
}
