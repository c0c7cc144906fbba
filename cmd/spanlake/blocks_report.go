package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/schema"
)

// blockReport is what "blocks inspect" prints.
type blockReport struct {
	blockEntry

	ETag          string            `json:"etag,omitempty"`
	FormatVersion int               `json:"format_version"`
	CreatedBy     string            `json:"created_by"`
	Traces        int               `json:"traces"`
	FirstTrace    string            `json:"first_trace,omitempty"`
	LastTrace     string            `json:"last_trace,omitempty"`
	FilterBytes   int64             `json:"filter_bytes"`
	Columns       []columnReport    `json:"columns"`
	RowGroups     []rowGroupReport  `json:"row_groups"`
	Metadata      map[string]string `json:"metadata"`
	Verified      bool              `json:"verified"` // every checksum is right
	Damage        []damageReport    `json:"damage,omitempty"`

	metadata []block.Metadata // in their order
}

type columnReport struct {
	Name            string `json:"name"`
	Type            string `json:"type"`
	Optional        bool   `json:"optional"`
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
		Traces: d.Traces, FilterBytes: d.FilterBytes,
		Columns: columnReports(d.Columns), RowGroups: []rowGroupReport{},
		Metadata: map[string]string{}, metadata: d.Metadata, Verified: len(damage) == 0,
	}
	if d.Rows > 0 {
		r.FirstTrace, r.LastTrace = d.FirstTrace.String(), d.LastTrace.String()
	}
	for _, g := range d.RowGroups {
		r.RowGroups = append(r.RowGroups, newRowGroupReport(g))
	}
	for _, m := range d.Metadata {
		r.Metadata[m.Key] = m.Value
	}
	for _, c := range damage {
		r.Damage = append(r.Damage, damageReport{c.Section, c.Offset, c.Err.Error(), c.Hint})
	}
	return r
}

func columnReports(columns []block.Column) []columnReport {
	reports := make([]columnReport, len(columns))
	for i, c := range columns {
		reports[i] = columnReport{
			Name: c.Name, Type: c.Type, Optional: c.Optional, Encoding: c.Encoding, Pages: c.Pages, Entries: c.Entries,
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
	row("size", "%s, of it tail %s, of it trace filter %s", formatBytes(r.Bytes), formatBytes(int64(r.TailBytes)), formatBytes(r.FilterBytes))
	row("rows", "%d spans of %d traces in %d row groups", r.Spans, r.Traces, len(r.RowGroups))
	row("traces", "%s to %s", orDash(r.FirstTrace), orDash(r.LastTrace))
	row("times", "%s to %s", orDash(r.MinStart), orDash(r.MaxEnd))
}

func (r *blockReport) printColumns(table io.Writer) {
	fmt.Fprintln(table, "\nCOLUMN\tTYPE\tENCODING\tPAGES\tENTRIES\tSTORED\tRAW\tSHARE")
	all := max(r.Bytes-int64(r.TailBytes), 1)
	for _, c := range r.Columns {
		kind := c.Type
		if c.Optional {
			kind += ", optional"
		}
		entries := "-"
		if strings.Contains(c.Encoding, "dictionary") {
			entries = fmt.Sprintf("%d (%s)", c.Entries, formatBytes(c.DictionaryBytes))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%.1f %%\n", c.Name, kind, orDash(c.Encoding), c.Pages, entries,
			formatBytes(c.StoredBytes), formatBytes(c.RawBytes), 100*float64(c.StoredBytes)/float64(all))
	}
}

func (r *blockReport) printRowGroups(table io.Writer) {
	fmt.Fprintln(table, "\nROW GROUP\tROWS\tPAGES\tSTORED\tRAW\tFIRST TRACE\tLAST TRACE\tFIRST START\tLAST END")
	for i, g := range r.RowGroups {
		fmt.Fprintf(table, "%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", i, g.Rows, g.Pages,
			formatBytes(g.StoredBytes), formatBytes(g.RawBytes), g.FirstTrace, g.LastTrace, g.MinStart, g.MaxEnd)
	}
}
