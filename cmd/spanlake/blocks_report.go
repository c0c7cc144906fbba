package main

import (
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
	Outside map[string][]string `json:"keys_outside_of_columns"`
	// Unlisted are the scopes that have more such keys than a block lists.
	Unlisted  []string          `json:"scopes_with_keys_not_listed,omitempty"`
	RowGroups []rowGroupReport  `json:"row_groups"`
	Metadata  map[string]string `json:"metadata"`
	Verified  bool              `json:"verified"` // every checksum is right
	Damage    []damageReport    `json:"damage,omitempty"`

	metadata []block.Metadata // in their order
}

type columnReport struct {
	Name            string `json:"name"`
	Type            string `json:"type"`
	Optional        bool   `json:"optional"`
	Scope           string `json:"scope,omitempty"`
	Key             string `json:"key,omitempty"`
	Kind            string `json:"kind,omitempty"`
	Content         bool   `json:"content,omitempty"` // long texts, in a dictionary of frames
	Values          int64  `json:"values"`            // rows that are not null
	Encoding        string `json:"encoding"`
	Pages           int    `json:"pages"`
	Entries         int    `json:"dictionary_entries"`
	Frames          int    `json:"dictionary_frames,omitempty"`
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
		if o.More {
			r.Unlisted = append(r.Unlisted, o.Scope)
		}
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
			Content: c.Content, Values: c.Values, Encoding: c.Encoding, Pages: c.Pages, Entries: c.Entries, Frames: c.Frames,
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
