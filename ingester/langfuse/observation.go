package langfuse

import (
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// Types of observations that mean something here.
const (
	kindSpan  = "span"
	kindEvent = "event"
	kindTrace = "trace"
	kindScore = "score"
)

const (
	spanKindInternal = 1 // SPAN_KIND_INTERNAL
	statusError      = 2 // STATUS_CODE_ERROR
)

// sender is who the spans of a batch are from.
type sender struct {
	attributes []schema.Attribute
	resource   *schema.Resource
	scope      *schema.Scope
}

func newSender(project schema.ProjectID, metadata jsonvalue.Object) *sender {
	text := func(key, value string) schema.Attribute {
		return schema.Attribute{Key: key, Value: schema.Value{Kind: schema.KindString, Str: value}}
	}
	name := jsonvalue.Text(metadata["service.name"])
	if name == "" && project != schema.DefaultProject {
		name = string(project)
	}
	if name == "" {
		name = "langfuse"
	}
	sdk := jsonvalue.Text(metadata.First("sdk_name", "sdk_variant"))
	if !strings.HasPrefix(sdk, "langfuse") {
		sdk = strings.TrimSuffix("langfuse-"+sdk, "-")
	}
	s := &sender{attributes: []schema.Attribute{text("service.name", name), text("telemetry.sdk.name", sdk)}}
	if version := jsonvalue.Text(metadata["sdk_version"]); version != "" {
		s.attributes = append(s.attributes, text("telemetry.sdk.version", version))
	}
	s.resource, s.scope = otlp.NewResource(s.attributes...), otlp.NewScope("langfuse", "")
	return s
}

// released is the resource of what a release of the program has sent.
func (s *sender) released(release string) *schema.Resource {
	if release == "" {
		return s.resource
	}
	version := schema.Attribute{Key: "service.version", Value: schema.Value{Kind: schema.KindString, Str: release}}
	return otlp.NewResource(append(slices.Clip(s.attributes), version)...)
}

// rootOf is the span of a trace's own row.
func rootOf(trace schema.TraceID) schema.SpanID {
	sum := sha256.Sum256(append(trace[:], "root"...))
	return schema.SpanID(sum[:len(schema.SpanID{})])
}

// trace makes the piece of a trace's own row that a trace-create is: SDKs send one for
// every change.
func (s *sender) trace(e *event) schema.Span {
	f := jsonvalue.Pick(e.body, "id", "timestamp", "name", "userId", "sessionId", "input", "output", "metadata", "tags",
		"release", "version", "public", "environment", "externalId")
	id := jsonvalue.Text(f["id"])
	if id == "" {
		id = e.id
	}
	release := jsonvalue.Text(f["release"])
	r := row{schema.Span{
		TraceID: ingester.TraceIDOf(id), StartNanos: jsonvalue.Nanos(f["timestamp"]), Name: jsonvalue.Text(f["name"]), Kind: spanKindInternal,
		Resource: s.released(release), Scope: s.scope, Fragment: schema.FragmentTrace, FragmentNanos: e.order,
	}}
	r.SpanID = rootOf(r.TraceID)
	r.text("spanlake.kind", kindTrace)
	r.text("langfuse.trace.id", id)
	r.textOf("langfuse.trace.external_id", f["externalId"])
	r.textOf("user.id", f["userId"])
	r.textOf("session.id", f["sessionId"])
	r.tags(f["tags"])
	r.text("langfuse.release", release)
	r.textOf("spanlake.version", f["version"])
	r.textOf("deployment.environment.name", f["environment"])
	r.set("langfuse.trace.public", jsonvalue.Attribute(f["public"]))
	r.metadata(f["metadata"])
	r.textOf("langfuse.trace.input", f["input"])
	r.textOf("langfuse.trace.output", f["output"])
	return r.Span
}

// observation makes the piece of a span that an event about an observation is.
func (s *sender) observation(e *event, kind string, updates bool) schema.Span {
	f := jsonvalue.Pick(e.body, "id", "traceId", "parentObservationId", "name", "startTime", "endTime", "environment", "metadata",
		"input", "output", "level", "statusMessage", "version", "completionStartTime", "model", "modelParameters",
		"usage", "usageDetails", "costDetails", "promptName", "promptVersion")
	id := jsonvalue.Text(f["id"])
	if id == "" {
		id = e.id
	}
	trace := jsonvalue.Text(f["traceId"])
	if trace == "" { // the observation is all of it
		trace = id
	}
	r := row{schema.Span{
		TraceID: ingester.TraceIDOf(trace), SpanID: ingester.SpanIDOf(id), Name: jsonvalue.Text(f["name"]), Kind: spanKindInternal,
		StartNanos: jsonvalue.Nanos(f["startTime"]), EndNanos: jsonvalue.Nanos(f["endTime"]),
		StatusMessage: jsonvalue.Text(f["statusMessage"]), Resource: s.resource, Scope: s.scope,
		Fragment: schema.FragmentCreate, FragmentNanos: e.order,
	}}
	switch {
	case updates:
		r.Fragment = schema.FragmentUpdate
	case r.StartNanos == 0:
		r.StartNanos = e.at
	}
	if kind == kindEvent {
		r.EndNanos = r.StartNanos
	}
	if parent := jsonvalue.Text(f["parentObservationId"]); parent != "" {
		r.ParentSpanID = ingester.SpanIDOf(parent)
	}
	r.text("spanlake.kind", spanlakeKind(kind))
	r.text("langfuse.observation.type", kind)
	r.text("langfuse.observation.id", id)
	r.text("langfuse.trace.id", trace)
	r.level(jsonvalue.Text(f["level"]))
	r.textOf("spanlake.version", f["version"])
	r.textOf("deployment.environment.name", f["environment"])
	r.generation(f)
	r.metadata(f["metadata"])
	r.textOf("langfuse.observation.input", f["input"])
	r.textOf("langfuse.observation.output", f["output"])
	return r.Span
}

func spanlakeKind(kind string) string {
	if kind == "generation" {
		return "llm"
	}
	return kind
}

func (r *row) level(level string) {
	switch level = strings.ToUpper(level); level {
	case "":
		return
	case "ERROR":
		r.StatusCode = statusError
	case "DEFAULT":
	default:
		r.text("spanlake.level", level)
	}
	r.text("langfuse.observation.level", level)
}

// generation sets what is said of a call of a model.
func (r *row) generation(f jsonvalue.Object) {
	r.textOf("gen_ai.request.model", f["model"])
	r.members(f["modelParameters"], "gen_ai.request.", "langfuse.observation.model.parameters", parameter)
	r.textOf("gen_ai.prompt.name", f["promptName"])
	r.textOf("gen_ai.prompt.version", f["promptVersion"])
	if first := jsonvalue.Nanos(f["completionStartTime"]); first != 0 {
		r.text("langfuse.observation.completion_start_time", timeText(first))
		if r.StartNanos != 0 && first >= r.StartNanos {
			r.set("gen_ai.response.time_to_first_chunk", schema.Value{Kind: schema.KindDouble, Double: float64(first-r.StartNanos) / 1e9})
		}
	}
	usage, cost := usageOf(f["usage"], f["usageDetails"], f["costDetails"])
	r.text("langfuse.observation.usage_details", usage)
	r.text("langfuse.observation.cost_details", cost)
}
