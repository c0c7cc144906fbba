package jaeger

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	translator "github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/jaeger"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// shownTrace is a trace as Jaeger's JSON has it.
type shownTrace struct {
	TraceID   string                  `json:"traceID"`
	Spans     []shownSpan             `json:"spans"`
	Processes map[string]shownProcess `json:"processes"`
	Warnings  []string                `json:"warnings"`
}

type shownSpan struct {
	TraceID       string           `json:"traceID"`
	SpanID        string           `json:"spanID"`
	Flags         uint32           `json:"flags,omitempty"`
	OperationName string           `json:"operationName"`
	References    []shownReference `json:"references"`
	StartTime     int64            `json:"startTime"` // Unix microseconds
	Duration      int64            `json:"duration"`  // microseconds
	Tags          []shownTag       `json:"tags"`
	Logs          []shownLog       `json:"logs"`
	ProcessID     string           `json:"processID"`
	Warnings      []string         `json:"warnings"`
}

type shownReference struct {
	RefType string `json:"refType"`
	TraceID string `json:"traceID"`
	SpanID  string `json:"spanID"`
}

type shownProcess struct {
	ServiceName string     `json:"serviceName"`
	Tags        []shownTag `json:"tags"`
}

type shownLog struct {
	Timestamp int64      `json:"timestamp"` // Unix microseconds
	Fields    []shownTag `json:"fields"`
}

type shownTag struct {
	Key   string `json:"key"`
	Type  string `json:"type"`
	Value any    `json:"value"`
}

// shownTraceID is an id as Jaeger writes it: one of 64 bits with 16 digits.
func shownTraceID(id schema.TraceID) string {
	digits := id.String()
	return strings.TrimPrefix(digits, strings.Repeat("0", len(digits)/2))
}

// warningLarge is shown with a trace of which there is more.
const warningLarge = "the trace is too large to be shown as a whole: these are its first spans"

// traceOf is a trace of one or more spans. The library that translates what Jaeger's
// clients send translates it back.
func traceOf(spans []schema.Span, whole bool) (*shownTrace, error) {
	var unmarshaler ptrace.ProtoUnmarshaler
	traces, err := unmarshaler.UnmarshalTraces(otlp.AppendTraces(nil, spans))
	if err != nil {
		return nil, fmt.Errorf("show trace %s to Jaeger: %w", spans[0].TraceID, err)
	}
	t := &shownTrace{TraceID: shownTraceID(spans[0].TraceID), Spans: []shownSpan{}, Processes: make(map[string]shownProcess)}
	if !whole {
		t.Warnings = []string{warningLarge}
	}
	known := make(map[string]string)
	for _, batch := range translator.ProtoFromTraces(traces) {
		process := shownProcess{batch.Process.ServiceName, tagsShown(batch.Process.Tags)}
		same, err := json.Marshal(process)
		if err != nil {
			return nil, err
		}
		id, ok := known[string(same)]
		if !ok {
			id = "p" + strconv.Itoa(len(known)+1)
			known[string(same)], t.Processes[id] = id, process
		}
		for _, s := range batch.Spans {
			t.Spans = append(t.Spans, spanShown(s, id))
		}
	}
	slices.SortStableFunc(t.Spans, func(a, b shownSpan) int { return cmp.Compare(a.StartTime, b.StartTime) })
	return t, nil
}

func spanShown(s *model.Span, process string) shownSpan {
	shown := shownSpan{
		TraceID: s.TraceID.String(), SpanID: s.SpanID.String(), Flags: uint32(s.Flags), OperationName: s.OperationName,
		References: make([]shownReference, len(s.References)), StartTime: micros(s.StartTime), Duration: max(0, s.Duration.Microseconds()),
		Tags: tagsShown(s.Tags), Logs: make([]shownLog, len(s.Logs)), ProcessID: process,
	}
	for i := range s.References {
		r := &s.References[i]
		kind := "CHILD_OF"
		if r.RefType == model.FollowsFrom {
			kind = "FOLLOWS_FROM"
		}
		shown.References[i] = shownReference{kind, r.TraceID.String(), r.SpanID.String()}
	}
	for i := range s.Logs {
		shown.Logs[i] = shownLog{micros(s.Logs[i].Timestamp), tagsShown(s.Logs[i].Fields)}
	}
	return shown
}

// micros is a time that is not negative.
func micros(t time.Time) int64 { return max(0, t.UnixMicro()) }

func tagsShown(tags []model.KeyValue) []shownTag {
	shown := make([]shownTag, len(tags))
	for i := range tags {
		shown[i] = shownTag{tags[i].Key, strings.ToLower(tags[i].VType.String()), valueShown(&tags[i])}
	}
	return shown
}

// maxSafe is the largest number below which JavaScript tells all whole ones apart.
const maxSafe = 1<<53 - 1

// valueShown is a value as JSON has it. Numbers that a client would not read as they
// are, and those that JSON does not know, are texts.
func valueShown(tag *model.KeyValue) any {
	switch tag.VType {
	case model.BoolType:
		return tag.VBool
	case model.Int64Type:
		if tag.VInt64 > maxSafe || tag.VInt64 < -maxSafe {
			return strconv.FormatInt(tag.VInt64, 10)
		}
		return tag.VInt64
	case model.Float64Type:
		if math.IsNaN(tag.VFloat64) || math.IsInf(tag.VFloat64, 0) {
			return strconv.FormatFloat(tag.VFloat64, 'g', -1, 64)
		}
		return tag.VFloat64
	case model.BinaryType:
		return append([]byte{}, tag.VBinary...) // none is no null
	case model.StringType:
	}
	return tag.VStr
}
