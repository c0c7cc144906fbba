//go:build sql

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// page is docs/sql.md.
type page struct {
	statements []statement
	// athenaColumns are name and type of the columns of Athena's table.
	athenaColumns [][2]string
}

// statement is a block of SQL whose first line names it.
type statement struct{ engine, id, text string }

func readPage(t *testing.T) (p page) {
	t.Helper()
	content, err := os.ReadFile("../../docs/sql.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?ms)^ *```sql\n(.*?)^ *```$").FindAllStringSubmatch(string(content), -1)
	named := regexp.MustCompile(`^\s*-- (run|athena): (\w+)\n`)
	ids := map[string]bool{}
	for _, block := range blocks {
		name := named.FindStringSubmatch(block[1])
		if name == nil {
			continue
		}
		s := statement{name[1], name[2], block[1]}
		require.False(t, ids[s.engine+s.id], "%s is there twice", s.id)
		ids[s.engine+s.id] = true
		p.statements = append(p.statements, s)
	}
	for _, column := range regexp.MustCompile("(?m)^  `([^`]+)` (\\w+),?$").FindAllStringSubmatch(string(content), -1) {
		p.athenaColumns = append(p.athenaColumns, [2]string{column[1], column[2]})
	}
	require.NotEmpty(t, p.athenaColumns)
	return p
}

// duckdb is a process that answers SQL, with dir as its folder.
type duckdb struct {
	dir     string
	ask     *json.Encoder
	answers *json.Decoder
}

// answerRows is what a statement returned: numbers are json.Number, bytes
// hexadecimal, times as RFC 3339 says.
type answerRows struct {
	Error   string
	Columns []string
	Rows    [][]any
}

// startDuckDB builds the program below this folder and starts it. It needs a
// C++ compiler.
func startDuckDB(t *testing.T, dir string) *duckdb {
	t.Helper()
	path := filepath.Join(t.TempDir(), "duckdb")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, ".")
	build.Dir = "duckdb"
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, stdin.Close())
		require.NoError(t, cmd.Wait(), stderr.String())
	})
	db := &duckdb{dir: dir, ask: json.NewEncoder(stdin), answers: json.NewDecoder(stdout)}
	db.answers.UseNumber()
	return db
}

// query fails the test when the statement does.
func (d *duckdb) query(t *testing.T, statement string) (a answerRows) {
	t.Helper()
	require.NoError(t, d.ask.Encode(statement))
	require.NoError(t, d.answers.Decode(&a))
	require.Empty(t, a.Error, statement)
	return a
}

// standInForAthena makes the table of the page, with columns of its types, and
// the functions that DuckDB calls otherwise.
func (d *duckdb) standInForAthena(t *testing.T, columns [][2]string) {
	t.Helper()
	const source = `read_parquet('spanlake-data/bucket/blocks/default/*/*/*.parquet', union_by_name = true, filename = true)`
	types := map[any]any{}
	for _, row := range d.query(t, "DESCRIBE SELECT * FROM "+source).Rows {
		types[row[0]] = row[1]
	}
	names := map[string]string{
		"binary": "BLOB", "string": "VARCHAR", "int": "INTEGER", "bigint": "BIGINT", "double": "DOUBLE", "timestamp": "TIMESTAMP WITH TIME ZONE",
	}
	var list []string
	for _, c := range columns {
		require.Equal(t, names[c[1]], types[c[0]], "column %s of the table", c[0])
		list = append(list, `"`+c[0]+`"`)
	}
	// Everything arrives on one day here, the old spans included.
	const day = `CASE WHEN filename IN (SELECT file FROM blocks WHERE ends < '2026-01-15') THEN '2026-01-14' ELSE '2026-01-15' END`
	for _, text := range []string{
		fmt.Sprintf(`CREATE OR REPLACE TEMP VIEW spans AS SELECT %s, filename AS "$path", %s AS day FROM %s`, strings.Join(list, ", "), day, source),
		`CREATE TEMP MACRO approx_percentile(x, p) AS quantile_disc(x, p)`,
		`CREATE TEMP MACRO to_hex(x) AS hex(x)`,
		`CREATE TEMP MACRO json_extract_scalar(x, p) AS x ->> p`,
	} {
		d.query(t, text)
	}
}
