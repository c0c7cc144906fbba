package querier

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

const defaultMetricsSince = time.Hour

// metricsRange answers GET /api/metrics/query_range: series of samples, in JSON
// whatever is accepted.
func (q *Querier) metricsRange(ctx context.Context, projects []schema.ProjectID, req *http.Request) (reply, error) {
	response, err := q.queryRange(ctx, projects, req.URL.Query(), nil)
	if err != nil {
		return reply{}, err
	}
	return q.writeJSON(ctx, projects, response, response.Size())
}

// queryRange runs a range query with the parameters of the HTTP API. If reports
// is not nil it gets answers that are not whole.
func (q *Querier) queryRange(
	ctx context.Context, projects []schema.ProjectID, values url.Values, reports chan *tempopb.QueryRangeResponse,
) (*tempopb.QueryRangeResponse, error) {
	params, err := q.metricsParams(values, time.Now())
	if err != nil {
		return nil, err
	}
	if params.opts.StepNanos, err = stepParam(values); err != nil {
		return nil, err
	}
	if params.opts.Exemplars, err = exemplarsParam(values); err != nil {
		return nil, err
	}
	first, last := engine.QueryTimes(params.opts)
	within := timeRange{first, last + 1}
	var report metricsReport
	if reports != nil {
		report = reportRange(reports, &params, within)
	}
	result, stats, err := q.queryMetrics(ctx, projects, params, within, false, report)
	if err != nil {
		return nil, err
	}
	series, message := params.shown(result.Series)
	return &tempopb.QueryRangeResponse{
		Times: result.Times, Series: series, Metrics: stats, Message: message,
	}, nil
}

// writeJSON makes a reply in JSON of about so many bytes.
func (q *Querier) writeJSON(ctx context.Context, projects []schema.ProjectID, r tempopb.Reply, size int) (reply, error) {
	all := reply{contentType: contentJSON}
	err := q.inTurn(ctx, projects, func(context.Context) error {
		all.body = tempopb.Append(make([]byte, 0, size), tempopb.JSON, r)
		return nil
	})
	return all, err
}

// metricsInstant answers GET /api/metrics/query: one value for each series, in
// JSON whatever is accepted.
func (q *Querier) metricsInstant(ctx context.Context, projects []schema.ProjectID, req *http.Request) (reply, error) {
	response, err := q.queryInstant(ctx, projects, req.URL.Query(), nil)
	if err != nil {
		return reply{}, err
	}
	return q.writeJSON(ctx, projects, response, 0)
}

// queryInstant is queryRange for an instant query.
func (q *Querier) queryInstant(
	ctx context.Context, projects []schema.ProjectID, values url.Values, reports chan *tempopb.QueryInstantResponse,
) (*tempopb.QueryInstantResponse, error) {
	params, err := q.metricsParams(values, time.Now())
	if err != nil {
		return nil, err
	}
	within := timeRange{params.opts.StartNanos, params.opts.EndNanos + 1}
	var report metricsReport
	if reports != nil {
		report = reportInstant(reports, &params, q.partialEvery)
	}
	result, stats, err := q.queryMetrics(ctx, projects, params, within, true, report)
	if err != nil {
		return nil, err
	}
	return params.instant(result, stats), nil
}

// queryMetrics runs a query over what may have spans that start within.
func (q *Querier) queryMetrics(
	ctx context.Context, projects []schema.ProjectID, params metricsParams, within timeRange, instant bool, report metricsReport,
) (*engine.MetricsResult, tempopb.SearchMetrics, error) {
	result, stats, err := q.sumMetrics(ctx, projects, params, within, instant, report)
	if err == nil {
		used := usageOf(ctx)
		used.explain, used.rows = params.explain, result.InspectedSpans
	}
	return result, stats, q.metricsError(err)
}

// metricsError names the setting behind a limit.
func (q *Querier) metricsError(err error) error {
	switch {
	case errors.Is(err, engine.ErrTooManySteps):
		return badRequest("%s exceed the limit of %d samples for each series (querier.max-metrics-steps): ask for a longer step", err, q.cfg.MaxMetricsSteps)
	case errors.Is(err, engine.ErrTooManySeries):
		return &limitError{fmt.Sprintf("the query makes more than %d groups (querier.max-metrics-groups): "+
			"filter more, or group by less", q.cfg.MaxMetricsGroups)}
	case errors.Is(err, engine.ErrTooMuchMemory):
		return &limitError{fmt.Sprintf("the query needs more than %s of memory (querier.max-metrics-bytes): "+
			"ask for a longer step, filter more, or group by less", q.cfg.MaxMetricsBytes.String())}
	}
	return err
}

type metricsParams struct {
	plan      *engine.MetricsPlan
	query     string // the parameter that the plan is of
	opts      engine.MetricsOptions
	maxSeries int // 0: no limit
	explain   bool
}

// shown are the series of a reply, and why they are not all, if they are not.
func (p *metricsParams) shown(all []engine.Series) (series []engine.Series, message string) {
	if p.maxSeries == 0 || len(all) <= p.maxSeries {
		return all, ""
	}
	return all[:p.maxSeries], fmt.Sprintf("%d of %d series are shown: raise maxSeries or querier.max-metrics-series, or use topk(%d)",
		p.maxSeries, len(all), p.maxSeries)
}

