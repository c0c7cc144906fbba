package main

import (
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/grafana/dskit/flagext"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/functions/internal/event"
)

func enough(more ...string) []string {
	return append([]string{"PATH=/bin", "SPANLAKE_BUCKET=s3://traces/prefix?region=eu-west-1", "SPANLAKE_NATS_URL=nats://127.0.0.1:1"}, more...)
}

func TestLoadConfig(t *testing.T) {
	c, err := loadConfig(enough("SPANLAKE_COMPACTOR_MAX_BYTES=1MiB", "SPANLAKE_RETENTION_DEFAULT=30d"))
	require.NoError(t, err)
	require.EqualValues(t, 1<<20, c.compactor.MaxBytes)
	for want, environ := range map[string][]string{
		"SPANLAKE_BUCKET: want s3://bucket/prefix": {"SPANLAKE_NATS_URL=nats://n"},
		"retention.default":                        enough("SPANLAKE_RETENTION_DEFAULT=1s"),
		"compactor.lifecycle":                      enough("SPANLAKE_COMPACTOR_LIFECYCLE=me"),
		"unknown variable SPANLAKE_LOG_PARTITIONS": enough("SPANLAKE_LOG_PARTITIONS=4"),
	} {
		_, err := loadConfig(environ)
		require.ErrorContains(t, err, want)
	}
}

// TestRefuses: it starts without a log, and says what events it is for.
func TestRefuses(t *testing.T) {
	c, err := loadConfig(enough())
	require.NoError(t, err)
	f, err := newFunction(t.Context(), c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	_, err = f.handle(t.Context(), json.RawMessage(`{"task":"flush"}`))
	require.ErrorIs(t, err, event.ErrNotTask)

	c.compactor.SpoolDir = "/nowhere/to/be/found"
	_, err = newFunction(t.Context(), c, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "/nowhere/to/be/found")
}

// TestFit: inputs and output of a merge fit into what is free.
func TestFit(t *testing.T) {
	for _, test := range []struct {
		max  flagext.Bytes
		free uint64
		want flagext.Bytes
	}{{450, 1000, 450}, {451, 1000, 450}, {512 << 20, 512 << 20, 512 << 20 / 100 * 90 / 2}, {10, 0, 1}} {
		cfg := compactor.Config{MaxBytes: test.max}
		require.Equal(t, test.max != test.want, fit(&cfg, test.free))
		require.Equal(t, test.want, cfg.MaxBytes)
	}
}

func TestResult(t *testing.T) {
	text, err := json.Marshal(result{task, compactor.Summary{Merges: 2, Unfinished: true}})
	require.NoError(t, err)
	require.JSONEq(t, `{"task":"compact","projects":0,"merges":2,"inputs":0,"read_bytes":0,"written_bytes":0,"spans":0,"folded":0,"void":0,`+
		`"covered":0,"expired":0,"rewrites":0,"repriced":0,"dropped":0,"erased":0,"pending":0,"strangers":0,"too_large":0,"unfinished":true}`, string(text))
}
