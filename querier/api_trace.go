package querier

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/schema"
)

// traceV1 answers GET /api/traces/{id}: the bare trace, 404 without a body if
// there is none.
func (q *Querier) traceV1(ctx context.Context, projects []schema.ProjectID, req *http.Request) (reply, error) {
	spans, err := q.traceRequest(ctx, projects, req)
	if err != nil || len(spans) == 0 {
		return reply{status: http.StatusNotFound}, err
	}
	traces := otlp.AppendTraces(nil, spans)
	format, contentType := formatOf(req)
	if format == tempopb.Protobuf {
		return reply{contentType: contentType, body: traces}, nil
	}
	body, err := otlp.AppendTracesJSON(nil, traces, "batches")
	return reply{contentType: contentType, body: body}, err
}

// traceV2 answers GET /api/v2/traces/{id}. A trace that is not found is an
// empty one with status 200: the data source needs the field to be there.
func (q *Querier) traceV2(ctx context.Context, projects []schema.ProjectID, req *http.Request) (reply, error) {
	filter, err := parseTraceFilter(req.URL.Query())
	if err != nil {
		return reply{}, err
	}
	spans, err := q.traceRequest(ctx, projects, req)
	if err != nil {
		return reply{}, err
	}
	spans, message := filter.apply(spans)
	if wantsLLM(req) {
		return reply{contentType: contentLLM + "+json", body: appendLLM(nil, spans, message)}, nil
	}
	response := tempopb.TraceByIDResponse{Trace: otlp.AppendTraces(nil, spans), Message: message}
	format, contentType := formatOf(req)
	body, err := response.Append(nil, format)
	return reply{contentType: contentType, body: body}, err
}

// traceRequest returns the spans of the trace that a request asks for.
func (q *Querier) traceRequest(ctx context.Context, projects []schema.ProjectID, req *http.Request) ([]schema.Span, error) {
	id, err := schema.ParseTraceID(req.PathValue("id"))
	if err != nil {
		return nil, err
	}
	within, err := traceRange(req)
	if err != nil {
		return nil, err
	}
	return q.trace(ctx, projects, id, within)
}

// traceRange reads the optional start and end of a lookup, in Unix seconds.
func traceRange(req *http.Request) (timeRange, error) {
	start, hasStart, err := secondsParam(req, "start")
	if err != nil {
		return timeRange{}, err
	}
	end, hasEnd, err := secondsParam(req, "end")
	switch {
	case err != nil:
		return timeRange{}, err
	case !hasStart && !hasEnd:
		return timeRange{}, nil
	case hasEnd && end <= start:
		return timeRange{}, badRequest("end (%d) must be greater than start (%d)", end, start)
	case !hasEnd:
		end = 1<<63 - 1
	}
	return secondsRange(start, end), nil
}

// secondsParam reads a parameter that is a whole number of seconds.
func secondsParam(req *http.Request, name string) (int64, bool, error) {
	text := req.URL.Query().Get(name)
	if text == "" {
		return 0, false, nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < 0 {
		return 0, false, badRequest("invalid %s %q: want Unix seconds", name, text)
	}
	return v, true, nil
}

// trace collects the spans of a trace from its partition, each once, in the
// order of blocks. Blocks that lie outside within are not read; the time range
// does not cut the trace itself.
func (q *Querier) trace(ctx context.Context, projects []schema.ProjectID, id schema.TraceID, within timeRange) ([]schema.Span, error) {
	partition := id.Partition(q.partitions)
	var spans []schema.Span
	err := q.read(ctx, projects, []int{partition}, func(joined *catalog.Joined) error {
		var err error
		spans, err = q.gather(ctx, joined, id, within)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	return engine.Fold(spans), nil
}

// gather reads the rows of one trace from every source at once.
func (q *Querier) gather(ctx context.Context, joined *catalog.Joined, id schema.TraceID, within timeRange) ([]schema.Span, error) {
	sources := q.sources(joined, within)
	parts := make([][]schema.Span, len(sources))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(q.cfg.Concurrency)
	for i, source := range sources {
		group.Go(func() (err error) {
			parts[i], err = source.Traces(ctx, []schema.TraceID{id}, vec.AllColumns())
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(parts...), nil
}
