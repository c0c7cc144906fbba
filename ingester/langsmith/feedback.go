package langsmith

import (
	"context"
	"encoding/json"
	"time"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/schema"
)

// feedback is what somebody thinks of a run.
type feedback struct {
	ID         jsonvalue.Value `json:"id"`
	RunID      jsonvalue.Value `json:"run_id"`
	TraceID    jsonvalue.Value `json:"trace_id"`
	Key        jsonvalue.Value `json:"key"`
	Score      jsonvalue.Value `json:"score"`
	Value      jsonvalue.Value `json:"value"`
	Comment    jsonvalue.Value `json:"comment"`
	Correction jsonvalue.Value `json:"correction"`
	CreatedAt  jsonvalue.Value `json:"created_at"`
	Source     jsonvalue.Value `json:"feedback_source"`
}

// parseFeedback reads feedback that names what it is about.
func parseFeedback(body []byte) (f feedback, ok bool) {
	if json.Unmarshal(body, &f) != nil {
		return f, false
	}
	return f, jsonvalue.Text(f.RunID) != "" || jsonvalue.Text(f.TraceID) != ""
}

// span is the feedback as a row. Of a run that does not say its trace, and that
// is not stored, it is taken that it is the root: then they have one id.
func (f *feedback) span(ctx context.Context, lookup *ingester.Lookup, now time.Time) schema.Span {
	source := jsonvalue.Pick(f.Source, "type", "metadata")
	score := ingester.Score{
		ID: jsonvalue.Text(f.ID), Name: jsonvalue.Text(f.Key), Explanation: jsonvalue.Text(f.Comment), Source: jsonvalue.Text(source["type"]), Nanos: jsonvalue.Nanos(f.CreatedAt),
	}
	if score.Nanos == 0 {
		score.Nanos = jsonvalue.NanosOf(madeAt(score.ID, now))
	}
	run, trace := jsonvalue.Text(f.RunID), jsonvalue.Text(f.TraceID)
	if run != "" {
		score.Span = ingester.SpanIDOf(run)
	}
	if trace != "" {
		score.Trace = ingester.TraceIDOf(trace)
	} else if found, ok := lookup.Trace(ctx, score.Span); ok {
		score.Trace = found
	} else {
		score.Trace = ingester.TraceIDOf(run)
	}
	score.Key = score.ID
	if score.Key == "" {
		score.Key = run + "\x00" + trace + "\x00" + score.Name
	}
	f.judge(&score)
	score.AddMetadata(source["metadata"])
	if !jsonvalue.Absent(f.Correction) {
		score.More = append(score.More, schema.Attribute{Key: "langsmith.feedback.correction", Value: jsonvalue.Attribute(f.Correction)})
	}
	return score.Row("langsmith")
}

// judge takes the number and the label, either of which may be in one of two fields.
func (f *feedback) judge(score *ingester.Score) {
	for _, v := range [...]jsonvalue.Value{f.Score, f.Value} {
		if jsonvalue.Absent(v) {
			continue
		}
		switch n := jsonvalue.Attribute(v); {
		case n.Kind == schema.KindBool && score.Value == nil:
			var one float64
			if n.Bool {
				one = 1
			}
			score.Value, score.DataType = &one, ingester.ScoreBoolean
		case n.Kind == schema.KindInt && score.Value == nil:
			f := float64(n.Int)
			score.Value, score.DataType = &f, ingester.ScoreNumeric
		case n.Kind == schema.KindDouble && score.Value == nil:
			score.Value, score.DataType = &n.Double, ingester.ScoreNumeric
		case score.Label == "":
			score.Label = jsonvalue.Text(v)
			if score.DataType == "" {
				score.DataType = ingester.ScoreCategorical
			}
		}
	}
}
