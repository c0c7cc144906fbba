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
	c, err := loadConfig(enough("SPANLAKE_INGESTER_PUBLISH_TIMEOUT=3s", "SPANLAKE_INGESTER_MAX_REQUEST_BYTES=1MiB", "SPANLAKE_NATS_MONITOR_URLS=http://a,http://b"))
	require.NoError(t, err)
	require.Equal(t, 3*time.Second, c.ingester.PublishTimeout)
	require.EqualValues(t, 1<<20, c.ingester.MaxRequestBytes)
	require.EqualValues(t, maxBodyBytes, c.ingester.MaxBodyBytes)
	require.Less(t, c.ingester.CutPhase, int(c.ingester.CutBytes))
	require.Len(t, c.host.NATS.MonitorURLs, 2)
	require.Equal(t, []string{"http://a", "http://b"}, c.log.Options(&c.host.NATS).MonitorURLs)
}

func TestLoadConfigRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		environ []string
		want    string
	}{
		"no bucket":         {[]string{"SPANLAKE_NATS_URL=nats://n", "SPANLAKE_AUTH_MODE=keys"}, "SPANLAKE_BUCKET: want s3://bucket/prefix"},
		"a folder":          {enough("SPANLAKE_BUCKET=file:///x"), "SPANLAKE_BUCKET: want s3://bucket/prefix"},
		"no log":            {enough("SPANLAKE_NATS_URL="), "SPANLAKE_NATS_URL must be set"},
		"open to everybody": {enough("SPANLAKE_AUTH_MODE=none"), "SPANLAKE_AUTH_INSECURE=true"},
		"mode":              {enough("SPANLAKE_AUTH_MODE=secret"), "auth.mode"},
		"retention":         {enough("SPANLAKE_RETENTION_DEFAULT=1s"), "retention.default"},
		"refresh":           {enough("SPANLAKE_PROJECTS_REFRESH_INTERVAL=1h"), "projects.refresh-interval"},
		"limit":             {enough("SPANLAKE_LIMITS_LIVE_TRACES=-1"), "limits.live_traces"},
		"log":               {enough("SPANLAKE_LOG_REPLICAS=6"), "log.replicas"},
		"receiving":         {enough("SPANLAKE_INGESTER_CUT_BYTES=0"), "ingester.cut-bytes"},
		"messages":          {enough("SPANLAKE_LOGGING_FORMAT=xml"), "logging.format"},
		"not the function's": {
			enough("SPANLAKE_QUERIER_JOB_SPANS=1"), "unknown variable SPANLAKE_QUERIER_JOB_SPANS",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadConfig(test.environ)
			require.ErrorContains(t, err, test.want)
		})
	}
	_, err := loadConfig(enough("SPANLAKE_AUTH_MODE=none", "SPANLAKE_AUTH_INSECURE=true"))
	require.NoError(t, err)
}
