package langfuse

import (
	"strings"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// score makes the row of a score. One of a run of a dataset, which is nothing that is
// stored here, has none.
func (s *sender) score(e *event) (span schema.Span, ok bool) {
	f := jsonvalue.Pick(e.body, "id", "name", "value", "dataType", "traceId", "sessionId", "observationId", "comment", "metadata",
		"configId", "queueId", "source", "environment", "executionTraceId")
	id := jsonvalue.Text(f["id"])
	if id == "" {
		id = e.id
	}
	score := ingester.Score{
		Key: "langfuse:" + id, ID: id, Nanos: e.at, Name: jsonvalue.Text(f["name"]), Explanation: jsonvalue.Text(f["comment"]),
		Session: jsonvalue.Text(f["sessionId"]), Source: jsonvalue.Text(f["source"]), DataType: jsonvalue.Text(f["dataType"]),
	}
	observation := jsonvalue.Text(f["observationId"])
	var more row
	if trace := jsonvalue.Text(f["traceId"]); trace != "" {
		score.Trace = ingester.TraceIDOf(trace)
		more.text("langfuse.trace.id", trace)
		if observation != "" {
			score.Span = ingester.SpanIDOf(observation)
			more.text("langfuse.observation.id", observation)
		}
	} else if score.Session != "" {
		score.Trace = ingester.SessionTrace(score.Session)
	} else {
		return schema.Span{}, false
	}
	if score.Source == "" {
		score.Source = "API"
	}
	setValue(&score, f["value"])
	more.textOf("deployment.environment.name", f["environment"])
	more.textOf("langfuse.score.config_id", f["configId"])
	more.textOf("langfuse.score.queue_id", f["queueId"])
	more.textOf("langfuse.score.execution_trace_id", f["executionTraceId"])
	score.More = otlp.SpanAttributes(&more.Span)
	score.AddMetadata(f["metadata"])
	span = score.Row("langfuse")
	span.FragmentNanos = e.order
	return span, true
}

// setValue sets what a score says, and of which type it is if nobody said so.
func setValue(score *ingester.Score, v jsonvalue.Value) {
	score.DataType = strings.ToUpper(score.DataType)
	isText := len(v) > 0 && v[0] == '"'
	if score.DataType == "" {
		score.DataType = ingester.ScoreNumeric
		if isText {
			score.DataType = ingester.ScoreCategorical
		}
	}
	number, isNumber := jsonvalue.Number(v)
	if text := strings.ToLower(jsonvalue.Text(v)); score.DataType == ingester.ScoreBoolean && (text == "true" || text == "false") {
		isNumber = true
		if text == "true" {
			number = 1
		}
	}
	numeric := score.DataType == ingester.ScoreNumeric || score.DataType == ingester.ScoreBoolean
	if isNumber && (numeric || !isText) {
		score.Value = &number
	}
	if !numeric || !isNumber {
		score.Label = jsonvalue.Text(v)
	}
}
