package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// allProjects stands for all projects in a path of the API.
const allProjects = "_all"

// maxAdminBytes bounds the body of a request.
const maxAdminBytes = 64 << 10

// projectsAPI serves /api/projects. A key of one project may show it, change how
// long its data is kept, and manage its keys; a key of all projects may do
// everything, as may who needs no key.
type projectsAPI struct {
	registry  *project.Registry
	directory *project.Directory
	log       partitionLog
	bucket    objstore.Bucket
	derived   derivedBlocks
}

// ProjectReply is a project as the API shows it.
type ProjectReply struct {
	Name     schema.ProjectID `json:"name"`
	Settings project.Settings `json:"settings"`
	// What counts now, with the defaults of the process. "" and nothing of a
	// project that was deleted.
	// Retention is that of traces which no rule finds.
	Retention string         `json:"effective_retention,omitempty"`
	Limits    project.Limits `json:"effective_limits,omitzero"`
	// Problem is why the settings cannot be used, "" if they can.
	Problem string `json:"problem,omitempty"`
}

// NewProject is what a project is created from.
type NewProject struct {
	Name string `json:"name"`
	project.Patch
}

// NewKey is what a key is made from.
type NewKey struct {
	Name   string          `json:"name,omitempty"`
	Scopes []project.Scope `json:"scopes"`
}

// KeyReply is a key as the API shows it. The secret is only in the answer to its
// making.
type KeyReply struct {
	ID        string           `json:"id"`
	Project   schema.ProjectID `json:"project,omitempty"`
	Name      string           `json:"name,omitempty"`
	Scopes    []project.Scope  `json:"scopes"`
	CreatedAt time.Time        `json:"created_at"`
	Public    string           `json:"public"`
	Secret    string           `json:"secret,omitempty"`
}

func newKeyReply(k *project.Key, secret string) KeyReply {
	return KeyReply{k.ID, k.Project, k.Name, k.Scopes, k.CreatedAt, k.Public(), secret}
}

// ProjectsHandler serves the API of projects on a bucket alone, for a program of
// its administrator. A name that was deleted cannot be used again through it:
// only a server knows the log.
func ProjectsHandler(bucket objstore.Bucket, cfg *Config) http.Handler {
	directory := project.NewDirectory(bucket, project.Options{Retention: cfg.Retention.Default, Limits: cfg.Limits})
	nobody := func() eraser { return nil }
	return newProjectsAPI(bucket, directory, nil, &erasures{store: erasure.NewStore(bucket), find: nobody})
}

// adminFunc answers with a value to encode, nil for 204. id is of the path.
type adminFunc func(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error)

func newProjectsAPI(bucket objstore.Bucket, directory *project.Directory, log partitionLog, e *erasures) http.Handler {
	p := &projectsAPI{registry: project.NewRegistry(bucket), directory: directory, log: log, bucket: bucket}
	mux := http.NewServeMux()
	handle := func(pattern string, f adminFunc, allowed func(*project.Key, schema.ProjectID) bool) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
			reply, err := p.answer(req, f, allowed)
			writeAdmin(w, reply, err)
		})
	}
	handle("GET /api/projects", p.list, ofAll)
	handle("POST /api/projects", p.create, ofAll)
	handle("GET /api/projects/{project}", named(p.show), ofProject)
	handle("PATCH /api/projects/{project}", named(p.patch), ofProject)
	handle("DELETE /api/projects/{project}", named(p.remove), ofAll)
	handle("GET /api/projects/{project}/keys", p.keys, ofProject)
	handle("POST /api/projects/{project}/keys", p.addKey, ofProject)
	handle("DELETE /api/projects/{project}/keys/{key}", p.revokeKey, ofProject)
	handle("GET /api/projects/{project}/reprice", named(p.repriced), ofProject)
	handle("POST /api/projects/{project}/reprice", named(p.reprice), ofProject)
	handle("GET /api/projects/{project}/erasures", named(e.list), ofProject)
	handle("POST /api/projects/{project}/erasures", named(e.accept), ofProject)
	handle("GET /api/projects/{project}/erasures/{erasure}", named(e.show), ofProject)
	handle("GET /api/projects/{project}/erasures/{erasure}/left", named(e.left), ofProject)
	return mux
}

