package querier

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spanlake/spanlake/internal/catalog"
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

// search answers GET /api/search?q=…: the newest traces that match.
func (q *Querier) search(ctx context.Context, project schema.ProjectID, req *http.Request) (reply, error) {
	params, err := q.searchParams(req.URL.Query(), time.Now())
	if err != nil {
		return reply{}, err
	}
	var result *engine.SearchResult
	var blocks int
	err = q.read(ctx, project, q.allPartitions(), func(joined *catalog.Joined) (err error) {
		// One group: a source says itself whether a trace is of its partition.
		groups := [][]engine.Source{q.searchSources(joined, params.within)}
		blocks = len(joined.Blocks)
		result, err = engine.Search(ctx, params.plan, groups, engine.SearchOptions{
			StartNanos: params.within.start, EndNanos: params.within.end,
			Limit: params.limit, SpansPerSpanSet: params.spss, Concurrency: q.cfg.Concurrency,
		})
		return err
	})
	if err != nil {
		return reply{}, err
	}
	body, err := json.Marshal(searchReply(result, blocks, params.hasQuery))
	return reply{contentType: contentJSON, body: body}, err
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
	hasQuery bool
	within   timeRange
	limit    int
	spss     int
}

func (q *Querier) searchParams(values url.Values, now time.Time) (searchParams, error) {
	p := searchParams{hasQuery: values.Get("q") != ""}
	for _, name := range []string{"tags", "minDuration", "maxDuration"} {
		if values.Has(name) {
			return p, badRequest("%s: this server searches with q only, a TraceQL filter such as { span.http.status_code = 500 && duration > 1s }", name)
		}
	}
	text := values.Get("q")
	if text == "" {
		text = "{ }"
	}
	query, err := traceql.Parse(text)
	if err != nil {
		return p, badRequest("invalid TraceQL query: %s", err)
	}
	if p.plan, err = engine.Compile(query); err != nil {
		return p, badRequest("invalid TraceQL query: %s", err)
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

// searchRange reads start and end, or since, or takes the last 15 minutes.
func (q *Querier) searchRange(values url.Values, now time.Time) (timeRange, error) {
	since := defaultSince
	if text := values.Get("since"); text != "" {
		var err error
		if since, err = time.ParseDuration(text); err != nil || since <= 0 {
			return timeRange{}, badRequest("invalid since %q: want a duration such as 1h", text)
		}
	} else if values.Has("start") || values.Has("end") {
		return q.startEnd(values)
	}
	if err := q.checkRange(since); err != nil {
		return timeRange{}, err
	}
	// A client's clock may run ahead: what has just arrived counts as recent.
	return timeRange{uint64(now.Add(-since).UnixNano()), uint64(now.Add(clockSkew).UnixNano())}, nil //nolint:gosec // wall clock
}

const clockSkew = time.Minute

func (q *Querier) startEnd(values url.Values) (timeRange, error) {
	start, err := secondsValue(values, "start")
	if err != nil {
		return timeRange{}, err
	}
	end, err := secondsValue(values, "end")
	if err != nil {
		return timeRange{}, err
	}
	if end <= start {
		return timeRange{}, badRequest("end (%d) must be greater than start (%d)", end, start)
	}
	if span := end - start; span < int64(1<<63-1)/int64(time.Second) {
		err = q.checkRange(time.Duration(span) * time.Second)
	} else {
		err = q.checkRange(1<<63 - 1)
	}
	return secondsRange(start, end), err
}

func (q *Querier) checkRange(span time.Duration) error {
	if q.cfg.MaxSearchRange > 0 && span > q.cfg.MaxSearchRange {
		return badRequest("the time range of %s exceeds the limit of %s (querier.max-search-range)", span, q.cfg.MaxSearchRange)
	}
	return nil
}

// secondsValue reads a required time in Unix seconds, whole or with a fraction.
func secondsValue(values url.Values, name string) (int64, error) {
	text := values.Get(name)
	if text == "" {
		return 0, badRequest("start and end must be given together")
	}
	if v, err := strconv.ParseInt(text, 10, 64); err == nil && v >= 0 {
		return v, nil
	}
	if v, err := time.Parse(time.RFC3339, text); err == nil {
		return v.Unix(), nil
	}
	return 0, badRequest("invalid %s %q: want Unix seconds or RFC 3339", name, text)
}

func intParam(values url.Values, name string, def, lowest, highest int) (int, error) {
	text := values.Get(name)
	if text == "" {
		return def, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < lowest || v > highest {
		return 0, badRequest("invalid %s %q: want a number from %d to %d", name, text, lowest, highest)
	}
	return v, nil
}
