//go:build sql

package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/schema"
)

// TestSQLOnABlockWithoutRows reads a block of which a merge has left out all rows,
// as an erasure may, by itself and beside one that has rows.
func TestSQLOnABlockWithoutRows(t *testing.T) {
	rows := make([]schema.Span, 3)
	for i := range rows {
		rows[i] = schema.Span{TraceID: schema.TraceID{1}, SpanID: schema.SpanID{byte(i)}, Name: "checkout", Position: 1}
	}
	full, err := block.Encode("shop", rows)
	require.NoError(t, err)
	key := schema.BlockName{Project: "shop", Partitions: 1, First: 1, Last: 1, Spans: 3, TailBytes: uint64(full.TailBytes)}.Key()
	bucket := mem.New()
	require.NoError(t, bucket.Put(t.Context(), key, bytes.NewReader(full.Data), objstore.PutOptions{}))
	r, err := block.Open(t.Context(), bucket, key)
	require.NoError(t, err)
	var empty bytes.Buffer
	_, err = block.Merge(t.Context(), &empty, []*block.Reader{r}, block.MergeOptions{Drop: func(schema.TraceID) uint64 { return 1 }})
	require.NoError(t, err)

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty.parquet"), empty.Bytes(), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "full.parquet"), full.Data, 0o600))
	db := startDuckDB(t, dir)
	a := db.query(t, "SELECT count(*) FROM 'empty.parquet'")
	require.Equal(t, [][]any{{json.Number("0")}}, a.Rows)
	a = db.query(t, "SELECT name, count(*) FROM read_parquet('*.parquet', union_by_name = true) GROUP BY name")
	require.Equal(t, [][]any{{"checkout", json.Number("3")}}, a.Rows)
}
