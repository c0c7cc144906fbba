package querier_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/querier"
)

const metricsPath = "/api/metrics/query_range?"

func metricsURL(path, query, rest string) string {
	return "/api/metrics/" + path + "?" + rest + "&q=" + url.QueryEscape(query)
}

// Every limit of metrics queries names its setting.
func TestMetricsLimits(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*querier.Config)
		path   string
		want   string
	}{
		{"steps", func(c *querier.Config) { c.MaxMetricsSteps = 10 }, metricsURL("query_range", "{ } | rate()", inRange+"&step=1s"), "querier.max-metrics-steps"},
		{"range", func(c *querier.Config) { c.MaxMetricsRange = time.Minute }, metricsURL("query", "{ } | rate()", inRange), "querier.max-metrics-range"},
		{"groups", func(c *querier.Config) { c.MaxMetricsGroups = 2 }, metricsURL("query", "{ } | rate() by (name)", inRange), "querier.max-metrics-groups"},
		{"bytes", func(c *querier.Config) { c.MaxMetricsBytes = 300 }, metricsURL("query_range", "{ } | rate()", inRange), "querier.max-metrics-bytes"},
		{"bytes of compare", func(c *querier.Config) { c.MaxMetricsBytes = 300 }, metricsURL("query_range", "{ } | compare({ name = `a` })", inRange), "querier.max-metrics-bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := limitedWorld(t, nil, tc.change)
			a := w.get(tc.path)
			require.Contains(t, []int{400, 422}, a.status, a.body)
			require.Contains(t, a.body, tc.want)
			require.Equal(t, 200, limitedWorld(t, nil, func(*querier.Config) {}).get(tc.path).status)
		})
	}
}

// Of too many series some are shown, and the answer says so.
func TestMetricsSeriesAreLimited(t *testing.T) {
	w := limitedWorld(t, nil, func(c *querier.Config) { c.MaxMetricsSeries = 2 })
	for path, want := range map[string]int{
		metricsURL("query_range", "{ } | rate() by (name)", inRange):                2,
		metricsURL("query_range", "{ } | rate() by (name)", inRange+"&maxSeries=1"): 1,
		metricsURL("query", "{ } | rate() by (name)", inRange+"&maxSeries=5"):       2,
	} {
		u, err := url.Parse(path)
		require.NoError(t, err)
		params := make(map[string]string)
		for k := range u.Query() {
			params[k] = u.Query().Get(k)
		}
		status, r, body := w.metrics(u.Path, params)
		require.Equal(t, 200, status, body)
		require.Len(t, r.Series, want)
		require.Equal(t, "PARTIAL", r.Status)
		require.Contains(t, r.Message, "of 3 series")
		require.Contains(t, r.Message, "querier.max-metrics-series")
	}
}

func TestMetricsTimeIsLimited(t *testing.T) {
	w := limitedWorld(t, func(b objstore.Bucket) objstore.Bucket { return slow{b} }, func(c *querier.Config) { c.Timeout = time.Millisecond })
	for _, query := range []string{"{ } | rate()", "{ } | compare({ name = `a` })", "{ } >> { } | rate()"} {
		a := w.get(metricsURL("query_range", query, inRange))
		require.Equal(t, 504, a.status)
		require.Contains(t, a.body, "querier.timeout")
	}
}

func TestMetricsErrors(t *testing.T) {
	w := limitedWorld(t, nil, func(*querier.Config) {})
	for _, tc := range []struct{ path, want string }{
		{metricsPath + inRange, "the query is empty"},
		{metricsURL("query_range", "{ }", inRange), "not a metrics query"},
		{metricsURL("query", "{ } | count() > 1", inRange), "not a metrics query"},
		{metricsURL("query_range", "{ } | rate(", inRange), "line 1"},
		{metricsURL("query_range", "{ } | rate()", "start=5&end=5"), "end must be greater than start"},
		{metricsURL("query_range", "{ } | rate()", "start=x"), "start"},
		{metricsURL("query_range", "{ } | rate()", inRange+"&step=0"), "step"},
		{metricsURL("query_range", "{ } | rate()", inRange+"&step=-1s"), "step"},
		{metricsURL("query_range", "{ } | rate()", inRange+"&step=1e300"), "step"},
		{metricsURL("query_range", "{ } | rate()", inRange+"&step=NaN"), "step"},
		{metricsURL("query_range", "{ } | rate()", inRange+"&exemplars=-1"), "exemplars"},
		{metricsURL("query_range", "{ } | rate()", inRange+"&maxSeries=x"), "maxSeries"},
		{metricsURL("query", "{ } | rate()", "since=5"), "since"},
		{metricsURL("query", "{ } | rate()", "since=99999999999y"), "since"},
	} {
		t.Run(tc.path, func(t *testing.T) {
			a := w.get(tc.path)
			require.Equal(t, 400, a.status, a.body)
			require.Contains(t, a.body, tc.want)
		})
	}
	require.Equal(t, 404, w.get("/api/metrics/summary?q=%7B%7D").status)
}

