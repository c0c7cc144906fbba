package ingester

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/spanlake/spanlake/schema"
)

// metrics counts a span on its whole way: received = published + rejected, and
// every published span is stored once (docs/operations.md lists them).
type metrics struct {
	receivedSpans    *prometheus.CounterVec
	receivedBytes    *prometheus.CounterVec
	rejectedSpans    *prometheus.CounterVec
	rejectedRequests *prometheus.CounterVec
	publishedSpans   prometheus.Counter
	publishedBytes   prometheus.Counter
	claims           prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "spanlake_receiver_" + name, Help: help}, labels)
	}
	return &metrics{
		receivedSpans:    counter("received_spans_total", "Spans in well-formed requests, before any is rejected.", "project"),
		receivedBytes:    counter("received_bytes_total", "Decompressed bytes of well-formed requests.", "project"),
		rejectedSpans:    counter("rejected_spans_total", "Received spans that were not acknowledged, by reason.", "project", "reason"),
		rejectedRequests: counter("rejected_requests_total", "Requests whose spans could not be counted, by reason.", "reason"),
		publishedSpans:   counter("published_spans_total", "Spans whose message the log has acknowledged.").WithLabelValues(),
		publishedBytes:   counter("published_bytes_total", "Bytes of acknowledged messages, compressed.").WithLabelValues(),
		claims:           counter("claims_total", "Values too large for a message of the log, stored as objects first.").WithLabelValues(),
	}
}

func (m *metrics) received(project schema.ProjectID, spans, bytes int) {
	m.receivedSpans.WithLabelValues(string(project)).Add(float64(spans))
	m.receivedBytes.WithLabelValues(string(project)).Add(float64(bytes))
}

func (m *metrics) reject(project schema.ProjectID, reason string, spans int) {
	if spans > 0 {
		m.rejectedSpans.WithLabelValues(string(project), reason).Add(float64(spans))
	}
}

func (m *metrics) published(spans, bytes int) {
	m.publishedSpans.Add(float64(spans))
	m.publishedBytes.Add(float64(bytes))
}

// builderMetrics follows the log's messages into blocks.
type builderMetrics struct {
	unpriced      *unpriced
	appliedSpans  prometheus.Counter
	storedSpans   *prometheus.CounterVec
	storedBlocks  *prometheus.CounterVec
	storedBytes   *prometheus.CounterVec
	undecodable   prometheus.Counter
	storeFailures prometheus.Counter
	lostClaims    prometheus.Counter
	sweptClaims   prometheus.Counter
	resets        prometheus.Counter
	gaps          prometheus.Counter
	visibleLag    prometheus.Histogram
	liveBytes     prometheus.Gauge
	liveSpans     prometheus.Gauge

	memoryBytes    prometheus.Gauge
	memoryLimit    prometheus.Gauge
	stops          prometheus.Counter
	stoppedSeconds prometheus.Counter
	earlyCuts      prometheus.Counter
}

func newBuilderMetrics(reg prometheus.Registerer) *builderMetrics {
	f := promauto.With(reg)
	name := func(s string) string { return "spanlake_builder_" + s }
	return &builderMetrics{
		unpriced:      newUnpriced(reg),
		appliedSpans:  f.NewCounter(prometheus.CounterOpts{Name: name("applied_spans_total"), Help: "Spans read from the log, again after each restart of reading."}),
		storedSpans:   f.NewCounterVec(prometheus.CounterOpts{Name: name("stored_spans_total"), Help: "Spans in blocks stored by this process."}, []string{"project"}),
		storedBlocks:  f.NewCounterVec(prometheus.CounterOpts{Name: name("stored_blocks_total"), Help: "Blocks stored by this process."}, []string{"project"}),
		storedBytes:   f.NewCounterVec(prometheus.CounterOpts{Name: name("stored_bytes_total"), Help: "Bytes of blocks stored by this process."}, []string{"project"}),
		undecodable:   f.NewCounter(prometheus.CounterOpts{Name: name("undecodable_messages_total"), Help: "Messages or parts of them that could not be decoded and were kept raw below undecodable/. Not zero is an alarm."}),
		storeFailures: f.NewCounter(prometheus.CounterOpts{Name: name("store_failures_total"), Help: "Attempts to store a batch that failed and are tried again."}),
		lostClaims:    f.NewCounter(prometheus.CounterOpts{Name: name("lost_claims_total"), Help: "Times that the object of a claim check was missing and its data in no block. Not zero is an alarm: the partition stands still."}),
		sweptClaims:   f.NewCounter(prometheus.CounterOpts{Name: name("swept_claims_total"), Help: "Objects of claim checks deleted because their data is in blocks."}),
		resets:        f.NewCounter(prometheus.CounterOpts{Name: name("resets_total"), Help: "Times that reading the log began anew."}),
		gaps:          f.NewCounter(prometheus.CounterOpts{Name: name("log_gaps_total"), Help: "Times that the log began inside a batch that no block covers: messages were removed by someone else. Not zero is an alarm."}),
		visibleLag: f.NewHistogram(prometheus.HistogramOpts{
			Name: name("visible_lag_seconds"), Help: "From the log's timestamp of a message until queries see its spans.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}),
		liveBytes: f.NewGauge(prometheus.GaugeOpts{Name: name("live_bytes"), Help: "Bytes of memory taken by stored spans that are kept for queries."}),
		liveSpans: f.NewGauge(prometheus.GaugeOpts{Name: name("live_spans"), Help: "Stored spans that are kept in memory for queries."}),

		memoryBytes:    f.NewGauge(prometheus.GaugeOpts{Name: name("memory_bytes"), Help: "Bytes of memory taken by spans of open, closed and stored batches."}),
		memoryLimit:    f.NewGauge(prometheus.GaugeOpts{Name: name("memory_limit_bytes"), Help: "Bytes of memory from which on the log is not read further."}),
		stops:          f.NewCounter(prometheus.CounterOpts{Name: name("stops_total"), Help: "Times that a partition stopped reading the log because memory was full."}),
		stoppedSeconds: f.NewCounter(prometheus.CounterOpts{Name: name("stopped_seconds_total"), Help: "How long partitions have not read the log because memory was full, added up."}),
		earlyCuts:      f.NewCounter(prometheus.CounterOpts{Name: name("early_cuts_total"), Help: "Batches ended early because memory was full."}),
	}
}
