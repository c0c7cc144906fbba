package jaeger

import (
	"context"
	"fmt"
	"mime"
	"net/http"

	"google.golang.org/grpc"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/failure"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// Handler serves those paths of Jaeger's collector that take spans.
type Handler struct{ receiver *ingester.Receiver }

// NewHandler returns a handler that stores by receiver.
func NewHandler(receiver *ingester.Receiver) *Handler { return &Handler{receiver} }

// Routes are the paths over HTTP.
func (h *Handler) Routes() []ingester.Route {
	return []ingester.Route{{
		Pattern: "POST /api/traces", Scope: project.ScopeIngest, Handler: h.receiver.Adapt(h.post), Refuse: failure.TellMessage,
	}}
}

// RegisterGRPC registers what agents call. The server is one that OTLP is registered
// with.
func (h *Handler) RegisterGRPC(server grpc.ServiceRegistrar) {
	h.receiver.RegisterUnary(server, "jaeger.api_v2.CollectorService", "PostSpans", func(ctx context.Context, id schema.ProjectID, message []byte) ([]byte, error) {
		body, err := fromProtobuf(message)
		if err != nil {
			return nil, err
		}
		_, err = h.receiver.Receive(ctx, id, body)
		return nil, err
	})
}

// post answers 202 with nothing, as Jaeger does, when all is durable.
func (h *Handler) post(req *ingester.Request) (int, any, error) {
	contentType, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if contentType != "application/x-thrift" && contentType != "application/vnd.apache.thrift.binary" {
		return 0, nil, fmt.Errorf("%w: Content-Type %q, want application/x-thrift with a batch in Thrift's binary protocol", ingester.ErrUnsupported, contentType)
	}
	body, err := fromThrift(req.Context(), req.Body)
	if err != nil {
		return 0, nil, err
	}
	_, err = h.receiver.Receive(req.Context(), req.Project, body)
	return http.StatusAccepted, nil, err
}
