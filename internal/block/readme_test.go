package block_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pqschema "github.com/apache/arrow/go/v17/parquet/schema"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
)

// tableOf returns the cells of the table whose first heading is given.
func tableOf(t *testing.T, text, heading string) (rows [][]string) {
	t.Helper()
	_, table, found := strings.Cut(text, "\n| "+heading+" |")
	require.True(t, found, heading)
	table, _, _ = strings.Cut(table, "\n\n")
	for _, line := range strings.Split(table, "\n")[2:] {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

// The tables of the format's description have every fixed column and every key
// of the footer, in their order and with their types.
func TestFormatIsDescribed(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "schema", "README.md"))
	require.NoError(t, err)
	text := string(data)
	var described, have []string
	for _, row := range tableOf(t, text, "fixed column") {
		kind, _, optional := strings.Cut(strings.ReplaceAll(row[1], "int64, timestamp(ns, UTC)", "timestamp"), ", optional")
		for name := range strings.SplitSeq(row[0], ", ") {
			described = append(described, strings.TrimSuffix(name+" "+kind+" "+map[bool]string{true: "optional"}[optional], " "))
		}
	}
	o := encode(t, nil)
	r, _ := open(t, o)
	_, parquet := readParquet(t, o.Data)
	for i, c := range description(t, r).Columns {
		kind := c.Type
		switch logical := parquet.MetaData().Schema.Column(i).LogicalType(); {
		case logical.Equals(pqschema.StringLogicalType{}):
			kind = "string"
		case logical.Equals(pqschema.NewTimestampLogicalType(true, pqschema.TimeUnitNanos)):
			kind = "timestamp"
		}
		have = append(have, strings.TrimSuffix(c.Name+" "+kind+" "+map[bool]string{true: "optional"}[c.Optional], " "))
	}
	require.Equal(t, have, described)

	var keys []string
	for _, row := range tableOf(t, text, "key") {
		keys = append(keys, strings.Split(row[0], ", ")...)
	}
	var sifted bytes.Buffer // which has all keys
	derived, err := block.EncodeDerived(project, block.Derivation{Norm: 1, Tables: []string{"2026-01"}}, goldenRows())
	require.NoError(t, err)
	m, err := block.Merge(t.Context(), &sifted, []*block.Reader{openMemory(t, derived)}, block.MergeOptions{Sifted: "rules"})
	require.NoError(t, err)
	var written []string
	for _, m := range description(t, openMerged(t, m, sifted.Bytes())).Metadata {
		written = append(written, m.Key)
	}
	slices.Sort(keys)
	slices.Sort(written)
	require.Equal(t, written, keys)
}
