package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/protocols"
	"github.com/spanlake/spanlake/querier/langfuse"
	"github.com/spanlake/spanlake/schema"
)

// readsBesideOTLP are the paths by which clients of other protocols read and delete
// traces, by pattern, on the port of OTLP: none if this process answers no queries.
func (a *App) readsBesideOTLP() map[string]http.Handler {
	if a.querier == nil {
		return nil
	}
	all := protocols.GuardedReads(a.access, a.querier)
	for _, path := range deletePaths() {
		all["DELETE "+path] = a.deletes()
	}
	return all
}

// deletePaths are where Langfuse's clients delete traces.
func deletePaths() []string {
	return []string{protocols.PrefixLangfuse + "traces", protocols.PrefixLangfuse + "traces/{id...}"}
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
