package langfuse

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spanlake/spanlake/internal/conversation"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// observation is a span.
type observation struct {
	ID                  string             `json:"id"`
	TraceID             string             `json:"traceId"`
	ProjectID           string             `json:"projectId"`
	Type                string             `json:"type"`
	Name                *string            `json:"name"`
	StartTime           string             `json:"startTime"`
	EndTime             *string            `json:"endTime"`
	CompletionStartTime *string            `json:"completionStartTime"`
	Model               *string            `json:"model"`
	ModelParameters     map[string]any     `json:"modelParameters"`
	Input               any                `json:"input"`
	Output              any                `json:"output"`
	Version             *string            `json:"version"`
	Metadata            map[string]any     `json:"metadata"`
	Usage               usage              `json:"usage"`
	UsageDetails        map[string]int64   `json:"usageDetails"`
	CostDetails         map[string]float64 `json:"costDetails"`
	Level               string             `json:"level"`
	StatusMessage       *string            `json:"statusMessage"`
	ParentObservationID *string            `json:"parentObservationId"`
	PromptID            *string            `json:"promptId"`
	PromptName          *string            `json:"promptName"`
	PromptVersion       *int64             `json:"promptVersion"`
	ModelID             *string            `json:"modelId"`
	InputPrice          *float64           `json:"inputPrice"`
	OutputPrice         *float64           `json:"outputPrice"`
	TotalPrice          *float64           `json:"totalPrice"`
	InputCost           *float64           `json:"calculatedInputCost"`
	OutputCost          *float64           `json:"calculatedOutputCost"`
	TotalCost           *float64           `json:"calculatedTotalCost"`
	Latency             *float64           `json:"latency"`
	TimeToFirstToken    *float64           `json:"timeToFirstToken"`
	Environment         string             `json:"environment"`
	CreatedAt           string             `json:"createdAt"`
	UpdatedAt           string             `json:"updatedAt"`
}

// usage is the older form.
type usage struct {
	Input      int64    `json:"input"`
	Output     int64    `json:"output"`
	Total      int64    `json:"total"`
	Unit       *string  `json:"unit"`
	InputCost  *float64 `json:"inputCost,omitempty"`
	OutputCost *float64 `json:"outputCost,omitempty"`
	TotalCost  *float64 `json:"totalCost,omitempty"`
}

func observationOf(id schema.ProjectID, t *conversation.Trace, o *conversation.Observation) observation {
	content := o.Content()
	out := observation{
		ID: o.ID, TraceID: t.ID, ProjectID: string(id), Type: typeOf(o.Kind), Name: orNull(o.Span.Name), StartTime: stamp(o.Span.StartNanos),
		Model: orNull(o.Model), ModelParameters: parametersOf(o),
		Input: body(o.Text("langfuse.observation.input"), content.Input), Output: body(o.Text("langfuse.observation.output"), content.Output),
		Version: orNull(cmp.Or(o.Text("spanlake.version"), o.Text("langfuse.version"))), Metadata: metadataOf(o.Metadata()),
		UsageDetails: usageDetails(&o.Usage), CostDetails: costDetails(&o.Usage),
		Usage: usage{
			Input: o.Usage.Input, Output: o.Usage.Output, Total: o.Usage.Total,
			InputCost: costOf(&o.Usage, o.Usage.InputCost), OutputCost: costOf(&o.Usage, o.Usage.OutputCost), TotalCost: costOf(&o.Usage, o.Usage.Cost),
		},
		Level: levelOf(o), StatusMessage: orNull(o.Span.StatusMessage), ParentObservationID: orNull(o.ParentID),
		PromptName: orNull(o.Text("gen_ai.prompt.name")), Environment: cmp.Or(o.Text("deployment.environment.name"), t.Environment, defaultEnvironment),
		InputCost: costOf(&o.Usage, o.Usage.InputCost), OutputCost: costOf(&o.Usage, o.Usage.OutputCost), TotalCost: costOf(&o.Usage, o.Usage.Cost),
		CreatedAt: stamp(o.Span.StartNanos), UpdatedAt: stamp(max(o.Span.StartNanos, o.Span.EndNanos)),
	}
	if o.Usage.HasTokens {
		out.Usage.Unit = orNull("TOKENS")
	}
	if version, err := strconv.ParseInt(o.Text("gen_ai.prompt.version"), 10, 64); err == nil {
		out.PromptVersion = &version
	}
	if incomplete, _ := o.Value("spanlake.incomplete"); !incomplete.Bool && o.Kind != conversation.KindEvent {
		latency := seconds(o.Span.StartNanos, o.Span.EndNanos)
		out.EndTime, out.Latency = orNull(stamp(o.Span.EndNanos)), &latency
	}
	if first, ok := o.Number("gen_ai.response.time_to_first_chunk"); ok && first >= 0 && first < 1e9 {
		out.TimeToFirstToken = &first
		out.CompletionStartTime = orNull(stamp(o.Span.StartNanos + uint64(first*1e9)))
	}
	return out
}