// named is f for what is about one project: there is none called as all are.
func named(f adminFunc) adminFunc {
	return func(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
		if id == project.All {
			return nil, fmt.Errorf("project %s: %w", allProjects, project.ErrNotFound)
		}
		return f(ctx, id, req)
	}
}

// ofAll: only who may administer all projects.
func ofAll(key *project.Key, _ schema.ProjectID) bool {
	return key == nil || key.Project == project.All
}

// ofProject: also who may administer this one.
func ofProject(key *project.Key, id schema.ProjectID) bool {
	return ofAll(key, id) || key.Project == id
}

var (
	errNotAllowed = errors.New("the key may not administer this: it takes one that is good for all projects")
	errJSON       = errors.New("not the JSON that is wanted")
)

func (p *projectsAPI) answer(req *http.Request, f adminFunc, allowed func(*project.Key, schema.ProjectID) bool) (any, error) {
	id := project.All
	if name := req.PathValue("project"); name != "" && name != allProjects {
		var err error
		if id, err = schema.ParseProjectID(name); err != nil {
			return nil, err
		}
	}
	if !allowed(access.KeyOf(req.Context()), id) {
		return nil, errNotAllowed
	}
	reply, err := f(req.Context(), id, req)
	if err != nil || req.Method == http.MethodGet {
		return reply, err
	}
	// Of this process, at once; the others see it within their interval.
	return reply, p.directory.Refresh(req.Context())
}

// decodeJSON reads a body strictly. A page in a browser cannot send this type of
// content elsewhere without being asked.
func decodeJSON(req *http.Request, dst any, most int64) error {
	if contentType, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type")); contentType != "application/json" {
		return fmt.Errorf("%w: want Content-Type application/json", errJSON)
	}
	d := json.NewDecoder(http.MaxBytesReader(nil, req.Body, most))
	d.DisallowUnknownFields()
	if err := d.Decode(dst); err != nil {
		return fmt.Errorf("%w: %w", errJSON, err)
	}
	return nil
}

func (p *projectsAPI) list(ctx context.Context, _ schema.ProjectID, _ *http.Request) (any, error) {
	ids, err := p.registry.List(ctx)
	if err != nil {
		return nil, err
	}
	replies := make([]ProjectReply, 0, len(ids))
	for _, id := range ids {
		reply, err := p.reply(ctx, id)
		if errors.Is(err, project.ErrNotFound) {
			continue // meanwhile
		}
		if err != nil {
			return nil, err
		}
		replies = append(replies, reply)
	}
	return map[string]any{"projects": replies}, nil
}

// reply describes a project from the bucket, not from what this process knows.
func (p *projectsAPI) reply(ctx context.Context, id schema.ProjectID) (ProjectReply, error) {
	reply := ProjectReply{Name: id}
	s, err := p.registry.Settings(ctx, id)
	switch {
	case errors.Is(err, project.ErrSettings):
		reply.Problem = err.Error()
	case err != nil:
		return reply, err
	case !s.Deleted():
		effective := p.directory.Effective(id, s)
		reply.Retention, reply.Limits = effective.Rest().String(), effective.Limits
	}
	reply.Settings = s
	return reply, nil
}

