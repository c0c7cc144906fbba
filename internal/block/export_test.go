package block

import (
	"github.com/spanlake/spanlake/schema"
)

// EncodeWithLimits is Encode with lower limits, so that few rows make several
// pages and row groups.
func EncodeWithLimits(project schema.ProjectID, spans []schema.Span, pageRows, pageBytes, groupRows int) (*Object, error) {
	lim := defaultLimits()
	lim.pageRows, lim.pageBytes, lim.groupRows = pageRows, pageBytes, groupRows
	return encode(project, spans, lim)
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
	return encode(project, spans, lim)
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
		if len(keys) > 0 {
			lists[owner] = keys
		}
	}
	return lists, nil
}
