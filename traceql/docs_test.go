package traceql_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/traceql"
)

// cells splits the rows of a Markdown table in the section with a heading.
func cells(t *testing.T, text, heading string) (rows [][]string) {
	t.Helper()
	_, section, found := strings.Cut(text, "\n## "+heading+"\n")
	require.True(t, found, heading)
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		line = strings.ReplaceAll(strings.TrimSpace(line), `\|`, "\x00")
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		row := strings.Split(strings.Trim(line, "|"), "|")
		for i := range row {
			row[i] = strings.ReplaceAll(strings.TrimSpace(row[i]), "\x00", "|")
		}
		rows = append(rows, row)
	}
	require.NotEmpty(t, rows)
	return rows
}

// What the documentation says of queries is so.
func TestDocumentation(t *testing.T) {
	data, err := os.ReadFile("../docs/traceql.md")
	require.NoError(t, err)
	text := string(data)

	_, examples, found := strings.Cut(text, "```traceql\n")
	require.True(t, found)
	examples, _, _ = strings.Cut(examples, "```")
	for query := range strings.Lines(examples) {
		_, err := traceql.Parse(query)
		require.NoError(t, err, query)
	}
	for _, row := range cells(t, text, "Mistakes") {
		_, err := traceql.Parse(strings.Trim(row[0], "`"))
		require.EqualError(t, err, row[1])
	}
	for _, row := range cells(t, text, "Differences to Tempo") {
		require.Len(t, row, 3)
		_, err := traceql.Parse(strings.Trim(row[0], "`"))
		require.Equal(t, strings.HasPrefix(row[2], "refused"), err != nil, row[0])
	}
	for _, row := range cells(t, text, "Hints") {
		for hint := range strings.SplitSeq(row[0], "`, `") {
			_, err := traceql.Parse("{ } with(" + strings.Trim(hint, "`") + ")")
			require.NoError(t, err, hint)
		}
	}
}
