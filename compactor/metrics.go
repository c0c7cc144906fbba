package compactor

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are listed in docs/operations.md.
type metrics struct {
	cycles, failures            prometheus.Counter
	lastSuccess                 prometheus.Gauge
	merges                      *prometheus.CounterVec
	inputs, inBytes, outBytes   prometheus.Counter
	spans, folded               prometheus.Counter
	deleted                     *prometheus.CounterVec
	strangers, tooLarge, behind prometheus.Gauge
	skipped                     prometheus.Counter
	rewrites, dropped, erasures prometheus.Counter
	pending                     prometheus.Gauge
	media, repriced             prometheus.Counter

	lifecycleWrites, lifecycleFailures     prometheus.Counter
	lifecycleDifferences, lifecycleWithout prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "spanlake_compactor_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return f.NewGauge(prometheus.GaugeOpts{Name: "spanlake_compactor_" + name, Help: help})
	}
	return &metrics{
		cycles:      counter("cycles_total", "Looks at all projects for work, each with what it found done."),
		failures:    counter("failures_total", "Looks that ended with an error. What failed is tried again in the next one."),
		lastSuccess: gauge("last_success_timestamp_seconds", "When a look last ended without an error."),
		merges: f.NewCounterVec(prometheus.CounterOpts{
			Name: "spanlake_compactor_merges_total", Help: "Merges by result: done, void because an input was gone, or failed.",
		}, []string{"result"}),
		inputs:   counter("merged_blocks_total", "Blocks that merges have read."),
		inBytes:  counter("merged_read_bytes_total", "Their bytes."),
		outBytes: counter("merged_written_bytes_total", "Bytes of blocks that merges have written."),
		spans:    counter("merged_spans_total", "Rows of blocks that merges have written."),
		folded:   counter("folded_spans_total", "Rows that merges left out because they were delivered twice."),
		deleted: f.NewCounterVec(prometheus.CounterOpts{
			Name: "spanlake_compactor_deleted_blocks_total", Help: "Blocks that were deleted, by reason: covered or expired.",
		}, []string{"reason"}),
		strangers: gauge("stranger_windows", "Windows that cannot be merged because the log's clock was put back while they were open."),
		tooLarge:  gauge("too_large_windows", "Windows that stay as the blocks of smaller ones because they are too large together."),
		behind:    gauge("pending_merges", "Merges that the last look has planned."),
		media:     counter("deleted_media_objects_total", "Objects of media that were deleted because they have expired."),
		rewrites:  counter("rewritten_blocks_total", "Blocks that were written anew without rows that are to be gone."),
		repriced:  counter("repriced_blocks_total", "Blocks that were written anew with what follows from their rows by the rules and prices of today."),
		dropped:   counter("dropped_spans_total", "Rows that were left out because they are to be gone, by rewrites and merges."),
		erasures:  counter("erasures_total", "Erasures that are done: nothing of them is left."),
		pending:   gauge("pending_erasures", "Erasures of which something was left at the last look."),
		skipped:   counter("skipped_listings_total", "Listings that were thrown away because they took longer than -compactor.delete-after."),

		lifecycleWrites:      counter("lifecycle_writes_total", "Times that the lifecycle rules of the bucket were written."),
		lifecycleFailures:    counter("lifecycle_failures_total", "Looks at the lifecycle rules of the bucket that failed. What failed is tried again in the next one."),
		lifecycleDifferences: gauge("lifecycle_differences", "What was wrong with the lifecycle rules of others when they were last looked at. The log says what."),
		lifecycleWithout:     gauge("lifecycle_projects_without_rule", "Projects that have no lifecycle rule of their own because a bucket cannot have as many."),
	}
}
