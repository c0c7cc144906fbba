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
