// Command duckdb answers SQL: it reads statements from its standard input, each
// a JSON string, and writes one JSON object for each. It is a module of its own
// so that nothing else depends on DuckDB, which needs a C++ compiler and weighs
// more than everything else together.
package main

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // the driver
)

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "duckdb:", err)
		os.Exit(1)
	}
}

// answer is what a statement returned. With several statements in one text it
// is that of the last.
type answer struct {
	Error   string   `json:"error,omitempty"`
	Columns []string `json:"columns"`
	// Rows have bytes as lower-case hexadecimal digits and times after RFC 3339.
	Rows [][]any `json:"rows"`
}

// serve answers until in ends, all on one connection to a database in memory.
func serve(in io.Reader, out io.Writer) error {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	statements, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var statement string
		if err := statements.Decode(&statement); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		a, err := query(conn, statement)
		if err != nil {
			a = answer{Error: err.Error()}
		}
		if err := answers.Encode(a); err != nil {
			return err
		}
	}
}

func query(conn *sql.Conn, statement string) (answer, error) {
	rows, err := conn.QueryContext(context.Background(), statement)
	if err != nil {
		return answer{}, err
	}
	defer rows.Close()
	a := answer{Rows: [][]any{}}
	if a.Columns, err = rows.Columns(); err != nil {
		return answer{}, err
	}
	for rows.Next() {
		row, cells := make([]any, len(a.Columns)), make([]any, len(a.Columns))
		for i := range row {
			cells[i] = &row[i]
		}
		if err := rows.Scan(cells...); err != nil {
			return answer{}, err
		}
		for i, value := range row {
			row[i] = plain(value)
		}
		a.Rows = append(a.Rows, row)
	}
	return a, rows.Err()
}

// plain makes a value one that JSON has.
func plain(value any) any {
	switch v := value.(type) {
	case []byte:
		return hex.EncodeToString(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	default:
		return v
	}
}
