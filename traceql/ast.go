package traceql

// Query is a parsed and checked query: of Pipeline and Metrics exactly one is
// set. It is immutable and safe for concurrent use.
type Query struct {
	Pipeline Pipeline    // of a search, else nil
	Metrics  MetricsExpr // of a metrics query, else nil
	Hints    []Hint      // of the last with(...) clause
}

// Hint is one setting of a with(...) clause. Unknown ones mean nothing.
type Hint struct {
	Name  string
	Value Static
	pos   int // of the value
}

// Pipeline is a chain of stages, at least one. Each stage takes the spansets
// of a trace that the one before it gives, the first one all spans of the
// trace as one spanset. A trace is found if the last stage gives any.
type Pipeline []Stage

// Stage is one step of a pipeline: *SpansetFilter, *SpansetOperation,
// *SpansetPipeline, *ScalarFilter, *GroupBy, *Select or *Coalesce.
type Stage interface {
	// String is the stage as a query spells it.
	String() string
	// Pos is the byte offset in the query at which the stage stands.
	Pos() int
	stage()
}

// GroupBy splits every spanset into one for each value of Expr.
type GroupBy struct {
	Expr FieldExpr
	pos  int
}

// Select adds fields to the spans that are returned. It drops none.
type Select struct {
	Fields []FieldExpr // *Attribute or *Intrinsic, at least one
	pos    int
}

// Coalesce joins the spansets of a trace into one.
type Coalesce struct {
	pos int
}

func (*GroupBy) stage()  {}
func (*Select) stage()   {}
func (*Coalesce) stage() {}

// Pos is the place of the word by.
func (s *GroupBy) Pos() int { return s.pos }

// Pos is the place of the word select.
func (s *Select) Pos() int { return s.pos }

// Pos is the place of the word coalesce.
func (s *Coalesce) Pos() int { return s.pos }
