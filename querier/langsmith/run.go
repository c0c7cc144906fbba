// Package langsmith answers what SDKs read by LangSmith's API, from traces of any SDK.
package langsmith

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/spanlake/spanlake/internal/conversation"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// Handler serves LangSmith's paths for reading.
type Handler struct{ q *querier.Querier }

// NewHandler returns a handler that asks q.
func NewHandler(q *querier.Querier) *Handler { return &Handler{q} }

// Prefixes are where the paths are: installations of one's own have them below /api and
// /api/v1.
func Prefixes() []string { return []string{"", "/api", "/api/v1"} }

// Routes are the paths, each with all prefixes.
func (h *Handler) Routes() (routes []querier.Route) {
	for _, prefix := range Prefixes() {
		routes = append(routes, querier.Route{
			Pattern: "GET " + prefix + "/runs/{id}", Scope: project.ScopeQuery, Refuse: Refuse,
			Handler: h.q.ServeJSON("langsmith_run", h.run, func(_ int, message string) any { return failure{message} }),
		})
	}
	return routes
}

// failure is why a request failed.
type failure struct {
	Message string `json:"message"`
}

// Refuse answers who may not do what was asked for.
func Refuse(w http.ResponseWriter, status int, message string) {
	body, _ := json.Marshal(failure{message}) // a text
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// run is a span as LangSmith shows it, as far as it is known here.
type run struct {
	ID               string         `json:"id"`
	TraceID          string         `json:"trace_id"`
	ParentRunID      *string        `json:"parent_run_id"`
	Name             string         `json:"name"`
	RunType          string         `json:"run_type"`
	StartTime        string         `json:"start_time"`
	EndTime          *string        `json:"end_time"`
	Status           string         `json:"status"`
	Error            *string        `json:"error"`
	Inputs           any            `json:"inputs"`
	Outputs          any            `json:"outputs"`
	Tags             []string       `json:"tags"`
	Extra            map[string]any `json:"extra"`
	SessionName      string         `json:"session_name"`
	ChildRunIDs      []string       `json:"child_run_ids"`
	PromptTokens     int64          `json:"prompt_tokens"`
	CompletionTokens int64          `json:"completion_tokens"`
	TotalTokens      int64          `json:"total_tokens"`
	TotalCost        *float64       `json:"total_cost"`
}

// run answers GET /runs/{id}: a search for { span:id = "…" } of the last weeks.
func (h *Handler) run(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	name := req.PathValue("id")
	span := schema.SpanIDOf(name)
	query := fmt.Sprintf(`{ !(span.spanlake.kind = "score") && span:id = %q }`, span)
	rows, err := h.q.Select(ctx, id, querier.Selection{Rows: query, Lookup: true})
	if err != nil {
		return nil, err
	}
	var found *run
	for i := range rows {
		err := h.q.ReadTraces(ctx, id, []schema.TraceID{rows[i].Trace}, func(spans []schema.Span) error {
			t := conversation.Of(spans)
			for _, o := range t.Observations {
				if o.Span.SpanID == span && found == nil {
					r := runOf(t, o)
					found = &r
				}
			}
			return nil
		})
		if err != nil || found != nil {
			return found, err
		}
	}
	return nil, fmt.Errorf("%w: there is no run with the id %.200q", querier.ErrNotFound, name)
}

// The words of LangSmith for states of a run.
const (
	statusPending = "pending"
	statusSuccess = "success"
	statusError   = "error"
)

func runOf(t *conversation.Trace, o *conversation.Observation) run {
	content := o.Content()
	r := run{
		ID: o.ID, TraceID: uuid(t.TraceID), Name: o.Span.Name, RunType: cmp.Or(o.Text("langsmith.span.kind"), runType(o.Kind)),
		StartTime: stamp(o.Span.StartNanos), Status: statusSuccess, Tags: append([]string{}, o.Texts("spanlake.tags")...),
		Inputs: object(o.Text("input.value"), content.Input, "input"), Outputs: object(o.Text("output.value"), content.Output, "output"),
		SessionName: o.Span.Resource.ServiceName, ChildRunIDs: []string{},
		PromptTokens: o.Usage.Input, CompletionTokens: o.Usage.Output, TotalTokens: o.Usage.Total,
	}
	metadata := make(map[string]any)
	for _, a := range o.Metadata() {
		switch v := a.Value; v.Kind {
		case schema.KindString:
			metadata[a.Key] = v.Str
		case schema.KindBool:
			metadata[a.Key] = v.Bool
		case schema.KindInt:
			metadata[a.Key] = v.Int
		case schema.KindDouble:
			metadata[a.Key] = json.RawMessage(otlp.AppendJSONDouble(nil, v.Double))
		default: // metadata that is no scalar came as JSON, and is a text
		}
	}
	r.Extra = map[string]any{"metadata": metadata}
	if o.ParentID != "" {
		r.ParentRunID = &o.ParentID
	}
	for _, other := range t.Observations {
		if other.ParentID == o.ID {
			r.ChildRunIDs = append(r.ChildRunIDs, other.ID)
		}
	}
	if cost := o.Usage.Cost; o.Usage.HasCost && !math.IsNaN(cost) && !math.IsInf(cost, 0) {
		r.TotalCost = &cost
	}
	if incomplete, _ := o.Value("spanlake.incomplete"); incomplete.Bool {
		r.Status = statusPending
	} else {
		end := stamp(o.Span.EndNanos)
		r.EndTime = &end
	}
	if o.Failed() {
		r.Status = statusError
		why := failureOf(o)
		r.Error = &why
	}
	return r
}

// failureOf is the whole of what a span says of its failure.
func failureOf(o *conversation.Observation) string {
	for e := range otlp.Events(o.Span) {
		for _, a := range e.Attributes {
			if a.Key == "exception.message" && a.Value.Kind == schema.KindString {
				return a.Value.Str
			}
		}
	}
	return o.Span.StatusMessage
}

// runType is the type of a span that did not come from LangSmith.
func runType(kind string) string {
	switch kind {
	case "llm", "tool", "retriever", "embedding", "prompt":
		return kind
	}
	return "chain"
}

// object is what went in or came out, which is an object in LangSmith: of what is none
// it is the only member.
func object(sent string, seen llm.Body, name string) any {
	text := cmp.Or(sent, seen.Text)
	if text == "" {
		return map[string]any{}
	}
	if text[0] == '{' && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	if json.Valid([]byte(text)) {
		return map[string]any{name: json.RawMessage(text)}
	}
	return map[string]any{name: text}
}

func stamp(nanos uint64) string {
	return time.Unix(0, int64(nanos)).UTC().Format("2006-01-02T15:04:05.000000") //nolint:gosec // a time
}

// uuid is a trace id as LangSmith writes it.
func uuid(id schema.TraceID) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
