package project

import (
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/spanlake/spanlake/schema"
)

// Limits are what a project may use. In settings 0 stands for the default of
// the process and Unlimited for no limit; in a Project 0 is no limit. Rates and
// concurrency are per process: several receivers take so much each.
type Limits struct {
	// IngestBytesPerSecond and IngestSpansPerSecond bound what is received,
	// after decompression. A request is taken as long as anything is left, and
	// what it takes too much delays the next ones.
	IngestBytesPerSecond int64 `json:"ingest_bytes_per_second,omitempty" yaml:"ingest_bytes_per_second"`
	IngestSpansPerSecond int64 `json:"ingest_spans_per_second,omitempty" yaml:"ingest_spans_per_second"`
	// LiveTraces bounds the traces of which spans have come in lately. A request
	// that brings one more is taken as long as there are fewer.
	LiveTraces int64 `json:"live_traces,omitempty" yaml:"live_traces"`
	// AttributeBytes is the size of the largest attribute, key and value as
	// OTLP encodes them.
	AttributeBytes int64 `json:"attribute_bytes,omitempty" yaml:"attribute_bytes"`
	// ConcurrentQueries is how many queries are answered at once.
	ConcurrentQueries int64 `json:"concurrent_queries,omitempty" yaml:"concurrent_queries"`
	// QueryBytes is how much of blocks one query may read from the bucket.
	QueryBytes int64 `json:"query_bytes,omitempty" yaml:"query_bytes"`
}

// Unlimited in place of a limit in settings lifts the default.
const Unlimited = -1

// Names of the limits, as settings and messages call them.
const (
	LimitIngestBytes       = "ingest_bytes_per_second"
	LimitIngestSpans       = "ingest_spans_per_second"
	LimitLiveTraces        = "live_traces"
	LimitAttributeBytes    = "attribute_bytes"
	LimitConcurrentQueries = "concurrent_queries"
	LimitQueryBytes        = "query_bytes"
)

// namedLimit is a limit by its name.
type namedLimit struct {
	name  string
	value *int64
}

func (l *Limits) named() []namedLimit {
	return []namedLimit{
		{LimitIngestBytes, &l.IngestBytesPerSecond},
		{LimitIngestSpans, &l.IngestSpansPerSecond},
		{LimitLiveTraces, &l.LiveTraces},
		{LimitAttributeBytes, &l.AttributeBytes},
		{LimitConcurrentQueries, &l.ConcurrentQueries},
		{LimitQueryBytes, &l.QueryBytes},
	}
}

// Set changes the limit of a name.
func (l *Limits) Set(name string, value int64) error {
	var names []string
	for _, limit := range l.named() {
		if limit.name == name {
			*limit.value = value
			return l.validate()
		}
		names = append(names, limit.name)
	}
	return fmt.Errorf("there is no limit %q: there are %s", name, strings.Join(names, ", "))
}

// All yields name and value of every limit, in the order of the fields.
func (l *Limits) All() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for _, limit := range l.named() {
			if !yield(limit.name, *limit.value) {
				return
			}
		}
	}
}

func (l *Limits) validate() error {
	var errs []error
	for _, limit := range l.named() {
		if *limit.value < Unlimited {
			errs = append(errs, fmt.Errorf("limit %s %d: want a positive number, 0 for the default or %d for none", limit.name, *limit.value, Unlimited))
		}
	}
	return errors.Join(errs...)
}

// over are the limits with those of defaults where they say nothing, and 0 for
// none.
func (l Limits) over(defaults Limits) Limits {
	for i, limit := range l.named() {
		if *limit.value == 0 {
			*limit.value = *defaults.named()[i].value
		}
		*limit.value = max(*limit.value, 0)
	}
	return l
}

// Raise tells how a limit of a project is raised.
func Raise(id schema.ProjectID, limit string) string {
	return fmt.Sprintf("raise it with: spanlake project set-limit %s %s <number>", id, limit)
}
