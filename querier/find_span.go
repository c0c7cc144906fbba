package querier

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

const (
	// maxSpanAge is how far back spans are looked for, whatever searches may: what
	// is said of a span is said within some weeks.
	maxSpanAge = 30 * 24 * time.Hour
	// findTimeout bounds it in time: somebody waits with a request that stores.
	findTimeout = 10 * time.Second
)

// TraceOf is the trace of a span of a project, the newest if several have one with
// that id. A span that is not found within the limits of queries and of this is
// not there; other failures are errors.
func (q *Querier) TraceOf(ctx context.Context, id schema.ProjectID, span schema.SpanID) (trace schema.TraceID, found bool, err error) {
	newest, found, err := q.newest(ctx, id, fmt.Sprintf("{ span:id = %q }", span))
	return newest.TraceID, found, err
}

// LastOf is the start of the newest trace with a span of a service, Unix nanoseconds,
// within the same limits.
func (q *Querier) LastOf(ctx context.Context, id schema.ProjectID, service string) (startNanos uint64, found bool, err error) {
	newest, found, err := q.newest(ctx, id, "{ resource.service.name = "+strconv.Quote(service)+" }")
	return newest.StartNanos, found, err
}

// newest is the newest trace that a query finds, if it finds one.
func (q *Querier) newest(ctx context.Context, id schema.ProjectID, query string) (trace engine.TraceResult, found bool, err error) {
	ctx, cancel := q.withLimits(ctx)
	defer cancel()
	ctx, cancelFind := context.WithTimeoutCause(ctx, findTimeout, errOutOfTime)
	defer cancelFind()
	params, err := newestParams(query, time.Now())
	if err != nil {
		return trace, false, err
	}
	projects := []schema.ProjectID{id}
	err = q.permitted(ctx, projects, func() error {
		response, err := q.find(ctx, projects, params, nil)
		if err == nil && len(response.Traces) > 0 {
			trace, found = response.Traces[0], true
		}
		return err
	})
	var limit *limitError
	var timeout *timeoutError
	if err = q.limited(ctx, err); errors.As(err, &limit) || errors.As(err, &timeout) {
		return trace, false, nil
	}
	return trace, found, err
}

// newestParams are those of a search for one trace.
func newestParams(text string, now time.Time) (searchParams, error) {
	query, err := traceql.Parse(text)
	if err != nil {
		return searchParams{}, err
	}
	plan, err := engine.Compile(query)
	if err != nil {
		return searchParams{}, err
	}
	within := timeRange{uint64(now.Add(-maxSpanAge).UnixNano()), uint64(now.Add(clockSkew).UnixNano())} //nolint:gosec // wall clock
	return searchParams{plan: plan, query: url.Values{"q": {text}}.Encode(), hasQuery: true, within: within, limit: 1, spss: 1}, nil
}
