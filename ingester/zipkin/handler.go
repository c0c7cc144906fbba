package zipkin

import (
	"fmt"
	"mime"
	"net/http"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/failure"
	"github.com/spanlake/spanlake/internal/project"
)

// Handler serves those paths of Zipkin that take spans.
type Handler struct{ receiver *ingester.Receiver }

// NewHandler returns a handler that stores by receiver.
func NewHandler(receiver *ingester.Receiver) *Handler { return &Handler{receiver} }

// Routes are the paths.
func (h *Handler) Routes() []ingester.Route {
	return []ingester.Route{{
		Pattern: "POST /api/v2/spans", Scope: project.ScopeIngest, Handler: h.receiver.Adapt(h.post), Refuse: failure.TellMessage,
	}}
}

// post answers 202 with nothing, as Zipkin does, when all is durable. Spans that
// cannot be read are counted: the protocol has no word for them.
func (h *Handler) post(req *ingester.Request) (int, any, error) {
	contentType, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	var body []byte
	var unusable int
	var err error
	switch contentType {
	case "application/json", "": // some reporters name none
		body, unusable, err = fromJSON(req.Body)
	case "application/x-protobuf":
		body, unusable, err = fromProtobuf(req.Body)
	default:
		return 0, nil, fmt.Errorf("%w: Content-Type %q, want application/json or application/x-protobuf of Zipkin v2", ingester.ErrUnsupported, contentType)
	}
	if err != nil {
		return 0, nil, err
	}
	h.receiver.Unusable(req.Project, unusable)
	_, err = h.receiver.Receive(req.Context(), req.Project, body)
	return http.StatusAccepted, nil, err
}
