package project

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	failures       prometheus.Counter
	projects, keys prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer, age func() time.Duration) *metrics {
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "spanlake_project_directory_age_seconds", Help: "How long ago the projects were last read from the bucket.",
	}, func() float64 { return age().Seconds() })
	return &metrics{
		failures: f.NewCounter(prometheus.CounterOpts{
			Name: "spanlake_project_refresh_failures_total", Help: "How often the projects could not be read from the bucket.",
		}),
		projects: f.NewGauge(prometheus.GaugeOpts{Name: "spanlake_project_projects", Help: "Projects that have settings, deleted ones too."}),
		keys:     f.NewGauge(prometheus.GaugeOpts{Name: "spanlake_project_keys", Help: "Keys that are accepted."}),
	}
}
