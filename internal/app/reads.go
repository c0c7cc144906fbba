package app

import (
	"net/http"
	"slices"

	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/querier/langfuse"
)

// reads are the paths by which clients of other protocols than OTLP read, none if this
// process answers no queries.
func (a *App) reads() []querier.Route {
	if a.querier == nil {
		return nil
	}
	return slices.Concat(langfuse.NewHandler(a.querier).Routes())
}

// handleReads serves them.
func (a *App) handleReads(mux *http.ServeMux) {
	for _, route := range a.reads() {
		mux.Handle(route.Pattern, a.access.ProtectWith(route.Scope, route.Refuse, route.Handler))
	}
}
