//go:build sql

package e2e_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireRows compares answers. Numbers with a fraction may differ by how they
// were summed up.
func requireRows(t *testing.T, want [][]any, have [][]any) {
	t.Helper()
	require.Len(t, have, len(want))
	for i, row := range want {
		require.Len(t, have[i], len(row))
		for j, cell := range row {
			if f, ok := cell.(float64); ok {
				got, err := have[i][j].(json.Number).Float64()
				require.NoError(t, err)
				require.LessOrEqual(t, math.Abs(got-f), 1e-9*math.Abs(f), "row %d, column %d: %v is not %v", i, j, got, f)
				continue
			}
			require.Equal(t, text(cell), text(have[i][j]), "row %d, column %d", i, j)
		}
	}
}

// text makes values comparable that are of different types.
func text(cell any) string {
	if cell == nil {
		return "NULL"
	}
	return fmt.Sprint(cell)
}

// checkBlocks finds all blocks but those that others cover.
func checkBlocks(t *testing.T, sent *sentSpans, db *duckdb, _ answerRows) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(db.dir, "spanlake-data/bucket/blocks/default/*/*/*.parquet"))
	require.NoError(t, err)
	require.Len(t, files, sent.blocks+sent.leftovers)
	all := db.query(t, "SELECT count(*), sum(spans)::BIGINT FROM blocks")
	requireRows(t, [][]any{{sent.blocks, len(sent.spans) + sent.old}}, all.Rows)
}

// checkSpans finds every span that was sent, in the time that the page names.
func checkSpans(t *testing.T, sent *sentSpans, db *duckdb, _ answerRows) {
	t.Helper()
	requireRows(t, [][]any{{len(sent.spans)}}, db.query(t, "SELECT count(*) FROM spans").Rows)
	files := db.query(t, "SELECT len(getvariable('files'))")
	requireRows(t, [][]any{{sent.blocks - sent.oldBlocks}}, files.Rows)
}

// checkColumns finds attributes in the blocks of those who sent them.
func checkColumns(t *testing.T, sent *sentSpans, _ *duckdb, a answerRows) {
	t.Helper()
	blocks := map[string]any{}
	for _, row := range a.Rows {
		blocks[row[0].(string)] = text(row[1])
	}
	all := text(sent.blocks - sent.oldBlocks)
	for _, name := range []string{
		"trace_id", "span_id", "parent_span_id", "name", "kind", "service_name", "start_unix_nano", "duration_nano",
		"status_code", "status_message", "scope_name", "event_name", "attributes", "events", "links", "position", "fragment",
	} {
		require.Equal(t, all, blocks[name], name)
	}
	for _, name := range []string{
		"span.http.response.status_code:int", "span.gen_ai.usage.input_tokens:int", "span.llm.cost.total:double",
		"span.shop.cached:bool", "span.gen_ai.response.finish_reasons:any", "span.order:id:string", "link.link.kind",
	} {
		require.NotNil(t, blocks[name], name)
		require.NotEqual(t, all, blocks[name], "%s is not in every block", name)
	}
	require.Contains(t, blocks, "event.exception.type")
	require.NotContains(t, blocks, "span.warehouse.slot")
}

// checkDeclared adds no row, but columns.
func checkDeclared(t *testing.T, sent *sentSpans, db *duckdb, _ answerRows) {
	t.Helper()
	a := db.query(t, `SELECT count(*), count("span.warehouse.slot"), count("span.warehouse.refunds:int") FROM spans`)
	requireRows(t, [][]any{{len(sent.spans), 0, 0}}, a.Rows)
}

// checkSizes compares with the files.
func checkSizes(t *testing.T, _ *sentSpans, db *duckdb, a answerRows) {
	t.Helper()
	require.Len(t, a.Rows, 20)
	require.Equal(t, "span.gen_ai.input.messages", a.Rows[0][0])
	sum, size := int64(0), int64(0)
	for _, row := range a.Rows {
		n, err := row[1].(json.Number).Int64()
		require.NoError(t, err)
		sum += n
	}
	for _, file := range db.query(t, "SELECT unnest(getvariable('files'))").Rows {
		info, err := os.Stat(filepath.Join(db.dir, file[0].(string)))
		require.NoError(t, err)
		size += info.Size()
	}
	require.Less(t, sum, size)
	require.Greater(t, sum, size/2, "most of the bytes are in a few columns")
}

// checkOnce leaves out what was sent again.
func checkOnce(t *testing.T, sent *sentSpans, db *duckdb, _ answerRows) {
	t.Helper()
	require.Positive(t, sent.repeated)
	requireRows(t, [][]any{{len(sent.spans) - sent.repeated}}, db.query(t, "SELECT count(*) FROM spans_once").Rows)
}

// checkExport reads the copy.
func checkExport(t *testing.T, sent *sentSpans, db *duckdb, _ answerRows) {
	t.Helper()
	tokens := int64(0)
	for _, s := range sent.spans {
		tokens += s.attrs["gen_ai.usage.input_tokens"].GetIntValue()
	}
	a := db.query(t, "SELECT count(*), sum(input_tokens)::BIGINT, count(DISTINCT trace_id) FROM 'llm.parquet'")
	requireRows(t, [][]any{{len(sent.spans), tokens, len(sent.traces())}}, a.Rows)
}

// checkCurrent leaves out what others cover.
func checkCurrent(t *testing.T, sent *sentSpans, db *duckdb, _ answerRows) {
	t.Helper()
	requireRows(t, [][]any{{len(sent.spans) + sent.old}}, db.query(t, "SELECT count(*) FROM current_spans").Rows)
	a := db.query(t, "SELECT count(*) > (SELECT count(*) FROM current_spans) FROM spans")
	requireRows(t, [][]any{{true}}, a.Rows)
}