// parametersOf are those that a model was asked with.
func parametersOf(o *conversation.Observation) map[string]any {
	list := o.Under("gen_ai.request.extra.")
	for _, a := range o.Under("gen_ai.request.") {
		if a.Key != "model" && !strings.HasPrefix(a.Key, "extra.") {
			list = append(list, a)
		}
	}
	return metadataOf(list)
}

// usageDetails are parts that do not overlap, and the total.
func usageDetails(u *conversation.Usage) map[string]int64 {
	details := make(map[string]int64)
	if !u.HasTokens {
		return details
	}
	details["input"], details["output"], details["total"] = max(u.Input-u.CacheRead-u.CacheCreation, 0), max(u.Output-u.Reason, 0), u.Total
	for name, n := range map[string]int64{"input_cache_read": u.CacheRead, "input_cache_creation": u.CacheCreation, "output_reasoning": u.Reason} {
		if n > 0 {
			details[name] = n
		}
	}
	return details
}

func costDetails(u *conversation.Usage) map[string]float64 {
	details := make(map[string]float64)
	if !u.HasCost {
		return details
	}
	details["total"] = finite(u.Cost)
	if u.InputCost != 0 || u.OutputCost != 0 {
		details["input"], details["output"] = finite(u.InputCost), finite(u.OutputCost)
	}
	return details
}

// typeSpan is the type of what has none.
const typeSpan = "SPAN"

// typeNames are the types that kinds have.
func typeNames() map[string]string {
	return map[string]string{
		"llm": "GENERATION", "embedding": "EMBEDDING", "agent": "AGENT", "tool": "TOOL", "chain": "CHAIN",
		"retriever": "RETRIEVER", "evaluator": "EVALUATOR", "guardrail": "GUARDRAIL", "event": "EVENT",
	}
}

func typeOf(kind string) string {
	if name := typeNames()[kind]; name != "" {
		return name
	}
	return typeSpan
}

// ofType is the condition that an observation has a type.
func ofType(name string) (string, error) {
	var others []string
	for kind, other := range typeNames() {
		if other == name {
			return equal(fieldKind, kind), nil
		}
		others = append(others, equal(fieldKind, kind))
	}
	slices.Sort(others)
	if name == typeSpan {
		return "!" + either(others...), nil
	}
	return "", querier.BadRequest("invalid type %q: want SPAN, EVENT, GENERATION, AGENT, TOOL, CHAIN, RETRIEVER, EVALUATOR, EMBEDDING or GUARDRAIL", name)
}

// The levels of observations.
const (
	levelError   = "ERROR"
	levelWarning = "WARNING"
	levelDebug   = "DEBUG"
	levelDefault = "DEFAULT"
)

func levelOf(o *conversation.Observation) string {
	if o.Failed() {
		return levelError
	}
	if level := o.Text("spanlake.level"); level == levelWarning || level == levelDebug {
		return level
	}
	return levelDefault
}

// ofLevel is the condition that an observation has a level.
func ofLevel(name string) (string, error) {
	const failed = "status = error"
	switch name {
	case levelError:
		return failed, nil
	case levelWarning, levelDebug:
		return "!(" + failed + ") && " + equal(fieldLevel, name), nil
	case levelDefault:
		return "!" + either(failed, equal(fieldLevel, levelWarning), equal(fieldLevel, levelDebug)), nil
	}
	return "", querier.BadRequest("invalid level %q: want DEBUG, DEFAULT, WARNING or ERROR", name)
}

// observationsFilter finds the spans that parameters speak of.
func observationsFilter(values url.Values) (filter, error) {
	f := filter{notScore, `!(` + fieldKind + ` = "trace")`}
	f.is("name", values.Get("name"))
	if v := values.Get("type"); v != "" {
		condition, err := ofType(v)
		if err != nil {
			return nil, err
		}
		f.add(condition)
	}
	if v := values.Get("level"); v != "" {
		condition, err := ofLevel(v)
		if err != nil {
			return nil, err
		}
		f.add(condition)
	}
	if v := values.Get("parentObservationId"); v != "" {
		f.is("span:parentID", schema.SpanIDOf(v).String())
	}
	if v := values.Get("version"); v != "" {
		f.add(oneOf("span.spanlake.version span.langfuse.version", v))
	}
	environment(&f, values)
	return f, nil
}

// oneOf is the condition that one of several fields has a value.
func oneOf(fields, value string) string {
	var any []string
	for field := range strings.FieldsSeq(fields) {
		any = append(any, equal(field, value))
	}
	return either(any...)
}

