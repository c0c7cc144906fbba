package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPrices(t *testing.T) {
	dir := "file://" + t.TempDir()
	file, broken := filepath.Join(t.TempDir(), "prices.json"), filepath.Join(t.TempDir(), "broken.json")
	require.NoError(t, os.WriteFile(file, []byte(`[{"model": "ours", "pattern": "^ours-[0-9]+$", "input": 1e-6, "output": 4e-6}]`), 0o600))
	require.NoError(t, os.WriteFile(broken, []byte(`[{"model": "ours", "inputs": 1}]`), 0o600))
	for _, test := range []struct {
		args   []string
		code   int
		stdout []string
		stderr string
	}{
		{[]string{"prices", "test", "gpt-4o-mini-2024-07-18", "-input-tokens", "42", "-cached-tokens", "16", "-output-tokens", "17"}, exitOK, []string{"2026-08", "Cost                $0.0000153: input $0.0000051, output $0.0000102\n"}, ""},
		{[]string{"prices", "test", "gpt-4o-mini", "-output", "json", "-input-tokens", "1000000"}, exitOK, []string{`"total": 0.15`}, ""},
		{[]string{"prices", "test", "openai/GPT-4o"}, exitOK, []string{"Model               gpt-4o\n", "input 2.5, output 10"}, ""},
		{[]string{"prices", "test", "ours-7"}, exitFailed, nil, "no price"},
		{[]string{"prices", "test", "text-embedding-3-small", "-output-tokens", "1"}, exitFailed, nil, "no price for all that was used"},
		{[]string{"prices", "test"}, exitUsage, nil, "want: spanlake prices"},
		{[]string{"prices", "list", "x"}, exitUsage, nil, "want: spanlake prices"},
		{[]string{"prices"}, exitUsage, nil, "want list or test"},
		{[]string{"prices", "list", "-provider", "groq"}, exitOK, []string{"MODEL", "groq", "llama-3.1-8b-instant"}, ""},
		{[]string{"project", "set-prices", "shop", file, "-bucket", dir}, exitOK, []string{"Price", "ours input 1, output 4\n"}, ""},
		{[]string{"project", "set-prices", "shop", broken, "-bucket", dir}, exitFailed, nil, "want a JSON list of prices"},
		{[]string{"project", "set-prices", "shop", "nothing.json", "-bucket", dir}, exitFailed, nil, "nothing.json"},
		{[]string{"prices", "test", "ours-7", "-project", "shop", "-bucket", dir, "-output-tokens", "3"}, exitOK, []string{"2026-08+", "$0.000012:"}, ""},
		{[]string{"prices", "list", "-project", "shop", "-bucket", dir}, exitOK, []string{"shop     input 1, output 4\n", "gpt-4o-mini"}, ""},
		{[]string{"prices", "list", "-project", "other", "-bucket", dir}, exitOK, []string{"gpt-4o-mini"}, ""},
		{[]string{"prices", "list", "-project", "No Name", "-bucket", dir}, exitUsage, nil, "not a project name"},
		{[]string{"project", "set-prices", "shop", "default", "-bucket", dir}, exitOK, []string{"shop"}, ""},
		{[]string{"prices", "test", "ours-7", "-project", "shop", "-bucket", dir}, exitFailed, nil, "no price"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), test.args, env{&stdout, &stderr, func(string) (string, bool) { return "", false }})
		require.Equal(t, test.code, code, "%q: %s", test.args, stderr.String())
		for _, want := range test.stdout {
			require.Contains(t, stdout.String(), want, "%q", test.args)
		}
		require.Contains(t, stderr.String(), test.stderr, "%q", test.args)
	}
}
