package querier

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/querier/jobs"
)

type metrics struct {
	queries *prometheus.HistogramVec
	retries prometheus.Counter
	jobs    *prometheus.HistogramVec
	hedged  prometheus.Counter
	lost    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, blocks *block.Readers, pages *block.Cache, repeats *engine.Repeats, queue *jobs.Queue) *metrics {
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "spanlake_querier_remembered_traces_bytes", Help: "Memory of what is known of traces with rows in several blocks."},
		func() float64 { return float64(repeats.Bytes()) })
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "spanlake_querier_cached_bytes", Help: "Memory that the tails of blocks take."},
		func() float64 { return float64(blocks.Stats().Bytes) })
	f.NewCounterFunc(prometheus.CounterOpts{Name: "spanlake_querier_blocks_cached_total", Help: "Uses of a block whose tail was in memory."},
		func() float64 { return float64(blocks.Stats().Hits) })
	f.NewCounterFunc(prometheus.CounterOpts{Name: "spanlake_querier_blocks_opened_total", Help: "Blocks whose tail was fetched."},
		func() float64 { return float64(blocks.Stats().Misses) })
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "spanlake_querier_cached_pages_bytes", Help: "Memory that parts of blocks take, decompressed."},
		func() float64 { return float64(pages.Stats().Bytes) })
	f.NewCounterFunc(prometheus.CounterOpts{Name: "spanlake_querier_pages_cached_total", Help: "Uses of a part of a block that was in memory."},
		func() float64 { return float64(pages.Stats().Hits) })
	f.NewCounterFunc(prometheus.CounterOpts{Name: "spanlake_querier_pages_fetched_total", Help: "Uses of a part of a block that was not in memory."},
		func() float64 { return float64(pages.Stats().Misses) })
	jobGauge := func(name, help string, of func(running, waiting int, bytes int64) float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return of(queue.Stats()) })
	}
	jobGauge("spanlake_querier_jobs_running", "Parts of queries that are being done in this process.",
		func(running, _ int, _ int64) float64 { return float64(running) })
	jobGauge("spanlake_querier_jobs_waiting", "Parts of queries that wait to be done in this process.",
		func(_, waiting int, _ int64) float64 { return float64(waiting) })
	jobGauge("spanlake_querier_jobs_memory_bytes", "Memory that the parts of queries that are being done are taken to hold.",
		func(_, _ int, bytes int64) float64 { return float64(bytes) })
	return &metrics{
		jobs: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "spanlake_querier_job_duration_seconds", Help: "Duration of parts of queries by place and outcome.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 18),
		}, []string{"place", "outcome"}),
		hedged: f.NewCounter(prometheus.CounterOpts{Name: "spanlake_querier_jobs_hedged_total", Help: "Parts of queries that were given to another worker as well, since the first was slow."}),
		lost:   f.NewCounter(prometheus.CounterOpts{Name: "spanlake_querier_jobs_returned_total", Help: "Parts of queries that a worker was asked for and did not do."}),
		queries: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "spanlake_querier_query_duration_seconds", Help: "Duration of queries by kind and HTTP status.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 18),
		}, []string{"query", "status"}),
		retries: f.NewCounter(prometheus.CounterOpts{Name: "spanlake_querier_retries_total", Help: "Queries begun anew because a block was gone when read."}),
	}
}

// registerTallies registers what is known of the cache of results.
func registerTallies(reg prometheus.Registerer, tallies *engine.Tallies) {
	f := promauto.With(reg)
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "spanlake_querier_cached_results_bytes", Help: "Memory that what metrics queries have counted in blocks takes."},
		func() float64 { return float64(tallies.Stats().Bytes) })
	f.NewCounterFunc(prometheus.CounterOpts{Name: "spanlake_querier_results_cached_total", Help: "Blocks that a metrics query did not read, since what it counts was known."},
		func() float64 { return float64(tallies.Stats().Hits) })
	f.NewCounterFunc(prometheus.CounterOpts{Name: "spanlake_querier_results_counted_total", Help: "Blocks that a metrics query read, since what it counts was not known."},
		func() float64 { return float64(tallies.Stats().Misses) })
	f.NewCounterFunc(prometheus.CounterOpts{Name: "spanlake_querier_results_evicted_total", Help: "Counts of metrics queries that were forgotten for lack of room."},
		func() float64 { return float64(tallies.Stats().Evictions) })
}
