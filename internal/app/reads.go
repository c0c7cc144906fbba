package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/querier/langfuse"
	"github.com/spanlake/spanlake/querier/langsmith"
	"github.com/spanlake/spanlake/schema"
)

// readPrefix is where Langfuse's paths are, on the port of queries too.
const readPrefix = "/api/public/"

// reads are the paths by which clients of other protocols than OTLP read, and delete
// traces.
func reads(q *querier.Querier) []querier.Route {
	return slices.Concat(langfuse.NewHandler(q).Routes(), langsmith.NewHandler(q).Routes())
}

// handleReads serves them on the port of OTLP, if this process answers queries.
func (a *App) handleReads(mux *http.ServeMux) {
	if a.querier == nil {
		return
	}
	for _, route := range reads(a.querier) {
		mux.Handle(route.Pattern, a.access.ProtectWith(route.Scope, route.Refuse, route.Handler))
	}
	for _, path := range deletePaths() {
		handler := a.access.ProtectWith(project.ScopeAdmin, langfuse.Refuse, http.HandlerFunc(a.deleteTraces))
		if a.cfg.Auth.Mode == access.ModeNone {
			handler = localOnly(handler)
		}
		mux.Handle("DELETE "+path, handler)
	}
}

// deletePaths are where Langfuse's clients delete traces.
func deletePaths() []string { return []string{readPrefix + "traces", readPrefix + "traces/{id...}"} }

// queryHandler serves the port of queries: Tempo's API, and Langfuse's for reading.
func queryHandler(q *querier.Querier) http.Handler {
	mux := http.NewServeMux()
	for _, route := range langfuse.NewHandler(q).Routes() {
		mux.Handle(route.Pattern, route.Handler)
	}
	tempo := q.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(req.URL.Path, readPrefix) {
			mux.ServeHTTP(w, req)
			return
		}
		tempo.ServeHTTP(w, req)
	})
}

// deleteTraces erases the traces of a request. It answers when they are hidden in
// this process; the rest of the way is that of any erasure.
func (a *App) deleteTraces(w http.ResponseWriter, req *http.Request) {
	request, err := a.eraseByID(req)
	status, message := http.StatusOK, ""
	switch {
	case err == nil:
		message = fmt.Sprintf("erasure %s of %d traces accepted: they are in no answer any more, and removed from storage from now on", request.ID, request.Traces)
	case errors.Is(err, schema.ErrBadProject):
		status = http.StatusBadRequest
	default:
		status = adminStatus(err)
	}
	if err != nil {
		langfuse.Refuse(w, status, err.Error())
		return
	}
	ingester.WriteJSON(w, status, map[string]string{"message": message})
}

// eraseByID accepts an erasure of traces by their original ids. Ids of which nothing is
// there are an error: who deletes wants to know.
func (a *App) eraseByID(req *http.Request) (ErasureReply, error) {
	id, err := ingester.ProjectOf(req)
	if err != nil {
		return ErasureReply{}, err
	}
	names := []string{req.PathValue("id")}
	if req.PathValue("id") == "" {
		var body struct {
			TraceIDs []string `json:"traceIds"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(nil, req.Body, maxErasureBytes)).Decode(&body); err != nil {
			return ErasureReply{}, fmt.Errorf(`%w: want {"traceIds": ["…"]}: %w`, errJSON, err)
		}
		names = body.TraceIDs
	}
	wanted := &NewErasure{}
	for _, name := range names {
		if name == "" {
			return ErasureReply{}, fmt.Errorf("%w: an id of a trace is empty", errErasure)
		}
		wanted.Traces = append(wanted.Traces, schema.TraceIDOf(name).String())
	}
	return a.eraseKnown(req.Context(), id, wanted)
}

// eraseKnown is the erasure of traces some of which are there.
func (a *App) eraseKnown(ctx context.Context, id schema.ProjectID, wanted *NewErasure) (ErasureReply, error) {
	dry := *wanted
	dry.DryRun = true
	known, err := a.erasures.ask(ctx, id, &dry)
	if err != nil {
		return ErasureReply{}, err
	}
	if known.Spans == 0 {
		return ErasureReply{}, fmt.Errorf("%w: no such trace", erasure.ErrNotFound)
	}
	return a.erasures.ask(ctx, id, wanted)
}