// instant is an answer with these series.
func (p *metricsParams) instant(result *engine.MetricsResult, stats tempopb.SearchMetrics) *tempopb.QueryInstantResponse {
	series, message := p.shown(result.Series)
	return &tempopb.QueryInstantResponse{Series: series, Metrics: stats, Message: message}
}

func (q *Querier) metricsParams(values url.Values, now time.Time) (metricsParams, error) {
	p := metricsParams{maxSeries: q.cfg.MaxMetricsSeries}
	text := values.Get("q")
	if text == "" {
		text = values.Get("query")
	}
	p.query = url.Values{"q": {text}}.Encode()
	var err error
	if p.plan, p.explain, err = metricsPlan(text); err != nil {
		return p, err
	}
	asked, err := intParam(values, "maxSeries", 0, 0, math.MaxInt32)
	if err != nil {
		return p, err
	}
	if p.maxSeries == 0 || asked > 0 && asked < p.maxSeries {
		p.maxSeries = asked
	}
	within, err := q.metricsTimes(values, now)
	p.opts = engine.MetricsOptions{
		StartNanos: within.start, EndNanos: within.end, NowNanos: uint64(now.UnixNano()), //nolint:gosec // wall clock
		MaxSteps: q.cfg.MaxMetricsSteps, MaxSeries: q.cfg.MaxMetricsGroups,
		MaxBytes:    int64(q.cfg.MaxMetricsBytes), //nolint:gosec // Config.Validate bounds it
		Concurrency: q.cfg.Concurrency, Repeats: q.repeats, Tallies: q.tallies,
	}
	return p, err
}

// metricsPlan compiles a query, and tells whether somebody wants to know what it
// took.
func metricsPlan(text string) (plan *engine.MetricsPlan, explain bool, err error) {
	query, err := traceql.Parse(text)
	if err != nil {
		return nil, false, badRequest("invalid TraceQL query: %s", err)
	}
	plan, err = engine.CompileMetrics(query)
	switch {
	case errors.Is(err, engine.ErrNotMetrics):
		return nil, false, badRequest("not a metrics query: it ends in no function such as | rate()")
	case err != nil:
		return nil, false, badRequest("invalid TraceQL query: %s", err)
	}
	return plan, query.Explain(), nil
}

// metricsTimes reads start and end, each of which may be missing, and since.
func (q *Querier) metricsTimes(values url.Values, now time.Time) (timeRange, error) {
	since := defaultMetricsSince
	if text := values.Get("since"); text != "" {
		var ok bool
		if since, ok = parseDuration(text); !ok || since <= 0 {
			return timeRange{}, badRequest("invalid since %q: want a duration such as 1h", text)
		}
	}
	end := uint64(now.UnixNano()) //nolint:gosec // wall clock
	var err error
	if values.Get("end") != "" {
		if end, err = timeValue(values, "end"); err != nil {
			return timeRange{}, err
		}
	}
	start := end - min(end, uint64(since)) //nolint:gosec // positive
	if values.Get("start") != "" {
		if start, err = timeValue(values, "start"); err != nil {
			return timeRange{}, err
		}
	}
	if end <= start {
		return timeRange{}, badRequest("end must be greater than start")
	}
	if limit := q.cfg.MaxMetricsRange; limit > 0 && end-start > uint64(limit) {
		return timeRange{}, badRequest("the time range of %s exceeds the limit of %s (querier.max-metrics-range)",
			time.Duration(min(end-start, math.MaxInt64)), limit) //nolint:gosec // bounded on this line
	}
	return timeRange{start, end}, nil
}

// stepParam reads the step in nanoseconds, 0 when it is absent: seconds, or a
// duration with units.
func stepParam(values url.Values) (uint64, error) {
	text := values.Get("step")
	if text == "" {
		return 0, nil
	}
	d, ok := parseDuration(text)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		nanos := seconds * float64(time.Second)
		d, ok = time.Duration(nanos), nanos < math.MaxInt64
	}
	if !ok || d < time.Millisecond {
		return 0, badRequest("invalid step %q: want seconds or a duration such as 30s, at least 1ms", text)
	}
	return uint64(d), nil
}

func exemplarsParam(values url.Values) (int, error) {
	n, err := intParam(values, "exemplars", 0, 0, math.MaxInt32)
	if n == 0 {
		n = engine.MaxExemplars
	}
	return n, err
}

// parseDuration reads a duration as Prometheus or Go write it: 1d, 1h30m, 1.5s.
func parseDuration(text string) (time.Duration, bool) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, true
	}
	const day = 24 * time.Hour
	var total time.Duration
	for text != "" {
		digits := 0
		for digits < len(text) && text[digits] >= '0' && text[digits] <= '9' {
			digits++
		}
		n, err := strconv.ParseInt(text[:digits], 10, 32)
		if err != nil {
			return 0, false
		}
		unit := digits
		for unit < len(text) && (text[unit] < '0' || text[unit] > '9') {
			unit++
		}
		size, ok := map[string]time.Duration{
			"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
			"d": day, "w": 7 * day, "y": 365 * day,
		}[text[digits:unit]]
		if !ok || time.Duration(n) > (math.MaxInt64-total)/size {
			return 0, false
		}
		total += time.Duration(n) * size
		text = text[unit:]
	}
	return total, total > 0
}
