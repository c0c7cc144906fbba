package llm_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

var rewrite = flag.Bool("rewrite", false, "write what the test would compare")

// rowsOf decodes a captured request as a receiver does.
func rowsOf(t testing.TB, c *corpus.Capture) []schema.Span {
	t.Helper()
	body := c.Body
	if c.Header["content-encoding"] == "gzip" {
		r, err := gzip.NewReader(bytes.NewReader(body))
		require.NoError(t, err)
		body, err = io.ReadAll(r)
		require.NoError(t, err)
	}
	if c.Protocol == corpus.HTTPJSON {
		var err error
		body, err = otlp.FromJSON(body)
		require.NoError(t, err)
	}
	rows, err := otlp.NewDecoder().Decode(body, 1, nil)
	require.NoError(t, err)
	return rows
}

// TestCaptures compares what follows from real SDKs' spans with trees that
// people have read.
func TestCaptures(t *testing.T) {
	captures, err := corpus.Captures()
	require.NoError(t, err)
	seen := make(map[string]bool)
	for _, c := range captures {
		if seen[string(c.Body)] {
			continue // sent again after a 429
		}
		seen[string(c.Body)] = true
		t.Run(c.Name, func(t *testing.T) {
			rows := rowsOf(t, &c)
			n := llm.New(price.Shipped())
			for i := range rows {
				rows[i].Derived = n.Derive(&rows[i])
			}
			got := tree(rows)
			file := filepath.Join("testdata", "captures", strings.ReplaceAll(c.Name, "/", "-")+".txt")
			if *rewrite {
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err, "write it with -rewrite and read it")
			for i, line := range strings.Split(got, "\n") {
				have := strings.Split(string(want), "\n")
				require.Less(t, i, len(have), "another line: %s", line)
				require.Equal(t, have[i], line, "line %d", i+1)
			}
			require.Len(t, got, len(want), "lines are missing")
		})
	}
}

// tree is every span with its derived attributes, below its parent.
func tree(rows []schema.Span) string {
	children := make(map[schema.SpanID][]*schema.Span)
	known := make(map[schema.SpanID]bool)
	for i := range rows {
		known[rows[i].SpanID] = true
	}
	for i := range rows {
		parent := rows[i].ParentSpanID
		if !known[parent] {
			parent = schema.SpanID{}
		}
		children[parent] = append(children[parent], &rows[i])
	}
	var out strings.Builder
	var write func(parent schema.SpanID, indent string)
	write = func(parent schema.SpanID, indent string) {
		for _, s := range children[parent] {
			fmt.Fprintf(&out, "%s%s\n", indent, s.Name)
			for key, v := range otlp.Attributes(s.Derived) {
				fmt.Fprintf(&out, "%s    . %s = %s\n", indent, key, shown(v))
			}
			write(s.SpanID, indent+"  ")
		}
	}
	write(schema.SpanID{}, "")
	return out.String()
}

func shown(v schema.Value) string {
	switch v.Kind {
	case schema.KindString:
		return fmt.Sprintf("%q", v.Str)
	case schema.KindInt:
		return strconv.FormatInt(v.Int, 10)
	case schema.KindDouble:
		return fmt.Sprintf("%v (double)", v.Double)
	case schema.KindBool:
		return strconv.FormatBool(v.Bool)
	case schema.KindArray:
		var list []string
		for _, e := range v.Array {
			list = append(list, shown(e))
		}
		return "[" + strings.Join(list, ", ") + "]"
	case schema.KindEmpty, schema.KindBytes, schema.KindMap:
	}
	return fmt.Sprintf("%+v", v)
}

func captured(t testing.TB, name string) *corpus.Capture {
	t.Helper()
	captures, err := corpus.Captures()
	require.NoError(t, err)
	i := slices.IndexFunc(captures, func(c corpus.Capture) bool { return c.Name == name })
	require.GreaterOrEqual(t, i, 0, name)
	return &captures[i]
}
