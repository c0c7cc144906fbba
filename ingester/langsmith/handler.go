package langsmith

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// Handler serves LangSmith's paths.
type Handler struct {
	receiver *ingester.Receiver
	spans    ingester.Spans
	media    *ingester.Media
	now      func() time.Time
}

// NewHandler returns a handler that stores by receiver, and files in media. Spans may be nil: then runs
// that do not say their trace are taken for roots, and so are those of feedback.
func NewHandler(receiver *ingester.Receiver, spans ingester.Spans, media *ingester.Media) *Handler {
	return &Handler{receiver: receiver, spans: spans, media: media, now: time.Now}
}

// Routes are the paths, each also below /api and /api/v1, where installations of
// one's own have them.
func (h *Handler) Routes() (routes []ingester.Route) {
	for _, r := range [...]ingester.Route{
		{Pattern: "GET /info", Handler: http.HandlerFunc(serveInfo)},
		{Pattern: "POST /runs/multipart", Scope: project.ScopeIngest, Handler: h.runs(func(req *ingester.Request) (*batch, error) {
			return readMultipart(req.Body, req.Header.Get("Content-Type"))
		})},
		{Pattern: "POST /runs/batch", Scope: project.ScopeIngest, Handler: h.runs(func(req *ingester.Request) (*batch, error) {
			return readBatch(req.Body)
		})},
		{Pattern: "POST /runs", Scope: project.ScopeIngest, Handler: h.runs(func(req *ingester.Request) (*batch, error) {
			return readRun(req.Body, false, "")
		})},
		{Pattern: "PATCH /runs/{id}", Scope: project.ScopeIngest, Handler: h.runs(func(req *ingester.Request) (*batch, error) {
			return readRun(req.Body, true, req.PathValue("id"))
		})},
		{Pattern: "GET /sessions", Scope: project.ScopeQuery, Handler: h.receiver.Adapt(h.sessions)},
		{Pattern: "GET /settings", Scope: project.ScopeIngest, Handler: h.receiver.Adapt(h.settings)},
		{Pattern: "POST /feedback", Scope: project.ScopeIngest, Handler: h.receiver.Adapt(h.feedback)},
	} {
		for _, prefix := range [...]string{"", "/api", "/api/v1"} {
			method, path, _ := strings.Cut(r.Pattern, " ")
			routes = append(routes, ingester.Route{
				Pattern: method + " " + prefix + path, Scope: r.Scope, Handler: r.Handler, Refuse: ingester.RefuseJSON,
			})
		}
	}
	return routes
}

// runs serves a path that takes runs: SDKs want 202 and an object.
func (h *Handler) runs(read func(*ingester.Request) (*batch, error)) http.Handler {
	return h.receiver.Adapt(func(req *ingester.Request) (int, any, error) {
		b, err := read(req)
		if err != nil {
			return 0, nil, err
		}
		if err := b.moveOut(req.Context(), h.media, req.Project); err != nil {
			return 0, nil, err
		}
		lookup, now := ingester.NewLookup(req.Project, h.spans), h.now()
		spans := b.spans(req.Context(), lookup, now)
		for i := range b.feedback {
			spans = append(spans, b.feedback[i].span(req.Context(), lookup, now))
		}
		if err := lookup.Err(); err != nil {
			return 0, nil, err
		}
		h.receiver.Unusable(req.Project, b.unusable)
		_, err = h.receiver.Store(req.Context(), req.Project, spans)
		return http.StatusAccepted, struct{}{}, err
	})
}

// feedback serves one judgement, and answers with what it got.
func (h *Handler) feedback(req *ingester.Request) (int, any, error) {
	f, ok := parseFeedback(req.Body)
	if !ok {
		return 0, nil, fmt.Errorf("%w: want feedback as a JSON object with a run_id or a trace_id", ingester.ErrBadRequest)
	}
	lookup := ingester.NewLookup(req.Project, h.spans)
	span := f.span(req.Context(), lookup, h.now())
	if err := lookup.Err(); err != nil {
		return 0, nil, err
	}
	if _, err := h.receiver.Store(req.Context(), req.Project, []schema.Span{span}); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, json.RawMessage(bytes.Clone(req.Body)), nil
}
