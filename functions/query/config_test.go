package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// enough is an environment with which the function starts.
func enough(more ...string) []string {
	return append([]string{"PATH=/bin", "SPANLAKE_BUCKET=s3://traces/prefix", "SPANLAKE_NATS_URL=nats://n:4222", "SPANLAKE_AUTH_MODE=keys"}, more...)
}

func TestLoadConfig(t *testing.T) {
	c, err := loadConfig(enough("SPANLAKE_QUERIER_TIMEOUT=3s", "SPANLAKE_FUNCTION_RESPONSE=stream", "SPANLAKE_FUNCTION_FAN_OUT=4", "SPANLAKE_COMPACTOR_DELETE_AFTER=1h"), 0)
	require.NoError(t, err)
	require.Equal(t, 3*time.Second, c.querier.Timeout)
	require.Equal(t, responseStream, c.response)
	require.Equal(t, 4, c.fanOut)
	require.Equal(t, time.Hour, c.deleteAfter)
	require.Equal(t, hedgeAfter, c.querier.HedgeAfter)
	require.EqualValues(t, 128<<20, c.querier.CacheBytes)

	c, err = loadConfig(enough("SPANLAKE_QUERIER_PAGE_CACHE_BYTES=99MiB"), 512<<20)
	require.NoError(t, err)
	require.Equal(t, responseBuffered, c.response)
	require.Zero(t, c.fanOut)
	require.EqualValues(t, 32<<20, c.querier.CacheBytes, "a sixteenth")
	require.EqualValues(t, 128<<20, c.querier.JobMemory, "a quarter")
	require.EqualValues(t, 99<<20, c.querier.PageCacheBytes, "as it was set")

	c, err = loadConfig(enough(), 10<<30)
	require.NoError(t, err)
	require.EqualValues(t, 128<<20, c.querier.CacheBytes, "as in the service")
}

func TestLoadConfigRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		environ []string
		want    string
	}{
		"no bucket":             {enough("SPANLAKE_BUCKET="), "SPANLAKE_BUCKET: want s3://bucket/prefix"},
		"open to everybody":     {enough("SPANLAKE_AUTH_MODE=none"), "SPANLAKE_AUTH_INSECURE=true"},
		"querier":               {enough("SPANLAKE_QUERIER_CONCURRENCY=0"), "querier.concurrency"},
		"response":              {enough("SPANLAKE_FUNCTION_RESPONSE=streamed"), "SPANLAKE_FUNCTION_RESPONSE: want buffered or stream"},
		"one part":              {enough("SPANLAKE_FUNCTION_FAN_OUT=1"), "SPANLAKE_FUNCTION_FAN_OUT: want 0, or at least 2"},
		"fewer than no parts":   {enough("SPANLAKE_FUNCTION_FAN_OUT=-1"), "SPANLAKE_FUNCTION_FAN_OUT: want 0, or at least 2"},
		"deleted at once":       {enough("SPANLAKE_COMPACTOR_DELETE_AFTER=0s"), "SPANLAKE_COMPACTOR_DELETE_AFTER must be positive"},
		"not the function's":    {enough("SPANLAKE_INGESTER_CUT_BYTES=1"), "unknown variable SPANLAKE_INGESTER_CUT_BYTES"},
		"that of the compactor": {enough("SPANLAKE_COMPACTOR_INTERVAL=1s"), "unknown variable SPANLAKE_COMPACTOR_INTERVAL"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadConfig(test.environ, 0)
			require.ErrorContains(t, err, test.want)
		})
	}
}
