package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// print writes the report for a person.
func (r *blockReport) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	r.printHead(table)
	_ = table.Flush() // an error of the writer comes with the last Flush, too
	r.printShares(table)
	_ = table.Flush()
	r.printColumns(table)
	_ = table.Flush()
	r.printOutside(table)
	_ = table.Flush()
	r.printRowGroups(table)
	_ = table.Flush()
	fmt.Fprintln(table, "\nMETADATA")
	for _, m := range r.metadata {
		fmt.Fprintf(table, "%s\t%s\n", m.Key, m.Value)
	}
	fmt.Fprintln(table)
	if r.Verified {
		fmt.Fprintf(table, "Every checksum is right: all %s are as they were written. Whether the rows agree with all that is said about them: spanlake blocks verify\n", formatBytes(r.Bytes))
	} else {
		fmt.Fprintf(table, "DAMAGED: %s not as written.\n", counted(len(r.Damage), "section"))
	}
	return table.Flush()
}

func (r *blockReport) printHead(table io.Writer) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("key", "%s", r.Key)
	row("project", "%s", r.Project)
	row("format", "version %d, written by %s", r.FormatVersion, r.CreatedBy)
	row("log", "partition %d of %d, epoch %d, positions %d-%d, from %s", r.Partition, r.Partitions, r.Epoch, r.First, r.Last, r.LogTime)
	row("level", "%s", r.level())
	row("size", "%s, %.1f bytes a span; of it tail %s, of that trace filter %s", formatBytes(r.Bytes),
		float64(r.Bytes)/max(float64(r.Spans), 1), formatBytes(int64(r.TailBytes)), formatBytes(r.FilterBytes))
	row("rows", "%s of %s in %s", counted(int(r.Spans), "span"), counted(r.Traces, "trace"), counted(len(r.RowGroups), "row group"))
	row("open", "%s with fragments", counted(r.OpenTraces, "trace"))
	row("traces", "%s to %s", orDash(r.FirstTrace), orDash(r.LastTrace))
	row("times", "%s to %s", orDash(r.MinStart), orDash(r.MaxEnd))
}

// printShares tells where the bytes are.
func (r *blockReport) printShares(table io.Writer) {
	type share struct {
		what    string
		columns int
		bytes   int64
	}
	shares := []share{{what: "trace tables", bytes: r.TableBytes}, {what: "tail", bytes: int64(r.TailBytes)}}
	for i := range r.Columns {
		c := &r.Columns[i]
		k := slices.IndexFunc(shares, func(s share) bool { return s.what == c.holds() })
		if k < 0 {
			k = len(shares)
			shares = append(shares, share{what: c.holds()})
		}
		shares[k].columns++
		shares[k].bytes += c.StoredBytes
	}
	slices.SortStableFunc(shares, func(a, b share) int { return int(b.bytes - a.bytes) })
	fmt.Fprintln(table, "\nWHERE THE BYTES ARE\tCOLUMNS\tSTORED\tSHARE\tB/SPAN")
	for _, s := range shares {
		columns := "-"
		if s.columns > 0 {
			columns = strconv.Itoa(s.columns)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.what, columns, r.shareOf(s.bytes))
	}
}

// shareOf is a number of bytes, its share of the object, and per span.
func (r *blockReport) shareOf(n int64) string {
	return fmt.Sprintf("%s\t%.1f %%\t%.2f", formatBytes(n), 100*float64(n)/float64(max(r.Bytes, 1)), float64(n)/max(float64(r.Spans), 1))
}

func (r *blockReport) printColumns(table io.Writer) {
	fmt.Fprintln(table, "\nCOLUMN\tTYPE\tHOLDS\tROWS\tENCODING\tPAGES\tENTRIES\tRAW\tSTORED\tSHARE\tB/SPAN")
	for i := range r.Columns {
		c := &r.Columns[i]
		entries := "-"
		if strings.Contains(c.Encoding, "dictionary") {
			entries = fmt.Sprintf("%d (%s)", c.Entries, formatBytes(c.DictionaryBytes))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%.1f %%\t%s\t%d\t%s\t%s\t%s\n",
			c.Name, c.valueType(), c.holds(), 100*float64(c.Values)/max(float64(r.Spans), 1), orDash(c.Encoding), c.Pages, entries,
			formatBytes(c.RawBytes), r.shareOf(c.StoredBytes))
	}
}

// valueType is the type of the values as a person thinks of it.
func (c *columnReport) valueType() string {
	switch {
	case c.Kind != "":
		return c.Kind
	case c.Optional:
		return c.Type + ", optional"
	}
	return c.Type
}

// holds says why there is such a column.
func (c *columnReport) holds() string {
	switch {
	case c.Scope == "":
		return "in every block"
	case c.Content:
		return c.Scope + " content"
	default:
		return c.Scope + " attribute"
	}
}

// maxOutsideKeys is the number of keys that a line for a person has; the rest
// is in the JSON.
const maxOutsideKeys = 20

// printOutside tells what has no column, and the rules.
func (r *blockReport) printOutside(table io.Writer) {
	fmt.Fprintf(table, `
An attribute of a span, event or link has a column if it is among the 256 most frequent (key and type) and in one of a thousand
spans or more, at least 4; of a resource, if it is among the 256 most frequent. Content is long texts that hardly repeat; they have
smaller pages. An event's or link's column lists the values in the order of the events or links, as JSON.
`)
	if len(r.Outside) == 0 {
		return
	}
	fmt.Fprintln(table, "\nALSO OUTSIDE OF COLUMNS\tKEYS\tBECAUSE TOO RARE, OR …\tWHICH")
	for _, scope := range slices.Sorted(maps.Keys(r.Outside)) {
		keys := r.Outside[scope]
		which := strings.Join(keys[:min(len(keys), maxOutsideKeys)], ", ")
		if len(keys) > maxOutsideKeys {
			which += ", … (all: -output json)"
		}
		if slices.Contains(r.Unlisted, scope) {
			which += " and more than a block lists"
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", scope, len(keys), whyOutside(scope), which)
	}
}

// whyOutside says why an attribute of a frequent key may be in no column.
func whyOutside(scope string) string {
	switch scope {
	case "event", "link":
		return "over 128 bytes a row, or not all strings, ints and bools"
	default:
		return "twice in a span, or written as no encoder does"
	}
}

func (r *blockReport) printRowGroups(table io.Writer) {
	fmt.Fprintln(table, "\nROW GROUP\tROWS\tPAGES\tSTORED\tRAW\tFIRST TRACE\tLAST TRACE\tFIRST START\tLAST END")
	for i, g := range r.RowGroups {
		fmt.Fprintf(table, "%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", i, g.Rows, g.Pages,
			formatBytes(g.StoredBytes), formatBytes(g.RawBytes), g.FirstTrace, g.LastTrace, g.MinStart, g.MaxEnd)
	}
}
