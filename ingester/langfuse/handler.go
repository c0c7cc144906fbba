package langfuse

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/failure"
	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// Handler serves the paths of Langfuse's API that its SDKs write to.
type Handler struct {
	receiver *ingester.Receiver
	bucket   objstore.Bucket
	media    *ingester.Media
	projects ingester.Projects
	version  string
	now      func() time.Time
}

// NewHandler returns a handler that stores spans by receiver, and media in bucket. The
// version is that of the program, for those who ask.
func NewHandler(receiver *ingester.Receiver, bucket objstore.Bucket, projects ingester.Projects, version string) *Handler {
	return &Handler{
		receiver: receiver, bucket: bucket, media: ingester.NewMedia(receiver, bucket, projects), projects: projects, version: version, now: time.Now,
	}
}

// prefix is where all of Langfuse's paths are.
const prefix = "/api/public/"

// Routes are the paths. What is not one of them is not there, as for a client of
// Langfuse that asks for a prompt that does not exist.
func (h *Handler) Routes() []ingester.Route {
	return append(h.mediaRoutes(), []ingester.Route{
		{Pattern: "POST " + prefix + "ingestion", Scope: project.ScopeIngest, Refuse: failure.TellLangfuse, Handler: h.receiver.Adapt(h.ingest)},
		{Pattern: "GET " + prefix + "projects", Scope: project.ScopeIngest, Refuse: failure.TellLangfuse, Handler: h.receiver.Adapt(h.listProjects)},
		{Pattern: "GET " + prefix + "health", Handler: http.HandlerFunc(h.health)},
		{Pattern: prefix, Scope: project.ScopeIngest, Refuse: failure.TellLangfuse, Handler: http.HandlerFunc(notFound)},
		{Pattern: strings.TrimSuffix(prefix, "/"), Scope: project.ScopeIngest, Refuse: failure.TellLangfuse, Handler: http.HandlerFunc(notFound)},
	}...)
}

func notFound(w http.ResponseWriter, req *http.Request) {
	ingester.WriteJSON(w, http.StatusNotFound, failure.OfLangfuse(http.StatusNotFound,
		fmt.Sprintf("%s %s not found: spanlake has traces, observations and scores, no prompts and no datasets", req.Method, req.URL.Path)))
}

func (h *Handler) health(w http.ResponseWriter, _ *http.Request) {
	ingester.WriteJSON(w, http.StatusOK, map[string]string{"status": "OK", "version": h.version})
}

// success and refusal say what became of an event.
type success struct {
	ID     string `json:"id"`
	Status int    `json:"status"`
}

type refusal struct {
	ID      string `json:"id"`
	Status  int    `json:"status"`
	Message string `json:"message"`
	Error   string `json:"error"`
}

// outcome is the answer to a batch. SDKs send all of one again that has errors.
type outcome struct {
	Successes []success `json:"successes"`
	Errors    []refusal `json:"errors"`
}

func (o *outcome) stored(id string) {
	o.Successes = append(o.Successes, success{id, http.StatusCreated})
}

func (o *outcome) refused(id string, why string) {
	o.Errors = append(o.Errors, refusal{id, http.StatusBadRequest, why, "InvalidRequestError"})
}

// ingest serves batches of events.
func (h *Handler) ingest(req *ingester.Request) (int, any, error) {
	body, err := h.media.MoveOut(req.Context(), req.Project, req.Body)
	if err != nil {
		return 0, nil, err
	}
	envelope, err := parseEnvelope(body)
	if err != nil {
		return badRequest(err)
	}
	b := translate(newSender(req.Project, envelope.sender), envelope.events, h.now())
	result, err := h.receiver.Store(req.Context(), req.Project, b.spans)
	if err != nil {
		return 0, nil, err
	}
	if result.Rejected > 0 {
		b.refuse(func(s schema.Span) string { return h.receiver.Refuses(req.Project, s) })
	}
	out, unusable := outcome{Successes: []success{}, Errors: []refusal{}}, 0
	for i := range b.results {
		r := &b.results[i]
		switch {
		case r.why == "":
			out.stored(r.id)
			continue
		case r.row < 0: // else it is counted already
			unusable++
		}
		out.refused(r.id, r.why)
	}
	h.receiver.Unusable(req.Project, unusable)
	return http.StatusMultiStatus, out, nil
}

// badRequest tells what is wrong with a request as a whole.
func badRequest(why error) (int, any, error) {
	return http.StatusBadRequest, struct {
		failure.Langfuse

		Errors []string `json:"errors"`
	}{failure.OfLangfuse(http.StatusBadRequest, "Invalid request data"), []string{why.Error()}}, nil
}

// batch is what a request's events are as spans.
type batch struct {
	results []result
	spans   []schema.Span
}

// result is what becomes of an event.
type result struct {
	id  string
	why string // it is not stored, "" if it is
	row int    // of the spans, -1 for none
}

func translate(s *sender, events []jsonvalue.Value, now time.Time) *batch {
	b := &batch{results: make([]result, 0, len(events))}
	for _, raw := range events {
		e, err := parseEvent(raw, now)
		r := result{id: e.id, row: -1}
		if err == nil {
			var span schema.Span
			var ok bool
			if span, ok, err = s.span(&e); ok {
				r.row = len(b.spans)
				b.spans = append(b.spans, span)
			}
		}
		if err != nil {
			r.why = err.Error()
		}
		b.results = append(b.results, r)
	}
	return b
}

// span makes the row of an event, if it has one.
func (s *sender) span(e *event) (span schema.Span, ok bool, err error) {
	if e.ignored() {
		return span, false, nil
	}
	switch kind, updates := e.observation(); kind {
	case "":
		return span, false, fmt.Errorf("%w: %.100q", errType, e.kind)
	case kindTrace:
		return s.trace(e), true, nil
	case kindScore:
		span, ok = s.score(e)
		return span, ok, nil
	default:
		return s.observation(e, kind, updates), true, nil
	}
}

// refuse asks of every span why it was rejected.
func (b *batch) refuse(why func(schema.Span) string) {
	for i := range b.results {
		if r := &b.results[i]; r.row >= 0 {
			r.why = why(b.spans[r.row])
		}
	}
}

// listProjects answers with the one project of the key.
func (h *Handler) listProjects(req *ingester.Request) (int, any, error) {
	settings, err := h.projects.Project(req.Project)
	if err != nil {
		return 0, nil, &ingester.RefusedError{Err: errors.New("projects cannot be read"), RetryAfter: time.Second}
	}
	type named struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	type listed struct {
		named
		Organization  named          `json:"organization"`
		Metadata      map[string]any `json:"metadata"`
		RetentionDays *int64         `json:"retentionDays"`
	}
	p := listed{named: named{string(req.Project), string(req.Project)}, Organization: named{"spanlake", "spanlake"}, Metadata: map[string]any{}}
	if kept := time.Duration(settings.Retention); kept > 0 {
		days := int64((kept + 24*time.Hour - 1) / (24 * time.Hour))
		p.RetentionDays = &days
	}
	return http.StatusOK, map[string]any{"data": []listed{p}}, nil
}
