package wal

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestWeaknesses(t *testing.T) {
	o := Options{Replicas: 3}
	o.setDefaults()
	want := streamConfig(&o, 3, 1700000000000)
	require.Equal(t, "spanlake-p003-1700000000000", want.Name)
	require.Empty(t, weaknesses(want, want))

	for _, c := range []struct {
		name   string
		weaken func(c *jetstream.StreamConfig)
		says   string
	}{
		{"memory", func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }, "storage"},
		{"work queue", func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy }, "retention"},
		{"discard old", func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }, "discard"},
		{"async", func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode }, "persist mode"},
		{"replicas", func(c *jetstream.StreamConfig) { c.Replicas = 1 }, "1 replicas instead of 3"},
		{"age", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, "expire"},
		{"count", func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 }, "at most 10 messages"},
		{"count per subject", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 }, "per subject"},
		{"no limit", func(c *jetstream.StreamConfig) { c.MaxBytes = -1 }, "no limit"},
		{"no acknowledgement", func(c *jetstream.StreamConfig) { c.NoAck = true }, "acknowledge"},
		{"sealed", func(c *jetstream.StreamConfig) { c.Sealed = true }, "sealed"},
		{"no purge", func(c *jetstream.StreamConfig) { c.DenyPurge = true }, "purged"},
		{"delete", func(c *jetstream.StreamConfig) { c.DenyDelete = false }, "deleted"},
		{"roll-up", func(c *jetstream.StreamConfig) { c.AllowRollup = true }, "rolled up"},
		{"ttl", func(c *jetstream.StreamConfig) { c.AllowMsgTTL = true }, "age limit"},
		{"sources", func(c *jetstream.StreamConfig) { c.Sources = []*jetstream.StreamSource{{}} }, "fed by"},
		{"republish", func(c *jetstream.StreamConfig) { c.RePublish = &jetstream.RePublish{} }, "republishes"},
		{"subjects", func(c *jetstream.StreamConfig) { c.Subjects = []string{"spanlake.>"} }, "subjects"},
		{"id memory", func(c *jetstream.StreamConfig) { c.Duplicates = time.Second }, "remembers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			have := want
			c.weaken(&have)
			weak := weaknesses(want, have)
			require.Len(t, weak, 1)
			require.Contains(t, weak[0], c.says)
		})
	}
	stronger := want
	stronger.Replicas, stronger.Duplicates = 5, time.Hour
	require.Empty(t, weaknesses(want, stronger))
}

func TestParseStreamName(t *testing.T) {
	for _, c := range []struct {
		stream    string
		partition int
		epoch     uint64
		ok        bool
	}{
		{"log-p003-17", 3, 17, true},
		{"log-p1023-17", 1023, 17, true},
		{"log-p3-17", 0, 0, false},
		{"log-p003-17x", 0, 0, false},
		{"log-prod-p003-17", 0, 0, false},
		{"other-p003-17", 0, 0, false},
		{"-p003-17", 0, 0, false},
		{"KV_log-control", 0, 0, false},
	} {
		t.Run(c.stream, func(t *testing.T) {
			partition, epoch, ok := parseStreamName("log", c.stream)
			require.Equal(t, c.ok, ok)
			if ok {
				require.Equal(t, c.partition, partition)
				require.Equal(t, c.epoch, epoch)
			}
		})
	}
}

func TestNextEpochAlwaysGrows(t *testing.T) {
	now := time.UnixMilli(1700000000000)
	require.EqualValues(t, 1700000000000, nextEpoch(now, 0))
	require.EqualValues(t, 1700000000001, nextEpoch(now, 1700000000000))
	require.EqualValues(t, 1900000000001, nextEpoch(now, 1900000000000), "the clock stepped back")
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		api   jetstream.APIError
		want  error
		alarm string
	}{
		{"full", jetstream.APIError{Code: 503, ErrorCode: 10077, Description: "maximum bytes exceeded"}, ErrFull, ""},
		{"disk", jetstream.APIError{Code: 503, ErrorCode: 10077, Description: "no space left on device"}, ErrUnavailable, alarmStore},
		{"limit", jetstream.APIError{Code: 503, ErrorCode: 10023}, ErrFull, alarmServerLimit},
		{"queue", jetstream.APIError{Code: 429, ErrorCode: 10167}, ErrFull, ""},
		{"large", jetstream.APIError{Code: 400, ErrorCode: 10054}, ErrTooLarge, ""},
		{"other", jetstream.APIError{Code: 400, ErrorCode: 10060}, ErrUnavailable, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			reg := prometheus.NewRegistry()
			var o Options
			o.setDefaults()
			l := &Log{opts: o, metrics: newMetrics(reg)}
			st := newStream(l, 0, 1)
			err := st.publishError(nil, &c.api)
			require.ErrorIs(t, err, c.want)
			require.NotErrorIs(t, err, ErrUnknownOutcome)
			require.Equal(t, c.alarm, raised(t, reg))
		})
	}
}

// raised returns the kind of the alarm that was counted, "" for none.
func raised(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "spanlake_wal_alarms_total" && m.GetCounter().GetValue() > 0 {
				return m.GetLabel()[0].GetValue()
			}
		}
	}
	return ""
}

func TestPublishResult(t *testing.T) {
	for err, want := range map[error]string{
		nil:               "stored",
		ErrFull:           "full",
		ErrTooLarge:       "too_large",
		ErrUnknownOutcome: "unknown_outcome",
		ErrUnavailable:    "unavailable",
		ErrClosed:         "unavailable",
	} {
		require.Equal(t, want, publishResult(err))
	}
}
