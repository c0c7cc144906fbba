package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/schema"
)

// blockReport is what "blocks inspect" prints.
type blockReport struct {
	blockEntry

	ETag          string         `json:"etag,omitempty"`
	FormatVersion int            `json:"format_version"`
	CreatedBy     string         `json:"created_by"`
	Traces        int            `json:"traces"`
	FirstTrace    string         `json:"first_trace,omitempty"`
	LastTrace     string         `json:"last_trace,omitempty"`
	OpenTraces    int            `json:"open_traces"` // that have fragments
	FilterBytes   int64          `json:"filter_bytes"`
	TableBytes    int64          `json:"trace_table_bytes"`
	Columns       []columnReport `json:"columns"`
	// Outside has the keys of attributes that columns do not hold, by scope.
	Outside   map[string][]string `json:"keys_outside_of_columns"`
	RowGroups []rowGroupReport    `json:"row_groups"`
	Metadata  map[string]string   `json:"metadata"`
	Verified  bool                `json:"verified"` // every checksum is right
	Damage    []damageReport      `json:"damage,omitempty"`

	metadata []block.Metadata // in their order
}

type columnReport struct {
	Name            string `json:"name"`
	Type            string `json:"type"`
	Optional        bool   `json:"optional"`
	Scope           string `json:"scope,omitempty"`
	Key             string `json:"key,omitempty"`
	Kind            string `json:"kind,omitempty"`
	Content         bool   `json:"content,omitempty"` // long texts, in smaller pages
	Values          int64  `json:"values"`            // rows that are not null
	Encoding        string `json:"encoding"`
	Pages           int    `json:"pages"`
	Entries         int    `json:"dictionary_entries"`
	DictionaryBytes int64  `json:"dictionary_bytes"`
	StoredBytes     int64  `json:"stored_bytes"`
	RawBytes        int64  `json:"raw_bytes"`
}

type rowGroupReport struct {
	Rows        int            `json:"rows"`
	Pages       int            `json:"pages"`
	FirstTrace  string         `json:"first_trace"`
	LastTrace   string         `json:"last_trace"`
	MinStart    string         `json:"min_start"`
	MaxEnd      string         `json:"max_end"`
	StoredBytes int64          `json:"stored_bytes"`
	RawBytes    int64          `json:"raw_bytes"`
	Columns     []columnReport `json:"columns"`
}

type damageReport struct {
	Section string `json:"section"`
	Offset  int64  `json:"offset"`
	Reason  string `json:"reason"`
	Hint    string `json:"hint"`
}

func newBlockReport(name schema.BlockName, d *block.Description, damage []*block.CorruptError) *blockReport {
	r := &blockReport{
		blockEntry: newBlockEntry(listed{name, d.Bytes}),
		ETag:       d.ETag, FormatVersion: d.FormatVersion, CreatedBy: d.CreatedBy,
		Traces: d.Traces, OpenTraces: d.Open, FilterBytes: d.FilterBytes, TableBytes: d.TableBytes,
		Columns: columnReports(d.Columns), Outside: map[string][]string{}, RowGroups: []rowGroupReport{},
		Metadata: map[string]string{}, metadata: d.Metadata, Verified: len(damage) == 0,
	}
	if d.Rows > 0 {
		r.FirstTrace, r.LastTrace = d.FirstTrace.String(), d.LastTrace.String()
	}
	for _, o := range d.Outside {
		r.Outside[o.Scope] = o.Keys
	}
	for _, g := range d.RowGroups {
		r.RowGroups = append(r.RowGroups, newRowGroupReport(g))
	}
	for _, m := range d.Metadata {
		r.Metadata[m.Key] = m.Value
	}
	r.Damage = damageReports(damage)
	return r
}

func damageReports(damage []*block.CorruptError) (reports []damageReport) {
	for _, c := range damage {
		reports = append(reports, damageReport{c.Section, c.Offset, c.Err.Error(), c.Hint})
	}
	return reports
}

func columnReports(columns []block.Column) []columnReport {
	reports := make([]columnReport, len(columns))
	for i, c := range columns {
		reports[i] = columnReport{
			Name: c.Name, Type: c.Type, Optional: c.Optional, Scope: c.Scope, Key: c.Key, Kind: c.Kind,
			Content: c.Content, Values: c.Values, Encoding: c.Encoding, Pages: c.Pages, Entries: c.Entries,
			DictionaryBytes: c.DictionaryBytes, StoredBytes: c.StoredBytes, RawBytes: c.RawBytes,
		}
	}
	return reports
}

