package ingester

import (
	"context"
	"net/http"
	"time"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// What adapters of other protocols, the packages below this one, are made of: they
// read a body, make spans of it, store them and answer in their own words. Limits,
// quotas and the acknowledgement are those of OTLP.

// ReadBody returns the decompressed body of a request within the limits of OTLP.
// Nothing may use it after release. The error's status is StatusOf.
func (r *Receiver) ReadBody(req *http.Request) (body []byte, release func(), err error) {
	b, err := r.readBody(req)
	if err != nil {
		return nil, nil, err
	}
	return b.bytes, b.release, nil
}

// ProjectOf is the project that a request may write to, as access has put it into
// the header.
func ProjectOf(req *http.Request) (schema.ProjectID, error) {
	return projectOf(req.Header.Get(HeaderProject))
}

// Store is Receive for spans that an adapter has made, some of them pieces
// (schema.Fragment): each needs ids, a Resource and a Scope (otlp.NewResource,
// otlp.NewScope). When it returns without an error all but the rejected ones are
// durable.
func (r *Receiver) Store(ctx context.Context, id schema.ProjectID, spans []schema.Span) (Result, error) {
	if len(spans) == 0 {
		return Result{}, nil
	}
	body := otlp.AppendRequest(nil, spans)
	if err := r.admit(int64(len(body))); err != nil {
		return Result{}, err
	}
	defer r.inflight.give(int64(len(body)))
	return r.Receive(ctx, id, body)
}

// Permit charges bytes to a project that are stored otherwise than by Store, which
// charges its own. It fails with a *RefusedError if the project may not send any now.
func (r *Receiver) Permit(id schema.ProjectID, bytes int) error {
	_, err := r.permit(id, bytes, time.Now())
	return err
}

// Refuses says why the project does not take a span, "" if it does: for adapters that
// have to say which spans of a request were rejected. Nothing is stored.
func (r *Receiver) Refuses(id schema.ProjectID, span schema.Span) string {
	settings, err := r.projects.Project(id)
	if err != nil {
		return err.Error()
	}
	var splitter otlp.Splitter
	split, err := splitter.SplitBy(otlp.AppendRequest(nil, []schema.Span{span}), 1, int(r.cfg.MaxMessageBytes), rulesOf(settings, time.Now()))
	if err != nil {
		return err.Error()
	}
	return split.Reason
}

// StatusOf is the status of HTTP for what a Receiver could not do, with the headers
// that belong to it: 429 and 503 come with a Retry-After.
func StatusOf(header http.Header, err error) int {
	status, _ := statusOf(header, err)
	return status
}