func (p *projectsAPI) create(ctx context.Context, _ schema.ProjectID, req *http.Request) (any, error) {
	var body NewProject
	if err := decodeJSON(req, &body, maxAdminBytes); err != nil {
		return nil, err
	}
	id, err := schema.ParseProjectID(body.Name)
	if err != nil {
		return nil, err
	}
	s := project.Settings{ManagedBy: project.OwnerAPI}
	if err := apply(&body.Patch)(&s); err != nil {
		return nil, err
	}
	err = p.registry.Create(ctx, id, s)
	if errors.Is(err, project.ErrDeleted) && p.log == nil {
		return nil, fmt.Errorf("%w: only a running server can tell whether the log still holds spans of it: ask it with -url", err)
	}
	if errors.Is(err, project.ErrDeleted) {
		err = p.registry.Revive(ctx, id, s, func(ctx context.Context, at time.Time) (bool, error) { return storedUpTo(ctx, p.log, at) })
	}
	if err != nil {
		return nil, err
	}
	return p.reply(ctx, id)
}

// apply is Patch.Apply with only such rules as a search can answer.
func apply(patch *project.Patch) func(*project.Settings) error {
	return func(s *project.Settings) error {
		if err := patch.Apply(s); err != nil || patch.Rules == nil {
			return err
		}
		if err := compactor.CheckRules(*patch.Rules); err != nil {
			return fmt.Errorf("%w: %w", project.ErrInvalid, err)
		}
		return nil
	}
}

func (p *projectsAPI) show(ctx context.Context, id schema.ProjectID, _ *http.Request) (any, error) {
	return p.reply(ctx, id)
}

func (p *projectsAPI) patch(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	var body project.Patch
	if err := decodeJSON(req, &body, maxAdminBytes); err != nil {
		return nil, err
	}
	key := access.KeyOf(ctx)
	if (body.Limits != nil || body.Aliases != nil) && !ofAll(key, id) {
		return nil, errNotAllowed // what protects others
	}
	if _, err := p.registry.Update(ctx, id, ofAll(key, id), apply(&body)); err != nil {
		return nil, err
	}
	return p.reply(ctx, id)
}

func (p *projectsAPI) remove(ctx context.Context, id schema.ProjectID, _ *http.Request) (any, error) {
	return nil, p.registry.Delete(ctx, id)
}

func (p *projectsAPI) keys(ctx context.Context, id schema.ProjectID, _ *http.Request) (any, error) {
	keys, err := p.registry.Keys(ctx, id)
	replies := make([]KeyReply, len(keys))
	for i := range keys {
		replies[i] = newKeyReply(&keys[i], "")
	}
	return map[string]any{"keys": replies}, err
}

func (p *projectsAPI) addKey(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	var body NewKey
	if err := decodeJSON(req, &body, maxAdminBytes); err != nil {
		return nil, err
	}
	key, secret, err := p.registry.AddKey(ctx, id, body.Name, body.Scopes)
	return newKeyReply(&key, secret), err
}

func (p *projectsAPI) revokeKey(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	return nil, p.registry.RevokeKey(ctx, id, req.PathValue("key"))
}

// writeAdmin writes an answer, or an error as {"error": …}.
func writeAdmin(w http.ResponseWriter, reply any, err error) {
	status := http.StatusOK
	switch {
	case err != nil:
		status, reply = adminStatus(err), map[string]string{"error": err.Error()}
	case reply == nil:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	body, err := json.MarshalIndent(reply, "", "  ")
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client is gone
}

func adminStatus(err error) int {
	switch {
	case errors.Is(err, errNotAllowed):
		return http.StatusForbidden
	case errors.Is(err, errJSON), errors.Is(err, schema.ErrBadProject), errors.Is(err, project.ErrInvalid),
		errors.Is(err, errErasure), errors.Is(err, errErasureNoLog):
		return http.StatusBadRequest
	case errors.Is(err, errNoQueries):
		return http.StatusNotImplemented
	case errors.Is(err, project.ErrNotFound), errors.Is(err, erasure.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, project.ErrExists), errors.Is(err, project.ErrDeleted), errors.Is(err, project.ErrManaged), errors.Is(err, project.ErrBusy):
		return http.StatusConflict
	}
	return http.StatusServiceUnavailable
}
