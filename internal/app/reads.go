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
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/querier/jaeger"
	"github.com/spanlake/spanlake/querier/langfuse"
	"github.com/spanlake/spanlake/querier/langsmith"
	"github.com/spanlake/spanlake/querier/mcp"
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
		mux.Handle("DELETE "+path, a.deletes())
	}
}

// deletePaths are where Langfuse's clients delete traces.
func deletePaths() []string { return []string{readPrefix + "traces", readPrefix + "traces/{id...}"} }

// queryHandler serves the port of queries: Tempo's API, Jaeger's, Langfuse's for reading,
// and tools for language models.
func queryHandler(q *querier.Querier) http.Handler {
	mux := http.NewServeMux()
	for _, route := range slices.Concat(langfuse.NewHandler(q).Routes(), jaeger.NewHandler(q).Routes(), mcp.NewHandler(q).Routes()) {
		mux.Handle(route.Pattern, route.Handler)
	}
	tempo := q.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if path := req.URL.Path; path == mcp.Path || strings.HasPrefix(path, readPrefix) || strings.HasPrefix(path, jaeger.Prefix) {
			mux.ServeHTTP(w, req)
			return
		}
		tempo.ServeHTTP(w, req)
	})
}

// deletes protects what deletes. Access takes the header away from administrators,
// whose requests name a project otherwise: here it does.
func (a *App) deletes() http.Handler {
	handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		named := req.Header.Get(access.HeaderProject)
		a.access.ProtectWith(project.ScopeAdmin, langfuse.Refuse, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			a.deleteTraces(w, req, named)
		})).ServeHTTP(w, req)
	})
	if a.cfg.Auth.Mode == access.ModeNone {
		return localOnly(handler)
	}
	return handler
}

// deleteTraces erases the traces of a request. It answers when they are hidden in
// this process; the rest of the way is that of any erasure.
func (a *App) deleteTraces(w http.ResponseWriter, req *http.Request, named string) {
	id, err := administered(access.KeyOf(req.Context()), named)
	var request ErasureReply
	if err == nil {
		request, err = a.eraseByID(req, id)
	}
	status, message := http.StatusOK, ""
	switch {
	case err == nil:
		message = fmt.Sprintf("erasure %s of %d traces accepted: they are in no answer any more, and removed from storage from now on", request.ID, request.Traces)
	case errors.Is(err, errNoTrace):
		status = http.StatusNotFound
	default:
		status = adminStatus(err)
	}
	if err != nil {
		langfuse.Refuse(w, status, err.Error())
		return
	}
	ingester.WriteJSON(w, status, map[string]string{"message": message})
}

// administered is the project that an administrator's request is about: the one of
// its key, or the one that it names.
func administered(key *project.Key, named string) (schema.ProjectID, error) {
	var id schema.ProjectID
	if named != "" {
		var err error
		if id, err = schema.ParseProjectID(named); err != nil {
			return "", err
		}
	}
	switch {
	case key != nil && key.Project != project.All && id != "" && id != key.Project:
		return "", errNotAllowed
	case key != nil && key.Project != project.All:
		return key.Project, nil
	case key != nil && id == "":
		return "", fmt.Errorf("%w: the key is good for all projects: name one by the header %s", errErasure, access.HeaderProject)
	case id == "":
		return schema.DefaultProject, nil
	}
	return id, nil
}

// errNoTrace means that there is nothing to delete.
var errNoTrace = errors.New("there is no such trace")

// eraseByID accepts an erasure of traces by their original ids. Ids of which nothing is
// there are an error: who deletes wants to know.
func (a *App) eraseByID(req *http.Request, id schema.ProjectID) (ErasureReply, error) {
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
		return ErasureReply{}, errNoTrace
	}
	return a.erasures.ask(ctx, id, wanted)
}
