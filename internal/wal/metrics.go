package wal

import (
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Alarms: things that need a person. Each is also logged as an error.
const (
	alarmLostStream  = "lost_stream"  // a stream with data was deleted by someone else
	alarmEndOfLog    = "end_of_log"   // the log ended below what blocks cover: a restored backup
	alarmHole        = "hole"         // messages are missing within the log
	alarmServerLimit = "server_limit" // the account's or server's storage is exhausted
	alarmStore       = "store"        // the server could not store a message
	alarmWeak        = "weak"         // settings are weak and were accepted
)

type metrics struct {
	publishes       *prometheus.CounterVec
	publishBytes    prometheus.Counter
	publishDuration prometheus.Histogram
	resets          *prometheus.CounterVec
	alarms          *prometheus.CounterVec
	sessions        prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		publishes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "spanlake_wal_publish_total",
			Help: "Messages published to the log, by result.",
		}, []string{"result"}),
		publishBytes: f.NewCounter(prometheus.CounterOpts{
			Name: "spanlake_wal_publish_bytes_total",
			Help: "Payload bytes that the log has acknowledged.",
		}),
		publishDuration: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "spanlake_wal_publish_duration_seconds",
			Help:    "Time from publishing a message to its durable acknowledgement.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 16),
		}),
		resets: f.NewCounterVec(prometheus.CounterOpts{
			Name: "spanlake_wal_resets_total",
			Help: "Times that a reader had to start again at the log's first message, by reason.",
		}, []string{"reason"}),
		alarms: f.NewCounterVec(prometheus.CounterOpts{
			Name: "spanlake_wal_alarms_total",
			Help: "Events of the log that need a person, by kind.",
		}, []string{"kind"}),
		sessions: f.NewCounter(prometheus.CounterOpts{
			Name: "spanlake_wal_sessions_total",
			Help: "Sessions with the log's server that were made.",
		}),
	}
	for _, kind := range []string{alarmLostStream, alarmEndOfLog, alarmHole, alarmServerLimit, alarmStore, alarmWeak} {
		m.alarms.WithLabelValues(kind)
	}
	return m
}

// alarm counts and logs something that needs a person.
func (l *Log) alarm(kind, message string, attrs ...slog.Attr) {
	l.metrics.alarms.WithLabelValues(kind).Inc()
	args := []any{slog.String("alarm", kind)}
	for _, a := range attrs {
		args = append(args, a)
	}
	l.opts.Logger.Error(message, args...) //nolint:sloglint // the callers' messages are constants
}

// publishResult is the label of a publish's outcome.
func publishResult(err error) string {
	for _, r := range []struct {
		err   error
		label string
	}{
		{nil, "stored"},
		{ErrFull, "full"},
		{ErrTooLarge, "too_large"},
		{ErrUnknownOutcome, "unknown_outcome"},
	} {
		if errors.Is(err, r.err) {
			return r.label
		}
	}
	return "unavailable"
}
