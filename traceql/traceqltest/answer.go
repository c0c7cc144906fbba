package traceqltest

import (
	"context"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// Engine answers queries over the spans that it was made with.
type Engine interface {
	// Search returns the traces that a query without a metrics function
	// finds, newest first, then by id.
	Search(ctx context.Context, q *traceql.Query, options SearchOptions) ([]Trace, error)
	// Metrics returns the series of a metrics query, in any order.
	Metrics(ctx context.Context, q *traceql.Query, options MetricsOptions) ([]Series, error)
}

// SearchOptions are the limits of a search.
type SearchOptions struct {
	// StartNanos and EndNanos are the range that a trace must reach into,
	// Unix nanoseconds, end exclusive. An EndNanos of 0 means no end.
	StartNanos, EndNanos uint64
	Limit                int // traces, 0 for all
	SpansPerSpanSet      int // 0 for all
}

// MetricsOptions are the times of a metrics query, Unix nanoseconds.
type MetricsOptions struct {
	// StartNanos and EndNanos are the range.
	StartNanos, EndNanos uint64
	// StepNanos is the distance of points. 0 makes the query an instant one,
	// with one point for the whole range.
	StepNanos uint64
	// Exemplars is the most that the answer may have in all series.
	Exemplars int
}

// Trace is a trace that a search found.
type Trace struct {
	ID                    schema.TraceID
	RootService, RootName string // as shown, "<root span not yet received>" included
	StartNanos            uint64 // of the first span
	DurationMs            uint32 // last end minus first start
	SpanSets              []SpanSet
}

// SpanSet is a group of spans of a trace that a search found.
type SpanSet struct {
	// Attributes are those of by() and of aggregates, in the order of the
	// stages.
	Attributes []schema.Attribute
	Matched    int    // how many spans there are
	Spans      []Span // the first ones by start
}

// Span is a span that a search found.
type Span struct {
	ID   schema.SpanID
	Kind int32 // two spans may share an id if their kinds differ; 0 if the engine does not tell
	// Name is "" unless the query asks for it.
	Name                      string
	StartNanos, DurationNanos uint64
	// Attributes are the fields that the query speaks of, in its order.
	Attributes []schema.Attribute
}

// Series is one series of the answer to a metrics query.
type Series struct {
	Labels    []schema.Attribute // in any order
	Samples   []Sample           // by time
	Exemplars []Exemplar
}

// Sample is one point of a series.
type Sample struct {
	Nanos uint64 // Unix nanoseconds; 0 of an instant query
	Value float64
}

// Exemplar is a span that counts in a series.
type Exemplar struct {
	Labels []schema.Attribute // trace:id among them
	Nanos  uint64             // start of the span or a time in its step, Unix nanoseconds
	Value  float64
}
