// Package protocols has the paths of all protocols over HTTP, each with what its keys
// need and how its clients are told that they may not. The ports of the service and the
// functions serve the same.
package protocols

import (
	"net/http"
	"path"
	"slices"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/ingester/jaeger"
	"github.com/spanlake/spanlake/ingester/langfuse"
	"github.com/spanlake/spanlake/ingester/langsmith"
	"github.com/spanlake/spanlake/ingester/phoenix"
	"github.com/spanlake/spanlake/ingester/zipkin"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/project"
)

// Guard lets requests with a scope through to next, and has the others told that they
// may not, as OTLP does if tell is nil. An access.Guard is one.
type Guard interface {
	ProtectWith(scope project.Scope, tell func(w http.ResponseWriter, status int, message string), next http.Handler) http.Handler
}

// Receiving is what paths that take spans are made of.
type Receiving struct {
	Receiver *ingester.Receiver
	Spans    ingester.Spans // nil where the process that answers queries is another one
	Bucket   objstore.Bucket
	Projects ingester.Projects
	Version  string // of the program, for those who ask
}

// routes are the paths of other protocols than OTLP.
func (r *Receiving) routes() []ingester.Route {
	return slices.Concat(
		langsmith.NewHandler(r.Receiver, r.Spans, ingester.NewMedia(r.Receiver, r.Bucket, r.Projects)).Routes(),
		phoenix.NewHandler(r.Receiver, r.Spans).Routes(),
		zipkin.NewHandler(r.Receiver).Routes(),
		jaeger.NewHandler(r.Receiver).Routes(),
		langfuse.NewHandler(r.Receiver, r.Bucket, r.Projects, r.Version).Routes(),
	)
}

// Handler serves OTLP over HTTP with the other protocols beside it, and what else is
// served on its port, by pattern. What is not a path of one of them is OTLP's, also to
// say that it does not exist.
func (r *Receiving) Handler(guard Guard, others map[string]http.Handler) http.Handler {
	mux := http.NewServeMux()
	for pattern, handler := range others {
		mux.Handle(pattern, handler)
	}
	for _, route := range r.routes() {
		if route.Scope != "" {
			route.Handler = guard.ProtectWith(route.Scope, route.Refuse, route.Handler)
		}
		mux.Handle(route.Pattern, route.Handler)
	}
	otlp := guard.ProtectWith(project.ScopeIngest, nil, r.Receiver.Handler())
	for _, base := range ingester.Bases() {
		if base != "" { // some lie below the paths of other protocols
			mux.Handle(base, otlp)
			mux.Handle(base+"/", otlp)
		}
	}
	return muxOr(mux, otlp)
}

// muxOr lets next serve what mux has not. A path that the mux would redirect is none of
// its own.
func muxOr(mux *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if _, pattern := mux.Handler(req); pattern != "" && path.Clean(req.URL.Path) == req.URL.Path {
			mux.ServeHTTP(w, req)
			return
		}
		next.ServeHTTP(w, req)
	})
}
