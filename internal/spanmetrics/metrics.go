package spanmetrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are of the counting itself.
type metrics struct {
	dropped    *prometheus.CounterVec
	spans      *prometheus.CounterVec
	undecoded  prometheus.Counter
	partitions prometheus.Gauge
	pushes     *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	with := promauto.With(reg)
	return &metrics{
		dropped: with.NewCounterVec(prometheus.CounterOpts{
			Name: "spanlake_spanmetrics_dropped_total",
			Help: "What was not counted: series and edges beyond their limit, and calls of which one side never came and that do not say who it is (unpaired).",
		}, []string{"project", "reason"}),
		spans: with.NewCounterVec(prometheus.CounterOpts{
			Name: "spanlake_spanmetrics_spans_total", Help: "Spans that were counted.",
		}, []string{"project"}),
		undecoded: with.NewCounter(prometheus.CounterOpts{
			Name: "spanlake_spanmetrics_undecoded_total", Help: "Entries of the log that could not be read, and so were not counted.",
		}),
		partitions: with.NewGauge(prometheus.GaugeOpts{
			Name: "spanlake_spanmetrics_partitions", Help: "Partitions of the log that this process counts.",
		}),
		pushes: with.NewCounterVec(prometheus.CounterOpts{
			Name: "spanlake_spanmetrics_pushes_total", Help: "Remote writes, by outcome.",
		}, []string{"outcome"}),
	}
}
