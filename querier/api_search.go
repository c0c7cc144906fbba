package querier

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// Defaults and limits of Tempo's search.
const (
	defaultLimit = 20
	maxLimit     = 262144
	defaultSpss  = 3
	maxSpss      = 100
	defaultSince = 15 * time.Minute
)

// search answers GET /api/search: the newest traces that match q or tags.
func (q *Querier) search(ctx context.Context, projects []schema.ProjectID, req *http.Request) (reply, error) {
	params, err := q.searchParams(req.URL.Query(), time.Now())
	if err != nil {
		return reply{}, err
	}
	response, err := q.find(ctx, projects, params, nil)
	if err != nil {
		return reply{}, err
	}
	used := usageOf(ctx)
	used.explain, used.rows = params.explain, response.Metrics.InspectedSpans
	return q.write(ctx, projects, req, response)
}

func (q *Querier) allPartitions() []int {
	all := make([]int, q.partitions)
	for p := range all {
		all[p] = p
	}
	return all
}

type searchParams struct {
	plan     *engine.Plan
	query    string // the parameters that the plan is of
	ordered  bool   // in another order than newest first
	explain  bool
	hasQuery bool
	within   timeRange
	limit    int
	spss     int
}

func (q *Querier) searchParams(values url.Values, now time.Time) (searchParams, error) {
	p := searchParams{hasQuery: values.Get("q") != "", query: planValues(values)}
	var err error
	var query *traceql.Query
	if p.plan, query, err = searchPlan(values); err != nil {
		return p, err
	}
	if query != nil {
		_, _, p.ordered = query.OrderBy()
		p.explain = query.Explain()
	}
	if p.limit, err = intParam(values, "limit", defaultLimit, 1, maxLimit); err != nil {
		return p, err
	}
	if p.spss, err = intParam(values, "spss", defaultSpss, 0, maxSpss); err != nil {
		return p, err
	}
	if p.spss == 0 {
		p.spss = defaultSpss
	}
	p.within, err = q.searchRange(values, now)
	return p, err
}

// planValues are the parameters that searchPlan reads.
func planValues(values url.Values) string {
	own := make(url.Values)
	for _, name := range []string{"q", "tags", "minDuration", "maxDuration"} {
		if v := values.Get(name); v != "" {
			own.Set(name, v)
		}
	}
	return own.Encode()
}

// searchPlan compiles q, or the older form, for which there is no query: tags
// and the trace's duration.
func searchPlan(values url.Values) (plan *engine.Plan, query *traceql.Query, err error) {
	text := values.Get("q")
	if text == "" {
		filter, err := tagFilter(values)
		return engine.CompileTags(filter), nil, err
	}
	for name, instead := range map[string]string{
		"tags": `{ .key = "value" }`, "minDuration": "{ traceDuration >= 1s }", "maxDuration": "{ traceDuration <= 1s }",
	} {
		if values.Get(name) != "" {
			return nil, nil, badRequest("%s and q can not be used together: write %s in q", name, instead)
		}
	}
	if query, err = traceql.Parse(text); err != nil {
		return nil, nil, badRequest("invalid TraceQL query: %s", err)
	}
	plan, err = engine.Compile(query)
	if err != nil {
		return nil, nil, badRequest("invalid TraceQL query: %s", err)
	}
	return plan, query, nil
}

func tagFilter(values url.Values) (filter engine.TagFilter, err error) {
	if filter.Tags, err = parseTags(values.Get("tags")); err != nil {
		return filter, err
	}
	if filter.MinDuration, err = durationParam(values, "minDuration"); err != nil {
		return filter, err
	}
	if filter.MaxDuration, err = durationParam(values, "maxDuration"); err != nil {
		return filter, err
	}
	if filter.MaxDuration > 0 && filter.MaxDuration < filter.MinDuration {
		return filter, badRequest("maxDuration (%s) must not be less than minDuration (%s)", filter.MaxDuration, filter.MinDuration)
	}
	return filter, nil
}
