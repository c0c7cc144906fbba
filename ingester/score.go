package ingester

import (
	"crypto/sha256"

	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// Score is what somebody or something thinks of a span, a trace or a session, in
// whichever protocol it was said.
type Score struct {
	// Trace is that of the target, and Span the target itself, zero for the trace.
	Trace schema.TraceID
	Span  schema.SpanID
	// Session is the session that is scored, "" for none.
	Session string
	// Key is what a later score of the same trace has if it replaces this one.
	Key string
	// Nanos is when it was said, Unix nanoseconds.
	Nanos uint64

	// Texts that are "" were not said.
	ID, Name, Label, Explanation, Source, DataType, Annotator string
	// Value is nil for a score without a number.
	Value *float64
	// More are attributes that only one protocol has, and metadata.
	More []schema.Attribute
}

// SessionTrace is the trace of the scores of a session.
func SessionTrace(session string) schema.TraceID { return hashedTrace("session:" + session) }

// UnknownTrace is the trace of scores of a span of which nobody knows the trace.
func UnknownTrace(span schema.SpanID) schema.TraceID { return hashedTrace("span:" + span.String()) }

func hashedTrace(text string) schema.TraceID {
	sum := sha256.Sum256([]byte(text))
	return schema.TraceID(sum[:len(schema.TraceID{})])
}

// Row is the score as a row of the trace, below its target. scope is the protocol.
func (s *Score) Row(scope string) schema.Span {
	key := sha256.Sum256([]byte("score:" + s.Key))
	row := schema.Span{
		TraceID: s.Trace, SpanID: schema.SpanID(key[:len(schema.SpanID{})]), ParentSpanID: s.Span,
		StartNanos: s.Nanos, EndNanos: s.Nanos, Name: s.Name, Kind: spanKindInternal,
		Resource: otlp.NewResource(), Scope: otlp.NewScope(scope, ""),
		Fragment: schema.FragmentScore, FragmentNanos: s.Nanos,
	}
	text := func(key, value string) {
		if value != "" {
			row.Attributes = otlp.AppendAttribute(row.Attributes, key, schema.Value{Kind: schema.KindString, Str: value})
		}
	}
	text("spanlake.kind", "score")
	text("gen_ai.evaluation.name", s.Name)
	if s.Value != nil {
		row.Attributes = otlp.AppendAttribute(row.Attributes, "gen_ai.evaluation.score.value", schema.Value{Kind: schema.KindDouble, Double: *s.Value})
	}
	text("gen_ai.evaluation.score.label", s.Label)
	text("gen_ai.evaluation.explanation", s.Explanation)
	text("spanlake.score.id", s.ID)
	text("spanlake.score.source", s.Source)
	text("spanlake.score.data_type", s.DataType)
	text("spanlake.score.annotator", s.Annotator)
	text("session.id", s.Session)
	for _, a := range s.More {
		row.Attributes = otlp.AppendAttribute(row.Attributes, a.Key, a.Value)
	}
	return row
}

// AddMetadata adds what a client gave along. What is too much for attributes is there
// as JSON.
func (s *Score) AddMetadata(metadata jsonvalue.Value) {
	members, more := jsonvalue.Few(metadata)
	for _, m := range members {
		s.More = append(s.More, schema.Attribute{Key: "metadata." + m.Key, Value: jsonvalue.Attribute(m.Value)})
	}
	if more || !jsonvalue.Absent(metadata) && metadata[0] != '{' {
		text := schema.Value{Kind: schema.KindString, Str: jsonvalue.Text(metadata)}
		s.More = append(s.More, schema.Attribute{Key: "metadata", Value: text})
	}
}

const spanKindInternal = 1 // SPAN_KIND_INTERNAL

// The types of scores' data.
const (
	ScoreNumeric     = "NUMERIC"
	ScoreBoolean     = "BOOLEAN"
	ScoreCategorical = "CATEGORICAL"
)