func newRowGroupReport(g block.RowGroup) rowGroupReport {
	r := rowGroupReport{
		Rows: g.Rows, Pages: g.Pages, FirstTrace: g.FirstTrace.String(), LastTrace: g.LastTrace.String(),
		MinStart: formatNanos(g.MinStart), MaxEnd: formatNanos(g.MaxEnd), Columns: columnReports(g.Columns),
	}
	for _, c := range g.Columns {
		r.StoredBytes += c.StoredBytes
		r.RawBytes += c.RawBytes
	}
	return r
}

// print writes the report for a person.
func (r *blockReport) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	r.printHead(table)
	_ = table.Flush() // an error of the writer comes with the last Flush, too
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
		fmt.Fprintf(table, "Every checksum is right: all %s are as they were written.\n", formatBytes(r.Bytes))
	} else {
		fmt.Fprintf(table, "DAMAGED: %d sections are not as they were written.\n", len(r.Damage))
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
	row("size", "%s, of it tail %s, of it trace filter %s; trace tables %s", formatBytes(r.Bytes),
		formatBytes(int64(r.TailBytes)), formatBytes(r.FilterBytes), formatBytes(r.TableBytes))
	row("rows", "%d spans of %d traces in %d row groups", r.Spans, r.Traces, len(r.RowGroups))
	row("open", "%d traces have fragments", r.OpenTraces)
	row("traces", "%s to %s", orDash(r.FirstTrace), orDash(r.LastTrace))
	row("times", "%s to %s", orDash(r.MinStart), orDash(r.MaxEnd))
}

func (r *blockReport) printColumns(table io.Writer) {
	fmt.Fprintln(table, "\nCOLUMN\tTYPE\tHOLDS\tROWS\tENCODING\tPAGES\tENTRIES\tSTORED\tRAW\tSHARE\tB/SPAN")
	all, spans := max(r.Bytes-int64(r.TailBytes), 1), max(float64(r.Spans), 1)
	for _, c := range r.Columns {
		kind := c.Type
		if c.Optional {
			kind += ", optional"
		}
		entries := "-"
		if strings.Contains(c.Encoding, "dictionary") {
			entries = fmt.Sprintf("%d (%s)", c.Entries, formatBytes(c.DictionaryBytes))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%.1f %%\t%s\t%d\t%s\t%s\t%s\t%.1f %%\t%.2f\n",
			c.Name, kind, c.holds(), 100*float64(c.Values)/spans, orDash(c.Encoding), c.Pages, entries,
			formatBytes(c.StoredBytes), formatBytes(c.RawBytes), 100*float64(c.StoredBytes)/float64(all), float64(c.StoredBytes)/spans)
	}
}

// holds says why there is such a column.
func (c *columnReport) holds() string {
	switch {
	case c.Scope == "":
		return "fixed"
	case c.Content:
		return c.Scope + " attribute, " + c.Kind + ", content"
	default:
		return c.Scope + " attribute, " + c.Kind
	}
}

// maxOutsideKeys is the number of keys that a line for a person has; the rest
// is in the JSON.
const maxOutsideKeys = 20

func (r *blockReport) printOutside(table io.Writer) {
	if len(r.Outside) == 0 {
		return
	}
	fmt.Fprintln(table, "\nATTRIBUTES OUTSIDE OF COLUMNS\tKEYS\tTOO RARE, TOO LONG, REPEATED, OR NOT WRITTEN AS ENCODERS DO")
	for _, scope := range slices.Sorted(maps.Keys(r.Outside)) {
		keys := r.Outside[scope]
		more := ""
		if len(keys) > maxOutsideKeys {
			keys, more = keys[:maxOutsideKeys], ", …"
		}
		fmt.Fprintf(table, "%s\t%d\t%s%s\n", scope, len(r.Outside[scope]), strings.Join(keys, ", "), more)
	}
}

func (r *blockReport) printRowGroups(table io.Writer) {
	fmt.Fprintln(table, "\nROW GROUP\tROWS\tPAGES\tSTORED\tRAW\tFIRST TRACE\tLAST TRACE\tFIRST START\tLAST END")
	for i, g := range r.RowGroups {
		fmt.Fprintf(table, "%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", i, g.Rows, g.Pages,
			formatBytes(g.StoredBytes), formatBytes(g.RawBytes), g.FirstTrace, g.LastTrace, g.MinStart, g.MaxEnd)
	}
}
