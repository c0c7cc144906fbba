package querier

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// scopeIntrinsic is the scope of fields that are no attributes.
const scopeIntrinsic = "intrinsic"

// tagScopes are the names of the scopes of attributes, in the order of
// replies.
var tagScopes = [...]struct {
	name  string
	scope traceql.Scope
}{
	{"resource", traceql.ScopeResource},
	{"span", traceql.ScopeSpan},
	{"event", traceql.ScopeEvent},
	{"link", traceql.ScopeLink},
	{"instrumentation", traceql.ScopeInstrumentation},
}

// intrinsicTags are the names that are listed for the intrinsic scope: exactly
// those that Tempo lists, sorted.
var intrinsicTags = [...]string{
	"duration", "event:name", "event:timeSinceStart", "instrumentation:name", "instrumentation:version", "kind",
	"link:spanID", "link:traceID", "name", "rootName", "rootServiceName", "span:duration", "span:id", "span:kind",
	"span:name", "span:parentID", "span:status", "span:statusMessage", "status", "statusMessage", "trace:duration",
	"trace:id", "trace:rootName", "trace:rootService", "traceDuration",
}

// tagsV1 answers GET /api/search/tags: the names of all scopes together.
func (q *Querier) tagsV1(ctx context.Context, projects []schema.ProjectID, req *http.Request) (reply, error) {
	response, err := q.listNames(ctx, projects, req.URL.Query())
	if err != nil {
		return reply{}, err
	}
	return write(req, response), nil
}

func (q *Querier) listNames(ctx context.Context, projects []schema.ProjectID, values url.Values) (*tempopb.Texts, error) {
	values.Del("q")
	found, err := q.tagNames(ctx, projects, values)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, scope := range tagScopes {
		names = append(names, found.byScope[scope.scope]...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if found.limit > 0 && len(names) > found.limit {
		names = names[:found.limit]
	}
	if found.scope == scopeIntrinsic {
		names = intrinsicTags[:]
	}
	return &tempopb.Texts{Name: tempopb.NamesOfTags, List: names, Metrics: found.metrics}, nil
}

// tagsV2 answers GET /api/v2/search/tags: the names of each scope, of the spans
// that q finds.
func (q *Querier) tagsV2(ctx context.Context, projects []schema.ProjectID, req *http.Request) (reply, error) {
	response, err := q.listScopes(ctx, projects, req.URL.Query())
	if err != nil {
		return reply{}, err
	}
	return write(req, response), nil
}

func (q *Querier) listScopes(ctx context.Context, projects []schema.ProjectID, values url.Values) (*tempopb.Scopes, error) {
	found, err := q.tagNames(ctx, projects, values)
	if err != nil {
		return nil, err
	}
	response := &tempopb.Scopes{Metrics: found.metrics}
	for _, scope := range tagScopes {
		if names := found.byScope[scope.scope]; len(names) > 0 {
			response.List = append(response.List, tempopb.Scope{Name: scope.name, Tags: names})
		}
	}
	if found.scope == "" || found.scope == scopeIntrinsic {
		response.List = append(response.List, tempopb.Scope{Name: scopeIntrinsic, Tags: intrinsicTags[:]})
	}
	return response, nil
}

// foundNames are the names of attributes, and what was asked for.
type foundNames struct {
	scope   string // "" is all
	limit   int    // 0 is none
	byScope map[traceql.Scope][]string
	metrics tempopb.MetadataMetrics
}

func (q *Querier) tagNames(ctx context.Context, projects []schema.ProjectID, values url.Values) (foundNames, error) {
	found := foundNames{scope: values.Get("scope")}
	ask, err := q.askTags(values, tagsOfScope, found.scope, time.Now())
	if err != nil || len(ask.scopes) == 0 {
		return found, err
	}
	tags, metrics, err := q.collectTags(ctx, projects, ask)
	if err != nil {
		return found, err
	}
	found.limit, found.byScope, found.metrics = ask.opts.Limit, tags.ByScope, metrics
	return found, nil
}

// scopesOf returns the scopes of attributes that a scope parameter stands for.
func scopesOf(name string) ([]traceql.Scope, error) {
	if name == scopeIntrinsic {
		return nil, nil
	}
	var scopes []traceql.Scope
	for _, s := range tagScopes {
		if name == "" || name == s.name {
			scopes = append(scopes, s.scope)
		}
	}
	if len(scopes) == 0 {
		return nil, badRequest("invalid scope: %s", name)
	}
	return scopes, nil
}
