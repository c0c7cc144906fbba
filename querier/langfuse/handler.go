// Package langfuse answers what SDKs and scripts read by Langfuse's public API, from
// traces of any SDK.
package langfuse

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/spanlake/spanlake/internal/conversation"
	"github.com/spanlake/spanlake/internal/failure"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// Handler serves Langfuse's paths for reading.
type Handler struct{ q *querier.Querier }

// NewHandler returns a handler that asks q.
func NewHandler(q *querier.Querier) *Handler { return &Handler{q} }

const prefix = "/api/public/"

// serveFunc answers a request of a project.
type serveFunc func(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error)

// Routes are the paths.
func (h *Handler) Routes() (routes []querier.Route) {
	for _, r := range [...]struct {
		path, name string
		serve      serveFunc
	}{
		{"traces", "langfuse_traces", h.traces},
		{"traces/{id...}", "langfuse_trace", h.trace},
		{"observations", "langfuse_observations", h.observations},
		{"observations/{id...}", "langfuse_observation", h.observation},
		{"v2/observations", "langfuse_observations", h.observationsV2},
		{"sessions", "langfuse_sessions", h.sessions},
		{"sessions/{id...}", "langfuse_session", h.session},
		{"scores", "langfuse_scores", h.scores},
		{"scores/{id...}", "langfuse_score", h.score},
		{"v2/scores", "langfuse_scores", h.scores},
		{"v2/scores/{id...}", "langfuse_score", h.score},
		{"v3/scores", "langfuse_scores", h.scoresV3},
	} {
		routes = append(routes, querier.Route{
			Pattern: "GET " + prefix + r.path, Scope: project.ScopeQuery, Refuse: failure.TellLangfuse,
			Handler: h.q.ServeJSON(r.name, r.serve, func(status int, message string) any { return failure.OfLangfuse(status, message) }),
		})
	}
	return routes
}

// maxReplyBytes bounds an answer: that of a page is put together in memory.
const maxReplyBytes = 64 << 20

// page is what answers are put together of.
type page struct {
	data  []json.RawMessage
	bytes int
}

// add adds what is the rest of an answer, as JSON: what it was made of is not held.
func (p *page) add(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if p.bytes += len(body); p.bytes > maxReplyBytes {
		return querier.TooMuch("the answer has more than %d bytes: ask for fewer at once with limit, or for less of each with fields", maxReplyBytes)
	}
	p.data = append(p.data, body)
	return nil
}

// list is data as JSON has it when there is none.
func (p *page) list() []json.RawMessage {
	if p.data == nil {
		return []json.RawMessage{}
	}
	return p.data
}

// each calls f with the views of traces.
func (h *Handler) each(ctx context.Context, id schema.ProjectID, traces []schema.TraceID, f func(*conversation.Trace) error) error {
	return h.q.ReadTraces(ctx, id, traces, func(spans []schema.Span) error { return f(conversation.Of(spans)) })
}
