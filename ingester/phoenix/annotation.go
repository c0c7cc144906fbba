package phoenix

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/schema"
)

// maxAnnotations bounds a request: SDKs send a few at once.
const maxAnnotations = 10_000

var errTooMany = fmt.Errorf("%w: more than %d annotations: send fewer at once", ingester.ErrTooLarge, maxAnnotations)

// target is what annotations of a path are about.
type target int

const (
	ofSpan target = iota
	ofTrace
	ofSession
)

// annotation is a judgement, of a span, a trace or a session.
type annotation struct {
	SpanID     jsonvalue.Value `json:"span_id"`
	TraceID    jsonvalue.Value `json:"trace_id"`
	SessionID  jsonvalue.Value `json:"session_id"`
	Name       jsonvalue.Value `json:"name"`
	Annotator  jsonvalue.Value `json:"annotator_kind"`
	Result     jsonvalue.Value `json:"result"`
	Metadata   jsonvalue.Value `json:"metadata"`
	Identifier jsonvalue.Value `json:"identifier"`
}

// readAnnotations reads {"data": [annotation…]}.
func readAnnotations(body []byte) ([]annotation, error) {
	var sent struct {
		Data jsonvalue.Value `json:"data"`
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return nil, fmt.Errorf("%w: %w", ingester.ErrBadRequest, err)
	}
	if jsonvalue.Absent(sent.Data) || sent.Data[0] != '[' {
		return nil, fmt.Errorf("%w: data is no list", ingester.ErrBadRequest)
	}
	var list []annotation
	for element := range jsonvalue.Elements(sent.Data) {
		if len(list) == maxAnnotations {
			return nil, errTooMany
		}
		var a annotation
		if err := json.Unmarshal(element, &a); err != nil {
			return nil, fmt.Errorf("%w: %w", ingester.ErrBadRequest, err)
		}
		list = append(list, a)
	}
	return list, nil
}

// span is the annotation as a row.
func (a *annotation) span(ctx context.Context, of target, lookup *ingester.Lookup, now time.Time) (schema.Span, error) {
	score := ingester.Score{Name: jsonvalue.Text(a.Name), Annotator: jsonvalue.Text(a.Annotator), Nanos: jsonvalue.NanosOf(now)}
	if score.Name == "" {
		return schema.Span{}, fmt.Errorf("%w: name is missing", ingester.ErrBadRequest)
	}
	about, err := a.aim(ctx, &score, of, lookup)
	if err != nil {
		return schema.Span{}, err
	}
	score.Key = about + "\x00" + score.Name + "\x00" + jsonvalue.Text(a.Identifier)
	score.ID = jsonvalue.Text(a.Identifier)
	result := jsonvalue.Pick(a.Result, "label", "score", "explanation")
	score.Label, score.Explanation = jsonvalue.Text(result["label"]), jsonvalue.Text(result["explanation"])
	number, isNumber := jsonvalue.Number(result["score"])
	switch {
	case isNumber:
		score.Value, score.DataType = &number, ingester.ScoreNumeric
	case score.Label != "":
		score.DataType = ingester.ScoreCategorical
	}
	score.AddMetadata(a.Metadata)
	return score.Row("phoenix"), nil
}

// aim says where the score belongs, and returns what its target is known by.
func (a *annotation) aim(ctx context.Context, score *ingester.Score, of target, lookup *ingester.Lookup) (about string, err error) {
	switch of {
	case ofSpan:
		about = jsonvalue.Text(a.SpanID)
		if score.Span, err = schema.ParseSpanID(about); err != nil || score.Span.IsZero() {
			return "", fmt.Errorf("%w: span_id %q, want the 16 hexadecimal digits of a span id", ingester.ErrBadRequest, about)
		}
		var found bool
		if score.Trace, found = lookup.Trace(ctx, score.Span); !found {
			score.Trace = ingester.UnknownTrace(score.Span)
		}
		return score.Span.String(), nil
	case ofTrace:
		about = jsonvalue.Text(a.TraceID)
		if score.Trace, err = schema.ParseTraceID(about); err != nil || score.Trace.IsZero() {
			return "", fmt.Errorf("%w: trace_id %q, want the 32 hexadecimal digits of a trace id", ingester.ErrBadRequest, about)
		}
		return score.Trace.String(), nil
	default:
		if score.Session = jsonvalue.Text(a.SessionID); score.Session == "" {
			return "", fmt.Errorf("%w: session_id is missing", ingester.ErrBadRequest)
		}
		score.Trace = ingester.SessionTrace(score.Session)
		return score.Session, nil
	}
}
