package langsmith

import (
	"cmp"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// Attributes that rows of this protocol have, besides the canonical ones.
const (
	attrRunID      = "langsmith.run.id"
	attrRunType    = "langsmith.span.kind" // as the SDK calls it when it sends OTLP
	attrInput      = "input.value"
	attrOutput     = "output.value"
	attrAttachment = "langsmith.attachment."
	attrMetadata   = "langsmith.metadata."
	attrRuntime    = "langsmith.runtime."
)

// defaultSession is the name that LangSmith has for a project that nobody named.
const defaultSession = "default"

// span makes the row of a run: the beginning of a span, or an update. now is when
// it arrived.
func (r *run) span(p place, now time.Time) schema.Span {
	end := endOf(p.start, jsonvalue.Nanos(r.EndTime))
	s := schema.Span{
		TraceID: ingester.TraceIDOf(p.trace), SpanID: ingester.SpanIDOf(p.id), StartNanos: p.start, EndNanos: end,
		Name: jsonvalue.Text(r.Name), Kind: kindInternal, Fragment: schema.FragmentCreate, FragmentNanos: p.start,
	}
	if p.parent != "" {
		s.ParentSpanID = ingester.SpanIDOf(p.parent)
	}
	if r.patch {
		s.Fragment, s.FragmentNanos = schema.FragmentUpdate, end
		if end == 0 {
			s.FragmentNanos = jsonvalue.NanosOf(now)
		}
	}
	extra := jsonvalue.Pick(r.Extra, "metadata", "runtime", "invocation_params")
	outputs := jsonvalue.Pick(r.Outputs, "usage_metadata", "model", "response_metadata", "llm_output", "llmOutput", "generations")
	s.Resource = resource(jsonvalue.Text(r.SessionName), r.patch, extra["runtime"])
	s.Scope = scope(jsonvalue.Text(jsonvalue.At(extra["runtime"], "sdk_version")), r.patch)

	var a attributes
	a.text(attrRunID, p.id)
	a.runType(jsonvalue.Text(r.RunType))
	a.models(jsonvalue.Text(r.RunType), extra, outputs)
	a.usage(outputs, extra["metadata"])
	a.metadata(extra["metadata"])
	a.tags(r.Tags)
	a.json(attrInput, r.Inputs)
	a.json(attrOutput, r.Outputs)
	for _, file := range r.attachments {
		a.text(attrAttachment+file.name, file.text)
	}
	var dropped uint64
	if s.Events, dropped = a.events(r.Events, s.StartNanos); dropped > 0 {
		s.Rest = protowire.AppendVarint(protowire.AppendTag(nil, droppedEvents, protowire.VarintType), dropped)
	}
	if failure := jsonvalue.Text(r.Error); failure != "" {
		s.StatusCode = statusError
		s.StatusMessage, _, _ = strings.Cut(failure, "\n")
		s.Events = otlp.AppendEvent(s.Events, max(end, s.StartNanos), "exception",
			schema.Attribute{Key: "exception.message", Value: schema.Value{Kind: schema.KindString, Str: failure}})
	}
	s.Attributes = a.wire
	return s
}

// endOf is the end of a run. JavaScript tells it in whole milliseconds, and counts
// the microseconds of starts up so that they differ: then it may seem to be earlier.
func endOf(start, end uint64) uint64 {
	if end != 0 && end < start && start-end < uint64(time.Millisecond) {
		return start
	}
	return end
}

// OTLP's numbers.
const (
	kindInternal = 1 // SPAN_KIND_INTERNAL
	statusError  = 2 // STATUS_CODE_ERROR

	droppedEvents = 12 // the field dropped_events_count of a span
)

// resource says where a run comes from. An update without a session is of
// whichever its run began in.
func resource(session string, patch bool, runtime jsonvalue.Value) *schema.Resource {
	if session == "" {
		if patch {
			return otlp.ParseResource(nil)
		}
		session = defaultSession
	}
	var list []schema.Attribute
	add := func(key string, v jsonvalue.Value) {
		list = append(list, schema.Attribute{Key: key, Value: jsonvalue.Attribute(v)})
	}
	list = append(list, schema.Attribute{Key: "service.name", Value: schema.Value{Kind: schema.KindString, Str: session}})
	members, _ := jsonvalue.Few(runtime)
	for _, m := range members {
		key, v := m.Key, m.Value
		switch key {
		case "sdk":
			add("telemetry.sdk.name", v)
		case "sdk_version":
			add("telemetry.sdk.version", v)
		case "runtime":
			add("process.runtime.name", v)
		case "runtime_version":
			add("process.runtime.version", v)
		default:
			add(attrRuntime+key, v)
		}
	}
	return otlp.NewResource(list...)
}

// scope is the SDK. An update that does not name its version is of that of the run's
// beginning.
func scope(version string, patch bool) *schema.Scope {
	if version == "" && patch {
		return otlp.ParseScope(nil)
	}
	return otlp.NewScope("langsmith", version)
}

// attributes are those of a span, as they are written.
type attributes struct{ wire []byte }

func (a *attributes) add(key string, v schema.Value) { a.wire = otlp.AppendAttribute(a.wire, key, v) }

func (a *attributes) text(key, s string) {
	if s != "" {
		a.add(key, schema.Value{Kind: schema.KindString, Str: s})
	}
}

// json writes a text as it is, and anything else as JSON.
func (a *attributes) json(key string, v jsonvalue.Value) { a.text(key, jsonvalue.Text(v)) }

func (a *attributes) runType(runType string) {
	a.text(attrRunType, runType)
	switch runType {
	case "llm", "chain", "tool", "retriever", "embedding", "prompt":
		a.text("spanlake.kind", runType)
	case "chat_model":
		a.text("spanlake.kind", "llm")
	case "parser":
		a.text("spanlake.kind", "chain")
	}
}

// models writes which model was asked for, how, and which one has answered.
func (a *attributes) models(runType string, extra, outputs jsonvalue.Object) {
	params := jsonvalue.Pick(extra["invocation_params"], "model", "model_name")
	metadata := jsonvalue.Pick(extra["metadata"], "ls_model_name", "ls_invocation_params")
	model := params.First("model", "model_name")
	if model == nil {
		model = metadata["ls_model_name"]
	}
	a.text("gen_ai.request.model", jsonvalue.Text(model))
	switch runType {
	case "llm", "chat_model", "embedding":
		model = outputs["model"]
		for _, message := range [...]jsonvalue.Value{outputs["response_metadata"], jsonvalue.At(jsonvalue.Head(jsonvalue.Head(outputs["generations"])), "message", "kwargs", "response_metadata")} {
			if model == nil {
				model = jsonvalue.At(message, "model_name")
			}
		}
		a.text("gen_ai.response.model", jsonvalue.Text(model))
	}
	a.text("llm.invocation_parameters", cmp.Or(parameters(extra["invocation_params"]), parameters(metadata["ls_invocation_params"])))
}

// parameters are those of a request without its contents, as JSON, "" without any.
func parameters(params jsonvalue.Value) string {
	kept := []byte{'{'}
	for key, v := range jsonvalue.Members(params) {
		switch key {
		case "messages", "input", "prompt", "tools", "functions", "model", "model_name":
			continue
		}
		if len(kept) > 1 {
			kept = append(kept, ',')
		}
		kept = otlp.AppendJSONText(kept, key)
		kept = append(append(kept, ':'), jsonvalue.Compact(v)...)
	}
	if len(kept) == 1 {
		return ""
	}
	return string(append(kept, '}'))
}

func (a *attributes) tags(tags jsonvalue.Value) {
	var list []schema.Value
	for tag := range jsonvalue.Elements(tags) {
		if len(list) == maxElements {
			break
		}
		if t := jsonvalue.Text(tag); t != "" {
			list = append(list, schema.Value{Kind: schema.KindString, Str: t})
		}
	}
	if len(list) > 0 {
		a.add("spanlake.tags", schema.Value{Kind: schema.KindArray, Array: list})
	}
}

// Lists of more are cut: a client may send them by mistake, or on purpose.
const (
	maxElements = 256 // tags and the like
	maxEvents   = 1000
)

// events returns the events of a run; of the tokens of a stream the first and the
// last, and writes how long the first one took. Events beyond a limit are dropped.
func (a *attributes) events(events jsonvalue.Value, start uint64) (fields []byte, dropped uint64) {
	var last []byte
	tokens, kept := 0, 0
	for event := range jsonvalue.Elements(events) {
		name, when := jsonvalue.Text(jsonvalue.At(event, "name")), jsonvalue.Nanos(jsonvalue.At(event, "time"))
		var extra []schema.Attribute
		if kwargs := jsonvalue.At(event, "kwargs"); len(kwargs) > 2 {
			extra = append(extra, schema.Attribute{Key: "langsmith.event.kwargs", Value: jsonvalue.Attribute(kwargs)})
		}
		if name != "new_token" {
			if kept++; kept > maxEvents {
				dropped++
			} else {
				fields = otlp.AppendEvent(fields, when, name, extra...)
			}
			continue
		}
		if tokens++; tokens > 1 {
			last = otlp.AppendEvent(nil, when, name, extra...)
			continue
		}
		fields = otlp.AppendEvent(fields, when, name, extra...)
		if start > 0 && when >= start {
			a.add("gen_ai.response.time_to_first_chunk", schema.Value{Kind: schema.KindDouble, Double: time.Duration(when - start).Seconds()}) //nolint:gosec // times of one span
		}
	}
	return append(fields, last...), dropped
}
