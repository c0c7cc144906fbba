package phoenix

import (
	"net/http"
	"time"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// Handler serves those paths of Phoenix that its clients need beside OTLP's.
type Handler struct {
	receiver *ingester.Receiver
	spans    ingester.Spans
	now      func() time.Time
}

// NewHandler returns a handler that stores by receiver. Spans may be nil: then the
// traces of annotated spans are not known.
func NewHandler(receiver *ingester.Receiver, spans ingester.Spans) *Handler {
	return &Handler{receiver: receiver, spans: spans, now: time.Now}
}

// version is the oldest of Phoenix that has all that its clients ask for.
const version = "15.0.0"

// Routes are the paths.
func (h *Handler) Routes() []ingester.Route {
	return []ingester.Route{
		{Pattern: "POST /v1/span_annotations", Scope: project.ScopeIngest, Handler: h.annotations(ofSpan), Refuse: ingester.RefuseJSON},
		{Pattern: "POST /v1/trace_annotations", Scope: project.ScopeIngest, Handler: h.annotations(ofTrace), Refuse: ingester.RefuseJSON},
		{Pattern: "POST /v1/session_annotations", Scope: project.ScopeIngest, Handler: h.annotations(ofSession), Refuse: ingester.RefuseJSON},
		{Pattern: "GET /arize_phoenix_version", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = w.Write([]byte(version)) // the client is gone
		})},
	}
}

// inserted is what a client gets for each annotation, in their order.
type inserted struct {
	ID string `json:"id"`
}

// annotations serves a path. Whether the client asks for sync or not, they are
// durable when it gets its answer: all of them or, if one is wrong, none.
func (h *Handler) annotations(of target) http.Handler {
	return h.receiver.Adapt(func(req *ingester.Request) (int, any, error) {
		list, err := readAnnotations(req.Body)
		if err != nil {
			return 0, nil, err
		}
		lookup, now := ingester.NewLookup(req.Project, h.spans), h.now()
		spans, ids := make([]schema.Span, len(list)), make([]inserted, len(list))
		for i := range list {
			if spans[i], err = list[i].span(req.Context(), of, lookup, now); err != nil {
				return 0, nil, err
			}
			ids[i].ID = spans[i].SpanID.String()
		}
		if err := lookup.Err(); err != nil {
			return 0, nil, err
		}
		reply := struct {
			Data []inserted `json:"data"`
		}{ids}
		_, err = h.receiver.Store(req.Context(), req.Project, spans)
		return http.StatusOK, reply, err
	})
}
