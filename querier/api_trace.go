package querier

import (
	"context"
	"net/http"
	"strconv"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/schema"
)

// traceV1 answers GET /api/traces/{id}: the bare trace, 404 without a body if
// there is none. It has no room to say that spans are missing: a trace beyond
// the limit is an error.
func (q *Querier) traceV1(ctx context.Context, projects []schema.ProjectID, req *http.Request) (reply, error) {
	trace, err := q.traceRequest(ctx, projects, req, &traceFilter{})
	if err != nil {
		return reply{}, err
	}
	if err := trace.whole(); err != nil {
		return reply{}, err
	}
	if trace.empty() {
		return reply{status: http.StatusNotFound}, nil
	}
	format, contentType := formatOf(req)
	return trace.reply(ctx, contentType, tempopb.TraceWriter{Format: format, Bare: true})
}

// traceV2 answers GET /api/v2/traces/{id}. A trace that is not found is an
// empty one with status 200: the data source needs the field to be there.
func (q *Querier) traceV2(ctx context.Context, projects []schema.ProjectID, req *http.Request) (reply, error) {
	filter, err := parseTraceFilter(req.URL.Query())
	if err != nil {
		return reply{}, err
	}
	trace, err := q.traceRequest(ctx, projects, req, &filter)
	if err != nil {
		return reply{}, err
	}
	if wantsLLM(req) {
		spans, message, err := trace.first(ctx, q.traceInMemory)
		return reply{contentType: contentLLM + "+json", body: appendLLM(nil, spans, message)}, err
	}
	format, contentType := formatOf(req)
	return trace.reply(ctx, contentType, tempopb.TraceWriter{Format: format})
}

// traceRequest finds the trace that a request asks for.
func (q *Querier) traceRequest(ctx context.Context, projects []schema.ProjectID, req *http.Request, filter *traceFilter) (*foundTrace, error) {
	id, err := schema.ParseTraceID(req.PathValue("id"))
	if err != nil {
		return nil, err
	}
	within, err := traceRange(req)
	if err != nil {
		return nil, err
	}
	derived, err := derivedParam(req)
	if err != nil {
		return nil, err
	}
	find := func(ctx context.Context) (*foundTrace, error) { return q.lookUp(ctx, projects, id, within, filter) }
	found, err := find(ctx)
	if err == nil {
		found.again, found.derived = find, derived
	}
	return found, err
}

// lookUp finds a trace.
func (q *Querier) lookUp(ctx context.Context, projects []schema.ProjectID, id schema.TraceID, within timeRange, filter *traceFilter) (found *foundTrace, err error) {
	err = q.read(ctx, projects, []int{id.Partition(q.partitions)}, func(joined *catalog.Joined) (err error) {
		sources, err := q.sources(ctx, joined, within)
		if err == nil {
			found, err = q.findTrace(ctx, sources, id, filter)
		}
		return err
	})
	return found, err
}

// derivedParam reads whether a trace is to be shown with what was derived of its
// spans, and not just as it was sent.
func derivedParam(req *http.Request) (bool, error) {
	text := req.URL.Query().Get("derived")
	if text == "" {
		return false, nil
	}
	derived, err := strconv.ParseBool(text)
	if err != nil {
		return false, badRequest("invalid derived %q: want true or false", text)
	}
	return derived, nil
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
