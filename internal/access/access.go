// Package access decides which requests may do what: by their keys, or by the
// project that a proxy in front has named. The ports of the service and the
// functions ask it alike.
package access

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"google.golang.org/grpc/codes"

	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// Modes of authentication. None is inferred from anything.
const (
	ModeNone   = "none"   // whoever reaches a port may do everything
	ModeHeader = "header" // a proxy in front authenticates, and names the project
	ModeKeys   = "keys"   // every request brings a key
)

// HeaderProject is the header, and in lower case the gRPC metadata key, that
// names the project. It is the one that Grafana sends.
const HeaderProject = "X-Scope-OrgID"

const (
	headerAPIKey = "X-Api-Key"
	// separator stands between the projects of a query.
	separator = "|"
	// maxNamed is how many projects a header may name.
	maxNamed = 100
)

// Why a request may not pass, besides the errors of the directory.
var (
	errNoKey     = errors.New("a key is needed: send it as Authorization: Bearer <secret>, as Basic with its two halves, or as X-Api-Key: <secret>")
	errTwoKeys   = errors.New("send one key, in one header")
	errScope     = errors.New("the key has not the scope that this needs")
	errOther     = errors.New("the key is of another project than the one that " + HeaderProject + " names")
	errNoProject = errors.New("no org id: " + HeaderProject + " is missing, the proxy in front has to name the project") // begins as Tempo's
	errWhich     = errors.New("the key is good for all projects: name one in " + HeaderProject)
	errTwoNames  = errors.New(HeaderProject + " was sent more than once")
	errTooMany   = fmt.Errorf("%s names more than %d projects", HeaderProject, maxNamed)
)

// Guard decides on every request of every port who may do what. Behind it, the
// project header says what a request may read or write, and nobody asks again.
// Safe for concurrent use.
type Guard struct {
	mode     string
	projects atomic.Pointer[project.Directory] // nil until it is there
	refused  *prometheus.CounterVec
}

// New returns the guard of a process. Until Use was called it refuses what depends
// on projects. The mode is one of the three.
func New(mode string, reg prometheus.Registerer) *Guard {
	return &Guard{mode: mode, refused: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "spanlake_access_refused_total", Help: "Requests that may not be made, by reason.",
	}, []string{"reason"})}
}

// Use lets the guard ask a directory of projects.
func (g *Guard) Use(directory *project.Directory) { g.projects.Store(directory) }

// values returns all values of a header.
type values func(name string) []string

// grant is what a request may do.
type grant struct {
	projects []schema.ProjectID // sorted, each once; none if the request needs none
	key      *project.Key       // nil without one
}

// header is how what stands behind learns of the projects.
func (g grant) header() string {
	names := make([]string, len(g.projects))
	for i, id := range g.projects {
		names[i] = string(id)
	}
	return strings.Join(names, separator)
}

// admit decides on a request that needs a scope.
func (g *Guard) admit(scope project.Scope, header values) (grant, error) {
	granted, err := g.decide(scope, header)
	if err != nil {
		g.refused.WithLabelValues(refusalOf(err).reason).Inc()
	}
	return granted, err
}

func (g *Guard) decide(scope project.Scope, header values) (granted grant, err error) {
	ofProject := scope == project.ScopeIngest || scope == project.ScopeQuery
	directory := g.projects.Load()
	if directory == nil && (ofProject || g.needsKey(scope)) {
		return grant{}, project.ErrUnavailable
	}
	if g.needsKey(scope) {
		if granted.key, err = authenticate(directory, header); err != nil {
			return grant{}, err
		}
		if !granted.key.Has(scope) {
			return grant{}, fmt.Errorf("%w: %s", errScope, scope)
		}
	}
	if !ofProject {
		return granted, nil
	}
	named, err := namedIn(directory, header(HeaderProject), scope)
	if err == nil {
		granted.projects, err = g.narrow(granted.key, named)
	}
	if err != nil {
		return grant{}, err
	}
	for _, id := range granted.projects {
		if _, err := directory.Project(id); err != nil {
			return grant{}, err
		}
	}
	return granted, nil
}

// needsKey: who authenticates for others names projects, but is no admin.
func (g *Guard) needsKey(scope project.Scope) bool {
	return g.mode == ModeKeys || g.mode == ModeHeader && scope == project.ScopeAdmin
}

// narrow returns the projects that a request is about: of those that the key is
// good for, the ones that the header names.
func (g *Guard) narrow(key *project.Key, named []schema.ProjectID) ([]schema.ProjectID, error) {
	switch {
	case key != nil && key.Project == project.All && len(named) == 0:
		return nil, errWhich
	case key != nil && key.Project == project.All:
		return named, nil
	case key != nil && slices.ContainsFunc(named, func(id schema.ProjectID) bool { return id != key.Project }):
		return nil, errOther
	case key != nil:
		return []schema.ProjectID{key.Project}, nil
	case len(named) > 0:
		return named, nil
	case g.mode == ModeHeader:
		return nil, errNoProject
	}
	return []schema.ProjectID{schema.DefaultProject}, nil
}

// authenticate returns the key of a request.
func authenticate(directory *project.Directory, header values) (*project.Key, error) {
	authorization, plain := header("Authorization"), header(headerAPIKey)
	switch {
	case len(authorization)+len(plain) == 0:
		return nil, errNoKey
	case len(authorization)+len(plain) > 1:
		return nil, errTwoKeys
	case len(plain) == 1:
		return directory.Authenticate("", plain[0])
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	if strings.EqualFold(scheme, "Bearer") {
		return directory.Authenticate("", token)
	}
	basic := http.Request{Header: http.Header{"Authorization": authorization}}
	public, secret, ok := basic.BasicAuth()
	if !ok || public == "" {
		return nil, errNoKey
	}
	return directory.Authenticate(public, secret)
}

// namedIn returns the projects that the header names, if any.
func namedIn(directory *project.Directory, header []string, scope project.Scope) (ids []schema.ProjectID, err error) {
	switch {
	case len(header) > 1:
		return nil, errTwoNames
	case len(header) == 0 || header[0] == "":
		return nil, nil
	}
	names := header
	if scope == project.ScopeQuery {
		if names = strings.Split(header[0], separator); len(names) > maxNamed {
			return nil, errTooMany
		}
	}
	for _, name := range names {
		id, err := directory.Resolve(name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// refusal is how an error of access is answered.
type refusal struct {
	reason string // of the counter
	status int
	code   codes.Code
}

func refusalOf(err error) refusal {
	switch {
	case errors.Is(err, errNoKey), errors.Is(err, errTwoKeys):
		return refusal{"no_key", http.StatusUnauthorized, codes.Unauthenticated}
	case errors.Is(err, errNoProject):
		return refusal{"no_project", http.StatusUnauthorized, codes.Unauthenticated}
	case errors.Is(err, project.ErrDenied):
		return refusal{"key", http.StatusUnauthorized, codes.Unauthenticated}
	case errors.Is(err, errScope):
		return refusal{"scope", http.StatusForbidden, codes.PermissionDenied}
	case errors.Is(err, errOther):
		return refusal{"other_project", http.StatusForbidden, codes.PermissionDenied}
	case errors.Is(err, project.ErrDeleted):
		return refusal{"deleted", http.StatusForbidden, codes.PermissionDenied}
	case errors.Is(err, project.ErrUnavailable), errors.Is(err, project.ErrSettings):
		return refusal{"unavailable", http.StatusServiceUnavailable, codes.Unavailable}
	}
	return refusal{"name", http.StatusBadRequest, codes.InvalidArgument}
}
