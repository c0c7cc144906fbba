package app_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/grafana/dskit/flagext"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/app"
)

// A size is read alike from the command line and the file.
func TestSizes(t *testing.T) {
	for text, want := range map[string]flagext.Bytes{
		"1500": 1500, "0": 0, "1500B": 1500, "900KiB": 900 << 10, "64MB": 64 << 20, "1.5GiB": 3 << 29, "1GiB1B": 1<<30 + 1,
		"9223372036854775807": 1<<63 - 1,
	} {
		t.Run(text, func(t *testing.T) {
			cfg, err := app.Load([]string{"-ingester.cut-bytes=" + text}, os.LookupEnv)
			require.NoError(t, err)
			require.Equal(t, want, cfg.Ingester.CutBytes)
			cfg, err = app.Load(withSize(t, text), os.LookupEnv)
			require.NoError(t, err)
			require.Equal(t, want, cfg.Ingester.CutBytes)
		})
	}
}

func TestBadSizes(t *testing.T) {
	for _, text := range []string{"much", "12XB", "-1", "-5MiB", "1 5MB", "9223372036854775808", "99999999999GiB", "\"\""} {
		t.Run(text, func(t *testing.T) {
			_, err := app.Load([]string{"-ingester.cut-bytes=" + text}, os.LookupEnv)
			require.ErrorContains(t, err, "cut-bytes: want a number of bytes, such as 1500, 900KiB, 64MiB or 1GiB")
			_, err = app.Load(withSize(t, text), os.LookupEnv)
			require.ErrorContains(t, err, "ingester.cut_bytes")
			require.ErrorContains(t, err, "want a number of bytes, such as 1500, 900KiB, 64MiB or 1GiB")
		})
	}
}

func withSize(t *testing.T, text string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(file, []byte("ingester: {cut_bytes: "+text+"}\n"), 0o600))
	return []string{"-config.file=" + file}
}
