package objstore

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Instrument returns bucket with its operations counted and timed:
//
//	spanlake_objstore_operations_total{operation}            begun
//	spanlake_objstore_errors_total{operation,reason}         failed, also for expected reasons such as not_exist
//	spanlake_objstore_operation_duration_seconds{operation}  of those that ended; a list ends with its iteration
//	spanlake_objstore_read_bytes_total                       content returned by get
//	spanlake_objstore_written_bytes_total                    content stored by put
//
// A registerer takes one bucket's metrics. Put Instrument outside Retry to see
// what callers see, inside to see every attempt.
func Instrument(bucket Bucket, reg prometheus.Registerer) Bucket {
	return &instrumented{bucket: bucket, metrics: newMetrics(reg)}
}

const (
	opPut    = "put"
	opGet    = "get"
	opList   = "list"
	opDelete = "delete"
	opStat   = "stat"
	opPurge  = "purge_versions"
)

type metrics struct {
	operations *prometheus.CounterVec
	errors     *prometheus.CounterVec
	durations  *prometheus.HistogramVec
	read       prometheus.Counter
	written    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	m := &metrics{
		operations: f.NewCounterVec(prometheus.CounterOpts{
			Name: "spanlake_objstore_operations_total",
			Help: "Operations on the bucket that were begun.",
		}, []string{"operation"}),
		errors: f.NewCounterVec(prometheus.CounterOpts{
			Name: "spanlake_objstore_errors_total",
			Help: "Operations on the bucket that failed, by reason; not_exist, exist and changed can be expected.",
		}, []string{"operation", "reason"}),
		durations: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "spanlake_objstore_operation_duration_seconds",
			Help: "How long operations on the bucket took, failed ones included.",
			// 1 ms, a local disk, to 33 s, a large object on a slow line.
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}, []string{"operation"}),
		read: f.NewCounter(prometheus.CounterOpts{
			Name: "spanlake_objstore_read_bytes_total",
			Help: "Bytes of objects read from the bucket.",
		}),
		written: f.NewCounter(prometheus.CounterOpts{
			Name: "spanlake_objstore_written_bytes_total",
			Help: "Bytes of objects stored in the bucket.",
		}),
	}
	for _, op := range []string{opPut, opGet, opList, opDelete, opStat, opPurge} {
		m.operations.WithLabelValues(op) // a rate needs the zero before the first
	}
	return m
}

// begin counts an operation; call the result with its outcome.
func (m *metrics) begin(op string) func(error) {
	m.operations.WithLabelValues(op).Inc()
	start := time.Now()
	return func(err error) {
		m.durations.WithLabelValues(op).Observe(time.Since(start).Seconds())
		if err != nil {
			m.errors.WithLabelValues(op, reason(err)).Inc()
		}
	}
}

// reason is the label of an error: a small, fixed set.
func reason(err error) string {
	for _, r := range []struct {
		err   error
		label string
	}{
		{context.Canceled, "canceled"},
		{context.DeadlineExceeded, "deadline"},
		{ErrNotExist, "not_exist"},
		{ErrExist, "exist"},
		{ErrChanged, "changed"},
		{ErrRange, "range"},
		{ErrBadKey, "bad_key"},
		{ErrTransient, "transient"},
	} {
		if errors.Is(err, r.err) {
			return r.label
		}
	}
	return "other"
}

type instrumented struct {
	bucket  Bucket
	metrics *metrics
}

func (b *instrumented) Put(ctx context.Context, key string, body io.ReadSeeker, opts PutOptions) error {
	// Put rewinds the body. One that cannot tell its size fails there, too.
	size, sizeErr := body.Seek(0, io.SeekEnd)
	end := b.metrics.begin(opPut)
	err := b.bucket.Put(ctx, key, body, opts)
	end(err)
	if err == nil && sizeErr == nil {
		b.metrics.written.Add(float64(size))
	}
	return err
}

func (b *instrumented) Get(ctx context.Context, key string, opts GetOptions) ([]byte, Object, error) {
	end := b.metrics.begin(opGet)
	data, object, err := b.bucket.Get(ctx, key, opts)
	end(err)
	b.metrics.read.Add(float64(len(data)))
	return data, object, err
}

func (b *instrumented) List(ctx context.Context, opts ListOptions) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		end := b.metrics.begin(opList)
		var failed error
		defer func() { end(failed) }()
		for object, err := range b.bucket.List(ctx, opts) {
			failed = err
			if !yield(object, err) {
				return
			}
		}
	}
}

func (b *instrumented) Delete(ctx context.Context, key string) error {
	end := b.metrics.begin(opDelete)
	err := b.bucket.Delete(ctx, key)
	end(err)
	return err
}

func (b *instrumented) Stat(ctx context.Context, key string) (Object, error) {
	end := b.metrics.begin(opStat)
	object, err := b.bucket.Stat(ctx, key)
	end(err)
	return object, err
}
