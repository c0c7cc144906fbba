package main

import (
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Formats of an export.
const (
	formatOTLP  = "otlp"
	formatJSONL = "jsonl"
	formatCSV   = "csv"
)

func exportFormats() []string { return []string{formatOTLP, formatJSONL, formatCSV} }

func defaultColumns() []string {
	return []string{"trace_id", "span_id", "parent_span_id", "service", "name", "kind", "start", "duration_ns", "status", "status_message"}
}

// fixedFields are those that are not attributes.
func fixedFields() []string {
	return append(defaultColumns(), "end", "trace_state", "scope_name", "scope_version", "events", "links")
}

// checkColumns refuses columns that no span can have.
func checkColumns(columns []string) error {
	for i, c := range columns {
		scope, key, attribute := strings.Cut(c, ".")
		switch {
		case slices.Contains(columns[:i], c):
			return fmt.Errorf("columns: %q is there twice", c)
		case attribute && key != "" && slices.Contains([]string{"resource", "scope", "span"}, scope), slices.Contains(fixedFields(), c):
		default:
			return fmt.Errorf("columns: there is no %q: want resource.<key>, scope.<key>, span.<key> or one of %s", c, strings.Join(fixedFields(), ", "))
		}
	}
	return nil
}

func newTraceFormat(cfg *exportConfig, w io.Writer) traceFormat {
	switch cfg.format {
	case formatJSONL:
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		return &jsonlFormat{encoder}
	case formatCSV:
		lines := csv.NewWriter(w)
		lines.UseCRLF = true
		return &csvFormat{lines, cfg.columnList()}
	}
	return &otlpFormat{w}
}

// otlpFormat is one message per line.
type otlpFormat struct{ w io.Writer }

func (f *otlpFormat) begin() error { return nil }

func (f *otlpFormat) write(trace *tracepb.TracesData) error {
	message, err := proto.Marshal(trace)
	if err != nil {
		return err
	}
	traces, err := new(ptrace.ProtoUnmarshaler).UnmarshalTraces(message)
	if err != nil {
		return err
	}
	line, err := new(ptrace.JSONMarshaler).MarshalTraces(traces)
	if err != nil {
		return err
	}
	_, err = f.w.Write(append(line, '\n'))
	return err
}

// jsonlFormat is one flat object per line.
type jsonlFormat struct{ encoder *json.Encoder }

func (f *jsonlFormat) begin() error { return nil }

func (f *jsonlFormat) write(trace *tracepb.TracesData) error {
	for _, span := range exportSpans(trace) {
		if err := f.encoder.Encode(span.fields()); err != nil {
			return err
		}
	}
	return nil
}

// csvFormat is one line per span. A field that a span has not is empty.
type csvFormat struct {
	w       *csv.Writer
	columns []string
}

func (f *csvFormat) begin() error {
	if err := f.w.Write(f.columns); err != nil {
		return err
	}
	f.w.Flush()
	return f.w.Error()
}

func (f *csvFormat) write(trace *tracepb.TracesData) error {
	line := make([]string, len(f.columns))
	for _, span := range exportSpans(trace) {
		fields := span.fields()
		for i, c := range f.columns {
			text, err := cellText(fields[c])
			if err != nil {
				return err
			}
			line[i] = text
		}
		if err := f.w.Write(line); err != nil {
			return err
		}
	}
	f.w.Flush()
	return f.w.Error()
}

func cellText(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	text, err := json.Marshal(value)
	return string(text), err
}

// exportSpan is a span with what it stands in.
type exportSpan struct {
	resource []*commonpb.KeyValue
	scope    *commonpb.InstrumentationScope
	span     *tracepb.Span
}

func exportSpans(trace *tracepb.TracesData) (list []exportSpan) {
	for _, r := range trace.GetResourceSpans() {
		for _, s := range r.GetScopeSpans() {
			for _, span := range s.GetSpans() {
				list = append(list, exportSpan{r.GetResource().GetAttributes(), s.GetScope(), span})
			}
		}
	}
	return list
}

// fields are the names and values of a span, as JSON takes them.
func (f *exportSpan) fields() map[string]any {
	s := f.span
	m := map[string]any{
		"trace_id": hex.EncodeToString(s.GetTraceId()), "span_id": hex.EncodeToString(s.GetSpanId()), "name": s.GetName(),
		"service": lookupText(f.resource, "service.name"), "kind": kindText(s.GetKind()),
		"start": exactTime(s.GetStartTimeUnixNano()), "end": exactTime(s.GetEndTimeUnixNano()),
		"duration_ns": int64(s.GetEndTimeUnixNano() - s.GetStartTimeUnixNano()), //nolint:gosec // negative if it ends before it starts
		"status":      strings.ToLower(strings.TrimPrefix(s.GetStatus().GetCode().String(), "STATUS_CODE_")),
	}
	for name, text := range map[string]string{
		"parent_span_id": hex.EncodeToString(s.GetParentSpanId()), "trace_state": s.GetTraceState(), "status_message": s.GetStatus().GetMessage(),
		"scope_name": f.scope.GetName(), "scope_version": f.scope.GetVersion(),
	} {
		if text != "" {
			m[name] = text
		}
	}
	addAttributes(m, "resource.", f.resource)
	addAttributes(m, "scope.", f.scope.GetAttributes())
	addAttributes(m, "span.", s.GetAttributes())
	if len(s.GetEvents()) > 0 {
		events := make([]any, 0, len(s.GetEvents()))
		for _, e := range s.GetEvents() {
			events = append(events, map[string]any{
				"time": exactTime(e.GetTimeUnixNano()), "name": e.GetName(), "attributes": addAttributes(map[string]any{}, "", e.GetAttributes()),
			})
		}
		m["events"] = events
	}
	if len(s.GetLinks()) > 0 {
		links := make([]any, 0, len(s.GetLinks()))
		for _, l := range s.GetLinks() {
			links = append(links, map[string]any{
				"trace_id": hex.EncodeToString(l.GetTraceId()), "span_id": hex.EncodeToString(l.GetSpanId()), "trace_state": l.GetTraceState(),
				"attributes": addAttributes(map[string]any{}, "", l.GetAttributes()),
			})
		}
		m["links"] = links
	}
	return m
}

// exactTime is a time that sorts as text.
func exactTime(nanos uint64) string {
	seconds, rest := int64(nanos/1e9), int64(nanos%1e9) //nolint:gosec // smaller than 1<<35
	return time.Unix(seconds, rest).UTC().Format("2006-01-02T15:04:05.000000000Z")
}

// addAttributes adds attributes, of those with the same key the first.
func addAttributes(m map[string]any, prefix string, attributes []*commonpb.KeyValue) map[string]any {
	for _, a := range attributes {
		if _, has := m[prefix+a.GetKey()]; !has {
			m[prefix+a.GetKey()] = plainValue(a.GetValue())
		}
	}
	return m
}

// plainValue is a value as JSON takes it: bytes in base64, and numbers that JSON
// has not as text.
func plainValue(value *commonpb.AnyValue) any {
	switch v := value.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_BoolValue:
		return v.BoolValue
	case *commonpb.AnyValue_IntValue:
		return v.IntValue
	case *commonpb.AnyValue_DoubleValue:
		if math.IsNaN(v.DoubleValue) || math.IsInf(v.DoubleValue, 0) {
			return strconv.FormatFloat(v.DoubleValue, 'g', -1, 64)
		}
		return v.DoubleValue
	case *commonpb.AnyValue_BytesValue:
		return base64.StdEncoding.EncodeToString(v.BytesValue)
	case *commonpb.AnyValue_ArrayValue:
		list := make([]any, 0, len(v.ArrayValue.GetValues()))
		for _, e := range v.ArrayValue.GetValues() {
			list = append(list, plainValue(e))
		}
		return list
	case *commonpb.AnyValue_KvlistValue:
		return addAttributes(map[string]any{}, "", v.KvlistValue.GetValues())
	}
	return nil
}
