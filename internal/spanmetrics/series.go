package spanmetrics

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spanlake/spanlake/schema"
)

// labels is how many labels a family has at most, besides the project.
const labels = 4

// family is a metric with its labels.
type family struct {
	desc   *prometheus.Desc
	labels int
	bounds []float64 // of a histogram, in seconds; nil for a counter
}

func newFamily(name, help string, bounds []float64, names ...string) *family {
	return &family{prometheus.NewDesc(name, help, append([]string{"project"}, names...), nil), len(names), bounds}
}

// exponential are n bounds, each twice the one before.
func exponential(first float64, n int) []float64 { return prometheus.ExponentialBuckets(first, 2, n) }

// The families, with the names, labels and bounds of Tempo's metrics generator
// (shared labels of all: project).
var (
	graphBounds = exponential(0.1, 8)
	spanBounds  = exponential(0.002, 14)

	edgeLabels = []string{"client", "server", "connection_type"}
	spanLabels = []string{"service", "span_name", "span_kind", "status_code"}

	requestTotal     = newFamily("traces_service_graph_request_total", "Calls between two services.", nil, edgeLabels...)
	requestFailed    = newFamily("traces_service_graph_request_failed_total", "Calls between two services of which one side has failed.", nil, edgeLabels...)
	requestServer    = newFamily("traces_service_graph_request_server_seconds", "How long calls took, as the server saw it.", graphBounds, edgeLabels...)
	requestClient    = newFamily("traces_service_graph_request_client_seconds", "How long calls took, as the client saw it.", graphBounds, edgeLabels...)
	requestMessaging = newFamily("traces_service_graph_request_messaging_system_seconds", "How long messages took from the end of sending to the start of receiving.", graphBounds, edgeLabels...)
	spanCalls        = newFamily("traces_spanmetrics_calls_total", "Spans.", nil, spanLabels...)
	spanLatency      = newFamily("traces_spanmetrics_latency", "How long spans took, in seconds.", spanBounds, spanLabels...)
	spanSize         = newFamily("traces_spanmetrics_size_total", "Bytes of spans.", nil, spanLabels...)
)

// combination is one series of a family, or all of a histogram's.
type combination struct {
	family  *family
	project schema.ProjectID
	values  [labels]string
}

// series is its value.
type series struct {
	sum     float64 // a counter's value, or the sum of what was observed
	buckets []uint64
	count   uint64
	seen    time.Time
	// exemplar is the trace of the latest observation.
	exemplar schema.TraceID
	observed float64
}

// store holds the series of all projects. As a prometheus.Collector it shows them.
type store struct {
	cfg *Config
	now func() time.Time

	mu         sync.Mutex
	series     map[combination]*series
	perProject map[schema.ProjectID]int
	dropped    *prometheus.CounterVec // by project and reason
}

func newStore(cfg *Config, dropped *prometheus.CounterVec) *store {
	return &store{cfg: cfg, now: time.Now, series: make(map[combination]*series), perProject: make(map[schema.ProjectID]int), dropped: dropped}
}

// add counts value in a series: it is added to a counter, and observed by a histogram.
func (s *store) add(c combination, value float64, trace schema.TraceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.series[c]
	if one == nil {
		if s.perProject[c.project] >= s.cfg.MaxSeries {
			s.dropped.WithLabelValues(string(c.project), "series").Inc()
			return
		}
		one = &series{buckets: make([]uint64, len(c.family.bounds))}
		c.values = cloned(c.values)
		s.series[c] = one
		s.perProject[c.project]++
	}
	one.seen = s.now()
	one.sum += value
	if c.family.bounds == nil {
		return
	}
	one.count++
	one.exemplar, one.observed = trace, value
	// Prometheus' buckets include their bound.
	if i, _ := slices.BinarySearch(c.family.bounds, value); i < len(one.buckets) {
		one.buckets[i]++
	}
}

// forget drops series that nobody adds to any more.
func (s *store) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest := s.now().Add(-s.cfg.Idle)
	for c, one := range s.series {
		if one.seen.Before(oldest) {
			delete(s.series, c)
			if s.perProject[c.project]--; s.perProject[c.project] == 0 {
				delete(s.perProject, c.project)
			}
		}
	}
}

// Describe says nothing: which series there are is not known before.
func (s *store) Describe(chan<- *prometheus.Desc) {}

// Collect shows all series.
func (s *store) Collect(out chan<- prometheus.Metric) {
	for _, m := range s.collected() {
		out <- m
	}
}

func (s *store) collected() []prometheus.Metric {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]prometheus.Metric, 0, len(s.series))
	for c, one := range s.series {
		values := append([]string{string(c.project)}, c.values[:c.family.labels]...)
		if c.family.bounds == nil {
			list = append(list, prometheus.MustNewConstMetric(c.family.desc, prometheus.CounterValue, one.sum, values...))
			continue
		}
		buckets, below := make(map[float64]uint64, len(one.buckets)), uint64(0)
		for i, bound := range c.family.bounds {
			below += one.buckets[i]
			buckets[bound] = below
		}
		m := prometheus.MustNewConstHistogram(c.family.desc, one.count, one.sum, buckets, values...)
		list = append(list, prometheus.MustNewMetricWithExemplars(m, prometheus.Exemplar{
			Value: one.observed, Labels: prometheus.Labels{"traceID": one.exemplar.String()}, Timestamp: one.seen,
		}))
	}
	return list
}
