package env_test

import (
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/functions/internal/env"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name    string
		environ []string
		url     string
		timeout time.Duration
		wrong   []string // parts of the error; none: there is none
	}{
		{"nothing", nil, "default", time.Second, nil},
		{"others'", []string{"PATH=/bin", "NATS_URL=x", "SPANLAKEX_NATS_URL=x"}, "default", time.Second, nil},
		{"set", []string{"SPANLAKE_NATS_URL=nats://a=b", "SPANLAKE_INGESTER_PUBLISH_TIMEOUT=3s"}, "nats://a=b", 3 * time.Second, nil},
		{"empty is a value", []string{"SPANLAKE_NATS_URL="}, "", time.Second, nil},
		{
			"all that is wrong",
			[]string{"SPANLAKE_NATS_ULR=x", "SPANLAKE_INGESTER_PUBLISH_TIMEOUT=secret"},
			"default", 0,
			[]string{"SPANLAKE_NATS_ULR", "SPANLAKE_INGESTER_PUBLISH_TIMEOUT is not valid, see -ingester.publish-timeout"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := flag.NewFlagSet("", flag.ContinueOnError)
			url := f.String("nats.url", "default", "")
			timeout := f.Duration("ingester.publish-timeout", time.Second, "")
			err := env.Parse(f, test.environ)
			for _, part := range test.wrong {
				require.ErrorContains(t, err, part)
			}
			if test.wrong == nil {
				require.NoError(t, err)
			} else {
				require.NotContains(t, err.Error(), "secret")
			}
			require.Equal(t, test.url, *url)
			require.Equal(t, test.timeout, *timeout)
		})
	}
}
