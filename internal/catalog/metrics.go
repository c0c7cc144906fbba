package catalog

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	listings prometheus.Counter
	folders  prometheus.Counter
	skipped  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		listings: f.NewCounter(prometheus.CounterOpts{Name: "spanlake_catalog_listings_total", Help: "Listings of a project's blocks."}),
		folders:  f.NewCounter(prometheus.CounterOpts{Name: "spanlake_catalog_listed_folders_total", Help: "Days whose blocks were listed. Days that are over are listed once, unless a block of the project is gone."}),
		skipped:  f.NewCounter(prometheus.CounterOpts{Name: "spanlake_catalog_skipped_objects_total", Help: "Objects below blocks/ whose names are no block's."}),
	}
}
