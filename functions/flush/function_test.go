package main

import (
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/functions/internal/event"
	"github.com/spanlake/spanlake/functions/internal/host"
)

func TestLoadConfig(t *testing.T) {
	enough := func(more ...string) []string {
		return append([]string{"PATH=/bin", "SPANLAKE_BUCKET=s3://traces/prefix", "SPANLAKE_NATS_URL=nats://n:4222"}, more...)
	}
	c, err := loadConfig(enough("SPANLAKE_INGESTER_CUT_BYTES=1MiB", "SPANLAKE_LOG_PARTITIONS=8"))
	require.NoError(t, err)
	require.EqualValues(t, 1<<20, c.ingester.CutBytes)
	require.Zero(t, c.ingester.LiveBytes)
	require.Equal(t, 8, c.log.Options(&c.host.NATS).Partitions)
	for want, environ := range map[string][]string{
		"SPANLAKE_BUCKET: want s3://bucket/prefix": {"SPANLAKE_NATS_URL=nats://n"},
		"log.replicas":                        enough("SPANLAKE_LOG_REPLICAS=6"),
		"ingester.cut-bytes":                  enough("SPANLAKE_INGESTER_CUT_BYTES=0"),
		"unknown variable SPANLAKE_AUTH_MODE": enough("SPANLAKE_AUTH_MODE=keys"),
	} {
		_, err := loadConfig(environ)
		require.ErrorContains(t, err, want)
	}
}

// TestHandleRefuses: what cannot be done is said before anything is begun.
func TestHandleRefuses(t *testing.T) {
	f := &function{Host: &host.Host{Logger: slog.New(slog.DiscardHandler)}}
	_, err := f.handle(t.Context(), json.RawMessage(`{"task":"compact"}`))
	require.ErrorIs(t, err, event.ErrNotTask)
}

// TestSweeps: claims are looked for once an hour, and again when that failed.
func TestSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(function)
		require.True(t, f.sweeps())
		require.True(t, f.sweeps())
		f.noteSweep()
		time.Sleep(time.Hour - 1)
		require.False(t, f.sweeps())
		time.Sleep(time.Nanosecond)
		require.True(t, f.sweeps())
	})
}
