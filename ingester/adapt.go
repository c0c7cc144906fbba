package ingester

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/spanlake/spanlake/internal/failure"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// Route is a path of another protocol than OTLP, as a pattern of http.ServeMux
// with a method.
type Route struct {
	Pattern string
	Scope   project.Scope // that its keys need, "" if it takes none
	Handler http.Handler
	// Refuse answers who may not do it; nil: as OTLP does.
	Refuse func(w http.ResponseWriter, status int, message string)
}

// Errors of adapters, besides those of Receive. A sender has to change what it sends.
var (
	// ErrBadRequest is answered with 400.
	ErrBadRequest = errors.New("the request cannot be read")
	// ErrNotHere is answered with 501: another process might.
	ErrNotHere = errors.New("not here")
	// ErrTooLarge is answered with 413.
	ErrTooLarge = errTooLarge
	// ErrUnsupported is answered with 415.
	ErrUnsupported = errUnsupported
)

// Request is a request of another protocol than OTLP, as its adapter gets it.
type Request struct {
	Project schema.ProjectID
	Body    []byte // decompressed; gone when the adapter returns
	*http.Request
}

// Adapt serves requests of a protocol: it reads the body and the project, and writes
// what the adapter returns, or why it failed, as JSON.
func (r *Receiver) Adapt(serve func(req *Request) (status int, reply any, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		status, reply, err := r.adapt(req, serve)
		if err != nil {
			status, reply = r.explain(w.Header(), req, err)
		}
		WriteJSON(w, status, reply)
	})
}

func (r *Receiver) adapt(req *http.Request, serve func(*Request) (int, any, error)) (int, any, error) {
	id, err := ProjectOf(req)
	if err != nil {
		return 0, nil, err
	}
	body, release, err := r.ReadBody(req)
	if err != nil {
		return 0, nil, err
	}
	defer release()
	return serve(&Request{id, body, req})
}

// explain is how an error is answered.
func (r *Receiver) explain(header http.Header, req *http.Request, err error) (status int, reply any) {
	switch {
	case errors.Is(err, ErrBadRequest):
		status = http.StatusBadRequest
	case errors.Is(err, ErrNotHere):
		status = http.StatusNotImplemented
	default:
		status = StatusOf(header, err)
	}
	switch status {
	case http.StatusInternalServerError:
		r.logger.ErrorContext(req.Context(), "a request failed", slog.String("path", req.URL.Path), slog.Any("err", err))
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		r.metrics.rejectedRequests.WithLabelValues("malformed").Inc()
	}
	return status, failure.Message{Message: err.Error()}
}

// WriteJSON writes a reply, nil for an empty one. Nothing can be done for a client
// that is gone.
func WriteJSON(w http.ResponseWriter, status int, reply any) {
	if reply == nil {
		w.WriteHeader(status)
		return
	}
	body, err := json.Marshal(reply)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"message":"the reply is no JSON"}`)
	}
	w.Header().Set("Content-Type", contentJSON)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Unusable counts parts of a request that an adapter could make no span of.
func (r *Receiver) Unusable(id schema.ProjectID, parts int) { r.metrics.reject(id, "unusable", parts) }
