package querier

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
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
	scopes, err := scopesOf(found.scope)
	if err != nil {
		return found, err
	}
	params, err := q.tagParams(values, time.Now())
	if err != nil || len(scopes) == 0 {
		return found, err
	}
	found.limit = params.options.Limit
	blocks, err := q.readTags(ctx, projects, params, func(ctx context.Context, groups [][]engine.Source) error {
		names, err := engine.CollectNames(ctx, params.plan, groups, scopes, params.options)
		if err == nil {
			found.byScope = names.ByScope
		}
		return err
	})
	found.metrics = scanned(blocks)
	return found, err
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

// tagParams are the parameters that lists of names and of values share.
type tagParams struct {
	plan    *engine.Plan
	within  timeRange
	options engine.TagOptions
}

func (q *Querier) tagParams(values url.Values, now time.Time) (tagParams, error) {
	var p tagParams
	var err error
	if p.within, err = q.searchRange(values, now); err != nil {
		return p, err
	}
	limit, err := intParam(values, "limit", 0, 0, math.MaxInt32)
	if err != nil {
		return p, err
	}
	// Asks to stop after values that bring nothing new, which is not needed.
	if _, err := intParam(values, "maxStaleValues", 0, 0, math.MaxInt32); err != nil {
		return p, err
	}
	p.options = engine.TagOptions{
		StartNanos: p.within.start, EndNanos: p.within.end, Limit: limit, MaxBytes: maxTagBytes, Concurrency: q.cfg.Concurrency,
	}
	// What is typed so far need not be a query, so no error is one here.
	if p.plan, err = engine.Compile(traceql.ParseLenient(values.Get("q"))); err != nil {
		p.plan, err = engine.Compile(nil)
	}
	return p, err
}

// maxTagBytes bounds the names of a scope, or the values, in a reply.
const maxTagBytes = 1 << 20

// readTags calls f with the sources, the newest first. It returns the number of
// blocks.
func (q *Querier) readTags(
	ctx context.Context, projects []schema.ProjectID, params tagParams, f func(context.Context, [][]engine.Source) error,
) (blocks int, err error) {
	err = q.read(ctx, projects, q.allPartitions(), func(joined *catalog.Joined) error {
		sorted := *joined
		sorted.Blocks = slices.SortedStableFunc(slices.Values(joined.Blocks), func(a, b schema.BlockName) int {
			return cmp.Compare(b.MaxEnd, a.MaxEnd)
		})
		blocks = len(joined.Blocks)
		all := &part{projects: projects, traces: schema.AllTraces(), joined: &sorted}
		leave, err := q.enter(ctx, projects, q.memoryOf(all, params.within))
		if err != nil {
			return err
		}
		defer leave()
		sources, err := q.sourcesAndOthers(ctx, &sorted, schema.AllTraces(), params.within)
		if err != nil {
			return err
		}
		return f(q.withTurns(ctx, projects), [][]engine.Source{sources})
	})
	return blocks, err
}

// scanned are the metrics of a list for which data was read.
func scanned(blocks int) tempopb.MetadataMetrics {
	return tempopb.MetadataMetrics{TotalJobs: 1, CompletedJobs: 1, TotalBlocks: uint32(blocks)} //nolint:gosec // a count of blocks
}
