package traceql_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/traceql"
)

var rewrite = flag.Bool("rewrite", false, "write what the parser answers into testdata")

// A corpus file has a query per line, each followed by "=> " and what the
// parser answers: the query as printed, or the error. Lines that begin with #
// are comments.
const answerMark = "=> "

type corpusCase struct{ query, answer string }

func readCorpus(t testing.TB, name string) (header string, cases []corpusCase) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		switch answer, isAnswer := strings.CutPrefix(line, answerMark); {
		case strings.HasPrefix(line, "#"):
			header += line + "\n"
		case isAnswer:
			cases[len(cases)-1].answer = answer
		case line != "":
			cases = append(cases, corpusCase{query: line})
		}
	}
	return header, cases
}

func answer(query string) (string, error) {
	q, err := traceql.Parse(query)
	if err != nil {
		return err.Error(), err
	}
	return q.String(), nil
}

// kindOf is the sentinel that err wraps, nil for nil.
func kindOf(err error) error {
	for _, kind := range []error{traceql.ErrSyntax, traceql.ErrType} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return err
}

func TestCorpus(t *testing.T) {
	tests := []struct {
		file  string
		want  error // nil: parses
		count int
	}{
		{"valid.txt", nil, 92},
		{"parse_error.txt", traceql.ErrSyntax, 68},
		{"type_error.txt", traceql.ErrType, 57},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			header, cases := readCorpus(t, tt.file)
			for _, c := range cases {
				got, err := answer(c.query)
				require.Equal(t, tt.want, kindOf(err), "%s: %s", c.query, got)
			}
			requireAnswers(t, tt.file, header, cases)
			require.Len(t, cases, tt.count)
		})
	}
}

// requireAnswers compares what the parser answers with a corpus, or writes it
// there.
func requireAnswers(t *testing.T, file, header string, cases []corpusCase) {
	t.Helper()
	out := strings.Builder{}
	out.WriteString(header)
	for _, c := range cases {
		got, err := answer(c.query)
		fmt.Fprintf(&out, "\n%s\n%s%s\n", c.query, answerMark, got)
		if err == nil {
			q, err := traceql.Parse(c.query)
			require.NoError(t, err)
			requireIdentity(t, q)
		}
		if !*rewrite {
			require.Equal(t, c.answer, got, c.query)
		}
	}
	if *rewrite {
		require.NoError(t, os.WriteFile(filepath.Join("testdata", file), []byte(out.String()), 0o600))
	}
}

func TestConformanceQueries(t *testing.T) {
	header, cases := readCorpus(t, "conformance.txt")
	requireAnswers(t, "conformance.txt", header, cases)
	refused := 0
	for _, c := range cases {
		if _, err := answer(c.query); err != nil {
			refused++
		}
	}
	require.Len(t, cases, 329)
	require.Equal(t, 19, refused) // as the suite has recorded it
}

func TestGrafanaQueries(t *testing.T) {
	header, cases := readCorpus(t, "grafana.txt")
	requireAnswers(t, "grafana.txt", header, cases)
	for _, c := range cases {
		_, err := traceql.Parse(c.query)
		require.NoError(t, err, c.query)
	}
}
