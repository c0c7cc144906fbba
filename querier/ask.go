package querier

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/schema"
)

// What APIs ask that have no request of HTTP for each query. Parameters are those of
// the paths under /api/, by name.

// Ask runs one query within the limits of the project that header names. The name is
// that of the metric. Texts of errors are for who asks.
func (q *Querier) Ask(ctx context.Context, name string, header http.Header, f func(ctx context.Context, id schema.ProjectID) error) error {
	begun := time.Now()
	ctx, cancel := q.withLimits(ctx)
	defer cancel()
	id, err := q.askedProject(header)
	if err == nil {
		err = q.permitted(ctx, []schema.ProjectID{id}, func() error { return f(ctx, id) })
	}
	code := http.StatusOK
	if err = q.limited(ctx, err); err != nil {
		code = status(err)
	}
	q.metrics.queries.WithLabelValues(name, strconv.Itoa(code)).Observe(time.Since(begun).Seconds())
	if code >= http.StatusInternalServerError {
		q.logger.ErrorContext(ctx, "a query failed", slog.String("query", name), slog.Any("err", err))
	}
	return err
}

func (*Querier) askedProject(header http.Header) (schema.ProjectID, error) {
	projects, err := projectsOf(header.Get(headerProject))
	if err != nil {
		return "", err
	}
	return oneProject(projects)
}

// Search finds traces, as /api/search does.
func (q *Querier) Search(ctx context.Context, id schema.ProjectID, values url.Values) (*tempopb.SearchResponse, error) {
	params, err := q.searchParams(values, time.Now())
	if err != nil {
		return nil, err
	}
	return q.find(ctx, []schema.ProjectID{id}, params, nil)
}

// Names lists attributes by scope, as /api/v2/search/tags does.
func (q *Querier) Names(ctx context.Context, id schema.ProjectID, values url.Values) (*tempopb.Scopes, error) {
	return q.listScopes(ctx, []schema.ProjectID{id}, values)
}

// Values lists those of a field as TraceQL names it, as /api/v2/search/tag/ does.
func (q *Querier) Values(ctx context.Context, id schema.ProjectID, field string, values url.Values) (*tempopb.Values, error) {
	return q.listValues(ctx, []schema.ProjectID{id}, field, values)
}

// MetricsRange runs a metrics query, as /api/metrics/query_range does.
func (q *Querier) MetricsRange(ctx context.Context, id schema.ProjectID, values url.Values) (*tempopb.QueryRangeResponse, error) {
	return q.queryRange(ctx, []schema.ProjectID{id}, values, nil)
}

// MetricsInstant runs a metrics query, as /api/metrics/query does.
func (q *Querier) MetricsInstant(ctx context.Context, id schema.ProjectID, values url.Values) (*tempopb.QueryInstantResponse, error) {
	return q.queryInstant(ctx, []schema.ProjectID{id}, values, nil)
}
