package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// moduleRoot is the folder of go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	root := strings.TrimSpace(string(run(t, ".", "go", "env", "GOMOD")))
	require.NotEmpty(t, root)
	return filepath.Dir(root)
}

func run(t *testing.T, dir, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s %s", name, args)
	return out
}

func TestImports(t *testing.T) {
	// With -e also while a package does not build: the compiler tells better.
	root := moduleRoot(t)
	walk(t, root)
	out := run(t, root, "go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports,Deps", "./...")
	decoder := json.NewDecoder(bytes.NewReader(out))
	packages := 0
	for {
		var p pkg
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		packages++
		for _, fault := range check(p) {
			t.Error(fault)
		}
	}
	require.Positive(t, packages)
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name string
		pkg  pkg
		want string // part of the only fault, empty for none
	}{
		{"down", pkg{ImportPath: "querier", Imports: own("internal/engine", "schema")}, ""},
		{"standard library", pkg{ImportPath: "schema", Imports: []string{"fmt", "os"}}, ""},
		{"same floor", pkg{ImportPath: "querier", Imports: own("ingester")}, "floor 4"},
		{"up", pkg{ImportPath: "schema", Imports: own("traceql")}, "floor 1"},
		{"parent", pkg{ImportPath: "internal/objstore/s3", Imports: own("internal/objstore")}, ""},
		{"child", pkg{ImportPath: "internal/block", Imports: own("internal/block/encoding")}, ""},
		{"sibling below one parent", pkg{ImportPath: "internal/objstore/s3", Imports: own("internal/objstore/fs")}, "floor 1"},
		{"name that begins alike", pkg{ImportPath: "internal/otlp", Imports: own("internal/otlpx")}, "no floor"},
		{"not in the table", pkg{ImportPath: "util", Imports: own("schema")}, "has no floor"},
		{"outside", pkg{ImportPath: "internal/lint", Imports: own("querier")}, ""},
		{"test support in a test", pkg{ImportPath: "traceql", XTestImports: own("internal/corpus", "internal/wal/embedded", "traceql")}, ""},
		{"test support in the program", pkg{ImportPath: "querier", Imports: own("internal/objstore/mem")}, "tests only"},
		{"S3 server in the program", pkg{ImportPath: "internal/app", Imports: own("internal/objstore/s3/s3test")}, "tests only"},
		{"S3 server in a test", pkg{ImportPath: "internal/app", XTestImports: own("internal/objstore/s3/s3test")}, ""},
		{"test support in a test world", pkg{ImportPath: "internal/sim", Imports: own("internal/objstore/mem", "ingester")}, ""},
		{"bucket in the program", pkg{ImportPath: "internal/app", Imports: own("internal/objstore/fs", "internal/wal/embedded")}, ""},
		{"test of the same floor", pkg{ImportPath: "ingester", TestImports: own("querier")}, "floor 4"},
		{"arrow inside", pkg{ImportPath: "internal/block/parquet", Imports: []string{"github.com/apache/arrow/go/v17/parquet"}}, ""},
		{"arrow in a test inside", pkg{ImportPath: "internal/block", XTestImports: []string{"github.com/apache/arrow/go/v17/parquet"}}, ""},
		{"arrow above", pkg{ImportPath: "internal/block", Imports: []string{"github.com/apache/arrow/go/v17/parquet"}}, "internal/block/parquet"},
		{"arrow outside", pkg{ImportPath: "internal/engine", Imports: []string{"github.com/apache/arrow/go/v17/parquet"}}, "internal/block"},
		{"arrow in a test", pkg{ImportPath: "querier", TestImports: []string{"github.com/apache/arrow/go/v17/parquet"}}, "internal/block"},
		{"AWS inside", pkg{ImportPath: "internal/objstore/s3", Imports: []string{"github.com/aws/aws-sdk-go-v2/config"}}, ""},
		{"AWS in its test support", pkg{ImportPath: "internal/objstore/s3/s3test", Imports: []string{"github.com/aws/smithy-go"}}, ""},
		{"AWS in the program", pkg{ImportPath: "internal/app", Imports: []string{"github.com/aws/smithy-go/logging"}}, "internal/objstore/s3"},
		{"nats client", pkg{ImportPath: "internal/wal/embedded", Imports: []string{"github.com/nats-io/nats.go/jetstream"}}, ""},
		{"nats server", pkg{ImportPath: "internal/wal", Imports: []string{"github.com/nats-io/nats-server/v2/server"}}, "internal/wal/embedded"},
		{"dskit above", pkg{ImportPath: "ingester", Imports: []string{"github.com/grafana/dskit/services"}}, ""},
		{"dskit below", pkg{ImportPath: "internal/catalog", Imports: []string{"github.com/grafana/dskit/services"}}, "floor 4"},
		{"dskit server above", pkg{ImportPath: "ingester", Imports: []string{"github.com/grafana/dskit/server"}}, "internal/app"},
		{"dskit ring anywhere", pkg{ImportPath: "internal/app", Imports: []string{"github.com/grafana/dskit/ring"}}, "allowed in []"},
		{"function", pkg{ImportPath: "functions/ingest", Imports: own("ingester"), Deps: []string{"github.com/nats-io/nats.go"}}, ""},
		{"fat function", pkg{ImportPath: "functions/ingest", Deps: []string{"github.com/grafana/dskit/server"}}, "must not link"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.pkg.ImportPath = module + test.pkg.ImportPath
			faults := check(test.pkg)
			if test.want == "" {
				require.Empty(t, faults)
				return
			}
			require.Len(t, faults, 1)
			require.Contains(t, faults[0], test.want)
		})
	}
}

func own(paths ...string) []string {
	for i := range paths {
		paths[i] = module + paths[i]
	}
	return paths
}
