package conversation

import (
	"cmp"

	"github.com/spanlake/spanlake/schema"
)

// Score is what was said of a trace, of one of its spans, or of a session.
type Score struct {
	Span    schema.SpanID // of its row
	ID      string
	TraceID string // "" for a session's
	// ObservationID is that of the span, "" if it is about the trace.
	ObservationID string
	Session       string // that it is about, "" for none
	Nanos         uint64

	Name, Label, Comment, Source, DataType, Annotator string
	Environment, ConfigID, QueueID                    string
	Value                                             *float64
	Metadata                                          []schema.Attribute
}

// scoreOf reads a row; target is the span that it is about, if it is there.
func scoreOf(o *Observation, t *Trace, target *Observation) Score {
	s := Score{
		Span: o.Span.SpanID, ID: cmp.Or(o.Text("spanlake.score.id"), o.Span.SpanID.String()), Nanos: o.Span.StartNanos,
		Name: cmp.Or(o.Text("gen_ai.evaluation.name"), o.Span.Name), Label: o.Text("gen_ai.evaluation.score.label"),
		Comment: o.Text("gen_ai.evaluation.explanation"), Source: o.Text("spanlake.score.source"),
		DataType: o.Text("spanlake.score.data_type"), Annotator: o.Text("spanlake.score.annotator"),
		Environment: o.Text("deployment.environment.name"), ConfigID: o.Text("langfuse.score.config_id"), QueueID: o.Text("langfuse.score.queue_id"),
		Session: o.Text("session.id"), Metadata: o.Metadata(),
	}
	if value, ok := o.Number("gen_ai.evaluation.score.value"); ok {
		s.Value = &value
	}
	if s.DataType == "" {
		s.DataType = "CATEGORICAL"
		if s.Value != nil {
			s.DataType = "NUMERIC"
		}
	}
	switch {
	case s.Session != "" && o.Span.ParentSpanID.IsZero() && o.Text("langfuse.trace.id") == "":
		return s // of a session: its trace is nothing that a client knows
	case target != nil && target.Kind != KindTrace:
		s.ObservationID = target.ID
	case target == nil && !o.Span.ParentSpanID.IsZero():
		s.ObservationID = cmp.Or(o.Text("langfuse.observation.id"), o.Span.ParentSpanID.String())
	}
	s.TraceID = t.ID
	return s
}