// Times and steps are read in every form.
func TestMetricsParameters(t *testing.T) {
	w := limitedWorld(t, nil, func(*querier.Config) {})
	query := "{ } | count_over_time()"
	for rest, samples := range map[string]int{
		inRange:               0, // what the default step gives
		inRange + "&step=50":  3,
		inRange + "&step=50s": 3,
		inRange + "&step=1m":  3,
		inRange + "&step=1d":  2,
		"start=1768471200000000000&end=1768471300000000000&step=100":             2,
		"start=2026-01-15T10:00:00Z&end=2026-01-15T10:01:40Z&step=1m40s":         2,
		"end=1768471300&since=100s&step=100":                                     2,
		"end=1768471300&step=1h":                                                 3,
		"start=1768471200.0&end=1768471300.5&step=100&query=ignored&exemplars=3": 3,
	} {
		params := map[string]string{"q": query}
		values, err := url.ParseQuery(rest)
		require.NoError(t, err)
		for k := range values {
			params[k] = values.Get(k)
		}
		status, r, body := w.metrics("/api/metrics/query_range", params)
		require.Equal(t, 200, status, "%s: %s", rest, body)
		require.Len(t, r.Series, 1, rest)
		sum := 0.0
		for _, s := range r.Series[0].Samples {
			sum += s.Value
		}
		require.InDelta(t, 3, sum, 0, rest)
		if samples > 0 {
			require.Len(t, r.Series[0].Samples, samples, rest)
		}
		if values.Get("exemplars") == "3" {
			require.NotEmpty(t, r.Series[0].Exemplars)
			require.LessOrEqual(t, len(r.Series[0].Exemplars), 3)
			require.Contains(t, labelsText(t, r.Series[0].Exemplars[0].Labels), "trace:id=s:0000")
		}
	}
	status, r, _ := w.metrics("/api/metrics/query", map[string]string{"query": query, "start": "1768471200", "end": "1768471300"})
	require.Equal(t, 200, status)
	require.InDelta(t, 3, r.Series[0].Value, 0)
}

func FuzzMetricsParameters(f *testing.F) {
	f.Add("{ } | rate()", "1768471200", "1768471300", "10s", "5", "1h", "3")
	f.Add("{ } | quantile_over_time(duration, .5) by (name)", "2026-01-15T10:00:00Z", "", "1d", "", "", "")
	f.Add("{ } | compare({ name = `a` })", "", "1768471300.5", "0.5", "0", "1w", "0")
	w := newWorldWith(f, nil, querier.Config{
		Timeout: time.Second, Concurrency: 2, CacheBytes: 1 << 20, MaxMetricsSteps: 1000, MaxMetricsBytes: 16 << 20,
	})
	w.store(span(traceA, 1, "a", 1), span(traceB, 1, "b", 3))
	f.Fuzz(func(t *testing.T, q, start, end, step, exemplars, since, maxSeries string) {
		values := url.Values{
			"q": {q}, "start": {start}, "end": {end}, "step": {step}, "exemplars": {exemplars}, "since": {since}, "maxSeries": {maxSeries},
		}
		world := *w
		world.t = t
		for _, path := range []string{"query", "query_range"} {
			a := world.get("/api/metrics/" + path + "?" + values.Encode())
			require.Less(t, a.status, 500, a.body)
		}
	})
}
