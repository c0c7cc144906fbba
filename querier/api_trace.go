package querier

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// traceV1 answers GET /api/traces/{id}: the bare trace, 404 without a body if
// there is none.
func (q *Querier) traceV1(ctx context.Context, project schema.ProjectID, req *http.Request) (reply, error) {
	traces, found, err := q.traceRequest(ctx, project, req)
	if err != nil || !found {
		return reply{status: http.StatusNotFound}, err
	}
	if wantsProtobuf(req) {
		return reply{contentType: contentProtobuf, body: traces}, nil
	}
	body, err := otlp.AppendTracesJSON(nil, traces, "batches")
	return reply{contentType: contentJSON, body: body}, err
}

// traceV2 answers GET /api/v2/traces/{id}. A trace that is not found is an
// empty one with status 200: the data source needs the field to be there.
func (q *Querier) traceV2(ctx context.Context, project schema.ProjectID, req *http.Request) (reply, error) {
	traces, found, err := q.traceRequest(ctx, project, req)
	if err != nil {
		return reply{}, err
	}
	if wantsProtobuf(req) {
		// TraceByIDResponse: trace = 1, metrics = 2.
		body := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), traces)
		body = protowire.AppendBytes(protowire.AppendTag(body, 2, protowire.BytesType), nil)
		return reply{contentType: contentProtobuf, body: body}, nil
	}
	body := []byte(`{"trace":`)
	if found {
		body, err = otlp.AppendTracesJSON(body, traces, "resourceSpans")
	} else {
		body = append(body, "{}"...)
	}
	return reply{contentType: contentJSON, body: append(body, `,"metrics":{}}`...)}, err
}

// traceRequest returns the trace that a request asks for as an OTLP TracesData
// message.
func (q *Querier) traceRequest(ctx context.Context, project schema.ProjectID, req *http.Request) (traces []byte, found bool, err error) {
	id, err := schema.ParseTraceID(req.PathValue("id"))
	if err != nil {
		return nil, false, err
	}
	within, err := traceRange(req)
	if err != nil {
		return nil, false, err
	}
	spans, err := q.trace(ctx, project, id, within)
	return otlp.AppendTraces(nil, spans), len(spans) > 0, err
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
func (q *Querier) trace(ctx context.Context, project schema.ProjectID, id schema.TraceID, within timeRange) ([]schema.Span, error) {
	partition := id.Partition(q.partitions)
	var spans []schema.Span
	err := q.read(ctx, project, []int{partition}, func(joined *catalog.Joined) error {
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