// selectRows are the rows of a filter, in their order: of one trace if it is named,
// found by its id, else by a search.
func (h *Handler) selectRows(ctx context.Context, id schema.ProjectID, values url.Values, f filter, ofTraces string, from, to uint64) (rows []querier.Row, err error) {
	name := values.Get("traceId")
	if name == "" {
		rows, err = h.q.Select(ctx, id, querier.Selection{Rows: f.String(), Traces: ofTraces, From: from, To: to, PerRow: true})
		return slices.DeleteFunc(rows, func(r querier.Row) bool { return !within(r.StartNanos, from, to) }), err
	}
	matches, err := querier.Matcher(f.String())
	if err != nil {
		return nil, err
	}
	err = h.q.ReadTraces(ctx, id, []schema.TraceID{schema.TraceIDOf(name)}, func(spans []schema.Span) error {
		if t := conversation.Of(spans); !ofTrace(values, t) {
			return nil
		}
		for i := range spans {
			if s := &spans[i]; matches(s) && within(s.StartNanos, from, to) {
				rows = append(rows, querier.Row{Trace: s.TraceID, Span: s.SpanID, StartNanos: s.StartNanos})
			}
		}
		return nil
	})
	slices.SortFunc(rows, querier.CompareRows)
	return rows, err
}

// ofTrace reports whether a trace is one that ofTraces finds.
func ofTrace(values url.Values, t *conversation.Trace) bool {
	for name, has := range map[string]string{"userId": t.User, "sessionId": t.Session} {
		if v := values.Get(name); v != "" && v != has {
			return false
		}
	}
	for _, tag := range several(values, "traceTags") {
		if !slices.Contains(t.Tags, tag) {
			return false
		}
	}
	return true
}

// key is where a row is.
type key struct {
	trace schema.TraceID
	span  schema.SpanID
}

// show reads the traces of rows and shows each row, in their order. One that is gone
// meanwhile is left out.
func (h *Handler) show(ctx context.Context, id schema.ProjectID, rows []querier.Row, of func(t *conversation.Trace, span schema.SpanID) any) ([]json.RawMessage, error) {
	wanted := make(map[schema.TraceID][]schema.SpanID)
	var traces []schema.TraceID
	for _, r := range rows {
		if _, ok := wanted[r.Trace]; !ok {
			traces = append(traces, r.Trace)
		}
		wanted[r.Trace] = append(wanted[r.Trace], r.Span)
	}
	shown, p := make(map[key]json.RawMessage), page{}
	err := h.each(ctx, id, traces, func(t *conversation.Trace) error {
		for _, span := range wanted[t.TraceID] {
			if v := of(t, span); v != nil {
				if err := p.add(v); err != nil {
					return err
				}
				shown[key{t.TraceID, span}] = p.data[len(p.data)-1]
			}
		}
		return nil
	})
	list := make([]json.RawMessage, 0, len(rows))
	for _, r := range rows {
		if body, ok := shown[key{r.Trace, r.Span}]; ok {
			list = append(list, body)
		}
	}
	return list, err
}

// find is the observation that a span is.
func find(t *conversation.Trace, span schema.SpanID) *conversation.Observation {
	for _, o := range t.Observations {
		if o.Span.SpanID == span {
			return o
		}
	}
	return nil
}

// rowsOfObservations are those that the parameters of a list speak of.
func (h *Handler) rowsOfObservations(ctx context.Context, id schema.ProjectID, values url.Values) ([]querier.Row, error) {
	from, to, err := between(values, "fromStartTime", "toStartTime")
	if err != nil {
		return nil, err
	}
	f, err := observationsFilter(values)
	if err != nil {
		return nil, err
	}
	return h.selectRows(ctx, id, values, f, all(ofTraces(values, "traceTags")), from, to)
}

// observations answers GET observations. Underneath is a search for
//
//	{ !(span.spanlake.kind = "score") && !(span.spanlake.kind = "trace") && … }
func (h *Handler) observations(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	values := req.URL.Query()
	if err := unsupported(values, "filter"); err != nil {
		return nil, err
	}
	rows, err := h.rowsOfObservations(ctx, id, values)
	if err != nil {
		return nil, err
	}
	part, m, err := pageOf(values, rows)
	if err != nil {
		return nil, err
	}
	data, err := h.show(ctx, id, part, func(t *conversation.Trace, span schema.SpanID) any {
		if o := find(t, span); o != nil {
			return observationOf(id, t, o)
		}
		return nil
	})
	return paged{data, m}, err
}

// observation answers GET observations/{id}: a search for { span:id = "…" } of the
// last weeks.
func (h *Handler) observation(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	name := req.PathValue("id")
	f := filter{notScore}
	f.is("span:id", schema.SpanIDOf(name).String())
	rows, err := h.q.Select(ctx, id, querier.Selection{Rows: f.String(), Lookup: true})
	if err != nil {
		return nil, err
	}
	data, err := h.show(ctx, id, rows[:min(len(rows), 1)], func(t *conversation.Trace, span schema.SpanID) any {
		if o := find(t, span); o != nil {
			return observationOf(id, t, o)
		}
		return nil
	})
	if err == nil && len(data) == 0 {
		err = notFound("observation", name)
	}
	if err != nil {
		return nil, err
	}
	return data[0], nil
}
