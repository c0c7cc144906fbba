package traceql

// MetricsExpr gives time series: *MetricsQuery or *MetricsBinary. A
// *MetricsLiteral stands only on one side of a *MetricsBinary.
type MetricsExpr interface {
	// String is the expression as a query spells it.
	String() string
	// Pos is the byte offset in the query at which the expression stands.
	Pos() int
	metricsExpr()
}

// MetricsQuery calculates series of the spans that a pipeline gives.
type MetricsQuery struct {
	Pipeline Pipeline // at least one stage
	Function *MetricsFunction
	Stages   []SecondStage // applied in their order
}

// MetricsBinary combines the series of its sides that have the same labels,
// or every series with a number.
type MetricsBinary struct {
	Op          Operator // + - * /
	Left, Right MetricsExpr
	Stages      []SecondStage // applied to the result in their order, only on the outermost expression
	pos         int           // of the operator
}

// MetricsLiteral is a constant int, float or duration. Durations count in
// seconds here.
type MetricsLiteral struct {
	Value Static
	pos   int
}

func (*MetricsQuery) metricsExpr()   {}
func (*MetricsBinary) metricsExpr()  {}
func (*MetricsLiteral) metricsExpr() {}

// Pos is the place of the function's name.
func (e *MetricsQuery) Pos() int { return e.Function.pos }

// Pos is the place of the operator.
func (e *MetricsBinary) Pos() int { return e.pos }

// Pos is the place of the literal's first character.
func (e *MetricsLiteral) Pos() int { return e.pos }

// MetricsFunction makes series of spans, one for each combination of the
// values of By.
type MetricsFunction struct {
	Op        MetricsOp
	Field     FieldExpr   // *Attribute or *Intrinsic; nil for rate, count_over_time and compare
	Quantiles []float64   // of quantile_over_time, at least one, each from 0 to 1
	By        []FieldExpr // *Attribute or *Intrinsic, at most 5, or 4 for quantiles and histograms
	Compare   *Compare    // of compare, else nil
	pos       int
}

// Pos is the byte offset in the query of the function's name.
func (f *MetricsFunction) Pos() int { return f.pos }

// Compare are the arguments of compare: how often does every attribute have
// which value in the spans that Selection finds, and how often in the others?
type Compare struct {
	Selection *SpansetFilter
	TopN      int // values of an attribute that are shown, 1 to MaxTopN
	// A span is selected only if it starts in (StartNanos, EndNanos], Unix
	// nanoseconds. Both are 0 when the query does not say.
	StartNanos, EndNanos uint64
}

// DefaultTopN is the number of values that compare shows of an attribute if
// the query does not say, MaxTopN the largest that it may ask for.
const (
	DefaultTopN = 10
	MaxTopN     = 1000
)

// SecondStage changes series: *TopK or *MetricsFilter.
type SecondStage interface {
	// String is the stage as a query spells it, with the | that it begins
	// with, if any.
	String() string
	// Pos is the byte offset in the query at which the stage stands.
	Pos() int
	secondStage()
}

// TopK keeps, at every step on its own, the points of the N series with the
// largest values, or with Bottom the smallest.
type TopK struct {
	N      int // at least 1
	Bottom bool
	pos    int
}

// MetricsFilter keeps the points for which "point Op Value" holds. Durations
// count in seconds.
type MetricsFilter struct {
	Op    Operator // = != < <= > >=
	Value Static
	pos   int
}

func (*TopK) secondStage()          {}
func (*MetricsFilter) secondStage() {}

// Pos is the place of the function's name.
func (s *TopK) Pos() int { return s.pos }

// Pos is the place of the operator.
func (s *MetricsFilter) Pos() int { return s.pos }

// MetricsOp names a function that makes series.
type MetricsOp uint8

// The functions that make series.
const (
	MetricsNone              MetricsOp = iota
	MetricsRate                        // rate(): spans per second
	MetricsCountOverTime               // count_over_time(): spans
	MetricsMinOverTime                 // min_over_time(field)
	MetricsMaxOverTime                 // max_over_time(field)
	MetricsAvgOverTime                 // avg_over_time(field)
	MetricsSumOverTime                 // sum_over_time(field)
	MetricsHistogramOverTime           // histogram_over_time(field): counts of buckets
	MetricsQuantileOverTime            // quantile_over_time(field, q, ...)
	MetricsCompare                     // compare({ ... }, topN, start, end)
)

var metricsTable = [...]string{
	MetricsNone:              "",
	MetricsRate:              "rate",
	MetricsCountOverTime:     "count_over_time",
	MetricsMinOverTime:       "min_over_time",
	MetricsMaxOverTime:       "max_over_time",
	MetricsAvgOverTime:       "avg_over_time",
	MetricsSumOverTime:       "sum_over_time",
	MetricsHistogramOverTime: "histogram_over_time",
	MetricsQuantileOverTime:  "quantile_over_time",
	MetricsCompare:           "compare",
}

// String is the function's name.
func (op MetricsOp) String() string { return metricsTable[op] }

// takesField reports whether the function's first argument is a field.
func (op MetricsOp) takesField() bool {
	return op >= MetricsMinOverTime && op <= MetricsQuantileOverTime
}

// maxBy is the number of fields that a function can group by. Quantiles and
// histograms have a label of their own.
func (op MetricsOp) maxBy() int {
	if op == MetricsQuantileOverTime || op == MetricsHistogramOverTime {
		return 4
	}
	return 5
}

func lookupMetrics(word string) MetricsOp {
	for op, name := range metricsTable {
		if name == word && MetricsOp(op) != MetricsNone { //nolint:gosec // an index of a short table
			return MetricsOp(op) //nolint:gosec // an index of a short table
		}
	}
	return MetricsNone
}
