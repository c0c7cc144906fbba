package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConfig(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	require.NoError(t, os.WriteFile(good, []byte("log:\n  partitions: 8\n"), 0o600))
	require.NoError(t, os.WriteFile(bad, []byte("target: x\nnothing: 1\n"), 0o600))

	code, stdout, stderr := call(t, "config", "-config.file", good, "-data-dir=/d")
	require.Equal(t, exitOK, code, stderr)
	require.Contains(t, stdout, "\ndata_dir: /d # flag -data-dir\n")
	require.Contains(t, stdout, "\n  partitions: 8 # file, line 2\n")

	code, stdout, stderr = call(t, "config", "-config.file", bad, "-bucket=y")
	require.Equal(t, exitFailed, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "line 2: unknown key nothing\n")
	require.Contains(t, stderr, `target "x"`)
	require.Contains(t, stderr, `bucket "y"`)

	code, _, stderr = call(t, "config", "-nothing")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "-nothing")
	code, stdout, _ = call(t, "config", "-h")
	require.Equal(t, exitOK, code)
	require.Contains(t, stdout, "spanlake config [flags of serve]")
}
