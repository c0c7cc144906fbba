package host

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConfig(t *testing.T) {
	load := func(environ ...string) (c Config, err error) {
		if err := Load("test", environ, c.RegisterFlags); err != nil {
			return c, err
		}
		return c, c.Validate()
	}
	c, err := load("PATH=/bin", "SPANLAKE_BUCKET=s3://traces/prefix?region=eu-west-1", "SPANLAKE_NATS_URL=nats://n:4222")
	require.NoError(t, err)
	require.Equal(t, "nats://n:4222", c.NATS.URL)
	_, err = load("SPANLAKE_BUCKET=file:///x", "SPANLAKE_LOGGING_FORMAT=xml")
	require.ErrorContains(t, err, "SPANLAKE_BUCKET: want s3://bucket/prefix")
	require.ErrorContains(t, err, "SPANLAKE_NATS_URL must be set")
	require.ErrorContains(t, err, "logging.format")
	_, err = load("SPANLAKE_BUCKETS=s3://traces")
	require.ErrorContains(t, err, "unknown variable SPANLAKE_BUCKETS")

	h, err := New(t.Context(), &c, nil)
	require.NoError(t, err)
	require.Equal(t, "prefix/", h.Root)
}
