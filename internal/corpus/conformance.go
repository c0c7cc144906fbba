package corpus

import "fmt"

// datasetFiles is the number of requests that make up the data set.
const datasetFiles = 6

// The times of every span of the data set lie between these, Unix seconds.
const (
	DatasetStart = 1768471200 // 2026-01-15T10:00:00Z
	DatasetEnd   = 1768478400 // 2026-01-15T12:00:00Z
)

// Dataset returns the data of the conformance suite: 304 traces, of about
// 5,600 spans, as the bodies of OTLP/HTTP requests with content type
// application/x-protobuf, each of which is a TracesData message as well. The
// caller may change them.
func Dataset() ([][]byte, error) {
	bodies := make([][]byte, datasetFiles)
	for i := range bodies {
		var err error
		if bodies[i], err = read(fmt.Sprintf("conformance/dataset-%d.pb.zst", i)); err != nil {
			return nil, err
		}
	}
	return bodies, nil
}

// QueryKind selects the normal form of an answer; data/README.md defines them.
type QueryKind string

// The kinds of queries.
const (
	KindSearch   QueryKind = "search"
	KindMetrics  QueryKind = "metrics"
	KindTags     QueryKind = "tags"
	KindTagsV1   QueryKind = "tags_v1"
	KindValues   QueryKind = "values"
	KindValuesV1 QueryKind = "values_v1"
	KindTrace    QueryKind = "trace"
	KindError    QueryKind = "error"
)

// Query is one request of the conformance suite: a GET of Path with Params.
type Query struct {
	// ID is unique and stable: the feature and a number.
	ID string `json:"id"`
	// Feature groups the queries about one part of the language or the API.
	Feature string `json:"feature"`
	// Kind says which part of an Answer is set.
	Kind QueryKind `json:"kind"`
	// Path of the request.
	Path string `json:"path"`
	// Params are the parameters of the request, not escaped.
	Params map[string]string `json:"params"`
	// Attrs makes the returned attributes of a search part of the answer.
	Attrs bool `json:"attrs"`
	// RelTol is how far a metric's value may be off, relative to the larger
	// of the two; 0 means 1e-6.
	RelTol float64 `json:"rel_tol"`
	// Loose weakens the comparison of a search with a limit, see Loose*.
	Loose Loose `json:"loose"`
	// Quirk says why the recorded answer is doubtful, empty if it is not. A
	// query with a quirk does not count.
	Quirk string `json:"quirk"`
}

// Loose is a weaker comparison of the answers to a search.
type Loose string

const (
	// LooseCount compares only the number of traces.
	LooseCount Loose = "count"
	// LooseMatched compares the matches and returned spans by number.
	LooseMatched Loose = "matched"
)

// Answer is the normal form of a response. Besides Status only the part that
// belongs to the query's kind is set.
type Answer struct {
	// Status of the response. A 4xx is met by any 4xx.
	Status int `json:"status"`
	// Traces of a search, by ID.
	Traces []Trace `json:"traces"`
	// Series of a metrics query, by labels.
	Series []Series `json:"series"`
	// Values of tags ("scope/name" or "name") and of tag values ("type:value"
	// or "value"), sorted.
	Values []string `json:"values"`
	// Spans of a trace, by ID and kind.
	Spans []Span `json:"spans"`
}

// Trace is one result of a search.
type Trace struct {
	ID          string    `json:"id"` // 32 hex digits
	RootService string    `json:"rootService"`
	RootName    string    `json:"rootName"`
	Start       string    `json:"start"` // Unix nanoseconds, decimal
	DurationMs  int64     `json:"durationMs"`
	SpanSets    []SpanSet `json:"spanSets"` // by attributes, then spans
}

// SpanSet is a group of matching spans of one trace.
type SpanSet struct {
	// Matched is the number of matching spans, also of those not returned.
	Matched int `json:"matched"`
	// Attrs are what by() and aggregates add, if the query has Attrs.
	Attrs map[string]string `json:"attrs"`
	// Spans are the ids, 16 hex digits each, sorted. If the query has Attrs
	// " key=type:value, key=type:value" follows the id.
	Spans []string `json:"spans"`
}

// Series is one series of a metrics query.
type Series struct {
	// Labels is "{key=type:value, key=type:value}", sorted by key.
	Labels string `json:"labels"`
	// Samples are pairs of Unix milliseconds, 0 of an instant query, and
	// value, sorted.
	Samples [][2]float64 `json:"samples"`
}

// Span is one span of a trace by id, with everything that belongs to it as
// text. Attributes are "type:value" by key.
type Span struct {
	ID       string            `json:"id"`     // 16 hex digits
	Parent   string            `json:"parent"` // 16 hex digits or empty
	Name     string            `json:"name"`
	Kind     string            `json:"kind"`
	Status   string            `json:"status"`
	Message  string            `json:"message"`
	Start    string            `json:"start"` // Unix nanoseconds, decimal
	End      string            `json:"end"`   // Unix nanoseconds, decimal
	Scope    string            `json:"scope"` // "name@version key=type:value, …"
	Resource map[string]string `json:"resource"`
	Attrs    map[string]string `json:"attrs"`
	Events   []string          `json:"events"` // "time name key=type:value, …", sorted
	Links    []string          `json:"links"`  // "trace span key=type:value, …", sorted
}

// Queries returns the requests of the conformance suite.
func Queries() ([]Query, error) {
	var queries []Query
	return queries, readJSON("conformance/queries.json", &queries)
}

// Expected returns the answers by Query.ID. A few queries have none: the
// recorded answers differed from run to run.
func Expected() (map[string]Answer, error) {
	var answers map[string]Answer
	return answers, readJSON("conformance/expected.json.zst", &answers)
}

// Differences says by Query.ID where the answers that we want differ from the
// recorded ones on purpose, and why. Queries with a quirk are not among them.
func Differences() (map[string]string, error) {
	var reasons map[string]string
	return reasons, readJSON("conformance/differences.json", &reasons)
}
